//! The plugin off where a real route is hit, and on in the catch-all virtual hosts alone.

use lazyload_protocol::CATCH_ALL_ROUTES;
use serde_json::{Value, json};

use super::{
    origin::{ORIGIN_FILTER, ORIGIN_TYPE},
    patch::{Patches, http_filter, typed, virtual_host},
};
use crate::fence::ObjectRef;

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
const RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";

/// Switches `plugin` off in every outbound HTTP listener, and on again for misses.
pub fn add(patches: &mut Patches, plugin: &ObjectRef) {
    let names = filter_names(plugin);
    for name in &names {
        patches.push(
            "HTTP_FILTER",
            http_filter(name),
            "REPLACE",
            switched_off(name),
        );
    }
    let mut on: serde_json::Map<String, Value> = names
        .into_iter()
        .map(|name| (name, switched_on(WASM)))
        .collect();
    on.insert(ORIGIN_FILTER.to_owned(), switched_on(ORIGIN_TYPE));
    for catch_all in CATCH_ALL_ROUTES {
        let value = json!({ "typed_per_filter_config": on });
        patches.push("VIRTUAL_HOST", virtual_host(catch_all), "MERGE", value);
    }
}

/// What Istio calls the plugin's filter: since 1.30, and before. Where neither is right, the filter merely runs on hits too.
pub fn filter_names(ObjectRef { namespace, name }: &ObjectRef) -> [String; 2] {
    [
        format!(
            "extensions.istio.io/trafficextension/{namespace}.{name}~istio-translated-wasmplugin"
        ),
        format!("extensions.istio.io/wasmplugin/{namespace}.{name}"),
    ]
}

/// The entry as Istio makes it, switched off. A merge would not carry `disabled`.
fn switched_off(name: &str) -> Value {
    json!({
        "name": name,
        "disabled": true,
        "config_discovery": {
            "config_source": { "ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3" },
            // The second is what Istio sends in place of a plugin that must not take effect.
            "type_urls": [format!("type.googleapis.com/{WASM}"), format!("type.googleapis.com/{RBAC}")],
        },
    })
}

/// Switches a filter on for a virtual host. The configuration says nothing: Envoy would take an empty one, istiod wants a type.
/// Optional: the filter of the other name is not there, and some filters take no configuration per route.
fn switched_on(type_name: &str) -> Value {
    typed(
        "envoy.config.route.v3.FilterConfig",
        json!({ "is_optional": true, "config": typed(type_name, json!({})) }),
    )
}
