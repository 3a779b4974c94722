//! Where VirtualServices send the requests and connections of sidecars.

use std::collections::{BTreeMap, BTreeSet};

use super::{Exported, host_map::HostMap};
use crate::{
    api::{Destination, RouteMatch, RouteTarget, VirtualServiceSpec},
    fence::{ObjectRef, is_host},
};

/// The gateway name that stands for sidecars.
pub(super) const MESH: &str = "mesh";

/// What one VirtualService says to sidecars. All hosts are full names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteFacts {
    /// The hosts that it is about; none if it is for gateways alone, or a delegate.
    pub hosts: BTreeSet<String>,
    /// Where its own routes lead, mirrors included.
    pub destinations: BTreeSet<String>,
    /// The VirtualServices that it leaves routes to.
    pub delegates: BTreeSet<ObjectRef>,
    /// Whether it is one that others leave routes to: it has no hosts.
    pub is_delegate: bool,
    /// Whether it routes HTTP requests, be it by way of a delegate.
    pub has_http: bool,
    /// `spec.exportTo`, or the mesh's default.
    pub exported: Exported,
}

impl RouteFacts {
    /// Reads `spec` of a VirtualService of `namespace`; `full_name` completes a short host there.
    pub(super) fn new(
        spec: &VirtualServiceSpec,
        namespace: &str,
        full_name: impl Fn(&str) -> String,
    ) -> Self {
        let exported = Exported::to(spec.export_to.iter().map(String::as_str));
        let is_delegate = spec.hosts.is_empty();
        if !(is_delegate || is_for_sidecars(&spec.gateways)) {
            return Self {
                exported,
                ..Self::default()
            };
        }
        let http = spec.http.iter().filter(|route| applies(&route.matches));
        let connections = spec.tls.iter().chain(&spec.tcp);
        let connections = connections
            .filter(|route| !is_delegate && applies(&route.matches))
            .flat_map(|route| targets(&route.route));
        let destinations = http.clone().flat_map(|route| {
            targets(&route.route)
                .chain(&route.mirror)
                .chain(targets(&route.mirrors))
        });
        let delegates = http
            .filter_map(|route| route.delegate.as_ref())
            // Istio does not follow a delegate's own delegates.
            .filter(|delegate| !is_delegate && !delegate.name.is_empty())
            .map(|delegate| {
                let namespace = match delegate.namespace.as_str() {
                    "" => namespace,
                    other => other,
                };
                ObjectRef::new(namespace, delegate.name.as_str())
            });
        Self {
            hosts: spec.hosts.iter().map(|host| full_name(host)).collect(),
            destinations: destinations
                .chain(connections)
                .map(|destination| full_name(&destination.host))
                .filter(|host| is_host(host))
                .collect(),
            delegates: delegates.collect(),
            is_delegate,
            has_http: spec.http.iter().any(|route| applies(&route.matches)),
            exported,
        }
    }
}

fn targets(targets: &[RouteTarget]) -> impl Iterator<Item = &Destination> {
    targets
        .iter()
        .filter_map(|target| target.destination.as_ref())
}

fn is_for_sidecars(gateways: &[String]) -> bool {
    gateways.is_empty() || gateways.iter().any(|gateway| gateway == MESH)
}

/// Whether a route with these matches applies to sidecars as well.
fn applies(matches: &[RouteMatch]) -> bool {
    matches.is_empty() || matches.iter().any(|one| is_for_sidecars(&one.gateways))
}

/// All VirtualServices, by their names and by the hosts that they are about and lead to.
#[derive(Debug, Default)]
pub struct Routes {
    objects: BTreeMap<ObjectRef, RouteFacts>,
    by_host: HostMap<ObjectRef>,
    by_destination: HostMap<ObjectRef>,
    // Who leaves routes to a VirtualService, be it there or not.
    roots: BTreeMap<ObjectRef, BTreeSet<ObjectRef>>,
}

impl Routes {
    /// Takes in a VirtualService in place of what it said before.
    pub(super) fn insert(&mut self, name: &ObjectRef, facts: RouteFacts) {
        self.remove(name);
        for host in &facts.hosts {
            self.by_host.insert(host, name.clone());
        }
        for host in &facts.destinations {
            self.by_destination.insert(host, name.clone());
        }
        for delegate in &facts.delegates {
            let roots = self.roots.entry(delegate.clone()).or_default();
            roots.insert(name.clone());
        }
        self.objects.insert(name.clone(), facts);
    }

