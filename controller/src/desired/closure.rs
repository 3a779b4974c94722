//! From what a fence names to everything that it makes visible.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::Origin;
use crate::{
    api::{Destinations, DomainStatus, Int64, ServiceFence, Timestamp},
    fence::{Aging, ObjectRef, is_host, is_namespace},
    index::World,
};

/// Everything that a fence makes visible, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closure {
    /// `status.domains`.
    pub domains: BTreeMap<String, Destinations>,
    /// Why each key of `domains`, and each host that VirtualServices add to one, is there.
    pub origins: BTreeMap<String, BTreeSet<Origin>>,
    /// What the spec says in vain, in words.
    pub problems: Vec<String>,
    /// Static hosts that nothing in the world has.
    pub unknown: BTreeSet<String>,
}

/// What `fence` makes visible in `world`: the hosts of `aging`, then what its label and namespace selectors find, then the further
/// names of all of these; each with where VirtualServices lead from it.
///
/// The first to name a key decides on its state, as in Slime: a static host whose deadline has passed is not brought back by a
/// selector.
pub fn closure(fence: &ServiceFence, aging: &Aging, world: &World) -> Closure {
    let from = fence.namespace().unwrap_or_default();
    let mut building = Building {
        world,
        from: &from,
        fence,
        found: Closure::default(),
    };
    for (key, aged) in &aging.hosts {
        let origin = if aged.is_static {
            Origin::Static
        } else {
            Origin::Learned
        };
        building.add(key, aged.status, aged.since, origin);
        let is_known = || {
            let host = key.to_ascii_lowercase();
            world.is_declared(&host, &from)
        };
        if aged.is_static && is_host(key) && !key.starts_with('*') && !is_known() {
            building.found.unknown.insert(key.clone());
        }
    }
    building.select_labels();
    building.select_namespaces();
    building.name_further();
    building.found
}

struct Building<'a> {
    world: &'a World,
    from: &'a str,
    fence: &'a ServiceFence,
    found: Closure,
}

impl Building<'_> {
    fn add(&mut self, key: &str, status: DomainStatus, since: Option<i64>, origin: Origin) {
        let origins = self.found.origins.entry(key.to_owned()).or_default();
        // What is merely no longer learned is visible all the same where a selector finds it.
        let is_decided = origins.contains(&Origin::Static) || status == DomainStatus::Expire;
        origins.insert(origin);
        if let Some(known) = self.found.domains.get(key)
            && (is_decided || known.status != DomainStatus::Expire)
        {
            return;
        }
        let mut hosts = vec![key.to_owned()];
        if status != DomainStatus::Expire {
            let leads = self.leads(key);
            hosts.extend(leads.keys().filter(|host| *host != key).cloned());
            for (host, rules) in leads.into_iter().filter(|(host, _)| host != key) {
                let rules = rules.into_iter().map(Origin::VirtualService);
                self.found.origins.entry(host).or_default().extend(rules);
            }
        }
        let before = || {
            let status = self.fence.status.as_ref()?;
            status.domains.get(key)?.recently_called
        };
        let destinations = Destinations {
            hosts,
            status,
            recently_called: recently_called(before(), since),
        };
        self.found.domains.insert(key.to_owned(), destinations);
    }

    /// Where VirtualServices lead from `key`, and which. They do not lead on from there: Istio does not chain them.
    fn leads(&self, key: &str) -> BTreeMap<String, BTreeSet<ObjectRef>> {
        let mut leads = BTreeMap::new();
        match key.strip_suffix("/*") {
            None => self.leads_of(&key.to_ascii_lowercase(), &mut leads),
            Some(namespace) if !self.world.routes().is_empty() => {
                let namespace = if namespace == "." {
                    self.from
                } else {
                    namespace
                };
                for host in self.world.service_hosts_of(namespace, self.from) {
                    self.leads_of(&host, &mut leads);
                }
                leads.retain(|host, _| !self.world.is_service_of(host, namespace));
            }
            Some(_) => {}
        }
        leads
    }

    fn leads_of(&self, host: &str, leads: &mut BTreeMap<String, BTreeSet<ObjectRef>>) {
        let routes = self.world.routes();
        for rule in routes.concerning(host, self.from) {
            for destination in routes.destinations(rule) {
                let rules = leads.entry(destination.to_owned()).or_default();
                rules.insert(rule.clone());
            }
        }
    }

    fn select_labels(&mut self) {
        for (index, selector) in self.fence.spec.label_selector.iter().enumerate() {
            if selector.selector.is_empty() {
                self.found.problems.push(format!(
                    "spec.labelSelector[{index}] has no labels and matches nothing; name at least one"
                ));
            }
            for host in self.world.services_labelled(&selector.selector, self.from) {
                self.add(&host, DomainStatus::Active, None, Origin::Label);
            }
        }
    }

    fn select_namespaces(&mut self) {
        for namespace in &self.fence.spec.namespace_selector {
            if is_namespace(namespace) {
                let key = format!("{namespace}/*");
                self.add(&key, DomainStatus::Active, None, Origin::NamespaceSelector);
            } else {
                self.found.problems.push(format!(
                    "spec.namespaceSelector {namespace:?} is left out: it is not the name of a namespace"
                ));
            }
        }
    }

    /// Further names are not named further. One is as visible as the host that it is of, the most visible if there are several.
    fn name_further(&mut self) {
        let aliases = self.world.aliases();
        if aliases.is_empty() {
            return;
        }
        let keys = self.found.domains.iter();
        let mut visible: Vec<_> = keys
            .filter(|(key, found)| is_host(key) && found.status != DomainStatus::Expire)
            .map(|(key, found)| (key.clone(), found.status))
            .collect();
        visible.sort_by_key(|(_, status)| !status.is_active());
        for (host, status) in visible {
            for name in aliases.of(&host) {
                match name {
                    Ok(name) => self.add(&name, status, None, Origin::Alias(host.clone())),
                    Err(problem) => self.found.problems.push(problem),
                }
            }
        }
    }
}

/// The time as the status has it where it says the same; without one of its own, a host keeps what Slime has written.
fn recently_called(before: Option<Timestamp>, since: Option<i64>) -> Option<Timestamp> {
    match since {
        Some(since) if before.map(|before| before.seconds) != Some(Int64(since)) => {
            Some(Timestamp {
                seconds: Int64(since),
                nanos: None,
            })
        }
        _ => before,
    }
}
