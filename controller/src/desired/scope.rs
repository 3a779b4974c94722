//! How visible hosts are written into a Sidecar.

use std::collections::BTreeSet;

use crate::{
    api::Destinations,
    fence::is_visible,
    index::World,
    settings::{DispatchTo, Settings},
};

/// Slime's form: a host is meant in whatever namespace it lives, and the namespaces of Istio and of the controller are visible
/// whole.
pub fn compatible<'a>(
    domains: impl Iterator<Item = &'a Destinations>,
    world: &World,
) -> BTreeSet<String> {
    let settings = world.settings();
    let always = [&settings.istio_namespace, &settings.slime_namespace]
        .map(|namespace| format!("{namespace}/*"));
    let stable = settings.stable_hosts.iter().map(String::as_str);
    let hosts = stable.map(in_any_namespace);
    let dispatched = dispatched(settings);
    let hosts = hosts.chain(dispatched.iter().map(|host| in_any_namespace(host)));
    let visible = visible(domains).map(in_any_namespace);
    always.into_iter().chain(hosts).chain(visible).collect()
}

fn visible<'a>(domains: impl Iterator<Item = &'a Destinations>) -> impl Iterator<Item = &'a str> {
    domains
        .filter(|found| is_visible(found))
        .flat_map(|found| &found.hosts)
        .map(String::as_str)
}

/// What has a namespace already stays as it is.
fn in_any_namespace(host: &str) -> String {
    if host.contains('/') {
        host.to_owned()
    } else {
        format!("*/{host}")
    }
}

/// The hosts to whose clusters misses are sent: a sidecar that does not have the cluster answers 503.
pub fn dispatched(settings: &Settings) -> BTreeSet<String> {
    let hosts = settings.dispatches.iter().filter_map(|dispatch| {
        Some(match &dispatch.to {
            DispatchTo::Cluster(cluster) => host_of_cluster(cluster)?.to_owned(),
            DispatchTo::GlobalSidecar { namespace } => {
                format!("global-sidecar.{namespace}{}", settings.service_suffix())
            }
        })
    });
    hosts.filter(|host| crate::fence::is_host(host)).collect()
}

/// The host in `outbound|<port>|<subset>|<host>`, if the cluster is one of Istio's of a host.
fn host_of_cluster(cluster: &str) -> Option<&str> {
    let mut parts = cluster.split('|');
    let is_outbound = parts.next() == Some("outbound");
    let host = parts.nth(2).filter(|_| parts.next().is_none())?;
    is_outbound.then_some(host)
}