    /// Takes out a VirtualService.
    pub(super) fn remove(&mut self, name: &ObjectRef) {
        let Some(facts) = self.objects.remove(name) else {
            return;
        };
        for host in &facts.hosts {
            self.by_host.remove(host, name);
        }
        for host in &facts.destinations {
            self.by_destination.remove(host, name);
        }
        for delegate in &facts.delegates {
            if let Some(roots) = self.roots.get_mut(delegate) {
                roots.remove(name);
                if roots.is_empty() {
                    self.roots.remove(delegate);
                }
            }
        }
    }

    /// Takes over the mesh's `default` for those that do not say to whom they are exported.
    pub(super) fn follow(&mut self, default: &Exported) {
        for facts in self.objects.values_mut() {
            facts.exported.follow(default);
        }
    }

    /// Whether nothing is routed.
    pub fn is_empty(&self) -> bool {
        self.by_host.is_empty()
    }

    /// What the VirtualService says, if it exists.
    pub fn get(&self, name: &ObjectRef) -> Option<&RouteFacts> {
        self.objects.get(name)
    }

    /// The VirtualServices of sidecars that are about `host`, whoever may use them.
    pub(super) fn about(&self, host: &str) -> BTreeSet<&ObjectRef> {
        self.by_host.related(host)
    }

    /// The VirtualServices of sidecars that are about `host`, or about what it covers as a wildcard, for pods of the namespace
    /// `from`.
    pub fn concerning(&self, host: &str, from: &str) -> impl Iterator<Item = &ObjectRef> {
        self.about(host).into_iter().filter(move |name| {
            self.objects
                .get(*name)
                .is_some_and(|facts| facts.exported.is_to(from, &name.namespace))
        })
    }

    /// A VirtualService that gives `host` an HTTP route, for pods of the namespace `from`.
    pub(super) fn routing(&self, host: &str, from: &str) -> Option<&ObjectRef> {
        let mut rules = self.concerning(host, from);
        rules.find(|name| self.objects.get(*name).is_some_and(|facts| facts.has_http))
    }

    /// Whether a VirtualService gives exactly this host, and not only names like it, an HTTP route for pods of the namespace `from`.
    pub(super) fn routes_exactly(&self, host: &str, from: &str) -> bool {
        let named = self.by_host.get(host).into_iter().flatten();
        named
            .filter_map(|name| Some((name, self.objects.get(name)?)))
            .any(|(name, facts)| facts.has_http && facts.exported.is_to(from, &name.namespace))
    }

    /// The VirtualServices of sidecars in `namespace` that pods of the namespace `from` may use, with their hosts.
    pub fn within<'a>(
        &'a self,
        namespace: &'a str,
        from: &'a str,
    ) -> impl Iterator<Item = &'a RouteFacts> {
        self.objects
            .range(ObjectRef::new(namespace, "")..)
            .take_while(move |(name, _)| name.namespace == namespace)
            .map(|(_, facts)| facts)
            .filter(move |facts| facts.exported.is_to(from, namespace))
    }

    /// Where the VirtualService leads, by itself and through those that it leaves routes to, as far as these are exported to it.
    pub fn destinations(&self, name: &ObjectRef) -> BTreeSet<&str> {
        let Some(facts) = self.objects.get(name) else {
            return BTreeSet::new();
        };
        let delegated = facts
            .delegates
            .iter()
            .filter_map(|delegate| Some((delegate, self.objects.get(delegate)?)))
            .filter(|(delegate, found)| {
                found.is_delegate && found.exported.is_to(&name.namespace, &delegate.namespace)
            })
            .flat_map(|(_, found)| &found.destinations);
        facts
            .destinations
            .iter()
            .chain(delegated)
            .map(String::as_str)
            .collect()
    }

    /// The VirtualServices that leave routes to this one.
    pub(super) fn roots(&self, delegate: &ObjectRef) -> impl Iterator<Item = &ObjectRef> {
        self.roots.get(delegate).into_iter().flatten()
    }

    /// The hosts whose routes lead to `destination`, or to what it covers as a wildcard.
    pub(super) fn hosts_leading_to(&self, destination: &str) -> BTreeSet<&str> {
        let leading = self.by_destination.related(destination);
        leading
            .into_iter()
            .flat_map(|name| std::iter::once(name).chain(self.roots(name)))
            .filter_map(|name| self.objects.get(name))
            .flat_map(|facts| &facts.hosts)
            .map(String::as_str)
            .collect()
    }
}
