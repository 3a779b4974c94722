//! Services by their labels and by their names.

use std::collections::{BTreeSet, HashMap};

use super::{ServiceFacts, World};
use crate::fence::{Labels, ObjectRef, matches};

/// Services by each of their labels.
#[derive(Debug, Default)]
pub struct LabelMap {
    services: HashMap<(String, String), BTreeSet<ObjectRef>>,
}

impl LabelMap {
    /// Follows a Service from `before` to `after`.
    pub(super) fn replace(
        &mut self,
        name: &ObjectRef,
        before: Option<&ServiceFacts>,
        after: Option<&ServiceFacts>,
    ) {
        if before.map(|facts| &facts.labels) == after.map(|facts| &facts.labels) {
            return;
        }
        for (key, value) in before.iter().flat_map(|facts| &facts.labels) {
            let pair = (key.clone(), value.clone());
            if let Some(services) = self.services.get_mut(&pair) {
                services.remove(name);
                if services.is_empty() {
                    self.services.remove(&pair);
                }
            }
        }
        for (key, value) in after.iter().flat_map(|facts| &facts.labels) {
            let services = self.services.entry((key.clone(), value.clone()));
            services.or_default().insert(name.clone());
        }
    }

    /// The Services that may have all of `labels`: those that have the rarest of them.
    fn candidates(&self, labels: &Labels) -> impl Iterator<Item = &ObjectRef> {
        let of_pair = labels
            .iter()
            .map(|(key, value)| self.services.get(&(key.clone(), value.clone())));
        of_pair
            .min_by_key(|services| services.map_or(0, BTreeSet::len))
            .flatten()
            .into_iter()
            .flatten()
    }
}

impl World {
    /// The hosts of the Services that have all of `labels`, in any namespace, and that pods of the namespace `from` may use. No
    /// labels match nothing.
    pub fn services_labelled(&self, labels: &Labels, from: &str) -> Vec<String> {
        let candidates = self.by_label.candidates(labels);
        candidates
            .filter_map(|name| Some((name, self.services.get(name)?)))
            .filter(|(name, facts)| {
                matches(labels, &facts.labels) && facts.exported.is_to(from, &name.namespace)
            })
            .map(|(name, _)| self.host_of(name))
            .collect()
    }

    /// The hosts of the Services of `namespace` that pods of the namespace `from` may use.
    pub fn service_hosts_of<'a>(
        &'a self,
        namespace: &'a str,
        from: &'a str,
    ) -> impl Iterator<Item = String> + 'a {
        self.services_of(namespace)
            .filter(move |(_, facts)| facts.exported.is_to(from, namespace))
            .map(|(name, _)| self.host_of(name))
    }

    /// Whether `host` has the shape of a Service of `namespace`.
    pub fn is_service_of(&self, host: &str, namespace: &str) -> bool {
        self.service_named(host)
            .is_some_and(|name| name.namespace == namespace)
    }

    /// The host of a Service.
    pub fn host_of(&self, ObjectRef { namespace, name }: &ObjectRef) -> String {
        format!("{name}.{namespace}{}", self.service_suffix)
    }

    /// The Service that `host` has the shape of, be it there or not.
    pub(super) fn service_named(&self, host: &str) -> Option<ObjectRef> {
        let own = host.strip_suffix(self.service_suffix.as_str())?;
        let (name, namespace) = own.split_once('.')?;
        // A longer name is that of a pod, and no namespace is called so: istiod would refuse a Sidecar that says it.
        (!namespace.contains('.')).then(|| ObjectRef::new(namespace, name))
    }
}
