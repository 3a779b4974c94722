//! The only code that changes anything in the cluster.
//!
//! A [`Writer`] takes work from the queue, computes what should be (pure code elsewhere), compares it with the index, and
//! writes the difference. It never writes what is already so, and every write can be repeated or made by two replicas of the
//! same configuration at once without harm.

mod apply;
mod auto_fence;
mod changes;
mod corrections;
mod error;
mod events;
mod explained;
mod fence;
mod foreign;
mod keeper;
mod merge_patch;
mod patching;
mod placeholder;
mod replay;
mod resets;
mod sidecar;
mod status;
mod unkept;

pub use corrections::Corrections;
pub use error::WriteError;
pub use events::Events;
pub use explained::Explained;
pub use foreign::Foreign;
pub use resets::Resets;
pub use unkept::Unkept;

use std::{hash::Hash, sync::Arc, time::Duration};

use kube::Client;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tracing::{error, warn};

use crate::{
    index::Index,
    metrics::Metrics,
    placeholder::CarriedPorts,
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
    /// The ports that the placeholder and the replay EnvoyFilters carry.
    pub ports: Arc<Mutex<CarriedPorts>>,
    /// What was written lately, so as not to write the same for ever.
    pub corrections: Arc<Corrections>,
    /// The same of fences that make themselves, whose Sidecars have corrections of their own.
    pub fence_corrections: Arc<Corrections>,
    /// Which fences are to forget what they have learned.
    pub resets: Resets,
    /// What of fences' statuses the API server does not keep.
    pub unkept: Arc<Unkept>,
    /// Whose objects are in the place of the controller's.
    pub foreign: Arc<Foreign>,
    /// Which Sidecars show no more than is known to be wanted.
    pub explained: Arc<Explained>,
    /// Where users are told what becomes of their objects.
    pub events: Events,
    /// Whether this replica writes more than what was learned.
    pub leading: watch::Receiver<bool>,
}

/// Ends a run that does not end itself: one that panics is repeated later like any that fails.
struct Run {
    queue: Queue,
    job: Option<Job>,
}

impl Run {
    fn end(mut self, outcome: Outcome) {
        if let Some(job) = self.job.take() {
            self.queue.finish(job.key, outcome);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(Job { key, learned }) = self.job.take() {
            error!(name = %key, "a run has panicked; trying again");
            self.queue.finish(key, Outcome::Retry(learned));
        }
    }
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
            let job = self.queue.next().await;
            let writer = self.clone();
            tokio::spawn(async move {
                let run = Run {
                    queue: writer.queue.clone(),
                    job: Some(job.clone()),
                };
                run.end(writer.work(job).await);
                drop(permit);
            });
        }
    }

    /// One run.
    async fn work(&self, job: Job) -> Outcome {
        match &job.key {
            Key::Fence(name) => match self.fence(name, job.learned).await {
                outcome if !self.is_leading() => outcome,
                outcome => outcome.at_latest_in(self.unkept.until_again(name)),
            },
            // All replicas learn; this one need not know more than what it has learned, and which ports another one carries it
            // does not.
            _ if !self.is_leading() => {
                *self.ports.lock() = CarriedPorts::default();
                Outcome::Done
            }
            Key::Placeholder => self.placeholder().await,
            Key::Replay(namespace) => self.replay(namespace).await,
        }
    }

    /// Whether this replica is the one that writes more than what was learned.
    fn is_leading(&self) -> bool {
        *self.leading.borrow()
    }

    /// How long writing `wish` has to wait because somebody keeps undoing it.
    fn undue(&self, object: &'static str, key: &Key, wish: &impl Hash) -> Option<Duration> {
        let undue = self.corrections.undue(key, wish)?;
        if undue.is_new {
            self.metrics.damped_corrections(object).inc();
            warn!(
                object,
                name = %key,
                corrections = undue.repeated,
                milliseconds = undue.wait.as_millis() as u64,
                "somebody keeps undoing what is written; the next correction waits"
            );
        }
        Some(undue.wait)
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
            Ok(outcome) => outcome,
            Err(error) => {
                self.failed("placeholder", crate::placeholder::PLACEHOLDER_NAME, &error);
                Outcome::Retry(Default::default())
            }
        }
    }

    /// The replay EnvoyFilter of `namespace`, with its outcome.
    async fn replay(&self, namespace: &str) -> Outcome {
        match self.write_replay(namespace).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.failed("envoyfilter", Key::Replay(namespace.to_owned()), &error);
                Outcome::Retry(Default::default())
            }
        }
    }
}

#[cfg(test)]
mod tests;
