//! Which fences an event concerns: those of which something may look different after it, and no others.

use std::collections::BTreeSet;

use super::{Exported, ServiceFacts, World, hosts::EntryFacts, interest::Interest};
use crate::{
    fence::{Labels, ObjectRef, matches},
    queue::Key,
    settings::ScopeForm,
};

/// What one VirtualService says, its delegates included, as far as fences depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    name: ObjectRef,
    hosts: BTreeSet<String>,
    destinations: BTreeSet<String>,
    exported: Exported,
    has_http: bool,
}

impl RouteView {
    fn is_to(&self, fence: &ObjectRef) -> bool {
        self.exported.is_to(&fence.namespace, &self.name.namespace)
    }
}

type Fences = BTreeSet<ObjectRef>;

impl World {
    /// Follows what a fence is about; `None` if it is gone.
    pub(super) fn follow_interest(&mut self, name: &ObjectRef) {
        let interest = self
            .fences
            .get(name)
            .map(|fence| Interest::of(fence, &self.aliases));
        self.interests.set(name, interest.unwrap_or_default());
    }

    /// Follows the further names of a Service.
    pub(super) fn follow_aliases(&mut self, name: &ObjectRef) {
        let further = self.aliases.of(&self.host_of(name));
        for alias in further.into_iter().filter_map(Result::ok) {
            let alias = alias.to_ascii_lowercase();
            if self.services.contains_key(name) {
                self.aliased.insert(&alias, name.clone());
            } else {
                self.aliased.remove(&alias, name);
            }
        }
    }

    /// Follows everything that depends on the configuration.
    pub(super) fn follow_settings(&mut self) {
        self.aliased = super::HostMap::default();
        for name in self.services.keys().cloned().collect::<Vec<_>>() {
            self.follow_aliases(&name);
        }
        for name in self.fences.keys().cloned().collect::<Vec<_>>() {
            self.follow_interest(&name);
        }
    }

    /// Which fences a Service concerns that went from `before` to `after`, which the world has already.
    pub(super) fn concern_hosts_of_service(
        &self,
        name: &ObjectRef,
        before: Option<&ServiceFacts>,
        after: Option<&ServiceFacts>,
        concerned: &mut Vec<Key>,
    ) {
        let is_for = |facts: Option<&ServiceFacts>, fence: &ObjectRef| {
            facts.is_some_and(|facts| facts.exported.is_to(&fence.namespace, &name.namespace))
        };
        let none = Labels::new();
        let labels =
            |facts: Option<&ServiceFacts>| facts.map_or(none.clone(), |f| f.labels.clone());
        let (old, new) = (labels(before), labels(after));
        let is_shown_otherwise = before.map(|f| &f.exported) != after.map(|f| &f.exported);
        if old == new && !is_shown_otherwise {
            return;
        }
        let selects = |facts: Option<&ServiceFacts>, labels: &Labels, fence: &ObjectRef| {
            is_for(facts, fence) && self.selects(fence, labels)
        };
        let candidates = self
            .interests
            .labels(&old)
            .chain(self.interests.labels(&new));
        let mut found: Fences = candidates
            .filter(|fence| selects(before, &old, fence) != selects(after, &new, fence))
            .cloned()
            .collect();
        if is_shown_otherwise {
            let host = self.host_of(name);
            let mut candidates: Fences = self.interests.statics(&host).cloned().collect();
            if self.is_exact() {
                candidates.extend(self.showing(&host));
                candidates.extend(self.seeing_namespace(&name.namespace));
            } else if self.leads_beyond(&host, &name.namespace) {
                candidates.extend(self.interests.namespace(&name.namespace).cloned());
            }
            candidates.retain(|fence| is_for(before, fence) != is_for(after, fence));
            found.append(&mut candidates);
        }
        concerned.extend(found.into_iter().map(Key::Fence));
    }

