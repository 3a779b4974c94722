//! Which fences an event concerns: those of which something may look different after it, and no others.

mod routes;

use std::collections::BTreeSet;

use super::{Exported, ServiceFacts, World, hosts::EntryFacts, interest::Interest};
use crate::{
    fence::{Labels, ObjectRef, matches},
    queue::Key,
    settings::ScopeForm,
};

type Fences = BTreeSet<ObjectRef>;

impl World {
    /// Follows what a fence is about; `None` if it is gone.
    pub(super) fn follow_interest(&mut self, name: &ObjectRef) {
        let sees_own = self.settings.stable_hosts.iter().any(|host| host == "./*");
        let interest = self.fences.get(name);
        let interest = interest.map(|fence| Interest::of(fence, &self.aliases, sees_own));
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
            if self.asks_for_owners() {
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
            if self.asks_for_owners() {
                candidates.extend(self.showing(&host));
                candidates.extend(self.seeing_namespace(&name.namespace));
            }
            candidates.retain(|fence| has(before, &host, fence) != has(after, &host, fence));
            found.append(&mut candidates);
        }
        if self.is_exact() {
            found.append(&mut self.seeing_unnamed(name, before, after));
        }
        concerned.extend(found.into_iter().map(Key::Fence));
    }

    /// The fences that see more or less of a ServiceEntry's hosts of one label, with its whole namespace.
    fn seeing_unnamed(
        &self,
        name: &ObjectRef,
        before: Option<&EntryFacts>,
        after: Option<&EntryFacts>,
    ) -> Fences {
        let unnamed = |facts: Option<&EntryFacts>, fence: &ObjectRef| {
            let facts =
                facts.filter(|facts| facts.exported.is_to(&fence.namespace, &name.namespace));
            facts.map_or(Vec::new(), |facts| facts.unnamed.clone())
        };
        let mut needed = self.mesh_hosts.iter().flatten();
        let is_needed = needed.any(|needed| {
            let mut facts = before.into_iter().chain(after);
            facts.any(|facts| facts.unnamed.contains(&needed.host))
        });
        let mut found = if is_needed {
            self.fences.keys().cloned().collect()
        } else {
            self.seeing_namespace(&name.namespace)
        };
        found.retain(|fence| unnamed(before, fence) != unnamed(after, fence));
        found
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
        if !self.asks_for_owners() || before == after {
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

    /// Whether it concerns fences who has a host and whose rules are about it: their Sidecars name those, or a learned host ages for
    /// as long as nothing else shows it.
    pub(super) fn asks_for_owners(&self) -> bool {
        self.is_exact() || self.settings.forgetting.is_on || self.interests.has_own_forgetting()
    }

    pub(super) fn is_exact(&self) -> bool {
        self.settings.scope_form == ScopeForm::Exact
    }

    /// The fences that name a host that `pattern` is, covers or is covered by: by itself, by its namespace or by its labels.
    fn keyed(&self, pattern: &str) -> Fences {
        let mut found: Fences = self.interests.hosts(pattern).cloned().collect();
        let services: Vec<_> = self.services_under(pattern).collect();
        for (name, _) in &services {
            found.extend(self.interests.namespace(&name.namespace).cloned());
        }
        // Namespaces that are visible whole have no further names.
        let aliased = self.aliased.related(pattern);
        let aliased = aliased
            .into_iter()
            .filter_map(|name| self.services.get(name));
        for facts in services.into_iter().map(|(_, facts)| facts).chain(aliased) {
            let fences = self.interests.labels(&facts.labels);
            found.extend(
                fences
                    .filter(|fence| self.selects(fence, &facts.labels))
                    .cloned(),
            );
        }
        if self.asks_for_owners() {
            for name in self.entry_hosts.related(pattern) {
                found.extend(self.interests.namespace(&name.namespace).cloned());
            }
        }
        found
    }

    /// The fences whose Sidecar may show such a host.
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
