//! The EnvoyFilter that gives sidecars a way to send a held request anew.

use super::world::{World, mesh};
use integration::until::until;
use serde_json::Value;

const NAMED: [&str; 4] = ["envoyfilter", "lazyload-replay", "-n", "istio-system"];

fn filter_now() -> Value {
    let get = [&["get"], NAMED.as_slice(), &["-o", "json"]].concat();
    serde_json::from_str(&mesh().kubectl_output(&get).unwrap()).unwrap()
}

fn has_listener(world: &World, port: u16) -> anyhow::Result<Option<()>> {
    let listeners = mesh().admin(&world.client, "listeners")?;
    Ok(listeners
        .contains(&format!("lazyload-replay-{port}"))
        .then_some(()))
}

#[test]
fn the_http_port_of_a_new_service_gets_a_replay_listener() {
    let world = World::new("replay-port");
    world.fence();
    world.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: NAMESPACE}\n\
        spec: {ports: [{name: http-web, port: 7171}]}\n",
    );
    until("a replay listener for the port", || {
        has_listener(&world, 7171)
    })
    .unwrap();
    assert_eq!(
        world.stat("lds.update_rejected") + world.stat("cds.update_rejected"),
        0
    );
}

#[test]
fn an_envoy_filter_that_somebody_edits_or_deletes_comes_back() {
    let _world = World::alone("replay-edit");
    let before = filter_now();
    let edit = r#"[{"op": "remove", "path": "/spec/configPatches/0"}]"#;
    let patch = [&["patch"], NAMED.as_slice(), &["--type=json", "-p", edit]].concat();
    mesh().kubectl_output(&patch).unwrap();
    until("the edit to be undone", || {
        Ok((filter_now()["spec"] == before["spec"]).then_some(()))
    })
    .unwrap();
    mesh()
        .kubectl_output(&[&["delete"], NAMED.as_slice()].concat())
        .unwrap();
    let get = [
        &["get"],
        NAMED.as_slice(),
        &["--ignore-not-found", "-o", "name"],
    ]
    .concat();
    until("it to be back", || {
        Ok((!mesh().kubectl_output(&get)?.is_empty()).then_some(()))
    })
    .unwrap();
    assert_eq!(filter_now()["spec"], before["spec"]);
}

/// Upstream, added case: proxy version skew, below what is supported.
#[test]
fn a_sidecar_of_an_istio_below_the_floor_receives_nothing_of_it() {
    let world = World::new("replay-old");
    world.apply(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: old, namespace: NAMESPACE}\nspec:\n  \
        selector: {matchLabels: {app: old}}\n  template:\n    metadata:\n      labels: {app: old}\n      annotations: \
        {proxy.istio.io/config: '{\"proxyMetadata\": {\"ISTIO_META_ISTIO_VERSION\": \"1.26.4\"}}'}\n    spec:\n      \
        terminationGracePeriodSeconds: 1\n      containers: [{name: old, image: examples-bookinfo-ratings-v1}]\n",
    );
    world.kubectl(&[
        "wait",
        "deployment",
        "old",
        "--for=condition=Available",
        "--timeout=60s",
    ]);
    let old = mesh()
        .workload(&format!("{}/old", world.namespace))
        .unwrap();
    // The one of the newer Istio shows that it has been handed out by now.
    until("the newer sidecar's replay listener", || {
        has_listener(&world, 9080)
    })
    .unwrap();
    let dump = mesh().admin(&old, "config_dump").unwrap();
    assert!(
        dump.contains("0.0.0.0_9080"),
        "it has the mesh's configuration"
    );
    assert!(!dump.contains("lazyload-replay"), "and nothing of ours");
    assert!(!dump.contains("lazyload-probe"));
}
