//! A running mesh, as its caller holds it.

mod configuration;
mod find;
mod install;
mod signal;
mod start;
mod usage;

use crate::netns::{self, Bind, Place};
use crate::parts::Parts;
use crate::supervisor::{RUN, control, credentials, inside};
use crate::workload::Workload;
use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
pub use usage::Usage;

/// A mesh. Dropped, it ends, unless it was kept or only attached to.
pub struct Mesh {
    record: Record,
    launcher: Option<Child>,
}

/// How to find a mesh again. The start time tells its process from a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    init: i32,
    started: String,
}

impl Mesh {
    /// Prepares the parts, starts a mesh and installs Bookinfo and this repository's manifests in it.
    pub fn up() -> Result<Self> {
        Self::up_with(Self::install)
    }

    /// The same without Bookinfo, for what brings a world of its own.
    pub fn up_without_bookinfo() -> Result<Self> {
        Self::up_with(Self::install_without_bookinfo)
    }

    fn up_with(install: impl FnOnce(&Self, &Parts) -> Result<()>) -> Result<Self> {
        let parts = crate::parts::prepare()?;
        let mesh = start::start(&parts)?;
        match install(&mesh, &parts) {
            Ok(()) => Ok(mesh),
            Err(error) => Err(mesh.explain(error)),
        }
    }

    /// The mesh that `mesh up` or `demo --keep` left running.
    pub fn attach() -> Result<Self> {
        let none =
            || anyhow!("no mesh is up: start one with `cargo mesh up` or `cargo demo -- --keep`");
        let text = std::fs::read(record_path()?).map_err(|_| none())?;
        let record: Record = serde_json::from_slice(&text).map_err(|_| none())?;
        if start_time(record.init).as_ref() != Some(&record.started) {
            return Err(none());
        }
        Ok(Self {
            record,
            launcher: None,
        })
    }

    /// Lets the mesh outlive this process, found again by [`Mesh::attach`].
    pub fn keep(mut self) -> Result<()> {
        use std::io::Write;
        std::fs::write(record_path()?, serde_json::to_vec(&self.record)?)?;
        let Some(mut launcher) = self.launcher.take() else {
            return Ok(());
        };
        let mut stdin = launcher
            .stdin
            .take()
            .context("the mesh's launcher is not ours")?;
        Ok(writeln!(stdin, "{}", crate::supervisor::KEEP)?)
    }

