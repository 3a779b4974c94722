//! What the controller writes, as it knows it: from watches, and before they tell, from the answers to its own reads and writes.

use std::{collections::BTreeMap, sync::Arc};

use kube::Resource;

use super::{World, version::may_replace, world::object_ref};
use crate::{
    api::{EnvoyFilter, ServiceEntry, ServiceFence, Sidecar},
    fence::ObjectRef,
    replay::REPLAY_NAME,
};

/// Objects of one kind. Events and answers come in any order: what is newer stays, an end included.
#[derive(Debug)]
pub(super) struct Observed<K> {
    present: BTreeMap<ObjectRef, Arc<K>>,
    // Versions at which objects were deleted, so that the late answer to a write cannot bring one back to life here.
    deleted: BTreeMap<ObjectRef, String>,
}

impl<K> Default for Observed<K> {
    fn default() -> Self {
        Self {
            present: BTreeMap::new(),
            deleted: BTreeMap::new(),
        }
    }
}

impl<K: Resource<DynamicType = ()>> Observed<K> {
    pub(super) fn get(&self, name: &ObjectRef) -> Option<Arc<K>> {
        self.present.get(name).cloned()
    }

    /// The names of those that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.present.keys()
    }

    /// Takes in an object, unless something newer is known.
    fn observe(&mut self, object: K) {
        let name = object_ref(&object);
        let known = match self.present.get(&name) {
            Some(present) => present.meta().resource_version.as_ref(),
            None => self.deleted.get(&name),
        };
        if may_replace(
            known.map(String::as_str),
            object.meta().resource_version.as_deref(),
        ) {
            self.deleted.remove(&name);
            self.present.insert(name, Arc::new(object));
        }
    }

    /// Takes out an object that was deleted at `version`, if that is known. Says whether that is news: a write that was answered
    /// before may have made the next one of the same name already.
    pub(super) fn remove(&mut self, name: &ObjectRef, version: Option<&str>) -> bool {
        let present = self.present.get(name);
        let is_stale = version.is_some()
            && present.is_some_and(|present| {
                !may_replace(present.meta().resource_version.as_deref(), version)
            });
        if is_stale {
            return false;
        }
        self.present.remove(name);
        if let Some(version) = version {
            self.deleted.insert(name.clone(), version.to_owned());
        }
        true
    }

    /// Forgets that an object of this name was ever deleted: nobody writes it any more.
    pub(super) fn forget_deletion(&mut self, name: &ObjectRef) {
        self.deleted.remove(name);
    }
}

impl World {
    /// The Sidecar of the fence's name, whoever owns it.
    pub fn sidecar(&self, name: &ObjectRef) -> Option<Arc<Sidecar>> {
        self.sidecars.get(name)
    }

    /// The placeholder, if there is one.
    pub fn placeholder(&self) -> Option<Arc<ServiceEntry>> {
        self.placeholders.get(&self.placeholder_at)
    }

    /// The replay EnvoyFilter of `namespace`, whoever made it.
    pub fn replay(&self, namespace: &str) -> Option<Arc<EnvoyFilter>> {
        self.replays.get(&ObjectRef::new(namespace, REPLAY_NAME))
    }

    /// Takes in a fence as a write returned it, unless the watch knows better: the fence is gone, replaced or newer.
    pub fn observe_fence(&mut self, fence: ServiceFence) {
        let name = object_ref(&fence);
        if let Some(present) = self.fences.get_mut(&name)
            && present.metadata.uid == fence.metadata.uid
            && may_replace(
                present.metadata.resource_version.as_deref(),
                fence.metadata.resource_version.as_deref(),
            )
        {
            *present = Arc::new(fence);
            self.follow_interest(&name);
        }
    }

    /// Takes in a Sidecar as a read or a write returned it, unless the watch has seen something newer, its end included.
    pub fn observe_sidecar(&mut self, sidecar: Sidecar) {
        self.sidecars.observe(sidecar);
    }

    /// Takes in the placeholder, in the same way.
    pub fn observe_placeholder(&mut self, entry: ServiceEntry) {
        self.placeholders.observe(entry);
    }

    /// Takes in a replay EnvoyFilter, in the same way.
    pub fn observe_replay(&mut self, filter: EnvoyFilter) {
        self.replays.observe(filter);
    }

    /// Forgets a Sidecar that a read found missing.
    pub fn forget_sidecar(&mut self, name: &ObjectRef) {
        self.sidecars.remove(name, None);
    }

    /// Forgets the placeholder, which a read found missing.
    pub fn forget_placeholder(&mut self) {
        self.placeholders.remove(&self.placeholder_at, None);
    }

    /// Forgets the replay EnvoyFilter of `namespace`, which a read found missing.
    pub fn forget_replay(&mut self, namespace: &str) {
        let name = ObjectRef::new(namespace, REPLAY_NAME);
        self.replays.remove(&name, None);
    }
}

#[cfg(test)]
mod tests;
