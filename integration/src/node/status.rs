//! What the node reports of a pod.

use crate::supervisor::NODE_ADDRESS;
use anyhow::Result;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// One container's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Whether it answers its probe.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// Why it does not run.
    pub waiting: Option<String>,
}

/// A pod's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodState {
    /// Its address, once it has one.
    pub address: Option<Ipv4Addr>,
    /// Its containers.
    pub containers: Vec<ContainerState>,
}

impl PodState {
    fn ready(&self) -> bool {
        self.containers.iter().all(|container| container.ready)
    }

    fn running(&self) -> bool {
        self.containers
            .iter()
            .all(|container| container.waiting.is_none())
    }

    fn to_status(&self) -> Value {
        let now = Timestamp::now().to_string();
        let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now});
        json!({
            "phase": if self.running() { "Running" } else { "Pending" },
            "hostIP": NODE_ADDRESS,
            "podIP": self.address,
            "podIPs": self.address.map(|address| json!([{"ip": address}])),
            "startTime": now,
            "conditions": [
                condition("PodScheduled", true),
                condition("Initialized", true),
                condition("ContainersReady", self.ready()),
                condition("Ready", self.ready()),
            ],
            "containerStatuses": self.containers.iter().map(|container| json!({
                "name": container.name,
                "image": container.image,
                "imageID": container.image,
                "ready": container.ready,
                "started": container.waiting.is_none(),
                "restartCount": container.restarts,
                "state": match &container.waiting {
                    Some(reason) => json!({"waiting": {"reason": "NotRunnable", "message": reason}}),
                    None => json!({"running": {"startedAt": now}}),
                },
            })).collect::<Vec<_>>(),
        })
    }
}

/// Writes the state of `pod`. A pod that has gone meanwhile needs no status.
pub async fn report(client: &Client, pod: &core::Pod, state: &PodState) -> Result<()> {
    let pods: Api<core::Pod> =
        Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": state.to_status()});
    match pods
        .patch_status(
            &pod.name_any(),
            &PatchParams::default(),
            &Patch::Merge(patch),
        )
        .await
    {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
