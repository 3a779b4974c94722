//! From a fence to its Sidecar.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;

use super::Labels;
use crate::api::{
    EgressListener, FENCE_API_VERSION, FENCE_KIND, REVISION_LABEL, ServiceFence, Sidecar,
    SidecarSpec, SidecarWorkloadSelector,
};

/// The Sidecar of `fence` with these `hosts`, as Slime would write it: one egress entry with sorted unique hosts, the fence as
/// controlling owner, and no label but the Istio revision of the fence.
///
/// `None` if the fence has no name, namespace or uid, which no object read from a cluster lacks.
pub fn render(fence: &ServiceFence, selector: Labels, hosts: BTreeSet<String>) -> Option<Sidecar> {
    let labels = fence
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(REVISION_LABEL))
        .map(|revision| Labels::from([(REVISION_LABEL.to_owned(), revision.clone())]));
    let metadata = ObjectMeta {
        name: Some(fence.metadata.name.clone()?),
        namespace: Some(fence.metadata.namespace.clone()?),
        labels,
        owner_references: Some(vec![owner_reference(fence)?]),
        ..ObjectMeta::default()
    };
    let spec = SidecarSpec {
        workload_selector: Some(SidecarWorkloadSelector { labels: selector }),
        egress: vec![EgressListener {
            hosts: hosts.into_iter().collect(),
            rest: BTreeMap::new(),
        }],
        rest: BTreeMap::new(),
    };
    Some(Sidecar { metadata, spec })
}

/// The reference by which Kubernetes removes a Sidecar together with its fence.
pub fn owner_reference(fence: &ServiceFence) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: FENCE_API_VERSION.to_owned(),
        kind: FENCE_KIND.to_owned(),
        name: fence.metadata.name.clone()?,
        uid: fence.metadata.uid.clone()?,
        controller: Some(true),
        block_owner_deletion: Some(true),
    })
}

#[cfg(test)]
mod tests;
