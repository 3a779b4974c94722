//! `init`: process 1 of the mesh.

use super::{KEEP, Spec, inside, run_path};
use crate::netns::{Bind, bind_mount, make_private};
use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Folders that a pod's volumes, or a program's habits, may write to: each is covered by a layer in memory.
const COVERED: [&str; 4] = ["/etc", "/var", "/opt", "/srv"];

/// Prepares the mount namespace, starts `node`, and reaps until that has ended.
pub fn run(spec: &Spec) -> Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    nix::unistd::sethostname("mesh")?;
    std::thread::spawn(end_with_caller);
    mounts(spec)?;
    let node = Command::new(Path::new(inside::PROGRAMS).join("mesh"))
        .args(["internal", "node", "--spec", &serde_json::to_string(spec)?])
        .stdin(Stdio::null())
        .spawn()
        .context("could not start the mesh's node")?;
    let node = Pid::from_raw(i32::try_from(node.id())?);
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) if pid == node => {
                return Ok(());
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).context("lost sight of the mesh's node"),
        }
    }
}

/// Ends the process namespace, and with it all that runs in it, when the caller closes our standard input without a word.
fn end_with_caller() {
    let mut said = String::new();
    let _ = std::io::stdin().read_to_string(&mut said);
    if said.trim() != KEEP {
        std::process::exit(0);
    }
}

fn mounts(spec: &Spec) -> Result<()> {
    make_private()?;
    let none = None::<&str>;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)
        .context("could not mount /proc")?;
    // Folders that are about to be covered may hold the parts: they are held open at another place first.
    let holding = tempfile::tempdir()?;
    mount(
        Some("tmpfs"),
        holding.path(),
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )?;
    let hold = |source: &Path, name: &str| {
        bind_mount(&Bind {
            source: source.to_path_buf(),
            target: holding.path().join("mesh/parts").join(name),
        })
    };
    hold(&spec.parts.control_plane, "control-plane")?;
    hold(&spec.parts.envoy, "envoy")?;
    hold(&spec.parts.programs, "programs")?;
    hold(&spec.parts.filter, "filter.wasm")?;
    mount(
        Some(holding.path()),
        "/run",
        none,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        none,
    )
    .context("could not cover /run")?;
    // Before the temporary folder is removed: what it shows is /run by now.
    umount2(holding.path(), MntFlags::MNT_DETACH)?;
    for folder in COVERED {
        cover(folder)?;
    }
    for folder in ["logs", "pods", "hosts"] {
        std::fs::create_dir_all(run_path(folder))?;
    }
    Ok(())
}

fn cover(folder: &str) -> Result<()> {
    if !Path::new(folder).is_dir() {
        return Ok(());
    }
    let layer = run_path("layers").join(folder.trim_start_matches('/'));
    let (upper, work) = (layer.join("upper"), layer.join("work"));
    std::fs::create_dir_all(&upper)?;
    std::fs::create_dir_all(&work)?;
    let options = format!(
        "lowerdir={folder},upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    mount(
        Some("overlay"),
        folder,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .with_context(|| format!("could not cover {folder} (this needs a kernel with overlayfs)"))
}
