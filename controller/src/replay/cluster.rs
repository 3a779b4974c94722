//! The way to the internal listener of a port.

use lazyload_protocol::replay_listener;
use serde_json::{Value, json};

use super::patch::{Patches, typed};

const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Adds the cluster of `port`.
pub fn add(patches: &mut Patches, port: u16) {
    patches.push("CLUSTER", json!({}), "ADD", cluster(&replay_listener(port)));
}

fn cluster(name: &str) -> Value {
    let address = json!({ "envoy_internal_address": { "server_listener_name": name } });
    // HTTP/1.1 stays HTTP/1.1 and HTTP/2 stays HTTP/2, as on the way to the real destination.
    let protocols = json!({
        "use_downstream_protocol_config": { "http_protocol_options": {}, "http2_protocol_options": {} },
    });
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": { "thresholds": [without_limits()] },
        "transport_socket": { "name": "internal_upstream", "typed_config": internal_upstream() },
        "typed_extension_protocol_options": { HTTP_OPTIONS: typed(HTTP_OPTIONS, protocols) },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
    })
}

/// As Istio's own clusters have it. Envoy's default would let three requests at most be tried again at a time, and turn down the
/// others that came before their cluster was there.
fn without_limits() -> Value {
    json!({
        "max_connections": u32::MAX,
        "max_pending_requests": u32::MAX,
        "max_requests": u32::MAX,
        "max_retries": u32::MAX,
    })
}

/// Carries filter state to the listener, which is how the original destination gets there.
fn internal_upstream() -> Value {
    let plain = typed(
        "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        json!({}),
    );
    typed(
        "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
        json!({ "transport_socket": { "name": "raw", "typed_config": plain } }),
    )
}
