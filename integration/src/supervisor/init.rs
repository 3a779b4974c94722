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
/// Folders in which something may be made without the machine's own files being touched.
pub const WRITABLE: [&str; 4] = ["/etc", "/var", "/opt", "/run"];

/// Prepares the mount namespace, starts `node`, and reaps until that has ended.
pub fn run(spec: &Spec) -> Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    nix::unistd::sethostname("mesh")?;
    std::thread::spawn(end_with_caller);
    mounts(spec)?;
    let node = Command::new(Path::new(inside::PROGRAMS).join("mesh"))
        .args(["internal", "node"])
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
    // Folders that are about to be covered may hold the parts: they are held open at another place first, which is an empty
    // folder of the cache.
    let holding = spec.parts.control_plane.with_file_name("mount-point");
    std::fs::create_dir_all(&holding)?;
    mount(
        Some("tmpfs"),
        &holding,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )?;
    let hold = |source: &Path, name: &str| {
        let target = holding.join("mesh/parts").join(name);
        bind_mount(&Bind {
            source: source.to_path_buf(),
            target: target.clone(),
        })?;
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, &target, none, read_only, none)
            .with_context(|| format!("could not make {} read-only", target.display()))
    };
    hold(&spec.parts.control_plane, "control-plane")?;
    hold(&spec.parts.envoy, "envoy")?;
    hold(&spec.parts.programs, "programs")?;
    hold(&spec.parts.filter, "filter.wasm")?;
    mount(
        Some(&holding),
        "/run",
        none,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        none,
    )
    .context("could not cover /run")?;
    umount2(&holding, MntFlags::MNT_DETACH)?;
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
