//! Signals to programs of a pod, for tests of what happens when one of them stops or dies.

use super::Mesh;
use crate::workload::Workload;
use anyhow::{Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

impl Mesh {
    /// Sends `signal` to every process of the pod that runs `program`, of which there must be one.
    pub fn signal(&self, pod: &Workload, program: &str, signal: Signal) -> Result<()> {
        let network = std::fs::metadata(self.pod_network(pod))?.ino();
        let mut found = false;
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let id = path
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            // Others come and go while we look.
            if let Some(id) = id
                && runs(&path, program, network).unwrap_or(false)
            {
                kill(Pid::from_raw(id), signal)?;
                found = true;
            }
        }
        if !found {
            bail!("no process of {} runs {program}", pod.name);
        }
        Ok(())
    }
}

/// Whether the process whose folder of `/proc` this is runs `program` in the network namespace of that number.
fn runs(process: &Path, program: &str, network: u64) -> Result<bool> {
    let executable = std::fs::read_link(process.join("exe"))?;
    let is_program = executable.file_name().is_some_and(|name| name == program);
    Ok(is_program && std::fs::metadata(process.join("ns/net"))?.ino() == network)
}
