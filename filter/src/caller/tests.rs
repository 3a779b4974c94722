use super::*;
use crate::{labels::tests::mk_pairs, memory::Memory};
use wasm_bindgen_test::wasm_bindgen_test;

fn mk_node() -> Memory {
    let envoy = Memory::default();
    for (path, value) in [
        (
            "xds.node.id",
            "sidecar~10.0.0.9~productpage-1.shop~shop.svc.cluster.local",
        ),
        ("xds.node.metadata.NAMESPACE", "shop"),
        ("xds.node.metadata.NAME", "productpage-1"),
        ("xds.node.metadata.SERVICE_ACCOUNT", "bookinfo-productpage"),
    ] {
        envoy.set_property(path, value.as_bytes());
    }
    envoy.set_property(
        "xds.node.metadata.LABELS",
        &mk_pairs(&[("app", "productpage")]),
    );
    envoy
}

#[wasm_bindgen_test(unsupported = test)]
fn every_fact_comes_from_the_nodes_metadata() {
    let workload = read(&mk_node());
    assert_eq!(workload.namespace, "shop");
    assert_eq!(workload.name, "productpage-1");
    assert_eq!(workload.service_account, "bookinfo-productpage");
    assert_eq!(
        workload.labels.get("app").map(String::as_str),
        Some("productpage")
    );
    assert_eq!(
        workload.node_id,
        "sidecar~10.0.0.9~productpage-1.shop~shop.svc.cluster.local"
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn the_node_id_stands_in_for_missing_metadata() {
    let envoy = Memory::default();
    envoy.set_property(
        "xds.node.id",
        b"sidecar~10.0.0.9~db-0.shop~shop.svc.cluster.local",
    );
    let workload = read(&envoy);
    assert_eq!(
        (workload.name.as_str(), workload.namespace.as_str()),
        ("db-0", "shop")
    );
    assert!(workload.labels.is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn labels_that_cannot_be_read_cost_only_the_labels() {
    let envoy = mk_node();
    envoy.set_property("xds.node.metadata.LABELS", &[0xff; 1000]);
    let workload = read(&envoy);
    assert_eq!(workload.namespace, "shop");
    assert!(workload.labels.is_empty());
    let warnings = envoy.lines_at(Level::Warn);
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("LABELS cannot be read"),
        "{warnings:?}"
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_node_that_says_nothing_is_a_workload_without_facts() {
    assert_eq!(read(&Memory::default()), Workload::default());
}
