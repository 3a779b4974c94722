use super::*;
use serde_json::json;

#[test]
fn only_an_entry_of_an_outside_host_without_addresses_is_reached_as_well_without_a_route() {
    for (spec, expected) in [
        (json!({}), true),
        (
            json!({ "location": "MESH_EXTERNAL", "resolution": "NONE", "endpoints": [] }),
            true,
        ),
        (json!({ "location": "MESH_INTERNAL" }), false),
        (json!({ "resolution": "STATIC" }), false),
        (json!({ "resolution": "DNS" }), false),
        (json!({ "endpoints": [{ "address": "10.0.0.1" }] }), false),
        (
            json!({ "workloadSelector": { "labels": { "app": "a" } } }),
            false,
        ),
    ] {
        let read: ServiceEntrySpec = serde_json::from_value(spec.clone()).unwrap();
        assert_eq!(
            EntryFacts::from(&read).is_passed_through,
            expected,
            "{spec}"
        );
    }
}

#[test]
fn a_host_that_no_sidecar_can_name_is_nobodys() {
    let hosts = json!(["Short", "A.example.com", "10.0.0.1", "*.example.com"]);
    let read: ServiceEntrySpec = serde_json::from_value(json!({ "hosts": hosts })).unwrap();
    assert_eq!(
        EntryFacts::from(&read).hosts,
        ["a.example.com", "*.example.com"]
    );
}
