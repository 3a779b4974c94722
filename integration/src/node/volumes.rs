//! A pod's volumes, written to folders that its containers see at their mount paths.

mod shown;

use super::field::{field, service_account};
use crate::netns::Bind;
use crate::supervisor::init::WRITABLE;
use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1 as core;
use kube::api::{Api, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use shown::{Files, put, show};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A year, the longest that the API server gives: nothing renews tokens here.
const TOKEN_SECONDS: i64 = 365 * 24 * 3600;

/// Writes every volume of `pod` below `folder`, each in a folder of its name.
pub async fn write(client: &Client, pod: &core::Pod, folder: &Path) -> Result<()> {
    for volume in pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
    {
        let place = folder.join(&volume.name);
        std::fs::create_dir_all(&place)?;
        fill(client, pod, volume, &place)
            .await
            .with_context(|| format!("volume {}", volume.name))?;
    }
    Ok(())
}

/// Keeps the volumes of ConfigMaps as those are, for as long as it is polled. What is projected, or mounted by a sub-path, stays as
/// it was when the pod started.
pub async fn follow(client: &Client, pod: &core::Pod, folder: &Path) -> Result<()> {
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    let follows = volumes.filter_map(|volume| {
        let source = volume.config_map.as_ref()?;
        Some(follow_one(client, pod, source, folder.join(&volume.name)))
    });
    futures::future::try_join_all(follows).await?;
    std::future::pending().await
}

async fn follow_one(
    client: &Client,
    pod: &core::Pod,
    source: &core::ConfigMapVolumeSource,
    place: PathBuf,
) -> Result<()> {
    let maps: Api<core::ConfigMap> =
        Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let seen = watcher::watch_object(maps, &source.name).default_backoff();
    let mut seen = std::pin::pin!(seen);
    loop {
        match seen.try_next().await {
            // One that is deleted leaves what it was.
            Ok(Some(Some(map))) => show(&place, &files(&map, source.items.as_deref()))?,
            Ok(None) => bail!("the watch of ConfigMap {} ended", source.name),
            // After an error the watcher has already waited and looks again by itself.
            Ok(Some(None)) | Err(_) => {}
        }
    }
}

/// Where a container sees the volumes. A mount path outside of what the mesh covers would be made on the machine itself, and is
/// refused.
pub fn binds(container: &core::Container, folder: &Path) -> Result<Vec<Bind>> {
    let mounts = container.volume_mounts.iter().flatten();
    mounts
        .map(|mount| {
            let target = PathBuf::from(&mount.mount_path);
            if !target.exists() && !WRITABLE.iter().any(|covered| target.starts_with(covered)) {
                bail!(
                    "the rig's node mounts volumes below {} only, not at {}",
                    WRITABLE.join(", "),
                    target.display()
                );
            }
            let source = match &mount.sub_path {
                Some(path) => folder.join(&mount.name).join(path),
                None => folder.join(&mount.name),
            };
            Ok(Bind { source, target })
        })
        .collect()
}

/// A token of the pod's service account, bound to the pod.
pub async fn token(client: &Client, pod: &core::Pod, audience: Option<&str>) -> Result<String> {
    let namespace = pod.namespace().unwrap_or_default();
    let account = service_account(pod);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: audience.map(|audience| vec![audience.to_owned()]),
            expiration_seconds: Some(TOKEN_SECONDS),
            bound_object_ref: Some(k8s_openapi::api::authentication::v1::BoundObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                name: Some(pod.name_any()),
                uid: pod.uid(),
            }),
        }),
        ..TokenRequest::default()
    };
    let accounts: Api<core::ServiceAccount> = Api::namespaced(client.clone(), &namespace);
    let issued = accounts
        .create_token_request(&account, &PostParams::default(), &request)
        .await
        .with_context(|| format!("no token for service account {namespace}/{account}"))?;
    issued
        .status
        .and_then(|status| status.token)
        .context("the API server issued an empty token")
}

async fn fill(client: &Client, pod: &core::Pod, volume: &core::Volume, place: &Path) -> Result<()> {
    if volume.empty_dir.is_some() {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o777))?;
    } else if let Some(source) = &volume.config_map {
        let items = source.items.as_deref();
        let files = config_map(client, pod, &source.name, items, source.optional).await?;
        show(place, &files)?;
    } else if let Some(projected) = &volume.projected {
        for source in projected.sources.iter().flatten() {
            project(client, pod, source, place).await?;
        }
    } else {
        bail!("the rig's node knows emptyDir, configMap and projected volumes only");
    }
    Ok(())
}

async fn project(
    client: &Client,
    pod: &core::Pod,
    source: &core::VolumeProjection,
    place: &Path,
) -> Result<()> {
    if let Some(wanted) = &source.service_account_token {
        put(
            place,
            &wanted.path,
            &token(client, pod, wanted.audience.as_deref()).await?,
        )?;
    }
    if let Some(map) = &source.config_map {
        let items = map.items.as_deref();
        for (path, text) in config_map(client, pod, &map.name, items, map.optional).await? {
            put(place, &path, &text)?;
        }
    }
    for file in source
        .downward_api
        .iter()
        .flat_map(|downward| downward.items.iter().flatten())
    {
        let wanted = file
            .field_ref
            .as_ref()
            .map(|field| field.field_path.as_str())
            .unwrap_or_default();
        put(place, &file.path, &field(pod, wanted, None)?)?;
    }
    Ok(())
}

/// The files of a ConfigMap; none if it need not be there and is not.
async fn config_map(
    client: &Client,
    pod: &core::Pod,
    name: &str,
    items: Option<&[core::KeyToPath]>,
    optional: Option<bool>,
) -> Result<Files> {
    let maps: Api<core::ConfigMap> =
        Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    match maps.get_opt(name).await? {
        Some(map) => Ok(files(&map, items)),
        None if optional == Some(true) => Ok(Files::new()),
        None => bail!("ConfigMap {name} is not there"),
    }
}

fn files(map: &core::ConfigMap, items: Option<&[core::KeyToPath]>) -> Files {
    let path = |key: &String| match items {
        Some(items) => items
            .iter()
            .find(|item| item.key == *key)
            .map(|item| item.path.clone()),
        None => Some(key.clone()),
    };
    let data = map.data.iter().flatten();
    data.filter_map(|(key, text)| Some((path(key)?, text.clone())))
        .collect()
}
