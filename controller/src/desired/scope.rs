//! How visible hosts are written into a Sidecar.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::Destinations,
    fence::{is_host, is_namespace, is_visible},
    index::{Entry, World},
    placeholder::PLACEHOLDER_HOST,
    settings::ScopeForm,
};

/// `spec.egress[].hosts` of a Sidecar of the namespace `from` to which `domains` are visible.
pub fn hosts(
    domains: &BTreeMap<String, Destinations>,
    world: &World,
    from: &str,
) -> BTreeSet<String> {
    let settings = world.settings();
    let dispatched = settings.dispatched_hosts();
    let names = settings
        .stable_hosts
        .iter()
        .chain(&dispatched)
        .chain(visible(domains));
    match settings.scope_form {
        ScopeForm::Compatible => compatible(names, world),
        ScopeForm::Exact => exact(names, world, from),
    }
}

fn visible(domains: &BTreeMap<String, Destinations>) -> impl Iterator<Item = &String> {
    domains
        .values()
        .filter(|found| is_visible(found))
        .flat_map(|found| &found.hosts)
}

/// Slime's form: a host is meant in whatever namespace it lives, and the namespaces of Istio and of the controller are visible
/// whole.
fn compatible<'a>(names: impl Iterator<Item = &'a String>, world: &World) -> BTreeSet<String> {
    let settings = world.settings();
    let always = [&settings.istio_namespace, &settings.slime_namespace];
    let named = names.map(|name| {
        // What has a namespace already stays as it is.
        if name.contains('/') {
            name.clone()
        } else {
            format!("*/{name}")
        }
    });
    let always = always.map(|namespace| format!("{namespace}/*"));
    always.into_iter().chain(named).collect()
}

/// Every host in every namespace that has it, or rules about it; nothing for hosts that nobody has, and of the namespaces of Istio
/// and of the controller only what sidecars call.
fn exact<'a>(
    names: impl Iterator<Item = &'a String>,
    world: &World,
    from: &str,
) -> BTreeSet<String> {
    let settings = world.settings();
    // Not `append`, which takes as long as there are entries already.
    let (mut verbatim, mut entries) = (BTreeSet::new(), BTreeSet::<Entry>::new());
    for name in names {
        match name.strip_suffix("/*") {
            Some(".") => entries.extend(world.entries_in(from, from)),
            Some(namespace) if is_namespace(namespace) => {
                entries.extend(world.entries_in(namespace, from));
            }
            Some(_) => _ = verbatim.insert(name.clone()),
            None => entries.extend(world.entries_of(name, from)),
        }
    }
    let own = settings.own_host();
    entries.extend(world.entries_of(&own, from));
    for host in [own, PLACEHOLDER_HOST.to_owned()] {
        entries.insert((settings.slime_namespace.clone(), host));
    }
    match world.mesh_entries(from) {
        Some(needed) => entries.extend(needed),
        None => _ = verbatim.insert(format!("{}/*", settings.istio_namespace)),
    }
    let entries = entries.into_iter().filter(|(_, host)| is_host(host));
    let entries = entries.map(|(namespace, host)| format!("{namespace}/{host}"));
    verbatim.into_iter().chain(entries).collect()
}
