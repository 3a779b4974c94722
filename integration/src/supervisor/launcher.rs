//! `launch`: makes the namespaces and starts `init` in them.

use super::{Event, Spec};
use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};
use std::process::Command;

/// Runs until `init` ends.
pub fn run(spec: &Spec) -> Result<()> {
    // A session of its own: the terminal's signals go to the caller, which decides what becomes of the mesh.
    nix::unistd::setsid().context("could not leave the caller's session")?;
    let own = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(own).context(
        "could not make namespaces (this needs root, and a kernel with network namespaces)",
    )?;
    let mut init = Command::new("/proc/self/exe")
        .args(["internal", "init", "--spec", &serde_json::to_string(spec)?])
        .spawn()
        .context("could not start the mesh's first process")?;
    Event::Started {
        init: i32::try_from(init.id())?,
    }
    .tell();
    init.wait()?;
    Ok(())
}
