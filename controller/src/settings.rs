//! What the configuration wishes of fences, typed and checked: no file formats here, and no decisions.
//!
//! All of it may change while the controller runs. The [`World`](crate::index::World) holds the present settings beside what the
//! watches have seen, so that a change of them is an event like any other, and what should be is computed from the world alone.

mod auto_fence;
mod dispatch;
mod duration;
mod forgetting;
mod mode;
mod ports;
mod replay;
mod scope;

pub use auto_fence::{
    AutoFence, LabelRequirement, LabelSelector, NamespaceScope, Operator, Revisions, WorkloadFences,
};
pub use dispatch::{Alias, Dispatch, DispatchTo, forwarder};
pub use duration::parse_duration;
pub use forgetting::Forgetting;
pub use mode::Mode;
pub use ports::PortRules;
pub use replay::Replay;
pub use scope::ScopeForm;

use std::{collections::BTreeSet, sync::Arc};

use crate::fence::is_host;

/// Name of the Service in front of the controller (`manifests/base/service.yaml`).
const OWN_SERVICE: &str = "lazyload";

/// Everything that the configuration says about fences, their Sidecars and what goes with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Namespace of istiod (Slime's `global.istioNamespace`).
    pub istio_namespace: String,
    /// Namespace of the controller, its report Service and the placeholder (Slime's `global.slimeNamespace`).
    pub slime_namespace: String,
    /// DNS domain of the cluster, for example `cluster.local`.
    pub cluster_domain: String,
    /// Label whose value is a fence's name, for fences that state no selector (Slime's `global.service`).
    pub workload_label: String,
    /// Hosts, or `<namespace>/*`, that every fenced workload sees (`stableHost`).
    pub stable_hosts: Vec<String>,
    /// How hosts are written into Sidecars (`sidecarHosts`).
    pub scope_form: ScopeForm,
    /// Which fences make themselves (`autoFence` and what belongs to it).
    pub auto_fence: AutoFence,
    /// Which objects are this controller's, by Istio revision (`global.istioRev`, `strictRev`, `selfResourceRev`).
    pub revisions: Revisions,
    /// Further names of hosts (`domainAliases`).
    pub aliases: Vec<Alias>,
    /// Where misses of some hosts go (`dispatches`).
    pub dispatches: Vec<Dispatch>,
    /// When learned hosts are dropped (`forgetting`).
    pub forgetting: Forgetting,
    /// Which ports the placeholder carries (`wormholePort`, `autoPort`, …).
    pub ports: PortRules,
    /// What first requests do, where fences say nothing (`firstRequest`).
    pub first_request: Mode,
    /// The EnvoyFilter through which held requests are sent.
    pub replay: Arc<Replay>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            istio_namespace: "istio-system".to_owned(),
            slime_namespace: "mesh-operator".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            workload_label: "app".to_owned(),
            stable_hosts: Vec::new(),
            scope_form: ScopeForm::default(),
            auto_fence: AutoFence::default(),
            revisions: Revisions::default(),
            aliases: Vec::new(),
            dispatches: Vec::new(),
            forgetting: Forgetting::default(),
            ports: PortRules::default(),
            first_request: Mode::default(),
            replay: Arc::default(),
        }
    }
}

impl Settings {
    /// What the names of Services end with: `.svc.<cluster domain>`, in lower case.
    pub fn service_suffix(&self) -> String {
        let domain = self.cluster_domain.trim_matches('.').to_ascii_lowercase();
        format!(".svc.{domain}")
    }

    /// Namespaces that have an EnvoyFilter: those that replay. Where none does, dispatches still need one in the namespaces that are
    /// named, or in the root namespace.
    pub fn envoy_filter_namespaces(&self) -> BTreeSet<String> {
        let replay = &self.replay;
        if !replay.namespaces.is_empty() || self.dispatches.is_empty() {
            return replay.namespaces.clone();
        }
        if replay.named.is_empty() {
            return BTreeSet::from([replay.root_namespace.clone()]);
        }
        replay.named.clone()
    }

    /// The hosts to whose clusters misses are sent.
    pub fn dispatched_hosts(&self) -> BTreeSet<String> {
        let suffix = self.service_suffix();
        let hosts = self.dispatches.iter();
        hosts
            .filter_map(|dispatch| dispatch.to.host(&suffix))
            .filter(|host| is_host(host))
            .collect()
    }

    /// The controller's own host, to which every sidecar reports.
    pub fn own_host(&self) -> String {
        let suffix = self.service_suffix();
        format!("{OWN_SERVICE}.{}{suffix}", self.slime_namespace)
    }
}
