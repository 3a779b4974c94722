//! How visible hosts are written into a Sidecar.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::Destinations,
    fence::{is_host, is_namespace, is_visible},
    index::{Entry, WHOLE, World, wildcards},
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
    let names = names(domains, world, &dispatched);
    match settings.scope_form {
        ScopeForm::Compatible => compatible(names, world),
        ScopeForm::Exact => exact(names, world, from),
    }
}

/// What a Sidecar shows, host by host, whatever its form.
pub struct Shown {
    entries: BTreeSet<Entry>,
    is_everything: bool,
}

impl Shown {
    /// What a Sidecar of the namespace `from` shows to which `domains` are visible, but for what every Sidecar shows that knows of
    /// a mesh.
    pub fn of(domains: &BTreeMap<String, Destinations>, world: &World, from: &str) -> Self {
        let dispatched = world.settings().dispatched_hosts();
        let (verbatim, entries) = entries(names(domains, world, &dispatched), world, from);
        Self {
            entries,
            is_everything: verbatim.contains("*/*"),
        }
    }

    /// Whether it shows nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.is_everything
    }

    /// Whether it shows `host` to pods of the namespace `from`: some of what has to be named for it is there, as it is or under a
    /// wildcard.
    pub fn shows(&self, host: &str, world: &World, from: &str) -> bool {
        let needed = world.entries_of(host, from);
        needed.iter().any(|(namespace, host)| {
            let mut names = wildcards(host).chain([host.clone()]);
            self.is_everything
                || names.any(|name| self.entries.contains(&(namespace.clone(), name)))
        })
    }
}

/// What a Sidecar names: the same in all, and what is visible of `domains`.
fn names<'a>(
    domains: &'a BTreeMap<String, Destinations>,
    world: &'a World,
    dispatched: &'a BTreeSet<String>,
) -> impl Iterator<Item = &'a String> {
    let stable = world.settings().stable_hosts.iter();
    stable.chain(dispatched).chain(visible(domains))
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
    let (mut verbatim, mut entries) = entries(names, world, from);
    let own = settings.own_host();
    entries.extend(world.entries_of(&own, from));
    for host in [own, PLACEHOLDER_HOST.to_owned()] {
        entries.insert((settings.slime_namespace.clone(), host));
    }
    match world.mesh_entries(from) {
        Some(needed) => entries.extend(needed),
        None => _ = verbatim.insert(format!("{}/*", settings.istio_namespace)),
    }
    let whole = entries.iter().filter(|(_, host)| host == WHOLE);
    let whole: BTreeSet<String> = whole.map(|(namespace, _)| namespace.clone()).collect();
    let entries = entries.into_iter().filter(|(namespace, host)| {
        // What is in a namespace that is named whole is not named again.
        is_host(host) && !whole.contains(namespace) || host == WHOLE
    });
    let entries = entries.map(|(namespace, host)| format!("{namespace}/{host}"));
    verbatim.into_iter().chain(entries).collect()
}

/// What `names` are host by host, and those of them that are no hosts and no namespace.
fn entries<'a>(
    names: impl Iterator<Item = &'a String>,
    world: &World,
    from: &str,
) -> (BTreeSet<String>, BTreeSet<Entry>) {
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
    (verbatim, entries)
}
