//! Requests that a real route takes must not even enter the filter.

use super::world::{World, mesh};
use integration::until::until;

/// Puts every entry into the filter's VM in the sidecar's log, while it lives.
fn trace(world: &World) {
    mesh()
        .change_admin(&world.client, "logging?wasm=trace")
        .unwrap();
}

/// How many streams have entered the VM: Envoy logs each callback when it traces.
fn entries(world: &World) -> usize {
    let log = mesh().log(&world.client, "istio-proxy").unwrap();
    log.matches("[host->vm] proxy_on_request_headers(").count()
}

fn assert_that_only_misses_enter(world: &World) {
    trace(world);
    let before = entries(world);
    for _ in 0..3 {
        let hit = world.get("http://details.default:9080/").body.unwrap();
        assert!(hit.caller.is_some(), "a real route");
    }
    let miss = world.get_with(
        "http://details.default:9080/",
        &[("host", "api.example.com")],
    );
    assert_eq!(miss.status, 200);
    until("the miss to be in the log", || {
        Ok((entries(world) > before).then_some(()))
    })
    .unwrap();
    assert_eq!(entries(world) - before, 1, "the miss alone");
}

#[test]
fn a_hit_does_not_enter_the_vm() {
    let world = World::new("hits");
    assert_that_only_misses_enter(&world);
}

/// istiod before 1.30 names the filter so. A plugin of that name is put into this client's listeners the way istiod itself
/// would: an entry whose configuration comes by extension discovery.
const OLD_NAME: &str = "\
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: old-name, namespace: NAMESPACE}
spec:
  priority: -1
  workloadSelector: {labels: {app: client}}
  configPatches:
  - applyTo: EXTENSION_CONFIG
    match: {context: SIDECAR_OUTBOUND}
    patch:
      operation: ADD
      value:
        name: extensions.istio.io/wasmplugin/istio-system.lazyload
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          config:
            name: istio-system.lazyload
            vm_config:
              runtime: envoy.wasm.runtime.v8
              code: {local: {filename: /var/lib/lazyload/filter.wasm}}
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_OUTBOUND, listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}}
    patch:
      operation: INSERT_FIRST
      value:
        name: extensions.istio.io/wasmplugin/istio-system.lazyload
        config_discovery:
          config_source: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}
          type_urls: [type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm]
";

#[test]
fn a_hit_does_not_enter_the_vm_under_the_name_that_istio_before_1_30_gives_the_filter() {
    let world = World::alone("hits-old");
    world.apply(OLD_NAME);
    let plugin = ["wasmplugin", "lazyload", "-n", "istio-system"];
    let plugin_as_it_was = mesh()
        .kubectl_output(
            &[
                &["get"],
                plugin.as_slice(),
                &["-o", "yaml", "--show-managed-fields=false"],
            ]
            .concat(),
        )
        .unwrap();
    mesh()
        .kubectl_output(&[&["delete"], plugin.as_slice()].concat())
        .unwrap();
    let _back = Back(plugin_as_it_was);
    until("the old name to take the new one's place", || {
        let listeners = mesh().admin(&world.client, "config_dump?resource=dynamic_listeners")?;
        let filters = mesh().admin(&world.client, "config_dump?resource=ecds_filters")?;
        let is_old = !listeners
            .contains("extensions.istio.io/trafficextension/istio-system.lazyload")
            && listeners.contains("extensions.istio.io/wasmplugin/istio-system.lazyload")
            && filters.contains("extensions.istio.io/wasmplugin/istio-system.lazyload");
        Ok(is_old.then_some(()))
    })
    .unwrap();
    assert_that_only_misses_enter(&world);
}

/// Whatever becomes of the test, those after it have the plugin.
struct Back(String);

impl Drop for Back {
    fn drop(&mut self) {
        let kept = |line: &&str| {
            ![
                "uid:",
                "resourceVersion:",
                "creationTimestamp:",
                "generation:",
            ]
            .iter()
            .any(|key| line.trim().starts_with(key))
        };
        let manifest: Vec<&str> = self.0.lines().filter(kept).collect();
        let applied = mesh().apply(&manifest.join("\n"));
        assert!(applied.is_ok() || std::thread::panicking(), "{applied:?}");
    }
}
