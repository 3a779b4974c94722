//! Which ports the placeholder carries.

use std::collections::{BTreeMap, BTreeSet};

use crate::{fence::ObjectRef, settings::PortRules};

/// Most ports that Istio's ServiceEntry takes.
pub(super) const MAX_PORTS: usize = 256;

/// A port of a Service, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Port number that clients use.
    pub number: u16,
    /// What travels on it.
    pub protocol: Protocol,
}

/// What a Service declares about a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP in clear text, in any version: what a miss can be seen on.
    Http,
    /// The same, declared as HTTP/2 or gRPC.
    Http2,
    /// A TCP protocol whose server may speak first; sniffing would wait for the client and hang.
    Tcp,
    /// Nothing declared: Envoy looks at what the client sends.
    Undeclared,
    /// Anything else: TLS, UDP.
    Other,
}

/// The placeholder's ports, and those it had to leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceholderPorts {
    /// Ports with a listener.
    pub open: BTreeSet<u16>,
    /// HTTP ports left out because a Service or ServiceEntry declares a TCP protocol on the same number, with the first such object.
    pub conflicts: BTreeMap<u16, ObjectRef>,
    /// HTTP ports beyond the number that one ServiceEntry can carry.
    pub surplus: BTreeSet<u16>,
    /// Every port on which some Service or ServiceEntry declares a TCP protocol, whether or not another one declares HTTP there.
    pub tcp: BTreeSet<u16>,
}

/// What a port carries. By Istio's rules: `appProtocol` before the name's prefix, whatever the case, and TCP on the ports that
/// Istio never sniffs (25, 53, 3306, 27017).
///
/// Our own reading, where Istio knows nothing and sniffs: `h2c` is HTTP, so that its misses are seen; `postgres`, `postgresql`,
/// `smtp`, `ftp` and `amqp` are TCP, so that the placeholder keeps off their ports.
pub fn protocol_of(
    number: i32,
    transport: Option<&str>,
    name: Option<&str>,
    app_protocol: Option<&str>,
) -> Protocol {
    if !matches!(transport, None | Some("TCP")) {
        return Protocol::Other;
    }
    match app_protocol {
        Some("kubernetes.io/h2c") => return Protocol::Http2,
        Some("kubernetes.io/ws") => return Protocol::Http,
        Some("kubernetes.io/wss") => return Protocol::Other,
        _ => {}
    }
    let declared = app_protocol
        .or(name)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let prefix = declared.split('-').next().unwrap_or_default();
    match prefix {
        "http" => Protocol::Http,
        "http2" | "h2c" | "grpc" => Protocol::Http2,
        "tcp" | "mongo" | "mysql" | "redis" | "postgres" | "postgresql" | "smtp" | "ftp"
        | "amqp" => Protocol::Tcp,
        "https" | "tls" | "udp" | "hbone" => Protocol::Other,
        _ if matches!(number, 25 | 53 | 3306 | 27017) => Protocol::Tcp,
        _ => Protocol::Undeclared,
    }
}

/// What a port of a ServiceEntry carries. Istio knows its `protocol` alone, in any case, and sniffs where it knows nothing.
pub fn entry_protocol(protocol: Option<&str>) -> Protocol {
    match protocol.unwrap_or_default().to_ascii_lowercase().as_str() {
        "http" => Protocol::Http,
        "http2" | "grpc" | "grpc-web" => Protocol::Http2,
        "tcp" | "mongo" | "mysql" | "redis" => Protocol::Tcp,
        "https" | "tls" | "udp" => Protocol::Other,
        _ => Protocol::Undeclared,
    }
}

/// The ports that `rules` want of `objects`, which are Services and ServiceEntries, without those that one of these uses for a TCP
/// protocol. Those that the configuration names are the last to be surplus.
pub fn placeholder_ports<'a>(
    rules: &PortRules,
    objects: impl Iterator<Item = (&'a ObjectRef, &'a [ServicePort])>,
) -> PlaceholderPorts {
    let mut http = BTreeSet::new();
    let mut tcp: BTreeMap<u16, &ObjectRef> = BTreeMap::new();
    for (object, ports) in objects {
        for port in ports {
            match port.protocol {
                Protocol::Http if rules.auto_port => {
                    http.insert(port.number);
                }
                Protocol::Http2 if rules.auto_port && rules.support_h2 => {
                    http.insert(port.number);
                }
                Protocol::Tcp => {
                    tcp.entry(port.number).or_insert(object);
                }
                _ => {}
            }
        }
    }
    let named = &rules.wormhole_ports;
    let wanted = named.iter().chain(http.difference(named)).copied();
    let mut ports = PlaceholderPorts::default();
    for number in wanted {
        if let Some(object) = tcp.get(&number) {
            ports.conflicts.insert(number, (*object).clone());
        } else if ports.open.len() < MAX_PORTS {
            ports.open.insert(number);
        } else {
            ports.surplus.insert(number);
        }
    }
    ports.tcp = tcp.into_keys().collect();
    ports
}

#[cfg(test)]
mod tests;
