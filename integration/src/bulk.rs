//! Objects by the thousand, written a few at a time: kubectl would take minutes.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::{Client, ResourceExt};
use serde_json::Value;

/// Requests on their way at one moment.
const AT_ONCE: usize = 16;

/// Creates these objects, each whole with `apiVersion` and `kind`. A `status` is not taken: see [`replace_status`].
pub async fn create_all(client: &Client, objects: Vec<Value>) -> Result<()> {
    each(client, objects, async |api, object| {
        api.create(&PostParams::default(), &object).await
    })
    .await
}

/// Applies these objects, which take all of the fields that they name.
pub async fn apply_all(client: &Client, objects: Vec<Value>) -> Result<()> {
    let manager = PatchParams::apply("rig").force();
    each(client, objects, async |api, object| {
        api.patch(&object.name_any(), &manager, &Patch::Apply(&object))
            .await
    })
    .await
}

/// Puts the `status` of these objects, which are there already, in the place of the one that they have.
pub async fn replace_status(client: &Client, objects: Vec<Value>) -> Result<()> {
    each(client, objects, async |api, object| {
        let mut present = api.get(&object.name_any()).await?;
        present.data["status"] = object.data["status"].clone();
        api.replace_status(&object.name_any(), &PostParams::default(), &present)
            .await
    })
    .await
}

async fn each<T>(
    client: &Client,
    objects: Vec<Value>,
    write: impl AsyncFn(Api<DynamicObject>, DynamicObject) -> kube::Result<T>,
) -> Result<()> {
    let write = &write;
    let writes = objects.into_iter().map(|object| async move {
        let (api, object) = target(client, object)?;
        let name = object.name_any();
        let written = write(api, object).await;
        written.map(drop).with_context(|| format!("writing {name}"))
    });
    stream::iter(writes)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Where an object is to be written.
fn target(client: &Client, object: Value) -> Result<(Api<DynamicObject>, DynamicObject)> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let TypeMeta { api_version, kind } = object.types.as_ref().context("an object of no kind")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    };
    Ok((api, object))
}
