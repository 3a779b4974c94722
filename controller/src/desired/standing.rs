//! How the hosts that a fence names or has learned stand, in the world as it is.

use std::collections::BTreeSet;

use kube::ResourceExt;

use crate::{
    api::{DomainStatus, ServiceFence},
    fence::{Aging, aging, is_host},
    index::World,
};

/// How the static and learned hosts of `fence` stand in `world` at `now` (seconds since 1970-01-01 UTC).
///
/// A learned host that a label selector finds as well, or that is a further name of a visible host, does not age: it would be
/// dropped, shown all the same, and dropped anew. Once nothing else shows it, its grace begins.
pub fn standing(fence: &ServiceFence, world: &World, now: i64) -> Aging {
    let mesh = &world.settings().forgetting;
    let stand = |shown: &dyn Fn(&str) -> bool| aging(fence, mesh, now, world.hears(), shown);
    let from = fence.namespace().unwrap_or_default();
    let is_selected = |host: &str| {
        let mut selectors = fence.spec.label_selector.iter();
        selectors.any(|selector| world.is_labelled(host, &selector.selector, &from))
    };
    let found = stand(&is_selected);
    let mut learned = found.hosts.values().filter(|aged| !aged.is_static);
    if world.aliases().is_empty() || learned.all(|aged| aged.since.is_none()) {
        return found;
    }
    let named = further_names(fence, &found, world, &from);
    stand(&|host| is_selected(host) || named.contains(host))
}

/// The further names of everything that is visible.
fn further_names(
    fence: &ServiceFence,
    found: &Aging,
    world: &World,
    from: &str,
) -> BTreeSet<String> {
    let selectors = fence.spec.label_selector.iter();
    let selected = selectors.flat_map(|selector| world.services_labelled(&selector.selector, from));
    let visible = found.hosts.iter();
    let visible = visible
        .filter(|(host, aged)| is_host(host) && aged.status != DomainStatus::Expire)
        .map(|(host, _)| host.clone());
    visible
        .chain(selected)
        .flat_map(|host| world.aliases().of(&host))
        .filter_map(Result::ok)
        .collect()
}
