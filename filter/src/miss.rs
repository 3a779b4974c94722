//! Telling a miss from a hit.

use crate::envoy::Envoy;
use lazyload_protocol::CATCH_ALL_ROUTES;

/// The name of the catch-all route that took the request; nothing where a real route did.
///
/// The virtual host decides: istiod gives it and its one route the same name, and no user can name a virtual host, whereas a
/// VirtualService may well call a route `allow_any`. So a hit costs one property read. Where the proxy does not tell the virtual
/// host, the route's name decides, and where it has none, the cluster.
pub(crate) fn caught_by(envoy: &dyn Envoy) -> Option<&'static str> {
    for property in ["virtual_host_name", "route_name"] {
        if let Some(name) = read(envoy, property) {
            return CATCH_ALL_ROUTES
                .into_iter()
                .find(|catch_all| catch_all.as_bytes() == name);
        }
    }
    match read(envoy, "cluster_name")?.as_slice() {
        b"PassthroughCluster" => Some("allow_any"),
        b"BlackHoleCluster" => Some("block_all"),
        _ => None,
    }
}

fn read(envoy: &dyn Envoy, property: &str) -> Option<Vec<u8>> {
    envoy
        .property(&["xds", property])
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
