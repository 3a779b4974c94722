//! Running code, and starting programs, inside network and mount namespaces.
//!
//! A namespace belongs to a thread on Linux. Every call here makes a thread of its own, moves that into the namespace and
//! ends it, so that no pooled thread is ever left in the wrong place.

use anyhow::{Context, Result, anyhow};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Runs `work` on a thread whose network namespace is the one behind `namespace` (a path such as `/run/netns/NAME` or
/// `/proc/PID/ns/net`). Sockets that `work` opens stay in that namespace wherever they are used later.
pub fn run<T, F>(namespace: &Path, work: F) -> Result<T>
where
    T: Send,
    F: FnOnce() -> T + Send,
{
    let file = File::open(namespace)
        .with_context(|| format!("no network namespace at {}", namespace.display()))?;
    on_own_thread(move || {
        setns(&file, CloneFlags::CLONE_NEWNET)
            .context("could not enter the network namespace (this needs root)")?;
        Ok(work())
    })
}

/// Moves the calling thread, and with it every thread that it starts from now on, into a network namespace.
pub fn enter(namespace: &Path) -> Result<()> {
    let file = File::open(namespace)
        .with_context(|| format!("no network namespace at {}", namespace.display()))?;
    setns(&file, CloneFlags::CLONE_NEWNET)
        .context("could not enter the network namespace (this needs root)")
}

/// A file or folder shown at another place to one program alone.
#[derive(Clone, Debug)]
pub struct Bind {
    /// What is shown.
    pub source: PathBuf,
    /// Where; missing folders (and, for a file, the file) are made.
    pub target: PathBuf,
}

/// Where a program runs: a network namespace, and a mount namespace of its own.
#[derive(Clone, Debug)]
pub struct Place {
    /// The network namespace, as a path.
    pub network: PathBuf,
    /// The mount namespace whose view is the base (such as `/proc/PID/ns/mnt`); the caller's if none.
    pub mounts: Option<PathBuf>,
    /// The process namespace (such as `/proc/PID/ns/pid`) of what is spawned; the caller's if none.
    pub processes: Option<PathBuf>,
    /// What is shown besides, with paths as the base sees them.
    pub binds: Vec<Bind>,
}

impl Place {
    /// Runs `start` on a thread that is in this place; what it spawns is there too.
    pub fn run<T, F>(&self, start: F) -> Result<T>
    where
        T: Send,
        F: FnOnce() -> T + Send,
    {
        let open = |path: &PathBuf| {
            File::open(path).with_context(|| format!("no namespace at {}", path.display()))
        };
        let network = open(&self.network)?;
        let mounts = self.mounts.as_ref().map(open).transpose()?;
        let processes = self.processes.as_ref().map(open).transpose()?;
        on_own_thread(move || {
            if let Some(mounts) = mounts {
                // A thread that shares its root and working folder with others may not change mount namespaces.
                unshare(CloneFlags::CLONE_FS)?;
                setns(&mounts, CloneFlags::CLONE_NEWNS)
                    .context("could not enter the mount namespace")?;
            }
            unshare(CloneFlags::CLONE_NEWNS).context("could not make a mount namespace")?;
            make_private()?;
            for bind in &self.binds {
                bind_mount(bind)?;
            }
            setns(&network, CloneFlags::CLONE_NEWNET)
                .context("could not enter the network namespace")?;
            if let Some(processes) = processes {
                setns(&processes, CloneFlags::CLONE_NEWPID)
                    .context("could not enter the process namespace")?;
            }
            Ok(start())
        })
    }
}

/// Stops mounts of the current mount namespace from reaching the one that it was made from.
pub fn make_private() -> Result<()> {
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )
    .context("could not make the mounts private")
}

/// Puts one bind mount in place.
pub fn bind_mount(bind: &Bind) -> Result<()> {
    let place = || format!("{} at {}", bind.source.display(), bind.target.display());
    if bind.source.is_dir() {
        std::fs::create_dir_all(&bind.target).with_context(place)?;
    } else if !bind.target.exists() {
        if let Some(parent) = bind.target.parent() {
            std::fs::create_dir_all(parent).with_context(place)?;
        }
        File::create(&bind.target).with_context(place)?;
    }
    mount(
        Some(&bind.source),
        &bind.target,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        None::<&str>,
    )
    .with_context(|| format!("could not show {}", place()))
}

fn on_own_thread<T, F>(work: F) -> Result<T>
where
    T: Send,
    F: FnOnce() -> Result<T> + Send,
{
    std::thread::scope(|scope| scope.spawn(work).join())
        .map_err(|_| anyhow!("a namespace thread panicked"))?
}
