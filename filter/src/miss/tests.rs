use super::*;
use crate::memory::Memory;
use wasm_bindgen_test::wasm_bindgen_test;

fn mk_caught(facts: &[(&str, &str)]) -> (Option<&'static str>, usize) {
    let envoy = Memory::default();
    for (path, value) in facts {
        envoy.set_property(path, value.as_bytes());
    }
    (caught_by(&envoy), envoy.property_reads.get())
}

const VIRTUAL_HOST: &str = "xds.virtual_host_name";
const ROUTE: &str = "xds.route_name";
const CLUSTER: &str = "xds.cluster_name";

#[wasm_bindgen_test(unsupported = test)]
fn a_hit_costs_one_property_read() {
    let facts = [
        (VIRTUAL_HOST, "reviews.shop.svc.cluster.local:9080"),
        (ROUTE, "default"),
        (CLUSTER, "outbound|9080||reviews.shop.svc.cluster.local"),
    ];
    assert_eq!(mk_caught(&facts), (None, 1));
}

#[wasm_bindgen_test(unsupported = test)]
fn each_catch_all_virtual_host_is_a_miss() {
    for name in CATCH_ALL_ROUTES {
        assert_eq!(mk_caught(&[(VIRTUAL_HOST, name)]), (Some(name), 2));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_the_operator_sends_elsewhere_is_no_miss() {
    for (route, expected) in [
        ("lazyload-dispatch-163", None),
        ("lazyload-replay", Some("allow_any")),
        ("allow_any", Some("allow_any")),
    ] {
        let facts = [(VIRTUAL_HOST, "allow_any"), (ROUTE, route)];
        assert_eq!(mk_caught(&facts).0, expected, "{route}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_users_route_that_is_called_like_the_catch_all_is_a_hit() {
    let facts = [
        (VIRTUAL_HOST, "reviews.shop.svc.cluster.local:9080"),
        (ROUTE, "allow_any"),
    ];
    assert_eq!(mk_caught(&facts).0, None);
}

#[wasm_bindgen_test(unsupported = test)]
fn without_a_virtual_host_the_routes_name_decides() {
    assert_eq!(mk_caught(&[(ROUTE, "block_all")]).0, Some("block_all"));
    assert_eq!(
        mk_caught(&[(VIRTUAL_HOST, ""), (ROUTE, "allow_any")]).0,
        Some("allow_any")
    );
    assert_eq!(
        mk_caught(&[(ROUTE, "default"), (CLUSTER, "PassthroughCluster")]).0,
        None
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn without_any_name_the_cluster_decides() {
    assert_eq!(
        mk_caught(&[(CLUSTER, "PassthroughCluster")]).0,
        Some("allow_any")
    );
    assert_eq!(
        mk_caught(&[(CLUSTER, "BlackHoleCluster")]).0,
        Some("block_all")
    );
    assert_eq!(mk_caught(&[(CLUSTER, "outbound|80||a")]).0, None);
    assert_eq!(mk_caught(&[]).0, None);
}
