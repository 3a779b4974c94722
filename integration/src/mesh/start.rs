//! Starting a mesh and waiting until it takes work.

use super::{Mesh, Record, start_time};
use crate::parts::Parts;
use crate::progress::step;
use crate::supervisor::{Event, Spec};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Starts a mesh of `parts`.
pub fn start(parts: &Parts) -> Result<Mesh> {
    let spec = Spec {
        parts: parts.clone(),
    };
    let mut launcher = Command::new(parts.programs.join("mesh"))
        .args([
            "internal",
            "launch",
            "--spec",
            &serde_json::to_string(&spec)?,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(log_path()?)?)
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
                let Some(started) = start_time(init) else {
                    break;
                };
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
    bail!("the mesh ended while it started:\n{}", last_words())
}

/// Where the mesh's own processes complain.
fn log_path() -> Result<PathBuf> {
    Ok(crate::parts::cache()?.join("mesh.log"))
}

/// What they complained of.
pub fn last_words() -> String {
    let log = log_path().and_then(|path| Ok(std::fs::read_to_string(path)?));
    log.unwrap_or_default().trim_end().to_owned()
}
