//! Istio's `ServiceEntry`: the hosts that others declare, and the placeholder that the controller keeps.

use std::collections::BTreeMap;

use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Hosts that the mesh knows besides Services.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "ServiceEntry",
    plural = "serviceentries",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEntrySpec {
    /// Host names, exact or `*.<suffix>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Ports of every host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServiceEntryPort>,
    /// How addresses are found: `NONE`, `STATIC`, `DNS`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Namespaces that may use it: `*`, `.` (its own), `~` (none) or names. Empty: what the mesh's default says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub export_to: Vec<String>,
    /// Fields that the placeholder never sets.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// A port of a [`ServiceEntry`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct ServiceEntryPort {
    /// Port number.
    pub number: u16,
    /// Name, unique in its ServiceEntry.
    #[serde(default)]
    pub name: String,
    /// Fields that the placeholder never sets, such as the protocol.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
