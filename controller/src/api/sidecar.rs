//! Istio's `Sidecar`: the part that a fence renders, with everything else kept as it was read.

use std::collections::BTreeMap;

use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which workload a Sidecar narrows, and to what.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "Sidecar",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct SidecarSpec {
    /// The pods it applies to. Absent: the whole namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<SidecarWorkloadSelector>,
    /// What outbound listeners know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressListener>,
    /// Fields that a fence never renders.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// Pods by their labels.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct SidecarWorkloadSelector {
    /// Pod labels, all of which must match.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// One egress entry.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct EgressListener {
    /// `<namespace>/<host>` entries.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Fields that a fence never renders.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
