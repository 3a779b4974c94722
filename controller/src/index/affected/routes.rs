//! Which fences a change of VirtualServices concerns.

use std::collections::BTreeSet;

use super::Fences;
use crate::{
    fence::ObjectRef,
    index::{Exported, World},
    queue::Key,
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

impl World {
    /// What the VirtualService says, and those that leave routes to it, for a comparison before and after a change.
    pub(in crate::index) fn route_views(&self, name: &ObjectRef) -> Vec<Option<RouteView>> {
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
    pub(in crate::index) fn concern_routes(
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
            if self.asks_for_owners()
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
        if self.asks_for_owners() {
            let showing = self.showing(host).into_iter();
            found.extend(showing.filter(|fence| seen(before, fence) != seen(after, fence)));
        }
    }
}
