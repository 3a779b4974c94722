//! Facts of a pod that its containers may ask for.

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1 as core;
use kube::ResourceExt;
use std::net::Ipv4Addr;

/// A field of the pod by its path in the downward API.
pub fn field(pod: &core::Pod, path: &str, address: Option<Ipv4Addr>) -> Result<String> {
    Ok(match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "spec.serviceAccountName" => service_account(pod),
        "spec.nodeName" => super::NODE.to_owned(),
        "status.podIP" => address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        _ => bail!("the rig's node does not know the field {path}"),
    })
}

/// The name of the pod's service account.
pub fn service_account(pod: &core::Pod) -> String {
    let named = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.clone());
    named.unwrap_or_else(|| "default".into())
}
