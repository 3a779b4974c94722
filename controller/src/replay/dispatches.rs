//! The routes in the catch-all virtual hosts that send misses of some hosts elsewhere.

use lazyload_protocol::{
    DISPATCH_ROUTE_PREFIX, ORIGINAL_DESTINATION_HEADER, SOURCE_NAMESPACE_HEADER,
};
use serde_json::{Map, Value, json};

use super::{
    hits::filter_names,
    origin::ORIGIN_FILTER,
    patch::{Patches, typed, virtual_host},
};
use crate::{
    dispatch::Entry,
    settings::{DispatchTo, Settings, forwarder},
};

/// Node metadata of Slime's forwarder.
const FORWARDER: [(&str, &str); 1] = [("SLIME_APP", "LAZYLOAD_GLOBAL_SIDECAR")];
/// Port of its Service.
const FORWARDER_PORT: u16 = 80;

/// Adds the routes of `entries`, the first of which counts, to the front of the virtual host `catch_all`.
pub fn add(patches: &mut Patches, catch_all: &str, entries: &[Entry<'_>], settings: &Settings) {
    // Each goes before those that are there.
    for entry in entries.iter().rev() {
        let value = match entry.to {
            DispatchTo::Cluster(cluster) => plain(&entry.route, cluster, settings),
            DispatchTo::GlobalSidecar { namespace } => {
                forwarded(catch_all, &forwarder(namespace, &settings.service_suffix()))
            }
        };
        let value = matching(value, entry.authority.as_deref());
        patches.push("HTTP_ROUTE", virtual_host(catch_all), "INSERT_FIRST", value);
    }
    let to_forwarder = |entry: &Entry<'_>| matches!(entry.to, DispatchTo::GlobalSidecar { .. });
    if entries.iter().any(to_forwarder) {
        // The forwarder itself would otherwise send what it does not know to itself, for ever.
        let name = format!("{DISPATCH_ROUTE_PREFIX}out-of-global-sidecar");
        let value = matching(plain(&name, "PassthroughCluster", settings), None);
        let at = virtual_host(catch_all);
        patches.push_for(&FORWARDER, "HTTP_ROUTE", at, "INSERT_FIRST", value);
    }
}

fn matching(mut route: Value, authority: Option<&str>) -> Value {
    route["match"] = json!({ "prefix": "/" });
    if let Some(expression) = authority {
        let matcher = json!({ "safe_regex": { "regex": expression } });
        route["match"]["headers"] = json!([{ "name": ":authority", "string_match": matcher }]);
    }
    route
}

/// Whatever decides about misses is off here: this is the operator's wish and nothing to learn from.
fn plain(name: &str, cluster: &str, settings: &Settings) -> Value {
    let names = filter_names(&settings.replay.plugin).into_iter();
    let off: Map<String, Value> = names
        .chain([ORIGIN_FILTER.to_owned()])
        .map(|filter| (filter, switched_off()))
        .collect();
    json!({ "name": name, "route": to(cluster), "typed_per_filter_config": off })
}

/// To Slime's forwarder, of which this is the usual way: a miss like any other, under the name by which misses are told. What it
/// reads is said again here, for proxies without the plugin.
fn forwarded(catch_all: &str, service: &str) -> Value {
    json!({
        "name": catch_all,
        "route": to(&format!("outbound|{FORWARDER_PORT}||{service}")),
        "request_headers_to_add": [
            stamp(ORIGINAL_DESTINATION_HEADER, "%DOWNSTREAM_LOCAL_ADDRESS%"),
            stamp(SOURCE_NAMESPACE_HEADER, "%ENVIRONMENT(POD_NAMESPACE)%"),
        ],
    })
}

/// Without a limit of time, as in Istio's own catch-all.
fn to(cluster: &str) -> Value {
    json!({ "cluster": cluster, "timeout": "0s" })
}

fn stamp(key: &str, value: &str) -> Value {
    json!({
        "header": { "key": key, "value": value },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    })
}

fn switched_off() -> Value {
    typed(
        "envoy.config.route.v3.FilterConfig",
        json!({ "disabled": true }),
    )
}
