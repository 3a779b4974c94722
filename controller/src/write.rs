//! The only code that changes anything in the cluster.
//!
//! A [`Writer`] takes work from the queue, computes what should be (pure code elsewhere), compares it with the index, and
//! writes the difference. It never writes what is already so, and every write can be repeated or made by two replicas at
//! once without harm.

mod apply;
mod error;
mod fence;
mod merge_patch;
mod placeholder;
mod sidecar;
mod status;

pub use error::WriteError;

use std::sync::Arc;

use kube::Client;
use tokio::sync::Semaphore;
use tracing::warn;

use crate::{
    fence::Sidecars,
    index::Index,
    metrics::Metrics,
    queue::{Job, Key, Outcome, Queue},
};

/// Field manager of everything that the controller writes.
pub const FIELD_MANAGER: &str = "lazyload";
/// Fences written at the same time: enough to hide the API server's latency, few enough not to crowd it.
const CONCURRENT_WRITES: usize = 16;

/// Writes what the queue asks for.
#[derive(Clone)]
pub struct Writer {
    /// The API server.
    pub client: Client,
    /// What is known of the cluster.
    pub index: Arc<Index>,
    /// Where work comes from.
    pub queue: Queue,
    /// Counts writes.
    pub metrics: Arc<Metrics>,
    /// What every Sidecar has in common.
    pub common: Arc<Sidecars>,
}

impl Writer {
    /// Works for ever. To stop, let [`Queue::flushed`] return and drop this future.
    pub async fn run(self) {
        let permits = Arc::new(Semaphore::new(CONCURRENT_WRITES));
        loop {
            // The semaphore is never closed.
            let Ok(permit) = permits.clone().acquire_owned().await else {
                return;
            };
            let Job { key, learned } = self.queue.next().await;
            let writer = self.clone();
            tokio::spawn(async move {
                let outcome = match &key {
                    Key::Fence(name) => writer.fence(name, learned).await,
                    Key::Placeholder => writer.placeholder().await,
                };
                writer.queue.finish(key, outcome);
                drop(permit);
            });
        }
    }

    /// Counts a failed write and says what to do about it.
    fn failed(&self, object: &'static str, name: impl std::fmt::Display, error: &WriteError) {
        self.metrics
            .write_failures(object, error.metric_label())
            .inc();
        warn!(object, name = %name, %error, "write failed; trying again");
    }

    /// The placeholder, with its outcome.
    async fn placeholder(&self) -> Outcome {
        match self.write_placeholder().await {
            Ok(()) => Outcome::Done,
            Err(error) => {
                self.failed("placeholder", crate::placeholder::PLACEHOLDER_NAME, &error);
                Outcome::Retry(Default::default())
            }
        }
    }
}
