//! The routes in the catch-all virtual hosts that send held requests, and probes, to an internal listener.

use lazyload_protocol::{PROBE_HEADER, PROBE_NOT_READY, REPLAY_HEADER};
use serde_json::{Value, json};

use super::{
    listener::{NOT_READY_HEADER, PROBE_FILTER},
    patch::{Patches, typed, virtual_host},
};

/// Adds both routes to the virtual host `catch_all`. Each goes to the front, so that the one for probes, which a replay header
/// must not lead astray, is added last.
pub fn add(patches: &mut Patches, catch_all: &str) {
    for route in [replay(), probe()] {
        patches.push("HTTP_ROUTE", virtual_host(catch_all), "INSERT_FIRST", route);
    }
}

/// To the cluster that the header names: one route for every port. The name is checked, so that an application that sends the
/// header reaches nothing but these listeners.
fn replay() -> Value {
    let name = json!({ "safe_regex": { "regex": "lazyload-replay-[0-9]+" } });
    json!({
        "name": "lazyload-replay",
        "match": { "prefix": "/", "headers": [{ "name": REPLAY_HEADER, "string_match": name }] },
        "route": {
            "cluster_header": REPLAY_HEADER,
            // The limits are those of the real route, inside.
            "timeout": "0s",
            "idle_timeout": "0s",
            "max_stream_duration": { "max_stream_duration": "0s" },
            // An upstream that answers with the header of its own accord only makes itself be asked again.
            "retry_policy": {
                "retry_on": "retriable-headers",
                "retriable_headers": [{ "name": NOT_READY_HEADER, "present_match": true }],
                "num_retries": 5,
                "retry_back_off": { "base_interval": "0.025s", "max_interval": "0.25s" },
            },
        },
        "request_headers_to_remove": [REPLAY_HEADER],
        "response_headers_to_remove": [NOT_READY_HEADER],
    })
}

/// Answers a probe that no real route has caught, in place of the probe filter, which stands before the routes.
fn probe() -> Value {
    let off = typed(
        "envoy.config.route.v3.FilterConfig",
        json!({ "disabled": true }),
    );
    json!({
        "name": "lazyload-probe",
        "match": { "prefix": "/", "headers": [{ "name": PROBE_HEADER, "present_match": true }] },
        "direct_response": { "status": PROBE_NOT_READY },
        "typed_per_filter_config": { PROBE_FILTER: off },
    })
}
