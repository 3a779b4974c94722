//! The process that is the mesh: three programs nested in one another, so that nothing can outlive it.
//!
//! - `launch` makes network, mount, process, host-name and message namespaces of their own and starts `init` in them.
//! - `init` is process 1 in there. It hides the machine's writable folders behind memory and reaps orphans. It ends, and with
//!   it the process namespace and all that runs there, when `launch` ends or its standard input closes: a caller that is
//!   killed takes its mesh along, unless it has said [`KEEP`] before.
//! - `node` starts the control plane and plays scheduler and kubelet.
//!
//! Everything that they write is in memory under [`RUN`], seen from outside as `/proc/PID/root/run/mesh`.

pub mod control;
pub mod control_plane;
pub mod credentials;
pub mod init;
pub mod launcher;
pub mod process;
mod programs;

use crate::parts::Parts;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The mesh's own folder, in memory and in its own mount namespace.
pub const RUN: &str = "/run/mesh";

/// The address of the machine that the mesh believes to run on: API server, istiod and node.
pub const NODE_ADDRESS: &str = "10.0.0.1";

/// What a mesh is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The programs.
    pub parts: Parts,
}

/// The line on standard input that lets the mesh outlive its caller.
pub const KEEP: &str = "keep";

/// What a starting mesh tells its caller: one JSON object a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    /// `init` runs; `init` is its process id as seen from outside.
    Started {
        /// Process id.
        init: i32,
    },
    /// A step for the person who waits.
    Step {
        /// What happens now.
        text: String,
    },
    /// The API server, istiod and the node take work.
    Ready,
    /// The mesh cannot go on.
    Failed {
        /// What went wrong.
        error: String,
    },
}

impl Event {
    /// Tells the caller. One that has gone needs no telling.
    pub fn tell(&self) {
        use std::io::Write;
        if let Ok(line) = serde_json::to_string(self) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

/// A folder or file below [`RUN`].
pub fn run_path(relative: &str) -> PathBuf {
    PathBuf::from(RUN).join(relative)
}

/// Where the parts are shown inside the mesh, readable by every user: the caches that they come from may be in a home
/// folder that is closed to others.
pub mod inside {
    /// Control-plane programs.
    pub const CONTROL_PLANE: &str = "/run/mesh/parts/control-plane";
    /// The folder with `envoy`.
    pub const ENVOY: &str = "/run/mesh/parts/envoy";
    /// The workspace's own programs.
    pub const PROGRAMS: &str = "/run/mesh/parts/programs";
    /// The filter.
    pub const FILTER: &str = "/run/mesh/parts/filter.wasm";
}
