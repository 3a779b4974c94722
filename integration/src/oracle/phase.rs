//! Making the mesh other than usual, and usual again.

use super::NAMESPACE;
use super::case::{PORT, Phase};
use super::stage::Stage;
use crate::mesh::Mesh;
use crate::progress::step;
use crate::until::until;
use anyhow::Result;

/// The controller's Deployment.
const CONTROLLER: (&str, &str) = ("mesh-operator", "lazyload");

impl Phase {
    /// Makes the mesh so.
    pub fn begin(self, stage: &Stage<'_>) -> Result<()> {
        match self {
            Self::AllowAny | Self::IstiodRestarted => Ok(()),
            Self::RegistryOnly => {
                step("switching the mesh to REGISTRY_ONLY");
                set_traffic_policy(stage, "REGISTRY_ONLY", "block_all")
            }
            Self::ControllerStopped => {
                step("stopping the controller");
                stage.empty_fence()?;
                scale_controller(stage.mesh, 0)?;
                let mut pods = vec!["wait", "pod", "--all", "--for=delete", "--timeout=60s"];
                pods.extend(["-n", CONTROLLER.0]);
                stage.mesh.kubectl_output(&pods).map(drop)
            }
        }
    }

    /// Makes the mesh as usual.
    pub fn end(self, stage: &Stage<'_>) -> Result<()> {
        match self {
            Self::AllowAny | Self::IstiodRestarted => Ok(()),
            Self::RegistryOnly => set_traffic_policy(stage, "ALLOW_ANY", "allow_any"),
            Self::ControllerStopped => scale_controller(stage.mesh, 1),
        }
    }
}

fn scale_controller(mesh: &Mesh, replicas: u8) -> Result<()> {
    let (namespace, name) = CONTROLLER;
    let (name, replicas) = (
        format!("deployment/{name}"),
        format!("--replicas={replicas}"),
    );
    mesh.kubectl_output(&["scale", &name, &replicas, "-n", namespace])
        .map(drop)
}

/// istiod watches its mesh configuration; both callers have it when their catch-all virtual hosts say so.
fn set_traffic_policy(stage: &Stage<'_>, mode: &str, virtual_host: &str) -> Result<()> {
    stage.mesh.configure_mesh(|configuration| {
        configuration["outboundTrafficPolicy"]["mode"] = mode.into();
    })?;
    for pod in [&stage.full.pod, &stage.lazy.pod] {
        until(
            &format!("{virtual_host} in {} of {NAMESPACE}", pod.name),
            || {
                let tables = stage.mesh.catch_alls(pod)?;
                Ok((tables
                    .get(&PORT.to_string())
                    .is_some_and(|name| name == virtual_host))
                .then_some(()))
            },
        )?;
    }
    Ok(())
}
