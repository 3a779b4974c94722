//! In which namespaces the mesh has a host, for Sidecars that name hosts one by one.

use std::collections::BTreeSet;

use super::{ServiceFacts, World, host_map::wildcards};
use crate::fence::ObjectRef;

/// A host in a namespace, as a Sidecar names it.
pub type Entry = (String, String);

/// What stands for every host of a namespace.
pub const WHOLE: &str = "*";

impl World {
    /// What a Sidecar of the namespace `from` has to name for `host`: the namespaces that own it, and those of VirtualServices and
    /// DestinationRules about it, because a namespace in a Sidecar is that of all three. Nothing, if nobody has the host.
    pub fn entries_of(&self, host: &str, from: &str) -> BTreeSet<Entry> {
        let name = host.to_ascii_lowercase();
        let mut entries = self.owners(host, &name, from);
        if entries.is_empty() {
            // Istio imports a wildcard ServiceEntry for its own name, never for one that it covers.
            let mut wild = wildcards(&name).map(|wild| self.declaring(&wild, from));
            entries.extend(wild.find(|found| !found.is_empty()).unwrap_or_default());
        }
        if entries.is_empty() {
            // Istio may know a Service from another cluster of the mesh; its namespace is in its name.
            let elsewhere = self.service_named(&name).filter(|_| !name.starts_with('*'));
            entries.extend(elsewhere.map(|service| (service.namespace, host.to_owned())));
        }
        let rules = self.rules_about(host, from);
        if !entries.is_empty() || self.routes.concerning(&name, from).next().is_some() {
            entries.extend(rules);
        }
        entries
    }

    /// The same for all of `namespace`: every Service and ServiceEntry in it, and what its VirtualServices are about; besides, that it
    /// has to be named whole, if something in it cannot be.
    pub fn entries_in(&self, namespace: &str, from: &str) -> BTreeSet<Entry> {
        let services = self.service_hosts_of(namespace, from);
        let entries = self
            .entries
            .range(ObjectRef::new(namespace, "")..)
            .take_while(|(name, _)| name.namespace == namespace)
            .filter(|(_, facts)| facts.exported.is_to(from, namespace));
        let is_unnamed = entries.clone().any(|(_, facts)| !facts.unnamed.is_empty());
        let declared = entries.flat_map(|(_, facts)| facts.hosts.iter().cloned());
        let routed = self.routes.within(namespace, from);
        let routed = routed
            .flat_map(|facts| &facts.hosts)
            .map(|host| (namespace.to_owned(), host.clone()));
        services
            .chain(declared)
            .flat_map(|host| {
                let mut entries = self.rules_about(&host, from);
                entries.insert((namespace.to_owned(), host));
                entries
            })
            .chain(routed)
            .chain(is_unnamed.then(|| whole(namespace)))
            .collect()
    }

    /// The namespaces, whole, whose ServiceEntries declare this `host` of one label.
    pub(super) fn entries_with(&self, host: &str, from: &str) -> BTreeSet<Entry> {
        let entries = self.entries.iter().filter(|(name, facts)| {
            facts.unnamed.iter().any(|unnamed| unnamed == host)
                && facts.exported.is_to(from, &name.namespace)
        });
        entries.map(|(name, _)| whole(&name.namespace)).collect()
    }

    /// The namespaces that have `host`, which is `name` in lower case; for a wildcard those that have anything below it.
    fn owners(&self, host: &str, name: &str, from: &str) -> BTreeSet<Entry> {
        let services = self
            .services_under(name)
            .filter(|(owner, facts)| facts.exported.is_to(from, &owner.namespace))
            .map(|(owner, _)| owner);
        let declared = if name.starts_with('*') {
            self.entry_hosts.below(name)
        } else {
            self.entry_hosts.get(name).into_iter().flatten().collect()
        };
        services
            .chain(self.exported_to(declared, from))
            .map(|owner| (owner.namespace.clone(), host.to_owned()))
            .collect()
    }

    /// The namespaces whose ServiceEntries declare this very `host`.
    fn declaring(&self, host: &str, from: &str) -> BTreeSet<Entry> {
        let declared = self.entry_hosts.get(host).into_iter().flatten().collect();
        self.exported_to(declared, from)
            .map(|owner| (owner.namespace.clone(), host.to_owned()))
            .collect()
    }

    fn exported_to<'a>(
        &self,
        entries: BTreeSet<&'a ObjectRef>,
        from: &str,
    ) -> impl Iterator<Item = &'a ObjectRef> {
        entries.into_iter().filter(move |name| {
            let facts = self.entries.get(*name);
            facts.is_some_and(|facts| facts.exported.is_to(from, &name.namespace))
        })
    }

    pub(super) fn rules_about(&self, host: &str, from: &str) -> BTreeSet<Entry> {
        let name = host.to_ascii_lowercase();
        let routes = self.routes.concerning(&name, from);
        let rules = self.mesh.destination_rules.all_concerning(&name, from);
        routes
            .chain(rules)
            .map(|rule| (rule.namespace.clone(), host.to_owned()))
            .collect()
    }

    /// The Services whose host `pattern` is or covers.
    pub(super) fn services_under(
        &self,
        pattern: &str,
    ) -> impl Iterator<Item = (&ObjectRef, &ServiceFacts)> {
        let suffix = pattern.strip_prefix('*');
        let exact = match suffix {
            None => self.service_named(pattern),
            Some(_) => None,
        };
        let exact = exact.and_then(|name| self.services.get_key_value(&name));
        let below = suffix
            .filter(|suffix| {
                // Saves looking at every Service for hosts of the outside world.
                suffix.ends_with(self.service_suffix.as_str())
                    || self.service_suffix.ends_with(suffix)
            })
            .into_iter()
            .flat_map(move |suffix| {
                let services = self.services.iter();
                services.filter(move |(name, _)| self.host_of(name).ends_with(suffix))
            });
        exact.into_iter().chain(below)
    }
}

fn whole(namespace: &str) -> Entry {
    (namespace.to_owned(), WHOLE.to_owned())
}
