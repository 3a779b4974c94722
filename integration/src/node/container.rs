//! One running container: its process, its log, its end.

use crate::netns::Place;
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// What to start, and what it sees.
pub struct Start {
    /// The container's name; its log is named after it.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// The user and group that it runs as.
    pub user: u32,
    /// The folder that it starts in.
    pub folder: PathBuf,
    /// The pod's network, and the files and folders shown to this container alone.
    pub place: Place,
    /// Where it logs.
    pub log: PathBuf,
}

/// A started container.
pub struct Container {
    child: Child,
    group: Pid,
}

impl Container {
    /// Starts the program in a process group of its own, its output appended to the log.
    pub fn start(start: &Start) -> Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&start.log)?;
        // Envoy opens /dev/stdout anew, which asks whether the file's owner may.
        std::os::unix::fs::chown(&start.log, Some(start.user), Some(start.user))?;
        let runtime = tokio::runtime::Handle::current();
        let spawn = || {
            let _inside = runtime.enter();
            Command::new(&start.program)
                .args(&start.arguments)
                .env_clear()
                .envs(start.environment.iter().map(|(name, value)| (name, value)))
                .current_dir(&start.folder)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .uid(start.user)
                .gid(start.user)
                .process_group(0)
                .spawn()
        };
        let child = start
            .place
            .run(spawn)?
            .with_context(|| format!("could not start {}", start.program.display()))?;
        let group = Pid::from_raw(
            child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .context("it ended at once")?,
        );
        Ok(Self { child, group })
    }

    /// Returns when the container has ended. Can be called again and again.
    pub async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Asks the container to end, and ends it after `grace`.
    pub async fn stop(mut self, grace: Duration) {
        let _ = killpg(self.group, Signal::SIGTERM);
        let _ = tokio::time::timeout(grace, self.child.wait()).await;
        // What is left of the group goes too: Envoy outlives its agent while it drains.
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.child.wait().await;
    }
}

/// The log of a pod's container, below the pod's folder.
pub fn log_path(folder: &Path, container: &str) -> PathBuf {
    folder.join(format!("{container}.log"))
}
