//! Looking at what the servers and their sidecars have to say of the calls.

use super::wire::{RECORDS_PORT, Seen};
use crate::access_log::{Entry, entries};
use crate::mesh::Mesh;
use crate::netns;
use crate::workload::Workload;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Envoy writes its access log every ten seconds.
const LOG_LIMIT: Duration = Duration::from_secs(14);
/// Between two looks into the logs.
const LOOK: Duration = Duration::from_millis(500);

/// Everything that the servers have seen.
pub fn records(mesh: &Mesh, servers: &[Workload]) -> Result<Vec<Seen>> {
    let mut records = Vec::new();
    for server in servers {
        let body = netns::run(&mesh.pod_network(server), || -> Result<String> {
            let mut response = ureq::get(format!("http://127.0.0.1:{RECORDS_PORT}/")).call()?;
            Ok(response
                .body_mut()
                .with_config()
                .limit(u64::MAX)
                .read_to_string()?)
        })?;
        let body =
            body.with_context(|| format!("{} does not tell what it has seen", server.name))?;
        records.extend(serde_json::from_str::<Vec<Seen>>(&body)?);
    }
    Ok(records)
}

/// What the servers' sidecars have logged, by request id; waits for `wanted`, but no longer than Envoy keeps it back.
pub fn logs(
    mesh: &Mesh,
    servers: &[Workload],
    wanted: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<Entry>>> {
    let start = Instant::now();
    loop {
        let mut logged: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for server in servers {
            if !mesh
                .containers(server)?
                .iter()
                .any(|name| name == "istio-proxy")
            {
                continue;
            }
            for entry in entries(&mesh.log(server, "istio-proxy")?) {
                if let Some(id) = &entry.request_id {
                    logged.entry(id.clone()).or_default().push(entry);
                }
            }
        }
        let all = wanted.iter().all(|id| logged.contains_key(id));
        if all || start.elapsed() > LOG_LIMIT {
            return Ok(logged);
        }
        std::thread::sleep(LOOK);
    }
}