    /// Which fences a ServiceEntry concerns that went from `before` to `after`.
    pub(super) fn concern_entry(
        &self,
        name: &ObjectRef,
        before: Option<&EntryFacts>,
        after: Option<&EntryFacts>,
        concerned: &mut Vec<Key>,
    ) {
        let hosts =
            |facts: Option<&EntryFacts>| facts.map_or(&[][..], |facts| &facts.hosts).to_vec();
        let has = |facts: Option<&EntryFacts>, host: &String, fence: &ObjectRef| {
            facts.is_some_and(|facts| {
                facts.hosts.contains(host)
                    && facts.exported.is_to(&fence.namespace, &name.namespace)
            })
        };
        let mut found = Fences::new();
        let all: BTreeSet<String> = hosts(before).into_iter().chain(hosts(after)).collect();
        for host in all {
            let mut candidates: Fences = self.interests.statics(&host).cloned().collect();
            if self.is_exact() {
                candidates.extend(self.showing(&host));
                candidates.extend(self.seeing_namespace(&name.namespace));
            }
            candidates.retain(|fence| has(before, &host, fence) != has(after, &host, fence));
            found.append(&mut candidates);
        }
        concerned.extend(found.into_iter().map(Key::Fence));
    }

    /// What the VirtualService says, and those that leave routes to it, for a comparison before and after a change.
    pub(super) fn route_views(&self, name: &ObjectRef) -> Vec<Option<RouteView>> {
        let mut names: Vec<&ObjectRef> = vec![name];
        names.extend(self.routes.roots(name).filter(|root| *root != name));
        let view = |name: &ObjectRef| {
            let facts = self.routes.get(name)?;
            Some(RouteView {
                name: name.clone(),
                hosts: facts.hosts.clone(),
                destinations: self
                    .routes
                    .destinations(name)
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                exported: facts.exported.clone(),
                has_http: facts.has_http,
            })
        };
        names.into_iter().map(view).collect()
    }

    /// Which fences a change of VirtualServices concerns. Both lists are of the same ones in the same order.
    pub(super) fn concern_routes(
        &self,
        before: &[Option<RouteView>],
        after: &[Option<RouteView>],
        concerned: &mut Vec<Key>,
    ) {
        let mut found = Fences::new();
        for (before, after) in before.iter().zip(after).filter(|(b, a)| b != a) {
            let (before, after) = (before.as_ref(), after.as_ref());
            let both = || before.iter().chain(after.iter());
            let hosts: BTreeSet<&String> = both().flat_map(|view| &view.hosts).collect();
            for host in hosts {
                self.concern_route(host, before, after, &mut found);
            }
            if self.is_exact()
                && let Some(view) = both().next()
            {
                let hosts = |view: Option<&RouteView>, fence: &ObjectRef| {
                    let view = view.filter(|view| view.is_to(fence));
                    view.map(|view| view.hosts.clone()).unwrap_or_default()
                };
                let seeing = self.seeing_namespace(&view.name.namespace).into_iter();
                found.extend(seeing.filter(|fence| hosts(before, fence) != hosts(after, fence)));
            }
        }
        concerned.extend(found.into_iter().map(Key::Fence));
    }

    fn concern_route(
        &self,
        host: &String,
        before: Option<&RouteView>,
        after: Option<&RouteView>,
        found: &mut Fences,
    ) {
        let seen = |view: Option<&RouteView>, fence: &ObjectRef| {
            view.is_some_and(|view| view.hosts.contains(host) && view.is_to(fence))
        };
        let leads = |view: Option<&RouteView>, fence: &ObjectRef| {
            let mut leads = match view {
                Some(view) if seen(Some(view), fence) => view.destinations.clone(),
                _ => BTreeSet::new(),
            };
            // A route to the host itself adds nothing to it, but something to a wildcard that covers it.
            if !self.interests.has_wildcard(fence) {
                leads.remove(host);
            }
            leads
        };
        let routes = |view: Option<&RouteView>, fence: &ObjectRef| {
            view.is_some_and(|view| view.has_http) && seen(view, fence)
        };
        let keyed = self.keyed(host).into_iter();
        found.extend(keyed.filter(|fence| leads(before, fence) != leads(after, fence)));
        let statics = self.interests.statics(host);
        let statics = statics.filter(|fence| routes(before, fence) != routes(after, fence));
        found.extend(statics.cloned());
        if self.is_exact() {
            let showing = self.showing(host).into_iter();
            found.extend(showing.filter(|fence| seen(before, fence) != seen(after, fence)));
        }
    }

