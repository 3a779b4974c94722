//! `ServiceFence.status`: what is visible, what was learned, and whether the fence is in force.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Timestamp,
    lenient::{IntOrText, int_or_string, null_as_default},
};

/// What the controller found and did. `metricStatus` is the durable memory of everything learned.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ServiceFenceStatus {
    /// Everything visible, by host or `<namespace>/*`: static and learned dependencies.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub domains: BTreeMap<String, Destinations>,
    /// Learned dependencies. A key is `{destination_service="<host>"}`, its value how often the host was learned, as text.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub metric_status: BTreeMap<String, String>,
    /// Deprecated: who called this service. Kept, never written.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub visitor: BTreeMap<String, bool>,
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the fence is in force, and why not.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}

/// What one visible host stands for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Destinations {
    /// The host itself, and what VirtualServices make of it.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub hosts: Vec<String>,
    /// Whether it is still visible. Absent means it is.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "DomainStatus::is_active"
    )]
    pub status: DomainStatus,
    /// For a host that goes when it is not called: since when it is in this state, that is when it was learned last, or dropped.
    #[serde(
        default,
        rename = "RecentlyCalled",
        skip_serializing_if = "Option::is_none"
    )]
    pub recently_called: Option<Timestamp>,
}

/// Whether a domain is visible. Read as a name or a number (Slime's two CRDs disagree), written as a number, which both accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DomainStatus {
    /// In the Sidecar.
    #[default]
    Active,
    /// No longer in the Sidecar: its time has passed.
    Expire,
    /// Still in the Sidecar, about to go.
    ExpireWait,
}

impl DomainStatus {
    /// Whether this is the state that JSON leaves out.
    pub fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

impl Serialize for DomainStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(match self {
            Self::Active => 0,
            Self::Expire => 1,
            Self::ExpireWait => 2,
        })
    }
}

impl<'de> Deserialize<'de> for DomainStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match IntOrText::deserialize(deserializer)? {
            IntOrText::Int(number) => number.to_string(),
            IntOrText::Text(text) => text,
        };
        match text.as_str() {
            "0" | "ACTIVE" => Ok(Self::Active),
            "1" | "EXPIRE" => Ok(Self::Expire),
            "2" | "EXPIREWAIT" => Ok(Self::ExpireWait),
            other => Err(de::Error::unknown_variant(
                other,
                &["ACTIVE", "EXPIRE", "EXPIREWAIT"],
            )),
        }
    }
}

impl JsonSchema for DomainStatus {
    fn schema_name() -> Cow<'static, str> {
        "DomainStatus".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        int_or_string()
    }
}
