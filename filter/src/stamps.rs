//! What a request that is passed through tells its upstream.

use crate::envoy::Envoy;
use lazyload_protocol::{ORIGINAL_DESTINATION_HEADER, SOURCE_NAMESPACE_HEADER};
use std::net::SocketAddr;

/// The headers of a request that is passed through. A replayed one, like a hit, has none of these from the filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamps<'a> {
    /// Where the application's connection was going. None where the proxy does not tell it.
    pub destination: Option<SocketAddr>,
    /// The pod's namespace. None where the proxy does not tell it, or where it cannot be a header.
    pub namespace: Option<&'a str>,
}

impl Stamps<'_> {
    /// Sets the headers of the request at hand, over whatever the application sent.
    pub fn set(&self, envoy: &dyn Envoy) {
        let destination = self.destination.map(|address| address.to_string());
        for (name, value) in [
            (ORIGINAL_DESTINATION_HEADER, destination.as_deref()),
            (SOURCE_NAMESPACE_HEADER, self.namespace),
        ] {
            // All of it goes first: a header that is sent twice is one that is half overwritten.
            envoy.remove_header(name);
            if let Some(value) = value {
                envoy.set_header(name, value);
            }
        }
    }
}
