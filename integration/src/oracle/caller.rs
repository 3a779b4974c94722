//! A caller: a client process in a caller's pod, which makes the calls that it is given.

use super::facts;
use super::wire::{Call, Replies};
use crate::mesh::Mesh;
use crate::supervisor::inside;
use crate::workload::Workload;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Beyond every limit of the client itself.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A pod that calls, and the client in it. Dropped, the client ends.
pub struct Caller {
    /// The pod.
    pub pod: Workload,
    /// What of it may show in values.
    pub identity: facts::Caller,
    client: Child,
    answers: Receiver<std::io::Result<String>>,
}

impl Caller {
    /// Starts the client in the pod, which has `address`.
    pub fn start(mesh: &Mesh, pod: Workload, address: String) -> Result<Self> {
        let mut command = Command::new(Path::new(inside::PROGRAMS).join("oracle-app"));
        command
            .arg("call")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut client = mesh.spawn_in(&pod, &mut command)?;
        let output = client.stdout.take().context("the client has no output")?;
        let (sender, answers) = channel();
        // Ends with the client.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            identity: facts::Caller {
                pod: pod.name.clone(),
                address,
            },
            pod,
            client,
            answers,
        })
    }

    /// Makes a call, and waits for what comes back.
    pub fn call(&mut self, call: &Call) -> Result<Replies> {
        let input = self
            .client
            .stdin
            .as_mut()
            .context("the client has no input")?;
        writeln!(input, "{}", serde_json::to_string(call)?).context("the client takes no calls")?;
        let answer = self.answers.recv_timeout(ANSWER_LIMIT);
        let answer =
            answer.with_context(|| format!("no word of the call {} in time", call.id))??;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
