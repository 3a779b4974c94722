//! Addresses to listen on, as Go writes them and as Rust does.

use std::net::{Ipv4Addr, SocketAddr};

/// Reads `0.0.0.0:8081`, `[::]:8081` or, for every address, `:8081`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    match text.strip_prefix(':').map(str::parse::<u16>) {
        Some(Ok(port)) => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        _ => text
            .parse()
            .map_err(|_| format!("{text:?} is not an address such as 0.0.0.0:8081 or :8081")),
    }
}
