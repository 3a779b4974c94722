//! Starting a mesh and waiting until it takes work.

use super::{Mesh, Record, start_time};
use crate::parts::Parts;
use crate::progress::step;
use crate::supervisor::{Event, Spec};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Starts a mesh of `parts`.
pub fn start(parts: &Parts) -> Result<Mesh> {
    let spec = Spec {
        parts: parts.clone(),
    };
    let log = crate::parts::cache()?.join("mesh.log");
    let mut launcher = Command::new(parts.programs.join("mesh"))
        .args([
            "internal",
            "launch",
            "--spec",
            &serde_json::to_string(&spec)?,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?)
        .spawn()
        .context("could not start the mesh")?;
    let events = BufReader::new(
        launcher
            .stdout
            .take()
            .context("the mesh's launcher has no output")?,
    );
    let mut mesh = None;
    for line in events.lines() {
        match serde_json::from_str(&line?)? {
            Event::Started { init } => {
                let started = start_time(init).context("the mesh ended at once")?;
                // From here on the mesh ends when it is dropped.
                let launcher = std::mem::replace(&mut launcher, Command::new("true").spawn()?);
                mesh = Some(Mesh {
                    record: Record { init, started },
                    launcher: Some(launcher),
                });
            }
            Event::Step { text } => step(text),
            Event::Ready => return mesh.context("the mesh is ready before it started"),
            Event::Failed { error } => bail!("the mesh did not start: {error}"),
        }
    }
    bail!(
        "the mesh ended while it started:\n{}",
        std::fs::read_to_string(log)?.trim_end()
    )
}
