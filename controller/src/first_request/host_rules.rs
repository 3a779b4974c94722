//! Which hosts VirtualServices, or DestinationRules, are about.

use std::collections::BTreeMap;

use crate::{
    fence::ObjectRef,
    index::{Exported, HostMap},
};

/// Objects of one kind by the hosts that they name, which may be wildcards.
#[derive(Debug, Default)]
pub struct HostRules {
    by_host: HostMap<ObjectRef>,
    objects: BTreeMap<ObjectRef, (Vec<String>, Exported)>,
}

impl HostRules {
    /// Takes in an object that names `hosts`, in place of what it said before. `exported`: to whom.
    pub fn insert(&mut self, name: ObjectRef, hosts: Vec<String>, exported: Exported) {
        self.remove(&name);
        for host in &hosts {
            self.by_host.insert(host, name.clone());
        }
        self.objects.insert(name, (hosts, exported));
    }

    /// Takes out an object.
    pub fn remove(&mut self, name: &ObjectRef) {
        for host in self
            .objects
            .remove(name)
            .into_iter()
            .flat_map(|(hosts, _)| hosts)
        {
            self.by_host.remove(&host, name);
        }
    }

    /// Takes over the mesh's `default` for those that do not say to whom they are exported.
    pub fn follow(&mut self, default: &Exported) {
        for (_, exported) in self.objects.values_mut() {
            exported.follow(default);
        }
    }

    /// The names of all objects.
    pub fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.objects.keys()
    }

    /// The hosts that the object names, and to whom it is exported.
    pub fn get(&self, name: &ObjectRef) -> Option<&(Vec<String>, Exported)> {
        self.objects.get(name)
    }

    /// An object that concerns `host` for the pods of namespace `from`. A host with a wildcard is concerned by what names a part
    /// of it.
    pub fn concerning(&self, host: &str, from: &str) -> Option<&ObjectRef> {
        self.all_concerning(host, from).next()
    }

    /// All objects that concern `host` for the pods of namespace `from`.
    pub fn all_concerning(&self, host: &str, from: &str) -> impl Iterator<Item = &ObjectRef> {
        self.by_host.related(host).into_iter().filter(move |name| {
            let object = self.objects.get(*name);
            object.is_some_and(|(_, exported)| exported.is_to(from, &name.namespace))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_rules(namespace: &str, host: &str, export_to: &[&str]) -> HostRules {
        let mut rules = HostRules::default();
        rules.insert(
            ObjectRef::new(namespace, "rule"),
            vec![host.to_owned()],
            Exported::to(export_to.iter().copied()),
        );
        rules
    }

    #[test]
    fn a_host_is_named_exactly_or_by_a_wildcard() {
        for (pattern, concerned) in [
            ("a.default.svc.cluster.local", true),
            ("*.default.svc.cluster.local", true),
            ("*.cluster.local", true),
            ("*", true),
            ("b.default.svc.cluster.local", false),
            ("*.other.svc.cluster.local", false),
            ("fault.svc.cluster.local", false),
        ] {
            let rules = mk_rules("default", pattern, &[]);
            let found = rules.concerning("a.default.svc.cluster.local", "default");
            assert_eq!(found.is_some(), concerned, "{pattern}");
        }
    }

    #[test]
    fn a_wildcard_host_is_concerned_by_what_names_a_part_of_it() {
        let rules = mk_rules("default", "a.cdn.example.com", &[]);
        assert!(rules.concerning("*.example.com", "default").is_some());
        assert!(rules.concerning("*.example.org", "default").is_none());
    }

    #[test]
    fn what_is_not_exported_to_the_caller_does_not_count() {
        let rules = mk_rules("other", "a.b", &["."]);
        assert!(rules.concerning("a.b", "default").is_none());
        assert!(rules.concerning("a.b", "other").is_some());
    }

    #[test]
    fn an_object_that_changes_or_goes_is_forgotten() {
        let mut rules = mk_rules("default", "a.b", &[]);
        let name = ObjectRef::new("default", "rule");
        rules.insert(name.clone(), vec!["c.d".to_owned()], Exported::default());
        assert!(rules.concerning("a.b", "default").is_none());
        assert!(rules.concerning("c.d", "default").is_some());
        rules.remove(&name);
        assert!(rules.concerning("c.d", "default").is_none());
        assert!(rules.by_host.is_empty());
    }
}
