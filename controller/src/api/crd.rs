//! The CustomResourceDefinition, generated from the Rust types.

use kube::CustomResourceExt;
use serde_json::Value;
use thiserror::Error;

use super::ServiceFence;

/// Why the definitions cannot be printed.
#[derive(Debug, Error)]
pub enum CrdError {
    /// The definition is not representable.
    #[error("the CustomResourceDefinition cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The definition is not representable.
    #[error("the CustomResourceDefinition cannot be written as YAML: {0}")]
    Yaml(#[from] serde_norway::Error),
}

/// Every CustomResourceDefinition of this project as YAML, ready for `kubectl apply`.
///
/// # Errors
/// If serializing fails, which only a broken type definition can cause.
pub fn crds_yaml() -> Result<String, CrdError> {
    let mut definition = serde_json::to_value(ServiceFence::crd())?;
    if let Some(versions) = definition
        .pointer_mut("/spec/versions")
        .and_then(Value::as_array_mut)
    {
        for version in versions {
            version
                .pointer_mut("/schema/openAPIV3Schema")
                .map(drop_defaults);
        }
    }
    Ok(serde_norway::to_string(&definition)?)
}

/// Takes the defaults out of a schema: the API server would write them into users' objects, where Slime leaves fields absent.
fn drop_defaults(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        return;
    };
    fields.remove("default");
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.values_mut().for_each(drop_defaults)
            }
            ("items" | "additionalProperties", value) => drop_defaults(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_crd_is_what_the_types_generate() {
        let committed = include_str!("../../../manifests/base/crds/servicefences.yaml");
        // Not `assert_eq`, which would show both in full.
        assert!(
            committed == crds_yaml().unwrap(),
            "run: cargo run -p lazyload-controller -- crds > manifests/base/crds/servicefences.yaml"
        );
    }

    #[test]
    fn the_crd_writes_nothing_into_users_objects() {
        assert!(!crds_yaml().unwrap().contains("default:"));
    }
}
