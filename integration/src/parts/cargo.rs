//! This workspace's own programs and the filter.

use super::workspace;
use crate::progress::step;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What `cargo run` and `cargo test` tell the program that they run. Some build scripts look at these, and would be run again
/// for every change between the inner and the outer cargo.
const OUTER: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
];

/// Builds `mesh`, `bookinfo` and `lazyload` and returns the folder that holds them.
pub fn programs() -> Result<PathBuf> {
    step("building the controller and the rig's own programs");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        if OUTER
            .iter()
            .any(|start| name.to_string_lossy().starts_with(start))
        {
            build.env_remove(name);
        }
    }
    let output = build
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
