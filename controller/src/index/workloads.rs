//! Pods by the label that workload fences go by.
//!
//! They are watched only while the configuration asks for workload fences, and by the label that it names at the time: its change
//! is told to whoever watches (see [`World::workload_key`]), and what was known by the former label is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ObjectMeta;
use tokio::sync::watch;
use tracing::warn;

use super::World;
use crate::{
    auto_fence::workload_fence_name,
    fence::{Labels, ObjectRef},
    queue::Key,
    settings::{AutoFence, WorkloadFences},
};

/// The pods that carry the label, by namespace and the label's value.
#[derive(Debug, Default)]
pub(super) struct Workloads {
    key: watch::Sender<Option<String>>,
    is_listed: bool,
    groups: BTreeMap<(String, String), BTreeMap<String, Labels>>,
    values: BTreeMap<ObjectRef, String>,
}

/// The rule, while it is in force.
fn rule(settings: &AutoFence) -> Option<&WorkloadFences> {
    settings.workloads.as_ref().filter(|_| settings.is_on)
}

impl Workloads {
    /// Takes the label key of `settings`; what was known by another one does not count any more.
    pub(super) fn configure(&mut self, settings: &AutoFence) {
        let key = rule(settings).map(|rule| rule.key.clone());
        if *self.key.borrow() != key {
            self.is_listed = false;
            self.groups.clear();
            self.values.clear();
            self.key.send_replace(key);
        }
    }
}

impl World {
    /// The label key by which pods are to be watched, now and whenever it changes; `None` while none are.
    pub fn workload_key(&self) -> watch::Receiver<Option<String>> {
        self.workloads.key.subscribe()
    }

    /// The labels of the pods of `namespace` whose label has this value; `None` as long as the pods have not been listed, when
    /// there may be any number.
    pub fn workload_pods(
        &self,
        namespace: &str,
        value: &str,
    ) -> Option<impl Iterator<Item = &Labels>> {
        let group = (namespace.to_owned(), value.to_owned());
        let pods = self.workloads.groups.get(&group);
        self.workloads
            .is_listed
            .then(|| pods.into_iter().flat_map(BTreeMap::values))
    }

    /// Takes in a pod that was added or changed. One on its way out does not count.
    pub fn upsert_pod(&mut self, pod: ObjectMeta, concerned: &mut Vec<Key>) {
        let name = ObjectRef::new(
            pod.namespace.unwrap_or_default(),
            pod.name.unwrap_or_default(),
        );
        let labels = pod.labels.unwrap_or_default();
        let key = self.workloads.key.borrow().clone();
        let value = key.and_then(|key| labels.get(&key).cloned());
        let Some(value) = value.filter(|_| pod.deletion_timestamp.is_none()) else {
            return self.remove_pod(&name, concerned);
        };
        if self.workloads.values.get(&name) != Some(&value) {
            self.remove_pod(&name, concerned);
        }
        let group = (name.namespace.clone(), value.clone());
        let pods = self.workloads.groups.entry(group.clone()).or_default();
        let is_new = pods.is_empty();
        if pods.insert(name.name.clone(), labels.clone()) == Some(labels) {
            return;
        }
        self.workloads.values.insert(name, value);
        if is_new && self.workload_fence(&group).is_none() {
            warn!(
                namespace = group.0,
                value = group.1,
                "the pods with this value of fenceLabelKeyAlias's label get no workload fence: it makes no valid name of an object"
            );
        }
        self.concern_group(&group, concerned);
    }

    /// Takes out a pod that is gone.
    pub fn remove_pod(&mut self, name: &ObjectRef, concerned: &mut Vec<Key>) {
        let Some(value) = self.workloads.values.remove(name) else {
            return;
        };
        let group = (name.namespace.clone(), value);
        if let Some(pods) = self.workloads.groups.get_mut(&group) {
            pods.remove(&name.name);
            if pods.is_empty() {
                self.workloads.groups.remove(&group);
            }
        }
        self.concern_group(&group, concerned);
    }

    /// Says that the index holds every pod that carries the label `key`, `listed`: those that are not among them are gone, and
    /// now it is known which workload fences there should be.
    pub fn pods_listed(
        &mut self,
        key: &str,
        listed: &BTreeSet<ObjectRef>,
        concerned: &mut Vec<Key>,
    ) {
        if self.workloads.key.borrow().as_deref() != Some(key) {
            return;
        }
        let gone = self.workloads.values.keys();
        let gone: Vec<_> = gone
            .filter(|name| !listed.contains(name))
            .cloned()
            .collect();
        for name in gone {
            self.remove_pod(&name, concerned);
        }
        if !std::mem::replace(&mut self.workloads.is_listed, true) {
            let namespaces: Vec<_> = self.namespaces.keys().cloned().collect();
            for namespace in namespaces {
                self.concern_automatic(&namespace, concerned);
            }
        }
    }

    /// Every workload fence that there may have to be in `namespace`.
    pub(super) fn concern_workloads(&self, namespace: &str, concerned: &mut Vec<Key>) {
        let first = (namespace.to_owned(), String::new());
        let groups = self.workloads.groups.range(first..);
        for (group, _) in groups.take_while(|(group, _)| group.0 == namespace) {
            self.concern_group(group, concerned);
        }
    }

    fn concern_group(&self, group: &(String, String), concerned: &mut Vec<Key>) {
        concerned.extend(self.workload_fence(group).map(Key::Fence));
    }

    /// What the fence of these pods is called, if it can have a name.
    fn workload_fence(&self, (namespace, value): &(String, String)) -> Option<ObjectRef> {
        let rule = rule(&self.settings.auto_fence)?;
        let name = workload_fence_name(&rule.alias, value)?;
        Some(ObjectRef::new(namespace.as_str(), name))
    }
}
