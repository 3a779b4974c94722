//! Scheduler and kubelet of the mesh in one small agent: it takes every unbound pod, gives it a network namespace with an
//! address, starts the programs that play its images and, where injection is asked for, a sidecar, and reports its status.
//! What makes pods, counts endpoints and collects garbage is Kubernetes' own.

mod agent;
mod container;
mod field;
mod image;
mod member;
mod names;
mod plan;
mod pod;
mod probe;
mod sandbox;
mod shared;
mod sidecar;
mod status;
mod volumes;

use crate::supervisor::control_plane::ControlPlane;
use crate::supervisor::{Event, NODE_ADDRESS, control};
use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1 as core;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

/// The name of the only Node.
pub const NODE: &str = "node";
/// The user that a container runs as when its pod names none: an application's, not the sidecar's.
pub const APPLICATION_USER: u32 = 1000;
/// The user whose traffic is not intercepted.
pub const SIDECAR_USER: u32 = 1337;

/// `node`: brings the control plane up, then runs pods until it is killed.
pub fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let mut control_plane = ControlPlane::start().await?;
        let agent = agent::Agent::new(control_plane.client.clone());
        register(&control_plane.client).await?;
        Event::Ready.tell();
        tokio::select! {
            ended = control::serve(&mut control_plane) => ended.and_then(|what| bail!(what)),
            ended = agent.run() => ended,
        }
    });
    if let Err(error) = &outcome {
        Event::Failed {
            error: format!("{error:#}"),
        }
        .tell();
    }
    outcome
}

async fn register(client: &kube::Client) -> Result<()> {
    let nodes: Api<core::Node> = Api::all(client.clone());
    let manager = PatchParams::apply("node").force();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}});
    nodes
        .patch(NODE, &manager, &Patch::Apply(node))
        .await
        .context("could not register the node")?;
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    let status = json!({"apiVersion": "v1", "kind": "Node", "status": {
        "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}],
        "capacity": room, "allocatable": room,
        "conditions": [{"type": "Ready", "status": "True", "reason": "RigNode"}],
    }});
    nodes
        .patch_status(NODE, &manager, &Patch::Apply(status))
        .await
        .context("could not report the node as ready")?;
    Ok(())
}
