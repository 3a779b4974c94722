//! Making and changing objects with what it takes not to touch anybody else's.

use std::fmt::Debug;

use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    FIELD_MANAGER,
    error::{WriteError, call},
    merge_patch::merge_patch,
};

/// Kinds written by [`create`], [`update`] and [`delete`].
pub trait Written:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}
impl<K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned> Written for K {}

/// Makes `desired`, which must not exist: a create, since an apply would merge into an object that somebody has made
/// meanwhile.
///
/// # Errors
/// If the API server refuses or does not answer; [`WriteError::Conflict`] means that there is one, and to look at it.
pub async fn create<K: Written>(api: &Api<K>, desired: &K) -> Result<K, WriteError> {
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    call(api.create(&params, desired)).await
}

/// Makes the object of `uid` say what `desired` says.
///
/// Apply alone leaves fields that others have added, and those that [`create`] has set (Kubernetes counts a create as another
/// owner than an apply of the same manager); where `is_same` still finds a difference, a merge patch takes out what
/// `desired` does not have: in the spec, and `labels` by key.
///
/// # Errors
/// If the API server refuses or does not answer. [`WriteError::Conflict`], [`WriteError::Gone`] and a refusal can mean that
/// the object of this uid is no more.
pub async fn update<K: Written>(
    api: &Api<K>,
    desired: &K,
    uid: &str,
    labels: &[&str],
    is_same: impl Fn(&K) -> bool,
) -> Result<K, WriteError> {
    update_as_seen(api, desired, uid, None, labels, is_same).await
}

/// The same, if it is still at this version: another replica may have changed it meanwhile, and knows why.
///
/// # Errors
/// The same, and [`WriteError::Conflict`] if it has changed.
pub async fn update_as_seen<K: Written>(
    api: &Api<K>,
    desired: &K,
    uid: &str,
    version: Option<String>,
    labels: &[&str],
    is_same: impl Fn(&K) -> bool,
) -> Result<K, WriteError> {
    let name = desired.name_any();
    let mut addressed = desired.clone();
    addressed.meta_mut().uid = Some(uid.to_owned());
    addressed.meta_mut().resource_version = version;
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = call(api.patch(&name, &params, &Patch::Apply(&addressed))).await?;
    if is_same(&applied) {
        return Ok(applied);
    }
    let leftovers = leftovers(
        &serde_json::to_value(&applied)?,
        &serde_json::to_value(desired)?,
        labels,
    );
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let corrected = call(api.patch(&name, &params, &Patch::Merge(&leftovers))).await?;
    if is_same(&corrected) {
        Ok(corrected)
    } else {
        Err(WriteError::NotKept)
    }
}

/// Removes the object of this name if it still has this uid. Says whether it was there.
///
/// # Errors
/// If the API server refuses or does not answer; one that is gone already is none.
pub async fn delete<K: Written>(api: &Api<K>, name: &str, uid: String) -> Result<bool, WriteError> {
    delete_as_seen(api, name, uid, None).await
}

/// The same, if it is still at this version: what makes it ours to delete may have changed meanwhile.
///
/// # Errors
/// The same, and [`WriteError::Conflict`] if it has changed.
pub async fn delete_as_seen<K: Written>(
    api: &Api<K>,
    name: &str,
    uid: String,
    version: Option<String>,
) -> Result<bool, WriteError> {
    let preconditions = Preconditions {
        uid: Some(uid),
        resource_version: version,
    };
    let params = DeleteParams::default().preconditions(preconditions);
    match call(api.delete(name, &params)).await {
        Ok(_) => Ok(true),
        Err(WriteError::Gone(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The merge patch that takes out of `present` what `desired` does not have. It names the version that it was made for, so
/// that it cannot undo a later change.
fn leftovers(present: &Value, desired: &Value, labels: &[&str]) -> Value {
    let removed: serde_json::Map<String, Value> = labels
        .iter()
        .filter(|label| desired["metadata"]["labels"].get(**label).is_none())
        .filter(|label| present["metadata"]["labels"].get(**label).is_some())
        .map(|label| ((*label).to_owned(), Value::Null))
        .collect();
    let mut patch =
        json!({ "metadata": { "resourceVersion": present["metadata"]["resourceVersion"] } });
    if !removed.is_empty() {
        patch["metadata"]["labels"] = Value::Object(removed);
    }
    if let Some(spec) = merge_patch(&present["spec"], &desired["spec"]) {
        patch["spec"] = spec;
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_added_to_the_spec_and_to_our_labels_is_taken_out() {
        let present = json!({
            "metadata": { "resourceVersion": "7", "labels": { "istio.io/rev": "x", "team": "web" } },
            "spec": { "egress": [{ "hosts": ["a/*"] }], "ingress": [], "workloadSelector": { "labels": { "app": "a", "b": "c" } } },
        });
        let desired = json!({
            "metadata": {},
            "spec": { "egress": [{ "hosts": ["a/*"] }], "workloadSelector": { "labels": { "app": "a" } } },
        });
        assert_eq!(
            leftovers(&present, &desired, &["istio.io/rev"]),
            json!({
                "metadata": { "resourceVersion": "7", "labels": { "istio.io/rev": null } },
                "spec": { "ingress": null, "workloadSelector": { "labels": { "b": null } } },
            })
        );
    }

    #[test]
    fn ports_that_the_create_has_left_behind_are_taken_out() {
        let port = |number| json!({ "number": number, "name": format!("port-{number}") });
        let present = json!({ "metadata": { "resourceVersion": "7" }, "spec": { "ports": [port(80), port(81)] } });
        let desired = json!({ "metadata": {}, "spec": { "ports": [port(81)] } });
        assert_eq!(
            leftovers(&present, &desired, &[]),
            json!({ "metadata": { "resourceVersion": "7" }, "spec": { "ports": [port(81)] } })
        );
    }
}
