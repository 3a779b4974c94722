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
    /// Routes of HTTP requests.
    #[serde(deserialize_with = "null_as_default")]
    pub http: Vec<HttpRoute>,
    /// Routes of TLS connections, by their server names.
    #[serde(deserialize_with = "null_as_default")]
    pub tls: Vec<ConnectionRoute>,
    /// Routes of other connections.
    #[serde(deserialize_with = "null_as_default")]
    pub tcp: Vec<ConnectionRoute>,
    /// Namespaces that may use it.
    #[serde(deserialize_with = "null_as_default")]
    pub export_to: Vec<String>,
}

/// A route of HTTP requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRoute {
    /// Which requests: any of these, or all if there is none.
    #[serde(rename = "match", deserialize_with = "null_as_default")]
    pub matches: Vec<RouteMatch>,
    /// Where they go.
    #[serde(deserialize_with = "null_as_default")]
    pub route: Vec<RouteTarget>,
    /// Where copies of them go.
    pub mirror: Option<Destination>,
    /// Where further copies of them go.
    #[serde(deserialize_with = "null_as_default")]
    pub mirrors: Vec<RouteTarget>,
    /// The VirtualService that says where they go.
    pub delegate: Option<Delegate>,
}

/// A route of connections.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct ConnectionRoute {
    /// Which connections: any of these, or all if there is none.
    #[serde(rename = "match", deserialize_with = "null_as_default")]
    pub matches: Vec<RouteMatch>,
    /// Where they go.
    #[serde(deserialize_with = "null_as_default")]
    pub route: Vec<RouteTarget>,
}

/// The part of a route's `match` that matters here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct RouteMatch {
    /// Where the route applies, in place of what the VirtualService says.
    #[serde(deserialize_with = "null_as_default")]
    pub gateways: Vec<String>,
}

/// One of the places that a route leads to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct RouteTarget {
    /// The place.
    pub destination: Option<Destination>,
}

/// A host as a route's destination.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Destination {
    /// Host name, short or full.
    #[serde(deserialize_with = "null_as_default")]
    pub host: String,
}

/// Another VirtualService, without hosts of its own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Delegate {
    /// Name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Namespace, if it is another than that of the VirtualService that names it.
    #[serde(deserialize_with = "null_as_default")]
    pub namespace: String,
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
