//! Why a miss was answered the way it was.

use lazyload_protocol::{host::AuthorityError, text::excerpt, v1::Verdict};
use thiserror::Error;

use super::IdentityError;
use crate::fence::MAX_LEARNED_HOSTS;

/// The reason of one answer, in words that an operator can act on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The host was recorded, or was already.
    #[error("the host is in the mesh")]
    Known,
    /// Nothing in the mesh has this host.
    #[error("no Service or ServiceEntry has the host {}", excerpt(.host))]
    External {
        /// What was looked for.
        host: String,
    },
    /// The mesh has the host, but not on the port that was called.
    #[error("{} has no port {port}", excerpt(.owner))]
    OtherPorts {
        /// Which Service or ServiceEntry host.
        owner: String,
        /// The port that was called.
        port: u16,
    },
    /// The host is an address, and not that of a Service.
    #[error("the host is an address that no Service of the mesh has")]
    Address,
    /// No enabled fence selects the workload.
    #[error("no enabled ServiceFence of namespace {namespace} selects this workload")]
    NoFence {
        /// Namespace of the workload.
        namespace: String,
    },
    /// The mesh did not prove who is speaking.
    #[error("no proven identity: the report did not come over the mesh's mTLS")]
    IdentityMissing,
    /// Whoever connected can write any identity into the header.
    #[error(
        "no proven identity: the connection did not come through this pod's own sidecar; is the controller's pod injected, \
         and is port interception on (REDIRECT)?"
    )]
    NotOwnSidecar,
    /// The sender belongs to another mesh.
    #[error(
        "the sender's certificate is of trust domain {}, and only {} is believed (configuration key trustDomain)",
        excerpt(.proven), excerpt(.expected)
    )]
    TrustDomain {
        /// What the certificate says.
        proven: String,
        /// What the configuration says.
        expected: String,
    },
    /// What the mesh said about the sender cannot be read.
    #[error("no proven identity: {0}")]
    IdentityInvalid(IdentityError),
    /// The sender speaks for somebody else.
    #[error("{field} {} is not that of the proven identity, {}", excerpt(.claimed), excerpt(.proven))]
    IdentityMismatch {
        /// Which part differs.
        field: &'static str,
        /// What the report says.
        claimed: String,
        /// What the certificate says.
        proven: String,
    },
    /// The workload's namespace does not exist.
    #[error("there is no namespace {}", excerpt(.0))]
    NamespaceUnknown(String),
    /// The API server has no such pod.
    #[error(
        "there is no pod {} in namespace {}; where pods live in another cluster, set the configuration key verifyPods to false",
        excerpt(.name), excerpt(.namespace)
    )]
    PodUnknown {
        /// The workload's namespace.
        namespace: String,
        /// The workload's name.
        name: String,
    },
    /// The pod is not the sender's.
    #[error(
        "pod {} runs as service account {}, and the sender as {}",
        excerpt(.name), excerpt(.actual), excerpt(.proven)
    )]
    PodMismatch {
        /// The pod.
        name: String,
        /// Its service account.
        actual: String,
        /// The sender's.
        proven: String,
    },
    /// Without labels no fence can be found.
    #[error("the workload has no labels, so no fence can select it")]
    LabelsEmpty,
    /// What the application sent as authority is no host.
    #[error(transparent)]
    AuthorityInvalid(AuthorityError),
    /// What was called is no port.
    #[error("{0} is not a port")]
    PortInvalid(u32),
    /// A static dependency of the fence has passed its deadline.
    #[error("the deadline that the fence gives {} has passed", excerpt(.host))]
    Expired {
        /// The host.
        host: String,
    },
    /// A fence remembers as many hosts as it may.
    #[error(
        "ServiceFence {name} has learned {MAX_LEARNED_HOSTS} hosts and takes no more; delete entries of its status.metricStatus \
         that are not needed, or name <namespace>/* or a wildcard in its spec.host"
    )]
    FenceFull {
        /// The first such fence.
        name: String,
    },
    /// The API server is not keeping up.
    #[error("too many hosts of this fence wait to be written; report it again")]
    QueueFull,
}

impl Reason {
    /// The answer that this reason goes with.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Known => Verdict::InMesh,
            Self::External { .. } | Self::OtherPorts { .. } | Self::Address => Verdict::External,
            Self::NoFence { .. } => Verdict::NoFence,
            _ => Verdict::Refused,
        }
    }

    /// The verdict as the metric's label.
    pub fn verdict_label(&self) -> &'static str {
        match self.verdict() {
            Verdict::InMesh => "in_mesh",
            Verdict::External => "external",
            Verdict::NoFence => "no_fence",
            Verdict::Refused => "refused",
            Verdict::Unspecified => "unspecified",
        }
    }

    /// The reason as the metric's label.
    pub fn metric_label(&self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::External { .. } => "unknown_host",
            Self::OtherPorts { .. } => "unknown_port",
            Self::Address => "address",
            Self::NoFence { .. } => "no_fence",
            Self::IdentityMissing => "identity_missing",
            Self::IdentityInvalid(_) => "identity_invalid",
            Self::NotOwnSidecar => "not_own_sidecar",
            Self::IdentityMismatch { .. } | Self::TrustDomain { .. } => "identity_mismatch",
            Self::PodUnknown { .. } => "pod_unknown",
            Self::PodMismatch { .. } => "pod_mismatch",
            Self::NamespaceUnknown(_) => "namespace_unknown",
            Self::LabelsEmpty => "labels_empty",
            Self::AuthorityInvalid(_) => "authority_invalid",
            Self::PortInvalid(_) => "port_invalid",
            Self::FenceFull { .. } => "fence_full",
            Self::Expired { .. } => "expired",
            Self::QueueFull => "queue_full",
        }
    }
}
