//! How the hosts that a fence names or has learned stand, in the world as it is.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{closure::closure, scope::Shown};
use crate::{
    api::{DomainStatus, ServiceFence},
    fence::{Aging, aging, is_host},
    index::World,
};

/// How the static and learned hosts of `fence` stand in `world` at `now` (seconds since 1970-01-01 UTC).
///
/// A learned host that the Sidecar shows without it, or that is a further name of a visible host, does not age: it would be
/// dropped, shown all the same, and dropped anew. Once nothing else shows it, its grace begins.
pub fn standing(fence: &ServiceFence, world: &World, now: i64) -> Aging {
    let mesh = &world.settings().forgetting;
    let stand = |may_drop, shown: &dyn Fn(&str) -> bool| aging(fence, mesh, now, may_drop, shown);
    let mut found = stand(world.hears(), &|_| false);
    let mut learned = found.hosts.values().filter(|aged| !aged.is_static);
    if learned.all(|aged| aged.since.is_none()) {
        return found;
    }
    let from = fence.namespace().unwrap_or_default();
    let shown = shown_anyway(fence, world, &from, stand(false, &|_| true));
    let is_shown = |host: &str| shown.shows(host, world, &from);
    if !shown.is_empty() {
        found = stand(world.hears(), &is_shown);
    }
    if world.aliases().is_empty() {
        return found;
    }
    let named = further_names(&found, world);
    stand(world.hears(), &|host| {
        named.contains(host) || is_shown(host)
    })
}

/// What the Sidecar shows were nothing learned; `standing` as nothing is dropped yet. Where VirtualServices lead from learned hosts
/// is not among it: two that lead to each other would never age.
fn shown_anyway(fence: &ServiceFence, world: &World, from: &str, mut standing: Aging) -> Shown {
    standing.hosts.retain(|_, aged| aged.is_static);
    let found = closure(fence, &standing, world);
    Shown::of(&found.domains, world, from)
}

/// The further names of the static and learned hosts that are visible.
fn further_names(found: &Aging, world: &World) -> BTreeSet<String> {
    let visible = found.hosts.iter();
    visible
        .filter(|(host, aged)| is_host(host) && aged.status != DomainStatus::Expire)
        .flat_map(|(host, _)| world.aliases().of(host))
        .filter_map(Result::ok)
        .collect()
}
