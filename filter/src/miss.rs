//! Telling a miss from a hit.

use crate::envoy::Envoy;
use lazyload_protocol::{CATCH_ALL_ROUTES, DISPATCH_ROUTE_PREFIX};

/// The name of the catch-all route that took the request; nothing where a real route did.
///
/// The virtual host decides: istiod gives it and its one route the same name, and no user can name a virtual host, whereas a
/// VirtualService may well call a route `allow_any`. So a hit costs one property read. Where the proxy does not tell the virtual
/// host, the route's name decides, and where it has none, the cluster.
pub(crate) fn caught_by(envoy: &dyn Envoy) -> Option<&'static str> {
    for property in ["virtual_host_name", "route_name"] {
        if let Some(name) = read(envoy, property) {
            let mut catch_alls = CATCH_ALL_ROUTES.into_iter();
            return catch_alls
                .find(|catch_all| catch_all.as_bytes() == name)
                .filter(|_| !is_dispatched(envoy));
        }
    }
    match read(envoy, "cluster_name")?.as_slice() {
        b"PassthroughCluster" => Some("allow_any"),
        b"BlackHoleCluster" => Some("block_all"),
        _ => None,
    }
}

/// Whether the operator has said where requests like this one go. Such routes switch the filter off, by the name that Istio gives
/// it; where that is another one, they are to be told by their own.
fn is_dispatched(envoy: &dyn Envoy) -> bool {
    read(envoy, "route_name")
        .is_some_and(|route| route.starts_with(DISPATCH_ROUTE_PREFIX.as_bytes()))
}

fn read(envoy: &dyn Envoy, property: &str) -> Option<Vec<u8>> {
    envoy
        .property(&["xds", property])
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
