//! The programs a mesh is made of: found or built, and kept in a cache outside the checkout under a name made from what
//! they are built from, so that a second run starts in seconds.

mod cargo;
mod debian;
mod envoy;
mod go;

use crate::progress::step;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How a folder is named that is being made.
const MAKING: &str = ".making-";

/// Where each part is on this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parts {
    /// Folder with etcd, kube-apiserver, kube-controller-manager, kube-proxy, kubectl, pilot-discovery and pilot-agent.
    pub control_plane: PathBuf,
    /// Folder with files out of the Istio module: CRDs, Bookinfo, Envoy's bootstrap template.
    pub istio: PathBuf,
    /// The folder that holds the `envoy` program.
    pub envoy: PathBuf,
    /// Folder with this workspace's own programs: `mesh`, `bookinfo` and `lazyload`.
    pub programs: PathBuf,
    /// The filter as Envoy loads it.
    pub filter: PathBuf,
    /// This repository's `manifests/`.
    pub manifests: PathBuf,
}

/// Finds or builds every part. The Go programs, much the longest step, are built beside the others.
pub fn prepare() -> Result<Parts> {
    if !nix::unistd::geteuid().is_root() {
        anyhow::bail!("the mesh makes network namespaces and needs root: run this command as root");
    }
    go::require()?;
    debian::install_missing()?;
    let envoy = envoy::folder()?;
    std::thread::scope(|scope| {
        let control_plane = scope.spawn(go::control_plane);
        // Told at once: the scope is left only when Go is done too.
        let told = |error: &anyhow::Error| step(format!("{error:#}"));
        let programs = cargo::programs().inspect_err(told)?;
        let filter = cargo::filter().inspect_err(told)?;
        let control_plane = control_plane
            .join()
            .map_err(|_| anyhow::anyhow!("building the control plane panicked"))??;
        step("all parts are ready");
        Ok(Parts {
            istio: control_plane.join("istio"),
            control_plane,
            envoy,
            programs,
            filter,
            manifests: workspace().join("manifests"),
        })
    })
}

/// The root of this workspace.
pub fn workspace() -> PathBuf {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.parent().unwrap_or(crate_root).to_path_buf()
}

/// The rig's folder in the user's cache: `$XDG_CACHE_HOME/istio-lazyload`, or `~/.cache/istio-lazyload`.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => PathBuf::from(
            std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?,
        )
        .join(".cache"),
    };
    let folder = base.join("istio-lazyload");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the cache folder {}", folder.display()))?;
    Ok(folder)
}

/// A cache entry's name: `prefix` and the first 16 hex digits of the inputs' SHA-256.
fn cache_key(prefix: &str, inputs: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update((input.len() as u64).to_le_bytes());
        hash.update(input);
    }
    let digits: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{prefix}-{digits}")
}

/// Whether the cache entry `key` is there.
fn is_cached(key: &str) -> Result<bool> {
    Ok(cache()?.join(key).is_dir())
}

/// Returns the cache entry `key`, made by `make` in a temporary folder beside it if it is not there: an entry is whole or
/// absent, whatever interrupts the making.
fn cached(key: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = cache()?;
    let entry = cache.join(key);
    if entry.is_dir() {
        return Ok(entry);
    }
    // One maker at a time; what an interrupted one left is nobody's.
    let lock = File::create(cache.join("lock"))?;
    if lock.try_lock().is_err() {
        step("waiting for another run that is building");
        lock.lock()?;
    }
    if entry.is_dir() {
        return Ok(entry);
    }
    remove_leftovers(&cache)?;
    let making = tempfile::Builder::new().prefix(MAKING).tempdir_in(&cache)?;
    make(making.path())?;
    let made = making.keep();
    std::fs::set_permissions(&made, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    std::fs::rename(&made, &entry)
        .with_context(|| format!("cannot put {} in place", entry.display()))?;
    Ok(entry)
}

fn remove_leftovers(cache: &Path) -> Result<()> {
    for entry in std::fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(MAKING) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_key_tells_where_one_input_ends() {
        assert_ne!(
            cache_key("x", &[b"ab", b"c"]),
            cache_key("x", &[b"a", b"bc"])
        );
        assert_eq!(cache_key("x", &[b"ab"]), cache_key("x", &[b"ab"]));
    }
}
