//! What the mesh is configured with, where a real installation has it: istiod's mesh configuration and the controller's.

use super::Mesh;
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Namespace, name and key of istiod's, which it watches.
const MESH: [&str; 3] = ["istio-system", "istio", "mesh"];
/// Namespace and key of the controller's, which it reads again when it changes. The ConfigMap's name has a hash.
const CONTROLLER: [&str; 2] = ["mesh-operator", "config.yaml"];

impl Mesh {
    /// Changes the mesh configuration. istiod pushes what follows from it.
    pub fn configure_mesh(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let [namespace, name, key] = MESH;
        self.configure(namespace, name, key, change)
    }

    /// Changes the controller's configuration, which follows without a restart.
    pub fn configure_controller(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let [namespace, key] = CONTROLLER;
        let name = "-o=jsonpath={.spec.template.spec.volumes[?(@.name=='config')].configMap.name}";
        let name =
            self.kubectl_output(&["get", "deployment", "lazyload", "-n", namespace, name])?;
        self.configure(namespace, name.trim(), key, change)
    }

    fn configure(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<()> {
        let text =
            self.kubectl_output(&["get", "configmap", name, "-n", namespace, "-o", "json"])?;
        let config_map: Value = serde_json::from_str(&text)?;
        let text = config_map["data"][key].as_str();
        let text = text.with_context(|| format!("ConfigMap {namespace}/{name} has no {key}"))?;
        let mut configuration = serde_norway::from_str(text)?;
        change(&mut configuration);
        // JSON is YAML.
        let patch = json!({"data": {key: configuration.to_string()}}).to_string();
        let arguments = [
            "patch",
            "configmap",
            name,
            "-n",
            namespace,
            "--type=merge",
            "-p",
            &patch,
        ];
        self.kubectl_output(&arguments).map(drop)
    }
}
