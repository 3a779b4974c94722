use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use serde_json::json;

use super::*;
use crate::{
    api::{DestinationRule, ServiceEntry, ServiceFence, VirtualService},
    fence::{Labels, ObjectRef},
    index::Indexed,
};

const ISTIO: &str = "networking.istio.io/v1";
const OWN: &str = "own.shop.svc.cluster.local";
const SHARED: &str = "shared.shop.svc.cluster.local";
const ENTRY: &str = "pay.example.com";

fn add<K: Indexed>(world: &mut World, object: Value) -> Vec<Key> {
    let object: K = serde_json::from_value(object).unwrap();
    let mut concerned = Vec::new();
    object.upsert(world, &mut concerned);
    concerned
}

fn add_config(world: &mut World, text: &str) -> Vec<Key> {
    let metadata = json!({ "namespace": "istio-system", "name": "istio" });
    add::<ConfigMap>(
        world,
        json!({ "metadata": metadata, "data": { "mesh": text } }),
    )
}

fn remove_config(world: &mut World) {
    let name = ObjectRef::new("istio-system", "istio");
    ConfigMap::remove(&name, None, world, &mut Vec::new());
}

fn add_service(world: &mut World, name: &str, annotations: Value) {
    let metadata = json!({
        "namespace": "shop", "name": name, "labels": { "app": "x" }, "annotations": annotations,
    });
    add::<Service>(world, json!({ "metadata": metadata, "spec": {} }));
}

fn add_istio<K: Indexed>(world: &mut World, kind: &str, spec: Value) {
    let metadata = json!({ "namespace": "shop", "name": "one" });
    let object = json!({ "apiVersion": ISTIO, "kind": kind, "metadata": metadata, "spec": spec });
    add::<K>(world, object);
}

type Event = fn(&mut World);

/// All objects are of the namespace shop; only the Service `shared` says to whom it is exported.
const EVENTS: [Event; 5] = [
    |world| add_service(world, "own", json!({})),
    |world| {
        let annotations = json!({ "networking.istio.io/exportTo": "*" });
        add_service(world, "shared", annotations);
    },
    |world| add_istio::<ServiceEntry>(world, "ServiceEntry", json!({ "hosts": [ENTRY] })),
    |world| {
        let http = json!([{ "route": [{ "destination": { "host": "own" } }] }]);
        let spec = json!({ "hosts": ["routed.example.com"], "http": http });
        add_istio::<VirtualService>(world, "VirtualService", spec);
    },
    |world| add_istio::<DestinationRule>(world, "DestinationRule", json!({ "host": ENTRY })),
];

/// What pods of `from` may use, by everything that depends on it.
fn usable(world: &World, from: &str) -> Vec<&'static str> {
    let labels = Labels::from([("app".to_owned(), "x".to_owned())]);
    let resolves = |host: &str| world.resolve(host, from, None).is_some();
    assert_eq!(
        world.services_labelled(&labels, from).len(),
        [OWN, SHARED].iter().filter(|host| resolves(host)).count()
    );
    let routed = world.routes().concerning("routed.example.com", from);
    let is_routed = routed.count() > 0;
    let mesh = world.mesh();
    let rules = &mesh.virtual_services;
    assert_eq!(
        rules.concerning("routed.example.com", from).is_some(),
        is_routed
    );
    let is_ruled = mesh.destination_rules.concerning(ENTRY, from).is_some();
    [
        ("own", resolves(OWN)),
        ("shared", resolves(SHARED)),
        ("entry", resolves(ENTRY)),
        ("routes", is_routed),
        ("rule", is_ruled),
    ]
    .into_iter()
    .filter_map(|(name, is_usable)| is_usable.then_some(name))
    .collect()
}

/// Calls `each` with every order of `events`.
fn orders(done: &mut Vec<Event>, events: &[Event], each: &mut dyn FnMut(&[Event])) {
    if events.is_empty() {
        each(done);
    }
    for (at, event) in events.iter().enumerate() {
        done.push(*event);
        let others = [&events[..at], &events[at + 1..]].concat();
        orders(done, &others, each);
        done.pop();
    }
}

const PRIVATE: &str = "
    defaultServiceExportTo: ['.']
    defaultVirtualServiceExportTo: ['.', team-a]
    defaultDestinationRuleExportTo: ['.']
";

#[test]
fn whatever_comes_first_the_defaults_hold_for_what_states_nothing_and_for_nothing_else() {
    let all = ["own", "shared", "entry", "routes", "rule"];
    let config: Event = |world| _ = add_config(world, PRIVATE);
    let events = [&EVENTS[..], &[config]].concat();
    orders(&mut Vec::new(), &events, &mut |order| {
        let mut world = World::new(Arc::default());
        for event in order {
            event(&mut world);
        }
        assert_eq!(usable(&world, "shop"), all);
        assert_eq!(usable(&world, "team-a"), ["shared", "routes"]);
        assert_eq!(usable(&world, "team-b"), ["shared"]);
    });
}

#[test]
fn defaults_that_change_or_go_or_cannot_be_read_hold_as_if_they_had_been_so_from_the_beginning() {
    let all = ["own", "shared", "entry", "routes", "rule"];
    let mut world = World::new(Arc::default());
    for event in EVENTS {
        event(&mut world);
    }
    for (text, from_own, from_other) in [
        ("", &all[..], &all[..]),
        (PRIVATE, &all, &["shared"]),
        ("{", &all, &["shared"]),
        (
            "{ defaultServiceExportTo: ['~'], defaultDestinationRuleExportTo: ['~'] }",
            &["shared", "routes", "rule"],
            &["shared", "routes", "rule"],
        ),
        (
            "defaultServiceExportTo: [team-b, 7]",
            &["shared", "routes", "rule"],
            &all,
        ),
        (
            "{ defaultServiceExportTo: ['*'], defaultVirtualServiceExportTo: [] }",
            &all,
            &all,
        ),
        ("defaultServiceExportTo: everyone", &all, &all),
    ] {
        add_config(&mut world, text);
        assert_eq!(usable(&world, "shop"), from_own, "{text}");
        assert_eq!(usable(&world, "team-b"), from_other, "{text}");
    }
    add_config(&mut world, PRIVATE);
    remove_config(&mut world);
    assert_eq!(usable(&world, "team-b"), all);
}

#[test]
fn other_defaults_concern_every_fence_and_the_same_ones_none() {
    let mut world = World::new(Arc::default());
    let fence = json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "team-a", "name": "web" }, "spec": { "enable": true },
    });
    add::<ServiceFence>(&mut world, fence);
    let text = "{}";
    add_config(&mut world, text);
    let web = Key::Fence(ObjectRef::new("team-a", "web"));
    assert!(add_config(&mut world, PRIVATE).contains(&web));
    assert_eq!(add_config(&mut world, PRIVATE), []);
}
