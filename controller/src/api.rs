//! The Kubernetes kinds that the controller reads and writes, one file per kind.
//!
//! [`ServiceFence`] is this project's own (Slime's schema); the others are Istio's, written by hand with only the fields that
//! matter here. Those that the controller writes keep the rest, so that comparing and re-serializing lose nothing.

mod crd;
mod envoy_filter;
mod lenient;
mod mesh_rules;
mod service_entry;
mod service_fence;
mod sidecar;
mod status;

pub use crd::{CrdError, crds_yaml};
pub use envoy_filter::{EnvoyFilter, EnvoyFilterSpec};
pub use lenient::Int64;
pub use mesh_rules::{
    AuthorizationPolicy, AuthorizationPolicySpec, ConnectionRoute, Delegate, Destination,
    DestinationRule, DestinationRuleSpec, HttpRoute, PeerAuthentication, PeerAuthenticationSpec,
    PeerMtls, PodSelector, RouteMatch, RouteTarget, VirtualService, VirtualServiceSpec,
};
pub use service_entry::{ServiceEntry, ServiceEntryPort, ServiceEntrySpec};
pub use service_fence::{
    AutoStrategy, DeadlineStrategy, LabelMatch, RecyclingStrategy, ServiceFence, ServiceFenceSpec,
    Timestamp, WorkloadSelector,
};
pub use sidecar::{EgressListener, Sidecar, SidecarSpec, SidecarWorkloadSelector};
pub use status::{Destinations, DomainStatus, ServiceFenceStatus};

/// API group and version of [`ServiceFence`], as owner references state it.
pub const FENCE_API_VERSION: &str = "microservice.slime.io/v1alpha1";
/// Kind of [`ServiceFence`].
pub const FENCE_KIND: &str = "ServiceFence";
/// Label that binds an object to an Istio revision; the only label that a Sidecar takes over from its fence.
pub const REVISION_LABEL: &str = "istio.io/rev";
