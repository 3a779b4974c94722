//! Why a miss was answered the way it was.

use lazyload_protocol::{host::AuthorityError, text::excerpt, v1::Verdict};
use thiserror::Error;

use super::{IdentityError, judge::MAX_MISSES};

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
    /// The host is an address.
    #[error("the host is an address, and addresses are not looked up")]
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
    /// Without labels no fence can be found.
    #[error("the workload has no labels, so no fence can select it")]
    LabelsEmpty,
    /// What the application sent as authority is no host.
    #[error(transparent)]
    AuthorityInvalid(AuthorityError),
    /// One report holds too many misses.
    #[error("a report may hold {MAX_MISSES} misses; this one is beyond them")]
    TooMany,
    /// A static dependency of the fence has passed its deadline.
    #[error("the deadline that the fence gives {} has passed", excerpt(.host))]
    Expired {
        /// The host.
        host: String,
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
            Self::External { .. } | Self::Address => Verdict::External,
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
            Self::Address => "address",
            Self::NoFence { .. } => "no_fence",
            Self::IdentityMissing => "identity_missing",
            Self::IdentityInvalid(_) => "identity_invalid",
            Self::IdentityMismatch { .. } => "identity_mismatch",
            Self::NamespaceUnknown(_) => "namespace_unknown",
            Self::LabelsEmpty => "labels_empty",
            Self::AuthorityInvalid(_) => "authority_invalid",
            Self::TooMany => "too_many",
            Self::Expired { .. } => "expired",
            Self::QueueFull => "queue_full",
        }
    }
}
