//! The internal listener of a port: the newest route table of the port, and the filters that its routes may configure.

use lazyload_protocol::{PROBE_HEADER, PROBE_READY, replay_listener};
use serde_json::{Value, json};

use super::patch::{CONNECTION_MANAGER, Patches, typed};

/// Name of the filter that answers probes; the catch-all's probe route switches it off.
pub const PROBE_FILTER: &str = "lazyload-probe";

/// Response header of an internal listener whose route has no cluster yet. It never leaves the sidecar.
pub const NOT_READY_HEADER: &str = "x-lazyload-not-ready";

const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";

/// Adds the internal listener of `port`.
pub fn add(patches: &mut Patches, port: u16) {
    let name = replay_listener(port);
    let original_dst = typed(
        "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
        json!({}),
    );
    let listener = json!({
        "name": name,
        "internal_listener": {},
        "traffic_direction": "OUTBOUND",
        // Takes the addresses of the held connection from the filter state.
        "listener_filters": [
            { "name": "envoy.filters.listener.original_dst", "typed_config": original_dst },
        ],
        "filter_chains": [{
            "filters": [{ "name": CONNECTION_MANAGER, "typed_config": connection_manager(&name, port) }],
        }],
    });
    patches.push("LISTENER", json!({}), "ADD", listener);
}

/// Chooses the route as Istio's own outbound ones do, and leaves the request alone otherwise: those have been over it already, as
/// the mesh wants it, and a second pass with other settings would make a held request differ from the next.
fn connection_manager(name: &str, port: u16) -> Value {
    typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": name,
            "codec_type": "AUTO",
            "http2_protocol_options": {},
            "upgrade_configs": [{ "upgrade_type": "websocket" }, { "upgrade_type": "CONNECT" }],
            // The listener in front has normalized the path as far as the mesh wants it, and decides about the `server` header.
            "normalize_path": false,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "server_header_transformation": "PASS_THROUGH",
            "stream_idle_timeout": "0s",
            "proxy_100_continue": true,
            "generate_request_id": false,
            "tracing": tracing(),
            "local_reply_config": local_replies(),
            "rds": {
                // The name that the outer listener uses: Envoy then has one table for both.
                "route_config_name": port.to_string(),
                "config_source": { "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s" },
            },
            "http_filters": http_filters(),
        }),
    )
}

/// Only so that the operation of the real route goes along (`x-envoy-decorator-operation`): whether a request is traced was
/// decided when it came, and stays so.
fn tracing() -> Value {
    json!({
        "client_sampling": { "value": 100 },
        "random_sampling": { "value": 0 },
        "overall_sampling": { "value": 100 },
    })
}

/// A route can arrive before its cluster: such answers are marked for the replay route to try again. Others of Envoy's own, such
/// as that no endpoint is healthy, would be no different for a request that was not held.
fn local_replies() -> Value {
    json!({ "mappers": [{
        "filter": { "response_flag_filter": { "flags": ["NC"] } },
        "headers_to_add": [{
            "header": { "key": NOT_READY_HEADER, "value": "1" },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
    }] })
}

fn http_filters() -> Value {
    let probe = json!({
        "headers": [{ "name": PROBE_HEADER, "present_match": true }],
        "abort": { "http_status": PROBE_READY, "percentage": { "numerator": 100 } },
    });
    let cors = typed("envoy.extensions.filters.http.cors.v3.Cors", json!({}));
    let router = typed("envoy.extensions.filters.http.router.v3.Router", json!({}));
    json!([
        { "name": PROBE_FILTER, "typed_config": typed(FAULT, probe) },
        { "name": "istio.alpn", "is_optional": true, "typed_config": alpn() },
        // Under these names VirtualServices configure them per route.
        { "name": "envoy.filters.http.fault", "typed_config": typed(FAULT, json!({})) },
        { "name": "envoy.filters.http.cors", "typed_config": cors },
        { "name": "envoy.filters.http.router", "typed_config": router },
    ])
}

/// Istio's own, in the same words. Packed as TypedStruct: an Envoy without this filter (the standard build) could otherwise not
/// print its configuration.
fn alpn() -> Value {
    typed(
        "udpa.type.v1.TypedStruct",
        json!({
            "type_url": "type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
            "value": { "alpn_override": [
                { "alpn_override": ["istio-http/1.0", "istio", "http/1.0"] },
                { "upstream_protocol": "HTTP11", "alpn_override": ["istio-http/1.1", "istio", "http/1.1"] },
                { "upstream_protocol": "HTTP2", "alpn_override": ["istio-h2", "istio", "h2"] },
            ] },
        }),
    )
}
