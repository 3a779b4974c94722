//! Finding pods by the names that people use for them.

use super::Mesh;
use crate::workload::Workload;
use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// kubectl's list, which is of no kind that the API knows.
#[derive(serde::Deserialize)]
struct Pods {
    items: Vec<Pod>,
}

impl Mesh {
    /// Finds a running pod by `[NAMESPACE/]NAME`, where NAME is that of a pod, of a Deployment, or the value of the label
    /// `app`; the namespace is `default` if not given, then `mesh-operator`.
    pub fn workload(&self, wanted: &str) -> Result<Workload> {
        let (namespaces, name) = match wanted.split_once('/') {
            Some((namespace, name)) => (vec![namespace], name),
            None => (vec!["default", "mesh-operator"], wanted),
        };
        let mut known = Vec::new();
        for namespace in namespaces {
            let text = self.kubectl_output(&["get", "pods", "-o", "json", "-n", namespace])?;
            let Pods { items: mut pods } = serde_json::from_str(&text)?;
            pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
            if let Some(pod) = pods.iter().find(|pod| answers_to(pod, name)) {
                return Ok(Workload {
                    namespace: namespace.to_owned(),
                    name: pod.name_any(),
                });
            }
            known.extend(
                pods.iter()
                    .map(|pod| format!("{namespace}/{}", pod.name_any())),
            );
        }
        bail!(
            "no pod answers to {wanted}; there are: {}",
            known.join(", ")
        )
    }
}

fn answers_to(pod: &Pod, name: &str) -> bool {
    let own = pod.name_any();
    let hash = pod.labels().get("pod-template-hash");
    let deployment = hash
        .and_then(|hash| own.split_once(&format!("-{hash}-")))
        .map(|(deployment, _)| deployment);
    own == name
        || deployment == Some(name)
        || pod.labels().get("app").is_some_and(|app| app == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_answers_to_its_own_name_its_deployment_and_its_app() {
        let pod: Pod =
            serde_json::from_value(serde_json::json!({"metadata": {"name": "reviews-v2-5f-abc",
            "labels": {"app": "reviews", "pod-template-hash": "5f"}}}))
            .unwrap();
        for name in ["reviews-v2-5f-abc", "reviews-v2", "reviews"] {
            assert!(answers_to(&pod, name), "{name}");
        }
        assert!(!answers_to(&pod, "reviews-v3"));
    }
}
