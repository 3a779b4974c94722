//! What a miss is about: the host of the mesh, and the port.

use std::net::IpAddr;

use lazyload_protocol::{host::candidates, v1::Miss};

use super::{Reason, Rules};
use crate::index::{Found, Resolved, World};

/// The port that was called, if the report says so.
pub(super) fn port_of(miss: &Miss) -> Result<Option<u16>, Reason> {
    match u16::try_from(miss.port) {
        Ok(0) => Ok(None),
        Ok(port) => Ok(Some(port)),
        Err(_) => Err(Reason::PortInvalid(miss.port)),
    }
}

/// The Service that a pod of `namespace` means by its address.
pub(super) fn find_address(
    world: &World,
    address: Option<IpAddr>,
    namespace: &str,
    port: Option<u16>,
) -> Result<Found, Reason> {
    let found = address.and_then(|address| world.resolve_address(address, namespace, port));
    match (found, port) {
        (Some(Resolved::Host(found)), _) => Ok(found),
        (Some(Resolved::OtherPorts { owner }), Some(port)) => {
            Err(Reason::OtherPorts { owner, port })
        }
        _ => Err(Reason::Address),
    }
}

/// The host of the mesh that a pod of `namespace` means by `name`.
pub(super) fn find(
    world: &World,
    name: &str,
    namespace: &str,
    port: Option<u16>,
    rules: &Rules,
) -> Result<Found, Reason> {
    let mut other_ports = None;
    for candidate in candidates(name, namespace, &rules.cluster_domain) {
        match world.resolve(&candidate, namespace, port) {
            Some(Resolved::Host(found)) => return Ok(found),
            Some(Resolved::OtherPorts { owner }) => _ = other_ports.get_or_insert(owner),
            None => {}
        }
    }
    Err(match (other_ports, port) {
        (Some(owner), Some(port)) => Reason::OtherPorts { owner, port },
        _ => Reason::External {
            host: name.to_owned(),
        },
    })
}