    /// Ends the mesh and waits until it is gone.
    pub fn down(mut self) -> Result<()> {
        self.end();
        if let Ok(path) = record_path() {
            let ours = std::fs::read(&path)
                .ok()
                .and_then(|text| serde_json::from_slice::<Record>(&text).ok());
            if ours.as_ref() == Some(&self.record) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if start_time(self.record.init).as_ref() == Some(&self.record.started) {
            let _ = kill(Pid::from_raw(self.record.init), Signal::SIGKILL);
        }
        match self.launcher.take() {
            Some(mut launcher) => drop(launcher.wait()),
            None => {
                while start_time(self.record.init).as_ref() == Some(&self.record.started) {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
        }
    }

    /// A path inside the mesh's mount namespace, as it is reached from outside.
    pub fn file(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        self.process()
            .join("root")
            .join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// The mesh's own network namespace, where the API server is.
    pub fn network(&self) -> PathBuf {
        self.namespace("net")
    }

    fn namespace(&self, kind: &str) -> PathBuf {
        self.process().join("ns").join(kind)
    }

    fn process(&self) -> PathBuf {
        Path::new("/proc").join(self.record.init.to_string())
    }

    /// The network namespace of a pod.
    pub fn pod_network(&self, pod: &Workload) -> PathBuf {
        self.file(Path::new("/run/netns").join(pod.sandbox()))
    }

    /// A kubectl command on this mesh's API server, to be run in [`Mesh::network`].
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(self.file(Path::new(inside::CONTROL_PLANE).join("kubectl")));
        command.env("KUBECONFIG", self.file(Path::new(RUN).join("kubeconfig")));
        // Not in the user's home, where it would outlive the mesh.
        command.env("KUBECACHEDIR", self.file(Path::new(RUN).join("kubectl")));
        command
    }

    /// Runs kubectl and returns what it printed; an error carries what it complained of.
    pub fn kubectl_output(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.kubectl();
        let output = netns::run(&self.network(), || {
            command.args(arguments).stdin(Stdio::null()).output()
        })??;
        succeeded(&format!("kubectl {}", arguments.join(" ")), output)
    }

    /// Applies a manifest, given as text, server-side.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        use std::io::Write;
        let mut command = self.kubectl();
        command.args(["apply", "--server-side", "-f", "-"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = netns::run(&self.network(), || command.spawn())??;
        child
            .stdin
            .take()
            .context("kubectl took no input")?
            .write_all(manifest.as_bytes())?;
        succeeded("kubectl apply", child.wait_with_output()?)
    }

    /// Runs `work` with a client of the API server, on a runtime inside the mesh's network.
    pub fn with_client<T: Send, F: Future<Output = T>>(
        &self,
        work: impl FnOnce(kube::Client) -> F + Send,
    ) -> Result<T> {
        netns::run(&self.network(), || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let kubeconfig = self.file(Path::new(RUN).join("kubeconfig"));
            runtime.block_on(async { Ok(work(credentials::client(&kubeconfig).await?).await) })
        })?
    }

    /// Starts a command in a pod's network, with the pod's names, as the user that applications run as. Its path is one inside
    /// the mesh.
    pub fn spawn_in(&self, pod: &Workload, command: &mut Command) -> Result<Child> {
        use std::os::unix::process::CommandExt;
        let user = crate::node::APPLICATION_USER;
        let hosts = Bind {
            source: Path::new(RUN).join("hosts").join(&pod.namespace),
            target: PathBuf::from("/etc/hosts"),
        };
        let place = Place {
            network: self.pod_network(pod),
            mounts: Some(self.namespace("mnt")),
            processes: Some(self.namespace("pid")),
            binds: vec![hosts],
        };
        command.uid(user).gid(user).current_dir("/");
        let program = command.get_program().to_owned();
        place
            .run(|| command.spawn())?
            .with_context(|| format!("could not run {}", program.display()))
    }

    /// Ends istiod as a crash would and starts it again, with these variables besides its own.
    pub fn restart_istiod(&self, environment: &[(&str, &str)]) -> Result<()> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = control::Request::RestartIstiod {
            environment: environment.collect(),
        };
        control::ask(&self.file(Path::new(RUN).join(control::SOCKET)), &request)
    }

    /// The log of one container of a pod, as far as it is written.
    pub fn log(&self, pod: &Workload, container: &str) -> Result<String> {
        let path = self.file(
            Path::new(RUN)
                .join("pods")
                .join(pod.sandbox())
                .join(format!("{container}.log")),
        );
        std::fs::read_to_string(&path)
            .with_context(|| format!("{} has no container {container}", pod.name))
    }

    /// The names of a pod's containers that have a log.
    pub fn containers(&self, pod: &Workload) -> Result<Vec<String>> {
        let folder = self.file(Path::new(RUN).join("pods").join(pod.sandbox()));
        let mut names: Vec<String> = std::fs::read_dir(folder)?
            .filter_map(|entry| {
                Some(
                    entry
                        .ok()?
                        .file_name()
                        .to_str()?
                        .strip_suffix(".log")?
                        .to_owned(),
                )
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Says, with an error, where the logs are that may explain it: they are copied out of the mesh, or, where that has ended by
    /// itself, its last words are told.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        match self.save_logs() {
            Ok(folder) => error.context(format!(
                "failed; the logs of the mesh are in {}",
                folder.display()
            )),
            Err(_) => error.context(format!(
                "the mesh has ended by itself: {}",
                start::last_words()
            )),
        }
    }

    /// Copies every log out of the mesh, for a failure to be looked into after it has gone. Returns the folder, which the
    /// next failure replaces.
    pub fn save_logs(&self) -> Result<PathBuf> {
        let saved = crate::parts::cache()?.join("last-failure");
        let _ = std::fs::remove_dir_all(&saved);
        std::fs::create_dir_all(&saved)?;
        let run = self.file(RUN);
        let mut folders = vec![run.join("logs")];
        folders.extend(
            std::fs::read_dir(run.join("pods"))?.filter_map(|entry| Some(entry.ok()?.path())),
        );
        for folder in folders {
            let name = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for log in std::fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path())) {
                if let (true, Some(file)) = (log.is_file(), log.file_name()) {
                    std::fs::copy(
                        &log,
                        saved.join(format!("{name}.{}", file.to_string_lossy())),
                    )?;
                }
            }
        }
        Ok(saved)
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        if self.launcher.is_some() {
            self.end();
        }
    }
}

fn succeeded(what: &str, output: Output) -> Result<String> {
    if !output.status.success() {
        bail!(
            "{what} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn record_path() -> Result<PathBuf> {
    Ok(crate::parts::cache()?.join("mesh.json"))
}

/// Field 22 of `/proc/PID/stat`: when the process started, in clock ticks since boot.
fn start_time(process: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19).map(str::to_owned)
}
