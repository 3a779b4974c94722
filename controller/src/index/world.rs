//! What is known of the cluster.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use kube::ResourceExt;
use tokio::sync::watch;
use tracing::warn;

use super::{
    NamespaceFacts,
    exported::Exported,
    host_map::HostMap,
    hosts::EntryFacts,
    interest::Interests,
    labels::LabelMap,
    mesh_config::{ExportDefaults, MeshHost},
    observed::Observed,
    routes::Routes,
    workloads::Workloads,
};
use crate::{
    api::{EnvoyFilter, REVISION_LABEL, ServiceEntry, ServiceFence, Sidecar},
    fence::{Aliases, Labels, ObjectRef, effective_selector, matches},
    first_request::MeshRules,
    placeholder::{self, PlaceholderPorts, ServicePort, placeholder_ports},
    queue::Key,
    settings::Settings,
};

/// The part of a Service that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    /// The Service's own labels.
    pub labels: Labels,
    /// `spec.selector`.
    pub selector: Labels,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// Annotation `networking.istio.io/exportTo`, or the mesh's default.
    pub exported: Exported,
    /// `spec.clusterIPs`: hosts too, to whoever calls by address.
    pub addresses: Vec<IpAddr>,
    /// `spec.externalName`, in lower case: the host that this one is another name of.
    pub alias_of: Option<String>,
    /// Whether it has no address of its own: it is headless, and its pods are called by names of their own too.
    pub is_headless: bool,
    /// Whether it is on its way out.
    pub is_terminating: bool,
}

/// The cluster as the watches have seen it.
#[derive(Debug, Default)]
pub struct World {
    pub(super) settings: Arc<Settings>,
    // The same, for watches that depend on them.
    told_settings: watch::Sender<Arc<Settings>>,
    pub(super) service_suffix: String,
    pub(super) placeholder_at: ObjectRef,
    pub(super) namespaces: BTreeMap<String, NamespaceFacts>,
    pub(super) workloads: Workloads,
    pub(super) services: BTreeMap<ObjectRef, ServiceFacts>,
    pub(super) addresses: HashMap<IpAddr, ObjectRef>,
    pub(super) entries: BTreeMap<ObjectRef, EntryFacts>,
    // Several ServiceEntries may declare one host: it stays known until the last of them is gone.
    pub(super) entry_hosts: HostMap<ObjectRef>,
    // The one of the placeholder's name.
    pub(super) placeholders: Observed<ServiceEntry>,
    // Emptied when the ports of a Service or ServiceEntry change: reports ask for them, and counting all of them takes a while.
    pub(super) ports: OnceLock<PlaceholderPorts>,
    pub(super) replays: Observed<EnvoyFilter>,
    pub(super) mesh: MeshRules,
    pub(super) routes: Routes,
    pub(super) by_label: LabelMap,
    pub(super) aliases: Aliases,
    pub(super) alias_problems: Vec<String>,
    // The Services by their further names.
    pub(super) aliased: HostMap<ObjectRef>,
    pub(super) interests: Interests,
    // What the mesh configuration needs, if that is known, and where it stands.
    pub(super) mesh_hosts: Option<BTreeSet<MeshHost>>,
    pub(super) mesh_config: Option<ObjectRef>,
    pub(super) export_defaults: ExportDefaults,
    pub(super) fences: BTreeMap<ObjectRef, Arc<ServiceFence>>,
    // Of the Service that takes reports, by EndpointSlice: whether some endpoint is ready.
    pub(super) hearers: BTreeMap<ObjectRef, bool>,
    pub(super) sidecars: Observed<Sidecar>,
}

impl World {
    /// An empty cluster. The placeholder of `settings` is ours and therefore makes no host known.
    pub fn new(settings: Arc<Settings>) -> Self {
        let mut workloads = Workloads::default();
        workloads.configure(&settings.auto_fence);
        let (aliases, alias_problems) = compile(&settings, &[]);
        Self {
            aliases,
            alias_problems,
            service_suffix: settings.service_suffix(),
            placeholder_at: placeholder::place(&settings),
            told_settings: watch::Sender::new(settings.clone()),
            settings,
            workloads,
            ..Self::default()
        }
    }

    /// Takes in other settings, which concern everything. Where the placeholder stands and what Services are called does not
    /// change while the controller runs.
    pub fn configure(&mut self, settings: Arc<Settings>, concerned: &mut Vec<Key>) {
        let left = self.settings.envoy_filter_namespaces();
        self.ports.take();
        self.workloads.configure(&settings.auto_fence);
        (self.aliases, self.alias_problems) = compile(&settings, &self.alias_problems);
        self.settings = settings;
        self.told_settings.send_replace(self.settings.clone());
        self.follow_settings();
        self.concern_all(concerned);
        concerned.extend(left.into_iter().map(Key::Replay));
    }

