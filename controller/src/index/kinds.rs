//! How an event of each watched kind changes the world, and which work it concerns.

use std::{fmt::Debug, net::IpAddr, sync::Arc};

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use kube::{Api, Client, Resource, ResourceExt, core::DeserializeGuard, runtime::watcher};
use serde::de::DeserializeOwned;

use super::{Exported, ServiceFacts, World, version::may_replace, world::object_ref};
use crate::{
    api::{ServiceFence, Sidecar},
    fence::ObjectRef,
    placeholder::{ServicePort, protocol_of},
    queue::Key,
    settings::Settings,
};

/// The annotation by which a Service says who may use it.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// What a headless Service has in the place of an address.
const HEADLESS: &str = "None";

/// A kind that the controller watches.
pub trait Indexed:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
    /// Plural name, for logs, metrics and readiness.
    const PLURAL: &'static str;

    /// Whether the controller does without objects of this kind in a cluster that does not serve it or does not show it.
    const IS_OPTIONAL: bool = false;

    /// Whether objects of this kind say what a host needs, so that without them nobody knows.
    const IS_RULE: bool = false;

    /// What follows if the controller may not see objects of this kind, where what it has seen of them must not be believed then.
    const UNSEEN: Option<&'static str> = None;

    /// Where objects of this kind are watched: in every namespace.
    fn api(client: Client, _settings: &Settings) -> Api<DeserializeGuard<Self>> {
        Api::all(client)
    }

    /// Which objects are watched.
    fn watched(_settings: &Settings) -> watcher::Config {
        watcher::Config::default()
    }

    /// Takes in an object that was added or changed.
    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>);

    /// Takes out an object that is gone. `version`: at which resource version it went, where that is known.
    fn remove(name: &ObjectRef, version: Option<&str>, world: &mut World, concerned: &mut Vec<Key>);

    /// Whether the object of this name and uid, which cannot be read now, is the one that is held: it then stays as it last
    /// was, because a slip in an edit must not undo what is in force.
    fn is_held(_name: &ObjectRef, _uid: Option<&str>, _world: &World) -> bool {
        true
    }

    /// The names of all objects of this kind.
    fn names(world: &World) -> Vec<ObjectRef>;
}

impl Indexed for Service {
    const PLURAL: &'static str = "services";

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        let mut facts = service_facts(&self);
        facts.exported.follow(&world.export_defaults.services);
        let before = world.services.insert(name.clone(), facts.clone());
        world.by_label.replace(&name, before.as_ref(), Some(&facts));
        forget_addresses(&name, before.as_ref(), world);
        for address in &facts.addresses {
            world.addresses.insert(*address, name.clone());
        }
        if before.is_none() {
            world.follow_aliases(&name);
        }
        concern_service(&name, before.as_ref(), Some(&facts), world, concerned);
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, concerned: &mut Vec<Key>) {
        let before = world.services.remove(name);
        world.by_label.replace(name, before.as_ref(), None);
        forget_addresses(name, before.as_ref(), world);
        world.follow_aliases(name);
        concern_service(name, before.as_ref(), None, world, concerned);
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.services.keys().cloned().collect()
    }
}

fn service_facts(service: &Service) -> ServiceFacts {
    let Some(spec) = &service.spec else {
        return ServiceFacts::default();
    };
    let export_to = service.annotations().get(EXPORT_TO);
    let ports = spec.ports.iter().flatten().filter_map(|port| {
        Some(ServicePort {
            number: u16::try_from(port.port).ok()?,
            protocol: protocol_of(
                port.port,
                port.protocol.as_deref(),
                port.name.as_deref(),
                port.app_protocol.as_deref(),
            ),
        })
    });
    ServiceFacts {
        labels: service.labels().clone(),
        selector: spec.selector.clone().unwrap_or_default(),
        ports: ports.collect(),
        exported: Exported::to(export_to.iter().flat_map(|list| list.split(','))),
        addresses: addresses(spec),
        alias_of: alias_of(spec),
        is_headless: spec.cluster_ip.as_deref() == Some(HEADLESS),
        is_terminating: service.metadata.deletion_timestamp.is_some(),
    }
}

