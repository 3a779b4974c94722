//! Where a held connection came from and was going, for the internal listener.
//!
//! Headless Services and ServiceEntries without resolution are reached at the address that the application has called, and
//! consistent hashing may look at the caller's address: inside, both would be those of the internal connection.

use serde_json::{Value, json};

use super::patch::{Patches, http_filter, typed};

/// Name of the filter; switched on where the plugin is.
pub const ORIGIN_FILTER: &str = "lazyload-original-destination";

/// Type of its configuration.
pub const ORIGIN_TYPE: &str = "envoy.extensions.filters.http.set_filter_state.v3.Config";

/// Adds the filter, switched off, to every outbound HTTP listener.
pub fn add(patches: &mut Patches) {
    let addresses = json!({ "on_request_headers": [
        shared("local_ip", "%DOWNSTREAM_LOCAL_ADDRESS%"),
        // One address parses in one of these two forms only, and Envoy skips a value that does not parse: the first is IPv4's,
        // the second IPv6's, which needs brackets before a port.
        shared("remote_ip", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%:0"),
        shared("remote_ip", "[%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%]:0"),
    ] });
    let filter = json!({
        "name": ORIGIN_FILTER,
        "disabled": true,
        "typed_config": typed(ORIGIN_TYPE, addresses),
    });
    let before_router = http_filter("envoy.filters.http.router");
    patches.push("HTTP_FILTER", before_router, "INSERT_BEFORE", filter);
}

/// An address that the listener filter of the internal listener looks for.
fn shared(key: &str, format: &str) -> Value {
    json!({
        "object_key": format!("envoy.filters.listener.original_dst.{key}"),
        "format_string": { "text_format_source": { "inline_string": format } },
        "shared_with_upstream": "ONCE",
        "skip_if_empty": true,
    })
}