    /// Says that everything is to be looked at.
    pub fn concern_all(&self, concerned: &mut Vec<Key>) {
        concerned.extend(self.fences.keys().cloned().map(Key::Fence));
        concerned.push(Key::Placeholder);
        let replays = self.settings.envoy_filter_namespaces();
        concerned.extend(replays.into_iter().map(Key::Replay));
        // Those that stand and may be wanted no more.
        let standing = self.replays.names().map(|name| name.namespace.clone());
        concerned.extend(standing.map(Key::Replay));
        for namespace in self.namespaces.keys() {
            self.concern_automatic(namespace, concerned);
        }
    }

    /// The further names of hosts.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// Where VirtualServices lead.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// What the configuration wishes at present.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The same, now and whenever it changes.
    pub fn followed_settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.told_settings.subscribe()
    }

    /// Whether this namespace exists.
    pub fn has_namespace(&self, namespace: &str) -> bool {
        self.namespaces.contains_key(namespace)
    }

    /// The namespace, if it exists.
    pub fn namespace(&self, namespace: &str) -> Option<&NamespaceFacts> {
        self.namespaces.get(namespace)
    }

    /// The fence, if it exists and can be read.
    pub fn fence(&self, name: &ObjectRef) -> Option<Arc<ServiceFence>> {
        self.fences.get(name).cloned()
    }

    /// How many fences there are.
    pub fn fence_count(&self) -> usize {
        self.fences.len()
    }

    /// The fences of `namespace`, whoever made them.
    pub fn fences_of(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = (&ObjectRef, &Arc<ServiceFence>)> {
        self.fences
            .range(ObjectRef::new(namespace, "")..)
            .take_while(move |(name, _)| name.namespace == namespace)
    }

    /// Whether `fence` is this controller's to act on, by its Istio revision. One that is not is another controller's, together
    /// with its Sidecar.
    pub fn is_ours(&self, fence: &ServiceFence) -> bool {
        let revision = fence.labels().get(REVISION_LABEL);
        self.settings
            .revisions
            .includes(revision.map(String::as_str))
    }

    /// The ports that the placeholder should carry.
    pub fn placeholder_ports(&self) -> &PlaceholderPorts {
        self.ports.get_or_init(|| {
            let services = self.services.iter();
            let services = services.map(|(name, facts)| (name, facts.ports.as_slice()));
            let entries = self.entries.iter();
            let entries = entries.map(|(name, facts)| (name, facts.ports.as_slice()));
            placeholder_ports(&self.settings.ports, services.chain(entries))
        })
    }

    /// What the mesh configuration says about hosts and their pods.
    pub fn mesh(&self) -> &MeshRules {
        &self.mesh
    }

    /// The Service, if it exists.
    pub fn service(&self, name: &ObjectRef) -> Option<&ServiceFacts> {
        self.services.get(name)
    }

    /// The Services of `namespace`.
    pub fn services_of(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = (&ObjectRef, &ServiceFacts)> {
        self.services
            .range(ObjectRef::new(namespace, "")..)
            .take_while(move |(name, _)| name.namespace == namespace)
    }

    /// The labels by which `fence` selects pods now, or `None` when it selects none.
    pub fn selector(&self, fence: &ServiceFence) -> Option<Labels> {
        let name = fence.name_any();
        let service = self.services.get(&ObjectRef::new(
            fence.namespace().unwrap_or_default(),
            name.as_str(),
        ));
        effective_selector(
            &name,
            &fence.spec,
            service.map(|facts| &facts.selector),
            &self.settings.workload_label,
        )
    }

    /// Every enabled fence of `namespace`, in our scope, that selects a pod with `labels`. A pod may have several.
    pub fn fences_selecting(
        &self,
        namespace: &str,
        labels: &Labels,
    ) -> Vec<(ObjectRef, Arc<ServiceFence>)> {
        self.fences_of(namespace)
            .filter(|(_, fence)| fence.spec.enable && fence.metadata.deletion_timestamp.is_none())
            .filter(|(_, fence)| self.is_ours(fence))
            .filter(|(_, fence)| {
                self.selector(fence)
                    .is_some_and(|selector| matches(&selector, labels))
            })
            .map(|(name, fence)| (name.clone(), fence.clone()))
            .collect()
    }
}

/// The rules for further names; what is wrong with them is logged unless it was so `before`.
fn compile(settings: &Settings, before: &[String]) -> (Aliases, Vec<String>) {
    let (aliases, problems) = Aliases::compile(&settings.aliases);
    for problem in problems.iter().filter(|problem| !before.contains(problem)) {
        warn!(problem, "part of the configuration is left out");
    }
    (aliases, problems)
}

/// The name of `object`.
pub(super) fn object_ref(object: &impl kube::Resource) -> ObjectRef {
    ObjectRef::new(
        object.meta().namespace.clone().unwrap_or_default(),
        object.meta().name.clone().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests;
