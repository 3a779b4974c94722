//! The replay EnvoyFilter: what sidecars need besides the filter to send a held request through its new route.
//!
//! A paused request keeps the route table that it came with, so it is sent once more, inside the sidecar, through an internal
//! listener that has the newest table of the same port. There is one such listener, and a cluster that leads to it, for every
//! port of the [`placeholder`](crate::placeholder); routes that lead to the cluster stand in the catch-all virtual hosts. The same
//! EnvoyFilter switches the plugin off everywhere else, so that requests with a route of their own cost nothing, and holds the
//! routes of the [`dispatch`](crate::dispatch)es: with these alone where nothing is replayed. Pure, like [`fence`](crate::fence).

mod cluster;
mod dispatches;
mod hits;
mod listener;
mod origin;
mod patch;
mod routes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::api::ObjectMeta;
use lazyload_protocol::CATCH_ALL_ROUTES;

use crate::{
    api::{EnvoyFilter, EnvoyFilterSpec},
    dispatch::{Refused, ordered},
    kept::{self, Action, is_ours},
    settings::{Replay, Settings},
};
use patch::Patches;

/// Name of the replay EnvoyFilter in every namespace that has one.
pub const REPLAY_NAME: &str = "lazyload-replay";

/// Whether the sidecars of a namespace have what a held request is sent through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// An EnvoyFilter of ours is for them.
    Yes,
    /// The configuration wants none for them.
    NotConfigured,
    /// There is none yet, or it was deleted: it comes back.
    Missing,
    /// Somebody else's is in its place.
    Foreign,
}

impl Replay {
    /// How sidecars of `namespace` stand. `existing` gives the EnvoyFilter of a namespace, whoever made it; ours are those of the
    /// installation of `slime_namespace`.
    pub fn installed(
        &self,
        namespace: &str,
        slime_namespace: &str,
        existing: impl Fn(&str) -> Option<Arc<EnvoyFilter>>,
    ) -> Installed {
        let configured = [namespace, &self.root_namespace].into_iter();
        let configured = configured.filter(|namespace| self.namespaces.contains(*namespace));
        let each = configured.map(|namespace| match existing(namespace) {
            Some(filter) if is_ours(&*filter, slime_namespace) => Installed::Yes,
            Some(_) => Installed::Foreign,
            None => Installed::Missing,
        });
        // One is enough.
        each.min_by_key(|installed| *installed != Installed::Yes)
            .unwrap_or(Installed::NotConfigured)
    }
}

/// The one step that brings a replay EnvoyFilter where it should be.
pub type ReplayAction = Action<EnvoyFilter>;

/// The EnvoyFilter of `namespace` for `ports`, and what of the dispatches it had to leave out.
///
/// Held requests and probes come before every dispatch: the routes of a patch go in front of those of the patches before it.
pub fn render(
    namespace: &str,
    ports: &BTreeSet<u16>,
    settings: &Settings,
) -> (EnvoyFilter, Vec<Refused>) {
    let replay = &settings.replay;
    let is_replaying = !ports.is_empty() && replay.namespaces.contains(namespace);
    let (entries, refused) = ordered(&settings.dispatches);
    let mut patches = Patches::for_version(&replay.proxy_version);
    for port in ports.iter().filter(|_| is_replaying) {
        cluster::add(&mut patches, *port);
        listener::add(&mut patches, *port);
    }
    for catch_all in CATCH_ALL_ROUTES {
        dispatches::add(&mut patches, catch_all, &entries, settings);
        if is_replaying {
            routes::add(&mut patches, catch_all);
        }
    }
    if is_replaying {
        origin::add(&mut patches);
        hits::add(&mut patches, &replay.plugin);
    }
    let filter = EnvoyFilter {
        metadata: ObjectMeta {
            name: Some(REPLAY_NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(kept::labels(settings)),
            ..ObjectMeta::default()
        },
        spec: EnvoyFilterSpec {
            config_patches: patches.into_list(),
            rest: BTreeMap::new(),
        },
    };
    (filter, refused)
}

/// Compares the EnvoyFilter of `namespace` that should be with the one that is.
pub fn plan(
    namespace: &str,
    ports: &BTreeSet<u16>,
    settings: &Settings,
    existing: Option<&EnvoyFilter>,
) -> ReplayAction {
    let (desired, _) = render(namespace, ports, settings);
    let is_wanted = !desired.spec.config_patches.is_empty()
        && settings.envoy_filter_namespaces().contains(namespace);
    kept::plan(is_wanted.then_some(desired), existing, settings)
}

#[cfg(test)]
mod tests;
