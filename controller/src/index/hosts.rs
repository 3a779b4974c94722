//! Which hosts the mesh has, for whom, and on which ports.

mod pods;

use std::net::IpAddr;

use serde_json::Value;

use super::{Exported, World, host_map::wildcards};
use crate::{
    api::ServiceEntrySpec,
    fence::{ObjectRef, is_host, is_namespace},
    placeholder::{Protocol, ServicePort, entry_protocol},
};

/// Most names that one name may stand for, one through the other.
const MAX_ALIASES: usize = 4;

/// The port on which Istio routes a host that a VirtualService alone has.
const ROUTED_PORT: u16 = 80;

/// The part of a ServiceEntry that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFacts {
    /// `spec.hosts` in lower case, without those that no Sidecar can name (Istio's validation refuses them as well).
    pub hosts: Vec<String>,
    /// Those of one label, which no Sidecar can name: one that shows their whole namespace shows them.
    pub unnamed: Vec<String>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.exportTo`, or the mesh's default.
    pub exported: Exported,
    /// Whether calls without a route go where the entry says as well: its hosts are outside of the mesh and have no addresses
    /// but those that the application calls.
    pub is_passed_through: bool,
}

impl From<&ServiceEntrySpec> for EntryFacts {
    fn from(spec: &ServiceEntrySpec) -> Self {
        let ports = spec.ports.iter().map(|port| ServicePort {
            number: port.number,
            protocol: entry_protocol(port.rest.get("protocol").and_then(Value::as_str)),
        });
        let hosts = || spec.hosts.iter().map(|host| host.to_ascii_lowercase());
        Self {
            hosts: hosts().filter(|host| is_host(host)).collect(),
            unnamed: hosts().filter(|host| is_namespace(host)).collect(),
            ports: ports.collect(),
            exported: Exported::to(spec.export_to.iter().map(String::as_str)),
            is_passed_through: is_passed_through(spec),
        }
    }
}

/// Both enumerations default to the value that is meant here.
fn is_passed_through(spec: &ServiceEntrySpec) -> bool {
    let location = spec.rest.get("location").unwrap_or(&Value::Null);
    let is_outside = location.is_null() || location == "MESH_EXTERNAL";
    let is_as_called = matches!(spec.resolution.as_deref(), None | Some("NONE"));
    let has = |key| match spec.rest.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    };
    is_outside && is_as_called && !has("endpoints") && !has("workloadSelector")
}

/// A host of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name itself, or the wildcard host of a ServiceEntry that covers it, which is what a Sidecar has to name for Istio to
    /// import it.
    pub host: String,
    /// What the called port carries, where the host states that port.
    pub protocol: Option<Protocol>,
    /// The Service behind it.
    pub service: Option<ObjectRef>,
    /// The ServiceEntry behind it, if calls without a route may go elsewhere than it says.
    pub entry: Option<ObjectRef>,
    /// The host that this one is only another name of. Istio gives the name a route if both are visible.
    pub alias_of: Option<String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// This host.
    Host(Found),
    /// The mesh has it, but not on the port.
    OtherPorts {
        /// Which object has it, in words.
        owner: String,
    },
}

impl Resolved {
    /// Whether this is the host of this very name, and no wildcard that covers it: Istio follows an alias to nothing else.
    fn is_named(&self, name: &str) -> bool {
        match self {
            Self::Host(found) => found.host == name,
            Self::OtherPorts { .. } => true,
        }
    }
}

impl World {
    /// What `host`, in lower case, stands for to a pod of the namespace `from` that calls `port` (`None`: not known). `None`
    /// if it is neither the full name of a Service or of a pod of a headless Service, nor a host of a ServiceEntry or a
    /// VirtualService, exactly or by wildcard.
    ///
    /// An exact host comes before a wildcard, a longer wildcard before a shorter one, and what only a VirtualService has last.
    pub fn resolve(&self, host: &str, from: &str, port: Option<u16>) -> Option<Resolved> {
        self.resolve_through(host, from, port, MAX_ALIASES)
    }

    /// Whether somebody declares `host`, in lower case, for pods of the namespace `from`. Nobody does for the name of a pod, which
    /// therefore shows nothing in a Sidecar.
    pub fn is_declared(&self, host: &str, from: &str) -> bool {
        let mut names = std::iter::once(host.to_owned()).chain(wildcards(host));
        names.any(|name| {
            self.service_on(&name, from, None, 0).is_some()
                || self.entry_on(&name, from, None).is_some()
        }) || self.routed_on(host, from, None).is_some()
    }

    /// The same for a pod that calls by `address`, which Istio gives a route as if it were the Service's name.
    pub fn resolve_address(
        &self,
        address: IpAddr,
        from: &str,
        port: Option<u16>,
    ) -> Option<Resolved> {
        let ObjectRef { namespace, name } = self.addresses.get(&address)?;
        let host = format!("{name}.{namespace}{}", self.service_suffix);
        self.service_on(&host, from, port, 0)
    }

    fn resolve_through(
        &self,
        host: &str,
        from: &str,
        port: Option<u16>,
        aliases: usize,
    ) -> Option<Resolved> {
        let mut other_ports = None;
        let names = std::iter::once(host.to_owned()).chain(wildcards(host));
        for name in names {
            let service = if name.starts_with('*') {
                self.pod_on(host, &name, from, port)
            } else {
                self.service_on(&name, from, port, aliases)
            };
            for found in service.into_iter().chain(self.entry_on(&name, from, port)) {
                match found {
                    Resolved::Host(_) => return Some(found),
                    Resolved::OtherPorts { .. } => _ = other_ports.get_or_insert(found),
                }
            }
        }
        other_ports.or_else(|| self.routed_on(host, from, port))
    }

    /// A host that a VirtualService alone has. Istio gives it a route on port 80, which is visible by the host's own name even if
    /// the VirtualService names a wildcard.
    fn routed_on(&self, host: &str, from: &str, port: Option<u16>) -> Option<Resolved> {
        let rule = self.routes.routing(host, from)?;
        if port.is_some_and(|port| port != ROUTED_PORT) || !is_host(host) {
            return Some(Resolved::OtherPorts {
                owner: format!("VirtualService {rule}"),
            });
        }
        Some(Resolved::Host(Found {
            host: host.to_owned(),
            protocol: Some(Protocol::Http),
            service: None,
            entry: None,
            alias_of: None,
        }))
    }

    fn service_on(
        &self,
        host: &str,
        from: &str,
        port: Option<u16>,
        aliases: usize,
    ) -> Option<Resolved> {
        let name = self.service_named(host)?;
        let facts = self.services.get(&name)?;
        if !facts.exported.is_to(from, &name.namespace) {
            return None;
        }
        if let (Some(alias_of), Some(aliases)) = (&facts.alias_of, aliases.checked_sub(1))
            && let Some(meant) = self.resolve_through(alias_of, from, port, aliases)
            && meant.is_named(alias_of)
        {
            // Its ports count, and those of the alias do not.
            return Some(match meant {
                Resolved::Host(meant) => Resolved::Host(Found {
                    host: host.to_owned(),
                    alias_of: meant.alias_of.clone().or(Some(meant.host)),
                    ..meant
                }),
                other_ports => other_ports,
            });
        }
        Some(on_port(host, Some(name), &facts.ports, port))
    }

    fn entry_on(&self, host: &str, from: &str, port: Option<u16>) -> Option<Resolved> {
        let visible = self
            .entry_hosts
            .get(host)?
            .iter()
            .filter_map(|name| Some((name, self.entries.get(name)?)))
            .filter(|(name, facts)| facts.exported.is_to(from, &name.namespace));
        // Several entries are merged into one service, as far as their ports go together: in doubt each has a say.
        let mut needing = visible
            .clone()
            .filter(|(_, facts)| !facts.is_passed_through);
        let entry = needing.next().map(|(name, _)| name.clone());
        let mut other_ports = None;
        for (_, facts) in visible {
            match on_port(host, None, &facts.ports, port) {
                Resolved::Host(found) => return Some(Resolved::Host(Found { entry, ..found })),
                found @ Resolved::OtherPorts { .. } => other_ports = Some(found),
            }
        }
        other_ports
    }
}

/// An object without any port (a ServiceEntry of a whole address range, an ExternalName Service) states nothing about ports.
fn on_port(
    host: &str,
    service: Option<ObjectRef>,
    ports: &[ServicePort],
    port: Option<u16>,
) -> Resolved {
    // A number may be stated twice, once for UDP.
    let stated = ports
        .iter()
        .filter(|stated| Some(stated.number) == port)
        .min_by_key(|stated| stated.protocol == Protocol::Other);
    if stated.is_some() || port.is_none() || ports.is_empty() {
        return Resolved::Host(Found {
            host: host.to_owned(),
            protocol: stated.map(|stated| stated.protocol),
            service,
            entry: None,
            alias_of: None,
        });
    }
    let kind = if service.is_some() {
        "Service"
    } else {
        "ServiceEntry host"
    };
    Resolved::OtherPorts {
        owner: format!("{kind} {host}"),
    }
}

#[cfg(test)]
mod tests;
