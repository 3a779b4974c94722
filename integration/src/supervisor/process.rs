//! Programs of the control plane: started with a log of their own, watched until they end.

use super::{inside, run_path};
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A control-plane program by its name in the cache.
pub fn program(name: &str) -> Command {
    Command::new(Path::new(inside::CONTROL_PLANE).join(name))
}

/// Where the program of this name logs.
pub fn log_path(name: &str) -> PathBuf {
    run_path("logs").join(format!("{name}.log"))
}

/// Starts a program with both its outputs in its log.
pub fn start(name: &str, command: &mut Command) -> Result<Child> {
    // One that is started again goes on where it stopped.
    let log = File::options()
        .create(true)
        .append(true)
        .open(log_path(name))?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("could not start {name}"))
}

/// The last lines of a log, for an error message.
pub fn log_tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