    /// Which fences a DestinationRule of `namespace` concerns that went from `before` to `after`: its host, and to whom it is
    /// exported.
    pub(super) fn concern_rule(
        &self,
        namespace: &str,
        before: Option<&(String, Exported)>,
        after: Option<&(String, Exported)>,
        concerned: &mut Vec<Key>,
    ) {
        if !self.is_exact() || before == after {
            return;
        }
        let host = |rule: Option<&(String, Exported)>, fence: &ObjectRef| {
            rule.filter(|(_, exported)| exported.is_to(&fence.namespace, namespace))
                .map(|(host, _)| host.clone())
        };
        let candidates = before
            .iter()
            .chain(&after)
            .flat_map(|(host, _)| self.showing(host));
        let found: Fences = candidates
            .filter(|fence| host(before, fence) != host(after, fence))
            .collect();
        concerned.extend(found.into_iter().map(Key::Fence));
    }

    /// All fences, if their Sidecars name hosts one by one.
    pub(super) fn concern_all_exact(&self, concerned: &mut Vec<Key>) {
        if self.is_exact() {
            concerned.extend(self.fences.keys().cloned().map(Key::Fence));
        }
    }

    pub(super) fn is_exact(&self) -> bool {
        self.settings.scope_form == ScopeForm::Exact
    }

    /// The fences that name a host that `pattern` is, covers or is covered by: by itself, by its namespace or by its labels.
    fn keyed(&self, pattern: &str) -> Fences {
        let mut found: Fences = self.interests.hosts(pattern).cloned().collect();
        let mut add = |name: &ObjectRef, facts: &ServiceFacts| {
            found.extend(self.interests.namespace(&name.namespace).cloned());
            let fences = self.interests.labels(&facts.labels);
            found.extend(
                fences
                    .filter(|fence| self.selects(fence, &facts.labels))
                    .cloned(),
            );
        };
        for (name, facts) in self.services_under(pattern) {
            add(name, facts);
        }
        for name in self.aliased.related(pattern) {
            if let Some(facts) = self.services.get(name) {
                add(name, facts);
            }
        }
        if self.is_exact() {
            for name in self.entry_hosts.related(pattern) {
                found.extend(self.interests.namespace(&name.namespace).cloned());
            }
        }
        found
    }

    /// The fences whose Sidecar, in the exact form, may name such a host.
    fn showing(&self, pattern: &str) -> Fences {
        if self.is_always_shown(pattern) {
            return self.fences.keys().cloned().collect();
        }
        let leading = self.routes.hosts_leading_to(pattern);
        let leading = leading.into_iter().flat_map(|host| self.keyed(host));
        self.keyed(pattern).into_iter().chain(leading).collect()
    }

    /// Whether such a host is in every Sidecar, by itself or by its namespace.
    fn is_always_shown(&self, pattern: &str) -> bool {
        let is_stable = |namespace: &String| {
            let key = format!("{namespace}/*");
            self.settings.stable_hosts.contains(&key)
        };
        self.always().iter().any(|host| are_related(host, pattern))
            || self
                .services_under(pattern)
                .any(|(name, _)| is_stable(&name.namespace))
            || self
                .entry_hosts
                .related(pattern)
                .into_iter()
                .any(|name| is_stable(&name.namespace))
    }

    /// The fences that see all of `namespace`.
    fn seeing_namespace(&self, namespace: &str) -> Fences {
        if self
            .settings
            .stable_hosts
            .contains(&format!("{namespace}/*"))
        {
            return self.fences.keys().cloned().collect();
        }
        self.interests.namespace(namespace).cloned().collect()
    }

    fn selects(&self, fence: &ObjectRef, labels: &Labels) -> bool {
        self.fences.get(fence).is_some_and(|fence| {
            let mut selectors = fence.spec.label_selector.iter();
            selectors.any(|selector| matches(&selector.selector, labels))
        })
    }

    /// Whether a VirtualService leads from `host` to something beyond `namespace`.
    fn leads_beyond(&self, host: &str, namespace: &str) -> bool {
        let rules = self.routes.about(host);
        rules
            .into_iter()
            .flat_map(|rule| self.routes.destinations(rule))
            .any(|destination| !self.is_service_of(destination, namespace))
    }
}

/// Whether one of two hosts covers the other, or is it.
fn are_related(one: &str, other: &str) -> bool {
    let covers = |wide: &str, narrow: &str| {
        let suffix = wide.strip_prefix('*');
        suffix.is_some_and(|suffix| narrow.ends_with(suffix))
    };
    one == other || covers(one, other) || covers(other, one)
}
