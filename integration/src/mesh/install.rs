//! What a user would install: this repository's manifests and Bookinfo, applied with kubectl.

use super::Mesh;
use crate::parts::Parts;
use crate::progress::step;
use anyhow::{Context, Result};

/// Namespaces whose Deployments are awaited.
const NAMESPACES: [&str; 2] = ["mesh-operator", "default"];

impl Mesh {
    /// Applies the manifests and Bookinfo, and waits until every Deployment is available.
    pub(super) fn install(&self, parts: &Parts) -> Result<()> {
        step("applying the manifests and Bookinfo");
        self.apply_manifests(parts)?;
        self.kubectl_output(&[
            "label",
            "--overwrite",
            "namespace",
            "default",
            "istio-injection=enabled",
        ])?;
        let bookinfo = parts.istio.join("bookinfo.yaml").display().to_string();
        self.kubectl_output(&["apply", "--server-side", "-f", &bookinfo])?;
        self.await_deployments(&NAMESPACES)
    }

    /// Applies the manifests alone, and waits until the controller is available.
    pub(super) fn install_without_bookinfo(&self, parts: &Parts) -> Result<()> {
        step("applying the manifests");
        self.apply_manifests(parts)?;
        self.await_deployments(&NAMESPACES[..1])
    }

    fn apply_manifests(&self, parts: &Parts) -> Result<()> {
        let overlay = parts
            .manifests
            .join("overlays/file-plugin")
            .display()
            .to_string();
        self.kubectl_output(&["apply", "--server-side", "-k", &overlay])
            .map(drop)
    }

    fn await_deployments(&self, namespaces: &[&str]) -> Result<()> {
        for namespace in namespaces {
            let wait = [
                "wait",
                "deployment",
                "--all",
                "--for=condition=Available",
                "--timeout=240s",
                "-n",
                namespace,
            ];
            let waited = self.kubectl_output(&wait);
            waited.with_context(|| {
                format!(
                    "the pods of {namespace} did not become ready:\n{}",
                    self.pods(namespace)
                )
            })?;
        }
        step("the mesh is up");
        Ok(())
    }

    fn pods(&self, namespace: &str) -> String {
        let states = "-o=custom-columns=POD:.metadata.name,PHASE:.status.phase,CONTAINER:.status.containerStatuses[*].name,\
            READY:.status.containerStatuses[*].ready,WAITING:.status.containerStatuses[*].state.waiting.message";
        self.kubectl_output(&["get", "pods", "-n", namespace, states])
            .unwrap_or_else(|error| error.to_string())
    }
}
