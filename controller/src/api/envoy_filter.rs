//! Istio's `EnvoyFilter`, of which the controller writes one kind: the patches are Envoy's own configuration, kept as JSON.

use std::collections::BTreeMap;

use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Patches of the configuration that istiod makes for sidecars.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1alpha3",
    kind = "EnvoyFilter",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyFilterSpec {
    /// The patches, in the order in which istiod applies them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_patches: Vec<Value>,
    /// Fields that the controller never sets, such as a workload selector.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
