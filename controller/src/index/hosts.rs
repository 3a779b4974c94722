//! Which hosts the mesh has, for whom, and on which ports.

use std::collections::BTreeSet;

use super::World;
use crate::{api::ServiceEntrySpec, fence::ObjectRef};

/// Who may use a Service or a ServiceEntry: its `exportTo`.
///
/// Where it is not stated, the mesh's default decides, which the controller does not read: Istio's own, every namespace, is
/// assumed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported(BTreeSet<String>);

impl Exported {
    /// From the list `namespaces`.
    pub fn to<'a>(namespaces: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            namespaces
                .into_iter()
                .map(|namespace| namespace.trim().to_owned())
                .filter(|namespace| !namespace.is_empty())
                .collect(),
        )
    }

    /// Whether pods of the namespace `from` may use what lives in `own`.
    pub fn is_to(&self, from: &str, own: &str) -> bool {
        self.0.is_empty()
            || self
                .0
                .iter()
                .any(|to| to == "*" || to == from || (to == "." && own == from))
    }
}

/// The part of a ServiceEntry that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFacts {
    /// `spec.hosts` in lower case, without those that no Sidecar can name (Istio's validation refuses them as well).
    pub hosts: Vec<String>,
    /// `spec.ports`.
    pub ports: BTreeSet<u16>,
    /// `spec.exportTo`.
    pub exported: Exported,
}

impl From<&ServiceEntrySpec> for EntryFacts {
    fn from(spec: &ServiceEntrySpec) -> Self {
        Self {
            hosts: spec
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .filter(|host| crate::fence::is_host(host))
                .collect(),
            ports: spec.ports.iter().map(|port| port.number).collect(),
            exported: Exported::to(spec.export_to.iter().map(String::as_str)),
        }
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// This host of the mesh: the name itself, or the wildcard host of a ServiceEntry that covers it, which is what a
    /// Sidecar has to name for Istio to import it.
    Host(String),
    /// The mesh has it, but not on the port.
    OtherPorts {
        /// Which object has it, in words.
        owner: String,
    },
}

impl World {
    /// What `host`, in lower case, stands for to a pod of the namespace `from` that calls `port` (`None`: not known). `None`
    /// if it is neither the full name of a Service nor a host of a ServiceEntry, exactly or by wildcard.
    ///
    /// An exact host comes before a wildcard, a longer wildcard before a shorter one.
    pub fn resolve(&self, host: &str, from: &str, port: Option<u16>) -> Option<Resolved> {
        let mut other_ports = None;
        let names = std::iter::once(host.to_owned()).chain(wildcards(host));
        for name in names {
            let service = self.service_on(&name, from, port);
            for found in service.into_iter().chain(self.entry_on(&name, from, port)) {
                match found {
                    Resolved::Host(_) => return Some(found),
                    Resolved::OtherPorts { .. } => _ = other_ports.get_or_insert(found),
                }
            }
        }
        other_ports
    }

    fn service_on(&self, host: &str, from: &str, port: Option<u16>) -> Option<Resolved> {
        let (name, namespace) = host
            .strip_suffix(self.service_suffix.as_str())?
            .split_once('.')?;
        let facts = self.services.get(&ObjectRef::new(namespace, name))?;
        if !facts.exported.is_to(from, namespace) {
            return None;
        }
        let ports = facts.ports.iter().map(|port| port.number).collect();
        Some(on_port(host, &ports, port, "Service"))
    }

    fn entry_on(&self, host: &str, from: &str, port: Option<u16>) -> Option<Resolved> {
        let visible = self
            .entry_hosts
            .get(host)?
            .iter()
            .filter_map(|name| Some((name, self.entries.get(name)?)))
            .filter(|(name, facts)| facts.exported.is_to(from, &name.namespace));
        let mut other_ports = None;
        for (_, facts) in visible {
            match on_port(host, &facts.ports, port, "ServiceEntry host") {
                found @ Resolved::Host(_) => return Some(found),
                found => other_ports = Some(found),
            }
        }
        other_ports
    }
}

/// An object without any port (a ServiceEntry of a whole address range, an ExternalName Service) states nothing about ports.
fn on_port(host: &str, ports: &BTreeSet<u16>, port: Option<u16>, kind: &str) -> Resolved {
    if port.is_none_or(|port| ports.is_empty() || ports.contains(&port)) {
        Resolved::Host(host.to_owned())
    } else {
        Resolved::OtherPorts {
            owner: format!("{kind} {host}"),
        }
    }
}

/// The wildcard hosts that cover `host`, longest first.
fn wildcards(host: &str) -> impl Iterator<Item = String> {
    host.match_indices('.')
        .filter_map(|(at, _)| Some(format!("*{}", host.get(at..)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn export_to_is_nobody_its_own_namespace_named_ones_or_all() {
        for (list, from_own, from_other) in [
            (&[][..], true, true),
            (&["*"], true, true),
            (&["."], true, false),
            (&["~"], false, false),
            (&[".", " other "], true, true),
            (&["third"], false, false),
        ] {
            let exported = Exported::to(list.iter().copied());
            assert_eq!(exported.is_to("own", "own"), from_own, "{list:?}");
            assert_eq!(exported.is_to("other", "own"), from_other, "{list:?}");
        }
    }
}
