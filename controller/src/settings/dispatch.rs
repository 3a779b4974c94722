//! Further names of hosts, and where misses of some hosts go.

/// A rule that gives hosts further names (Slime's `DomainAlias`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alias {
    /// Regular expression (RE2) with named groups that a host has to match exactly once.
    pub pattern: String,
    /// What becomes of it: texts in which `$name`, `${name}` and `$1` stand for groups.
    pub templates: Vec<String>,
}

/// A rule that sends misses of some hosts to a cluster (Slime's `Dispatch`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Name, for logs and for the names of routes.
    pub name: String,
    /// Hosts as Envoy's virtual hosts have them: exact, `*.<suffix>`, `<prefix>.*` or `*`.
    pub domains: Vec<String>,
    /// Regular expression (RE2) of whole hosts.
    pub domain_regex: Option<String>,
    /// Where they go.
    pub to: DispatchTo,
}

/// Where a [`Dispatch`] sends requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DispatchTo {
    /// To the cluster of this name, for example `outbound|80||egress.default.svc.cluster.local` or `PassthroughCluster`.
    Cluster(String),
    /// To Slime's forwarder (`_GLOBAL_SIDECAR`), whose Service is in this namespace.
    GlobalSidecar {
        /// Namespace of the Service `global-sidecar`.
        namespace: String,
    },
}

/// The host of Slime's forwarder in `namespace`.
pub fn forwarder(namespace: &str, service_suffix: &str) -> String {
    format!("global-sidecar.{namespace}{service_suffix}")
}

impl DispatchTo {
    /// The host whose cluster it is: that of `outbound|<port>|<subset>|<host>`, or the forwarder's. Other clusters are of no host.
    pub fn host(&self, service_suffix: &str) -> Option<String> {
        match self {
            Self::Cluster(cluster) => {
                let mut parts = cluster.split('|');
                let is_outbound = parts.next() == Some("outbound");
                let host = parts.nth(2).filter(|_| parts.next().is_none())?;
                is_outbound.then(|| host.to_owned())
            }
            Self::GlobalSidecar { namespace } => Some(forwarder(namespace, service_suffix)),
        }
    }
}
