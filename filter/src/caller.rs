//! Which workload this sidecar belongs to.

use crate::{
    envoy::{Envoy, Level},
    labels,
};
use lazyload_protocol::{text::excerpt, v1::Workload};

const METADATA: [&str; 3] = ["xds", "node", "metadata"];

/// Reads the workload from the node's metadata. What is missing there is taken from the node id, or left empty.
pub(crate) fn read(envoy: &dyn Envoy) -> Workload {
    let node_id = text(envoy, &["xds", "node", "id"]).unwrap_or_default();
    let (id_name, id_namespace) = parts(&node_id).unwrap_or_default();
    let mut workload = Workload {
        namespace: metadata(envoy, "NAMESPACE").unwrap_or_else(|| id_namespace.to_owned()),
        name: metadata(envoy, "NAME").unwrap_or_else(|| id_name.to_owned()),
        service_account: metadata(envoy, "SERVICE_ACCOUNT").unwrap_or_default(),
        ..Workload::default()
    };
    if let Some(bytes) = envoy.property(&metadata_path("LABELS")) {
        match labels::decode(&bytes) {
            Some(labels) => workload.labels = labels,
            None => envoy.log(
                Level::Warn,
                &format!(
                    "lazyload: node metadata LABELS cannot be read (\"{}\"): misses are reported without labels, and only \
                     fences that select a whole namespace can learn from them",
                    excerpt(&String::from_utf8_lossy(bytes.get(..256).unwrap_or(&bytes)))
                ),
            ),
        }
    }
    workload.node_id = node_id;
    workload
}

/// Pod and namespace of a node id, `sidecar~<ip>~<pod>.<namespace>~<dns domain>`.
fn parts(node_id: &str) -> Option<(&str, &str)> {
    let pod = node_id.split('~').nth(2)?;
    pod.rsplit_once('.')
}

fn metadata(envoy: &dyn Envoy, key: &str) -> Option<String> {
    text(envoy, &metadata_path(key))
}

fn metadata_path(key: &str) -> [&str; 4] {
    let [xds, node, metadata] = METADATA;
    [xds, node, metadata, key]
}

fn text(envoy: &dyn Envoy, path: &[&str]) -> Option<String> {
    let text = String::from_utf8(envoy.property(path)?).ok()?;
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
