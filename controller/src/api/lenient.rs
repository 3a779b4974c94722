//! Reading what Slime's controller and its users wrote: protobuf JSON allows numbers as text and names for enums.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// A 64-bit integer that protobuf JSON may write as a number or as text; written as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Int64(pub i64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match IntOrText::deserialize(deserializer)? {
            IntOrText::Int(value) => Ok(Self(value)),
            IntOrText::Text(text) => text
                .parse()
                .map(Self)
                .map_err(|_| de::Error::custom(format!("{text:?} is not a whole number"))),
        }
    }
}

impl JsonSchema for Int64 {
    fn schema_name() -> Cow<'static, str> {
        "Int64".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            // For text alone: what the controller could not read is refused when it is written.
            "pattern": "^-?[0-9]+$",
            "nullable": true
        })
    }
}

/// What Kubernetes accepts for a leaf that may be a number or text.
pub(super) fn int_or_string() -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

/// Either form of a protobuf JSON number or enum.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum IntOrText {
    /// The number itself.
    Int(i64),
    /// A number in quotes, or the name of an enum value.
    Text(String),
}

/// Reads `null` as the type's default, as protobuf JSON does.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