/// An address that another Service has taken over meanwhile stays its own.
fn forget_addresses(name: &ObjectRef, before: Option<&ServiceFacts>, world: &mut World) {
    for address in before.iter().flat_map(|facts| &facts.addresses) {
        if world.addresses.get(address) == Some(name) {
            world.addresses.remove(address);
        }
    }
}

/// Those of a headless Service read [`HEADLESS`].
fn addresses(spec: &ServiceSpec) -> Vec<IpAddr> {
    let first = spec.cluster_ip.iter();
    let all = first.chain(spec.cluster_ips.iter().flatten());
    all.filter_map(|address| address.parse().ok()).collect()
}

/// What an ExternalName Service stands for. Others may carry a name that means nothing.
fn alias_of(spec: &ServiceSpec) -> Option<String> {
    let name = spec.external_name.as_deref().unwrap_or_default();
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_alias = spec.type_.as_deref() == Some("ExternalName") && !name.is_empty();
    is_alias.then_some(name)
}

fn concern_service(
    name: &ObjectRef,
    before: Option<&ServiceFacts>,
    after: Option<&ServiceFacts>,
    world: &mut World,
    concerned: &mut Vec<Key>,
) {
    if before.map(|facts| &facts.selector) != after.map(|facts| &facts.selector) {
        concerned.push(Key::Fence(name.clone()));
    }
    world.concern_fencing(name, before, after, concerned);
    world.concern_hosts_of_service(name, before, after, concerned);
    let ports =
        |facts: Option<&ServiceFacts>| facts.map(|facts| facts.ports.clone()).unwrap_or_default();
    if ports(before) != ports(after) {
        concern_ports(world, concerned);
    }
}

pub(super) fn concern_ports(world: &mut World, concerned: &mut Vec<Key>) {
    world.ports.take();
    concerned.push(Key::Placeholder);
    let replays = world.settings.envoy_filter_namespaces();
    concerned.extend(replays.into_iter().map(Key::Replay));
}

impl Indexed for ServiceFence {
    const PLURAL: &'static str = "servicefences";

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        let known = world.fences.get(&name);
        let is_stale = known.is_some_and(|present| {
            present.metadata.uid == self.metadata.uid
                && !may_replace(
                    present.metadata.resource_version.as_deref(),
                    self.metadata.resource_version.as_deref(),
                )
        });
        if !is_stale {
            let before = world.covered_by(&name);
            world.fences.insert(name.clone(), Arc::new(self));
            world.concern_covering(&name, before, concerned);
            world.follow_interest(&name);
            concerned.push(Key::Fence(name));
        }
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, concerned: &mut Vec<Key>) {
        let before = world.covered_by(name);
        world.fences.remove(name);
        world.concern_covering(name, before, concerned);
        world.follow_interest(name);
        world.sidecars.forget_deletion(name);
        concerned.push(Key::Fence(name.clone()));
    }

    fn is_held(name: &ObjectRef, uid: Option<&str>, world: &World) -> bool {
        let held = world.fences.get(name);
        held.is_some_and(|held| held.metadata.uid.as_deref() == uid)
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.fences.keys().cloned().collect()
    }
}

impl Indexed for Sidecar {
    const PLURAL: &'static str = "sidecars";

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        world.observe_sidecar(self);
        if world.fences.contains_key(&name) {
            concerned.push(Key::Fence(name));
        }
    }

    fn remove(
        name: &ObjectRef,
        version: Option<&str>,
        world: &mut World,
        concerned: &mut Vec<Key>,
    ) {
        if !world.sidecars.remove(name, version) {
            return;
        }
        if world.fences.contains_key(name) {
            concerned.push(Key::Fence(name.clone()));
        } else {
            world.sidecars.forget_deletion(name);
        }
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.sidecars.names().cloned().collect()
    }
}
