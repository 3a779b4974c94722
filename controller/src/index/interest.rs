//! What each fence is about, and the fences by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kube::ResourceExt;

use super::host_map::HostMap;
use crate::{
    api::ServiceFence,
    fence::{Aliases, Labels, ObjectRef, host_of_metric_key, is_host},
};

/// What one fence is about, whatever the world is like. All hosts are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Static hosts without a wildcard.
    statics: BTreeSet<String>,
    /// Static and learned hosts, and the further names of both.
    hosts: BTreeSet<String>,
    /// Namespaces that are visible whole.
    namespaces: BTreeSet<String>,
    /// Of each label selector one label: what it matches has that, whatever else.
    labels: BTreeSet<(String, String)>,
    /// Whether it has wishes of its own about forgetting.
    has_own_forgetting: bool,
}

impl Interest {
    /// What `fence` is about, where every fence sees its own namespace or not.
    pub fn of(fence: &ServiceFence, aliases: &Aliases, sees_own: bool) -> Self {
        let own = fence.namespace().unwrap_or_default();
        let learned = fence
            .status
            .iter()
            .flat_map(|status| status.metric_status.keys())
            .filter_map(|key| host_of_metric_key(key));
        let keys = || fence.spec.host.keys().map(String::as_str);
        let named: Vec<&str> = keys().filter(|key| is_host(key)).chain(learned).collect();
        let further = named
            .iter()
            .flat_map(|host| aliases.of(host))
            .filter_map(Result::ok);
        let namespaces = keys()
            .chain(sees_own.then_some("./*"))
            .filter_map(|key| key.strip_suffix("/*"))
            .map(|namespace| if namespace == "." { &own } else { namespace })
            .chain(fence.spec.namespace_selector.iter().map(String::as_str));
        let labels = fence.spec.label_selector.iter();
        Self {
            statics: keys()
                .filter(|key| is_host(key) && !key.starts_with('*'))
                .map(str::to_ascii_lowercase)
                .collect(),
            hosts: named
                .iter()
                .map(|host| (*host).to_owned())
                .chain(further)
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            namespaces: namespaces.map(str::to_owned).collect(),
            labels: labels
                .filter_map(|selector| selector.selector.first_key_value())
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            has_own_forgetting: fence.spec.forgetting.is_some(),
        }
    }
}

/// The fences by what they are about.
#[derive(Debug, Default)]
pub struct Interests {
    of: BTreeMap<ObjectRef, Interest>,
    statics: HostMap<ObjectRef>,
    hosts: HostMap<ObjectRef>,
    namespaces: HashMap<String, BTreeSet<ObjectRef>>,
    labels: HashMap<(String, String), BTreeSet<ObjectRef>>,
    own_forgetting: usize,
}

impl Interests {
    /// Says what the fence is about now; nothing, if it is gone.
    pub fn set(&mut self, fence: &ObjectRef, interest: Interest) {
        let before = self.of.remove(fence).unwrap_or_default();
        for host in before.statics.difference(&interest.statics) {
            self.statics.remove(host, fence);
        }
        for host in interest.statics.difference(&before.statics) {
            self.statics.insert(host, fence.clone());
        }
        for host in before.hosts.difference(&interest.hosts) {
            self.hosts.remove(host, fence);
        }
        for host in interest.hosts.difference(&before.hosts) {
            self.hosts.insert(host, fence.clone());
        }
        follow(
            &mut self.namespaces,
            fence,
            &before.namespaces,
            &interest.namespaces,
        );
        follow(&mut self.labels, fence, &before.labels, &interest.labels);
        self.own_forgetting += usize::from(interest.has_own_forgetting);
        self.own_forgetting -= usize::from(before.has_own_forgetting);
        if interest != Interest::default() {
            self.of.insert(fence.clone(), interest);
        }
    }

    /// The fences with a static host that `pattern` is or covers.
    pub fn statics(&self, pattern: &str) -> impl Iterator<Item = &ObjectRef> {
        self.statics.related(pattern).into_iter()
    }

    /// The fences with a host of any kind that `pattern` is, covers, or is covered by.
    pub fn hosts(&self, pattern: &str) -> impl Iterator<Item = &ObjectRef> {
        self.hosts.related(pattern).into_iter()
    }

    /// The fences that see all of `namespace`.
    pub fn namespace(&self, namespace: &str) -> impl Iterator<Item = &ObjectRef> {
        self.namespaces.get(namespace).into_iter().flatten()
    }

    /// The fences that may select a Service with `labels`, as far as one label of each selector tells.
    pub fn labels<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = &'a ObjectRef> {
        let pairs = labels.iter().filter(|_| !self.labels.is_empty());
        pairs
            .filter_map(|(key, value)| self.labels.get(&(key.clone(), value.clone())))
            .flatten()
    }

    /// Whether some fence has wishes of its own about forgetting.
    pub fn has_own_forgetting(&self) -> bool {
        self.own_forgetting > 0
    }

    /// Whether a host of the fence is a wildcard.
    pub fn has_wildcard(&self, fence: &ObjectRef) -> bool {
        let hosts = self.of.get(fence).map(|interest| &interest.hosts);
        // No character of a host sorts before it.
        let first = hosts.and_then(BTreeSet::first);
        first.is_some_and(|host| host.starts_with('*'))
    }
}

fn follow<K: Ord + Clone + std::hash::Hash>(
    map: &mut HashMap<K, BTreeSet<ObjectRef>>,
    fence: &ObjectRef,
    before: &BTreeSet<K>,
    after: &BTreeSet<K>,
) {
    for key in before.difference(after) {
        if let Some(fences) = map.get_mut(key) {
            fences.remove(fence);
            if fences.is_empty() {
                map.remove(key);
            }
        }
    }
    for key in after.difference(before) {
        map.entry(key.clone()).or_default().insert(fence.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fence_that_is_gone_leaves_nothing_behind() {
        let fence: ServiceFence = serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": { "namespace": "default", "name": "foo" },
            "spec": {
                "host": { "A.b": {}, "./*": {} }, "namespaceSelector": ["test"],
                "labelSelector": [{ "selector": { "app": "x" } }], "forgetting": { "enabled": true },
            },
        }))
        .unwrap();
        let name = ObjectRef::new("default", "foo");
        let mut interests = Interests::default();
        interests.set(&name, Interest::of(&fence, &Aliases::default(), false));
        assert_eq!(interests.hosts("a.b").count(), 1);
        assert_eq!(interests.statics("*.b").count(), 1);
        assert_eq!(interests.namespace("default").count(), 1);
        assert_eq!(interests.namespace("test").count(), 1);
        let labels = Labels::from([("app".to_owned(), "x".to_owned())]);
        assert_eq!(interests.labels(&labels).count(), 1);
        assert!(interests.has_own_forgetting());
        interests.set(&name, Interest::default());
        assert!(interests.of.is_empty() && !interests.has_own_forgetting());
        assert!(interests.hosts.is_empty() && interests.statics.is_empty());
        assert!(interests.namespaces.is_empty() && interests.labels.is_empty());
    }
}
