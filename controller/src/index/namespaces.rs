//! What is known of namespaces, and which automatic fences a change of one concerns.

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;

use super::{Indexed, ServiceFacts, World};
use crate::{
    auto_fence::{FENCED_LABEL, is_automatic},
    fence::{Labels, ObjectRef},
    queue::Key,
};

/// The part of a Namespace that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// The Namespace's own labels.
    pub labels: Labels,
    /// Whether it is on its way out, and takes nothing new.
    pub is_terminating: bool,
}

impl Indexed for Namespace {
    const PLURAL: &'static str = "namespaces";

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = self.name_any();
        let phase = self
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        let facts = NamespaceFacts {
            labels: self.labels().clone(),
            is_terminating: self.metadata.deletion_timestamp.is_some()
                || phase == Some("Terminating"),
        };
        let before = world.namespaces.insert(name.clone(), facts.clone());
        if before != Some(facts) {
            world.concern_automatic(&name, concerned);
        }
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, _: &mut Vec<Key>) {
        world.namespaces.remove(&name.name);
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        let names = world.namespaces.keys();
        names
            .map(|name| ObjectRef::new("", name.as_str()))
            .collect()
    }
}

impl World {
    /// The fences that should be or not be in `namespace` of their own accord.
    pub(super) fn concern_automatic(&self, namespace: &str, concerned: &mut Vec<Key>) {
        let fences = self.fences_of(namespace);
        let automatic = fences.filter(|(_, fence)| is_automatic(fence));
        concerned.extend(automatic.map(|(name, _)| Key::Fence(name.clone())));
        if self.settings.auto_fence.is_on {
            let services = self.services_of(namespace);
            concerned.extend(services.map(|(name, _)| Key::Fence(name.clone())));
            self.concern_workloads(namespace, concerned);
        }
    }

    /// The same for a change of one Service, which may concern workload fences too: its own fence has its pods, or not.
    pub(super) fn concern_fencing(
        &self,
        name: &ObjectRef,
        before: Option<&ServiceFacts>,
        after: Option<&ServiceFacts>,
        concerned: &mut Vec<Key>,
    ) {
        let matters = |facts: Option<&ServiceFacts>| {
            facts.map(|facts| {
                let label = facts.labels.get(FENCED_LABEL).cloned();
                let selector = facts.selector.clone();
                (
                    label,
                    selector,
                    facts.alias_of.is_some(),
                    facts.is_terminating,
                )
            })
        };
        if self.settings.auto_fence.is_on && matters(before) != matters(after) {
            concerned.push(Key::Fence(name.clone()));
            self.concern_workloads(&name.namespace, concerned);
        }
    }

    /// What the fence selects that workload fences then need not. Without workload fences nobody asks.
    pub(super) fn covered_by(&self, name: &ObjectRef) -> Option<Labels> {
        let fence = self.fences.get(name)?;
        let counts = self.settings.auto_fence.workloads.is_some()
            && fence.spec.enable
            && self.is_ours(fence);
        counts.then(|| self.selector(fence)).flatten()
    }

    /// The workload fences that may have to be or not be now that the fence no longer selects what it did `before`.
    pub(super) fn concern_covering(
        &self,
        name: &ObjectRef,
        before: Option<Labels>,
        concerned: &mut Vec<Key>,
    ) {
        if self.covered_by(name) != before {
            self.concern_workloads(&name.namespace, concerned);
        }
    }
}
