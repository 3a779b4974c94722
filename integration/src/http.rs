//! Requests by applications of the mesh, made by the `bookinfo` program inside a pod's network so that they pass its sidecar.

use crate::mesh::Mesh;
use crate::supervisor::inside;
use crate::workload::Workload;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// What came back for one request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// HTTP status; 0 where there was no answer.
    pub status: u16,
    /// Why there was no answer.
    #[serde(default)]
    pub error: Option<String>,
    /// Response headers.
    pub headers: BTreeMap<String, String>,
    /// The body, where it is Bookinfo's.
    pub body: Option<Served>,
    /// From sending to the last byte of the answer.
    pub milliseconds: f64,
}

/// What a Bookinfo service says of a request that it served.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Served {
    /// The service's name.
    pub service: String,
    /// Its version.
    pub version: String,
    /// The caller's SPIFFE identity as the sidecar proved it; none where the request came without mTLS.
    pub caller: Option<String>,
    /// The request's headers as the service saw them.
    pub headers: BTreeMap<String, String>,
    /// What the services that it called in turn answered, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, Reply>,
}

impl Mesh {
    /// A GET of `url` by an application in `pod`.
    pub fn get(&self, pod: &Workload, url: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        let mut command = Command::new(Path::new(inside::PROGRAMS).join("bookinfo"));
        command.arg("get").arg(url).args(
            headers
                .iter()
                .flat_map(|(name, value)| ["--header".into(), format!("{name}: {value}")]),
        );
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = self.spawn_in(pod, &mut command)?.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "the request to {url} was not made: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("no reply for {url}"))
    }
}
