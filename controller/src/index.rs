//! The cluster in memory: what watches have seen, and the questions that reports and fences ask of it.
//!
//! Watches write it, and every change says which fences it concerns; which host a report means and which fences it widens
//! is answered from here alone.

mod affected;
mod entries;
mod exported;
mod hearing;
mod host_map;
mod hosts;
mod interest;
mod kinds;
mod labels;
mod mesh_config;
mod mesh_rules;
mod namespaces;
mod observed;
mod owners;
mod replay;
mod routes;
mod version;
mod watch;
mod watch_pods;
mod workloads;
mod world;

pub use exported::Exported;
pub use host_map::{HostMap, wildcards};
pub use hosts::{EntryFacts, Found, Resolved};
pub use kinds::Indexed;
pub use mesh_config::MeshHost;
pub use namespaces::NamespaceFacts;
pub use owners::{Entry, WHOLE};
pub use routes::{RouteFacts, Routes};
pub use watch::watch;
pub use watch_pods::watch_pods;
pub use world::{ServiceFacts, World};

use parking_lot::RwLock;

use crate::queue::{Key, Queue};

/// The shared world and the queue that its changes feed.
#[derive(Debug)]
pub struct Index {
    world: RwLock<World>,
    queue: Queue,
}

impl Index {
    /// An empty world. Changes put the fences that they concern into `queue`.
    pub fn new(world: World, queue: Queue) -> Self {
        Self {
            world: RwLock::new(world),
            queue,
        }
    }

    /// Asks `question` of the present world. Nothing may block inside.
    pub fn read<T>(&self, question: impl FnOnce(&World) -> T) -> T {
        question(&self.world.read())
    }

    /// Changes the world and wakes the work that the change concerns.
    pub fn write(&self, change: impl FnOnce(&mut World, &mut Vec<Key>)) {
        let mut concerned = Vec::new();
        change(&mut self.world.write(), &mut concerned);
        for key in concerned {
            self.queue.touch(key);
        }
    }
}
