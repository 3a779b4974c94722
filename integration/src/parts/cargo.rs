//! This workspace's own programs and the filter.

use super::workspace;
use crate::progress::step;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds `mesh`, `bookinfo` and `lazyload` and returns the folder that holds them.
pub fn programs() -> Result<PathBuf> {
    step("building the controller and the rig's own programs");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args([
            "build",
            "--locked",
            "--package",
            "lazyload-controller",
            "--package",
            "integration",
            "--bins",
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo was not found")?;
    if !output.status.success() {
        bail!("cargo could not build the controller and the rig's own programs");
    }
    let folder = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find_map(|executable| executable.parent().map(PathBuf::from));
    folder.context("cargo built no program")
}

/// Builds the filter as it is shipped and returns the module's path.
pub fn filter() -> Result<PathBuf> {
    step("building the filter for wasm32-wasip1");
    Ok(wasm_build::build_filter(&wasm_build::Options::default())?)
}
