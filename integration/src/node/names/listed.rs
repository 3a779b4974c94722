//! Objects of one kind as a watch tells them.

use kube::ResourceExt;
use kube::runtime::watcher;
use std::collections::{BTreeMap, BTreeSet};

/// Namespace and name.
pub type Key = (String, String);

/// What is known of the objects of one kind.
pub struct Listed<V> {
    known: BTreeMap<Key, V>,
    listed: BTreeSet<Key>,
}

impl<V> Default for Listed<V> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            listed: BTreeSet::new(),
        }
    }
}

impl<V> Listed<V> {
    /// Takes in what a watch tells. `of` is what is kept of an object, if anything.
    pub fn apply<K: ResourceExt>(
        &mut self,
        event: watcher::Event<K>,
        of: impl Fn(&K) -> Option<V>,
    ) {
        match event {
            watcher::Event::InitApply(object) => {
                self.listed.insert(key(&object));
                self.learn(&object, of);
            }
            watcher::Event::Apply(object) => self.learn(&object, of),
            watcher::Event::Delete(object) => {
                self.known.remove(&key(&object));
            }
            // What was listed before holds until the new list is through.
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                self.known.retain(|name, _| listed.contains(name));
            }
        }
    }

    fn learn<K: ResourceExt>(&mut self, object: &K, of: impl Fn(&K) -> Option<V>) {
        match of(object) {
            Some(value) => self.known.insert(key(object), value),
            None => self.known.remove(&key(object)),
        };
    }

    /// What is kept of an object.
    pub fn get(&self, key: &Key) -> Option<&V> {
        self.known.get(key)
    }

    /// The objects of which something is kept.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.known.keys()
    }

    /// All that is kept.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.known.values()
    }
}

fn key(object: &impl ResourceExt) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
