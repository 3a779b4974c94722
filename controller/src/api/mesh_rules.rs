//! Istio's kinds of which only one or two fields matter here: what they are about, and for whom. The rest is not read.

use std::collections::BTreeMap;

use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::lenient::null_as_default;

/// Routes of hosts.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "VirtualService",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualServiceSpec {
    /// Host names: short, full or `*.<suffix>`.
    #[serde(deserialize_with = "null_as_default")]
    pub hosts: Vec<String>,
    /// Where it applies; `mesh`, or nothing at all, means sidecars.
    #[serde(deserialize_with = "null_as_default")]
    pub gateways: Vec<String>,
    /// Namespaces that may use it.
    #[serde(deserialize_with = "null_as_default")]
    pub export_to: Vec<String>,
}

/// How a host is called once a route has chosen it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "DestinationRule",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase", default)]
pub struct DestinationRuleSpec {
    /// Host name: short, full or `*.<suffix>`.
    #[serde(deserialize_with = "null_as_default")]
    pub host: String,
    /// Namespaces that may use it.
    #[serde(deserialize_with = "null_as_default")]
    pub export_to: Vec<String>,
}

/// Which connections pods take.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "security.istio.io",
    version = "v1",
    kind = "PeerAuthentication",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerAuthenticationSpec {
    /// The pods.
    pub selector: Option<PodSelector>,
    /// The mode.
    pub mtls: Option<PeerMtls>,
    /// The mode of single ports of the pods.
    #[serde(deserialize_with = "null_as_default")]
    pub port_level_mtls: BTreeMap<String, PeerMtls>,
}

/// A mode of a [`PeerAuthentication`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct PeerMtls {
    /// `UNSET`, `DISABLE`, `PERMISSIVE` or `STRICT`.
    pub mode: Option<String>,
}

/// Who may call pods.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "security.istio.io",
    version = "v1",
    kind = "AuthorizationPolicy",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthorizationPolicySpec {
    /// The pods.
    pub selector: Option<PodSelector>,
}

/// Pods by their labels.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSelector {
    /// Pod labels, all of which must match.
    #[serde(deserialize_with = "null_as_default")]
    pub match_labels: BTreeMap<String, String>,
}
