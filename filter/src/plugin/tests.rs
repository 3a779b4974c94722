use super::*;
use crate::memory::Memory;
use wasm_bindgen_test::wasm_bindgen_test;

fn mk_request(virtual_host: &str, authority: &str) -> Memory {
    let envoy = Memory::default();
    envoy.set_property("xds.virtual_host_name", virtual_host.as_bytes());
    envoy.set_property("destination.address", b"10.96.0.7:9080");
    envoy.set_property("xds.node.metadata.NAMESPACE", b"shop");
    *envoy.authority.borrow_mut() = authority.as_bytes().to_vec();
    for value in ["spoofed", "twice"] {
        for name in [ORIGINAL_DESTINATION_HEADER, SOURCE_NAMESPACE_HEADER] {
            envoy
                .headers
                .borrow_mut()
                .push((name.to_owned(), value.to_owned()));
        }
    }
    envoy
}

fn mk_miss_request(authority: &str) -> Memory {
    mk_request("allow_any", authority)
}

fn mk_plugin(envoy: &Memory, json: &str) -> Plugin {
    let mut plugin = Plugin::default();
    plugin.configure(envoy, json.as_bytes());
    plugin
}

#[wasm_bindgen_test(unsupported = test)]
fn a_hit_is_not_touched_and_not_told() {
    let envoy = mk_request("reviews.shop.svc.cluster.local:9080", "reviews");
    mk_plugin(&envoy, "").on_request_headers(&envoy);
    assert_eq!(envoy.header_writes.get(), 0);
    assert_eq!(envoy.property_reads.get(), 1);
    assert!(envoy.lines.borrow().is_empty() && envoy.counts.borrow().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_miss_is_stamped_over_whatever_the_application_sent() {
    let envoy = mk_miss_request("reviews:9080");
    mk_plugin(&envoy, "").on_request_headers(&envoy);
    assert_eq!(
        envoy.values(ORIGINAL_DESTINATION_HEADER),
        ["10.96.0.7:9080"]
    );
    assert_eq!(envoy.values(SOURCE_NAMESPACE_HEADER), ["shop"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_the_proxy_does_not_know_is_not_left_to_the_application() {
    let envoy = mk_miss_request("reviews");
    envoy
        .properties
        .borrow_mut()
        .retain(|path, _| path == "xds.virtual_host_name");
    mk_plugin(&envoy, "").on_request_headers(&envoy);
    assert!(envoy.headers.borrow().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_miss_is_reported_with_all_that_is_known_of_it() {
    let envoy = mk_miss_request("Reviews:9080");
    let mut plugin = mk_plugin(&envoy, "");
    plugin.on_request_headers(&envoy);
    plugin.on_wake(&envoy);
    let calls = envoy.calls.borrow();
    let (_, request) = calls.first().unwrap();
    let expected = Miss {
        authority: "Reviews:9080".to_owned(),
        original_destination: "10.96.0.7:9080".to_owned(),
        port: 9080,
        route: "allow_any".to_owned(),
    };
    assert_eq!(request.misses, [expected]);
    assert_eq!(request.workload.as_ref().unwrap().namespace, "shop");
}

#[wasm_bindgen_test(unsupported = test)]
fn spellings_of_one_host_are_one_miss() {
    let envoy = mk_miss_request("");
    let mut plugin = mk_plugin(&envoy, "");
    for authority in ["reviews", "REVIEWS:9080", "reviews.:80"] {
        *envoy.authority.borrow_mut() = authority.into();
        plugin.on_request_headers(&envoy);
    }
    plugin.on_wake(&envoy);
    assert_eq!(envoy.reported(), [["reviews"]]);
    assert_eq!(envoy.counted(Metric::Misses), 3);
    assert_eq!(envoy.counted(Metric::Deduplicated), 2);
}

#[wasm_bindgen_test(unsupported = test)]
fn without_a_destination_the_authority_tells_the_port() {
    for (authority, port) in [("reviews:9080", 9080), ("reviews", 80)] {
        let envoy = mk_miss_request(authority);
        envoy.set_property("destination.address", b"pipe");
        let mut plugin = mk_plugin(&envoy, "");
        plugin.on_request_headers(&envoy);
        plugin.on_wake(&envoy);
        assert_eq!(
            envoy.calls.borrow()[0].1.misses[0].port,
            port,
            "{authority}"
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_impossible_authority_is_stamped_and_counted_but_not_reported() {
    let long = "a".repeat(100_000);
    for authority in [&b""[..], b"\xff\xfe", b"a b", long.as_bytes()] {
        let envoy = mk_miss_request("");
        *envoy.authority.borrow_mut() = authority.to_vec();
        let mut plugin = mk_plugin(&envoy, "");
        plugin.on_request_headers(&envoy);
        plugin.on_wake(&envoy);
        assert!(envoy.calls.borrow().is_empty());
        assert_eq!(envoy.counted(Metric::InvalidAuthority), 1);
        assert_eq!(envoy.values(SOURCE_NAMESPACE_HEADER), ["shop"]);
        assert!(
            envoy
                .lines
                .borrow()
                .iter()
                .all(|(_, line)| line.len() < 300)
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_address_is_stamped_and_counted_but_not_reported() {
    for authority in ["10.0.0.1", "10.0.0.1:80", "[::1]:80"] {
        let envoy = mk_miss_request(authority);
        let mut plugin = mk_plugin(&envoy, "");
        plugin.on_request_headers(&envoy);
        assert_eq!(envoy.wake_period.get(), 0);
        assert_eq!(envoy.counted(Metric::Address), 1);
        assert!(
            envoy
                .shared
                .borrow()
                .values()
                .all(|(claim, _)| claim.is_empty())
        );
        assert_eq!(envoy.values(SOURCE_NAMESPACE_HEADER), ["shop"]);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_that_happens_per_request_is_above_debug() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    for _ in 0..10 {
        plugin.on_request_headers(&envoy);
    }
    assert!(
        envoy
            .lines
            .borrow()
            .iter()
            .all(|(level, _)| *level == Level::Debug)
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_bad_configuration_is_told_once_and_leaves_the_filter_inert() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, r#"{"x": 1}"#);
    for _ in 0..3 {
        plugin.on_request_headers(&envoy);
        plugin.on_wake(&envoy);
        plugin.on_answer(&envoy, 0, 0, b"");
    }
    assert_eq!(envoy.header_writes.get() + envoy.property_reads.get(), 0);
    let lines = envoy.lines_at(Level::Error);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with(
            "lazyload: plugin configuration is not valid: unknown field `x`, expected one of"
        ),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with("the filter stays inactive; fix spec.pluginConfig of the WasmPlugin")
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_good_configuration_brings_an_inert_filter_back() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "[");
    plugin.configure(&envoy, b"{}");
    plugin.on_request_headers(&envoy);
    assert_eq!(envoy.counted(Metric::Misses), 1);
}
