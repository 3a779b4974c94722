//! The control plane, built from the Go modules that `integration/tools/go.mod` pins.

use super::{cache_key, cached, is_cached, workspace};
use crate::progress::step;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Main packages, and the name each program gets here.
const PROGRAMS: [(&str, &str, &str); 7] = [
    ("go.etcd.io/etcd/server/v3", "server", "etcd"),
    (
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-apiserver",
        "kube-apiserver",
    ),
    (
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-controller-manager",
        "kube-controller-manager",
    ),
    (
        "k8s.io/kubernetes/cmd/kube-proxy",
        "kube-proxy",
        "kube-proxy",
    ),
    ("k8s.io/kubernetes/cmd/kubectl", "kubectl", "kubectl"),
    (
        "istio.io/istio/pilot/cmd/pilot-discovery",
        "pilot-discovery",
        "pilot-discovery",
    ),
    (
        "istio.io/istio/pilot/cmd/pilot-agent",
        "pilot-agent",
        "pilot-agent",
    ),
];

/// Files taken out of the Istio module, and their names here.
const ISTIO_FILES: [(&str, &str); 3] = [
    ("manifests/charts/base/files/crd-all.gen.yaml", "crds.yaml"),
    (
        "samples/bookinfo/platform/kube/bookinfo.yaml",
        "bookinfo.yaml",
    ),
    (
        "tools/packaging/common/envoy_bootstrap.json",
        "envoy_bootstrap.json",
    ),
];

/// The oldest Go that builds the pinned modules.
const GO_FLOOR: (u32, u32) = (1, 26);

/// Fails at once, and not after everything else is built, where a build will be needed and Go is not there.
pub fn require() -> Result<()> {
    match is_cached(&key()?)? {
        true => Ok(()),
        false => check_version(),
    }
}

/// The folder with the programs, and with the Istio files under `istio/`. Where `KUBEBUILDER_ASSETS` names a folder that
/// holds a program (by convention etcd, kube-apiserver and kubectl), that one is used and not built.
pub fn control_plane() -> Result<PathBuf> {
    let tools = tools();
    cached(&key()?, |folder| {
        build(&tools, assets().as_deref(), folder)?;
        take_istio_files(&tools, &folder.join("istio"))
    })
}

fn key() -> Result<String> {
    let read = |name: &str| {
        std::fs::read(tools().join(name)).with_context(|| format!("integration/tools/{name}"))
    };
    let assets = assets().map(|folder| folder.display().to_string());
    let assets = assets.unwrap_or_default();
    Ok(cache_key(
        "control-plane",
        &[&read("go.mod")?, &read("go.sum")?, assets.as_bytes()],
    ))
}

fn tools() -> PathBuf {
    workspace().join("integration/tools")
}

fn assets() -> Option<PathBuf> {
    std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from)
}

fn build(tools: &Path, assets: Option<&Path>, folder: &Path) -> Result<()> {
    let mut packages = Vec::new();
    for (package, built, name) in PROGRAMS {
        match assets
            .map(|assets| assets.join(name))
            .filter(|given| given.is_file())
        {
            Some(given) => std::os::unix::fs::symlink(given, folder.join(name))?,
            None => packages.push((package, built, name)),
        }
    }
    step(format!(
        "building {} control-plane programs with Go (minutes the first time)",
        packages.len()
    ));
    go(Command::new("go")
        .current_dir(tools)
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(folder)
        .args(packages.iter().map(|(package, ..)| package)))?;
    for (_, built, name) in packages {
        std::fs::rename(folder.join(built), folder.join(name))?;
    }
    step("the control-plane programs are built");
    Ok(())
}

fn take_istio_files(tools: &Path, folder: &Path) -> Result<()> {
    let module = go(Command::new("go").current_dir(tools).args([
        "list",
        "-m",
        "-f",
        "{{.Dir}}",
        "istio.io/istio",
    ]))?;
    std::fs::create_dir(folder)?;
    for (path, name) in ISTIO_FILES {
        let source = Path::new(module.trim()).join(path);
        let text =
            std::fs::read(&source).with_context(|| format!("the Istio module has no {path}"))?;
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

fn check_version() -> Result<()> {
    let version = go(Command::new("go").args(["env", "GOVERSION"]))?;
    let numbers: Vec<u32> = version
        .trim()
        .trim_start_matches("go")
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    match numbers.as_slice() {
        [major, minor, ..] if (*major, *minor) >= GO_FLOOR => Ok(()),
        _ => bail!(
            "Go {}.{} or newer is needed, this is {}",
            GO_FLOOR.0,
            GO_FLOOR.1,
            version.trim()
        ),
    }
}

/// Runs a `go` command and returns what it printed.
fn go(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .context("Go is needed to build the control plane and was not found")?;
    if !output.status.success() {
        bail!(
            "{command:?} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
