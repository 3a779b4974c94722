//! `ServiceFence`: what a workload may see, as Slime's lazyload defines it.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Int64, ServiceFenceStatus, lenient::null_as_default};
use crate::settings::Mode;

/// What a user asks for: which workload to fence and what it may always see.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "microservice.slime.io",
    version = "v1alpha1",
    kind = "ServiceFence",
    plural = "servicefences",
    singular = "servicefence",
    shortname = "svf",
    namespaced,
    status = "ServiceFenceStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "Narrows one workload's view of the mesh to the hosts it needs, and widens it as the workload is seen to need more.",
    printcolumn = r#"{"name":"Enabled","type":"boolean","jsonPath":".spec.enable"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ServiceFenceSpec {
    /// Static dependencies. A key is a fully qualified host, any external host name, or `<namespace>/*`.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub host: BTreeMap<String, Option<RecyclingStrategy>>,
    /// Whether the fence is in force: only then is a Sidecar rendered and are dependencies learned.
    #[serde(default, deserialize_with = "null_as_default")]
    pub enable: bool,
    /// Namespaces whose services are all visible.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub namespace_selector: Vec<String>,
    /// Services that are visible by their labels: any entry, all labels of it.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub label_selector: Vec<LabelMatch>,
    /// Which pods the fence applies to. Without it: those whose label `app` is the fence's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<WorkloadSelector>,
    /// What the workload's sidecars do with a request whose route is on its way: `hold` it, let it pass through (`passthrough`), or
    /// hold it only where the host needs the mesh (`adaptive`). Without it: what the controller's configuration says.
    // Text, and checked where it is used: Slime's own CustomResourceDefinition lets anything in, and a slip here must not make
    // the fence unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "first_request")]
    pub first_request: Option<String>,
    /// When learned hosts of this fence are dropped, where it differs from what the controller's configuration says: `enabled`, and as
    /// lengths of time such as `90s`, `168h` or `7d`, `timeToLive` (of a host learned once; doubled each time it is missed again),
    /// `longestTimeToLive`, `grace` (how long before its end a host is shown as `EXPIREWAIT`) and `probation` (how long a dropped host is
    /// remembered).
    // Any value, and read where it is used: see `first_request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "forgetting")]
    pub forgetting: Option<Value>,
}

/// How long a static dependency stays. The first of `stable`, `deadline`, `auto` that is set decides; none means for ever.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct RecyclingStrategy {
    /// Never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub stable: Option<Value>,
    /// Expires at a point in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DeadlineStrategy>,
    /// Expires when unused for a while; a miss brings it back, for twice as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto: Option<AutoStrategy>,
    /// When the dependency was last used, for `auto`. Without it, or if it is earlier than that: when the controller has seen it first, or
    /// seen it missed last.
    #[serde(
        default,
        rename = "RecentlyCalled",
        skip_serializing_if = "Option::is_none"
    )]
    pub recently_called: Option<Timestamp>,
}

/// Expiry at a point in time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadlineStrategy {
    /// The host is dropped once this moment has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire: Option<Timestamp>,
}

/// Expiry after a time without use.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoStrategy {
    /// How long without use, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Timestamp>,
}

/// A moment (since 1970-01-01 UTC) or a length of time. Slime compares whole seconds only, and so does this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timestamp {
    /// Whole seconds.
    #[serde(default, deserialize_with = "null_as_default")]
    pub seconds: Int64,
    /// Nanoseconds on top; kept but not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nanos: Option<Int64>,
}

/// Services having all of these labels.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelMatch {
    /// Labels of a Service, all of which must match.
    #[serde(default, deserialize_with = "null_as_default")]
    pub selector: BTreeMap<String, String>,
}

/// Which pods a fence applies to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadSelector {
    /// Take the selector of the Service that has the fence's name. Ignored when `labels` is set.
    #[serde(default, deserialize_with = "null_as_default")]
    pub from_service: bool,
    /// Pod labels, all of which must match.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub labels: BTreeMap<String, String>,
}

fn first_request(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": Mode::NAMES })
}

fn forgetting(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let length = |description: &str| schemars::json_schema!({ "type": "string", "nullable": true, "description": description });
    schemars::json_schema!({
        "type": "object",
        "nullable": true,
        "properties": {
            "enabled": {
                "type": "boolean",
                "nullable": true,
                "description": "Whether learned hosts are dropped at all.",
            },
            "timeToLive": length("How long a host stays that was learned once."),
            "longestTimeToLive": length("How long a host stays at most, however often it came back."),
            "grace": length("How long before its end a host is shown as about to go, still visible; at most half of its time."),
            "probation": length("How long a dropped host is remembered, so that one that is missed again stays longer."),
        },
    })
}

fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-preserve-unknown-fields": true
    })
}
