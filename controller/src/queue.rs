//! What is to be done: one entry per fence, one for the placeholder and one per replay EnvoyFilter, each worked on by one task at a time.
//!
//! Nothing here waits for a tick. A host that was learned for an idle fence is handed out at once; hosts that arrive while
//! the fence is being written collect in its entry and are handed out together when that write has ended.

mod outcome;

pub use outcome::Outcome;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::{runtime::Handle, sync::Notify, task::AbortHandle, time::Instant};

use crate::fence::ObjectRef;

/// Most hosts of one fence that wait for a write. Beyond this the API server is not keeping up, and the sidecar's next
/// report of the same host is the retry.
const MAX_WAITING_HOSTS: usize = 1_000;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// A piece of work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Bring a fence's status and Sidecar where they should be.
    Fence(ObjectRef),
    /// Bring the placeholder where it should be.
    Placeholder,
    /// Bring the replay EnvoyFilter of this namespace where it should be.
    Replay(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fence(name) => name.fmt(f),
            Self::Placeholder => f.write_str("the placeholder"),
            Self::Replay(namespace) => write!(f, "{namespace}/{}", crate::replay::REPLAY_NAME),
        }
    }
}

/// Hosts on their way into a fence, with when the report of each was received.
pub type Learned = BTreeMap<String, Instant>;

/// One run of a piece of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What to work on.
    pub key: Key,
    /// Hosts learned for it since its last run.
    pub learned: Learned,
}

/// The fence's entry holds as many hosts as it may.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("too many hosts of this fence wait to be written")]
pub struct QueueFull;

/// The shared queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    ready: Notify,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    ready: VecDeque<Key>,
    delays: u64,
    // Of the last delay of each key. One that was cut short ends with it: a fence that is often looked at would collect them.
    timers: HashMap<Key, AbortHandle>,
}

#[derive(Debug)]
struct Entry {
    phase: Phase,
    again: bool,
    learned: Learned,
    failures: u32,
}

#[derive(Debug, PartialEq)]
enum Phase {
    Ready,
    Running,
    // Numbered, so that the timer of an earlier delay does not end a later one.
    Delayed(u64),
}

impl Queue {
    /// Says that the world changed in a way that concerns `key`. Ends a delay: the change may be the remedy.
    pub fn touch(&self, key: Key) {
        self.change(key, |entry| {
            entry.again = true;
            entry.phase != Phase::Running
        });
    }

    /// Adds a learned host to a fence. It does not end the delay after a failure, so that reports cannot hammer an API server
    /// in trouble.
    ///
    /// # Errors
    /// If too many hosts of this fence wait already.
    pub fn learn(&self, fence: ObjectRef, host: &str, received: Instant) -> Result<(), QueueFull> {
        let mut full = false;
        self.change(Key::Fence(fence), |entry| {
            full = entry.learned.len() >= MAX_WAITING_HOSTS && !entry.learned.contains_key(host);
            if !full {
                entry.learned.entry(host.to_owned()).or_insert(received);
            }
            entry.phase == Phase::Ready || entry.failures == 0
        });
        if full { Err(QueueFull) } else { Ok(()) }
    }

    /// Changes an entry, and queues it if `change` says so.
    fn change(&self, key: Key, change: impl FnOnce(&mut Entry) -> bool) {
        let mut state = self.shared.state.lock();
        let State { entries, ready, .. } = &mut *state;
        let is_new = !entries.contains_key(&key);
        let entry = entries.entry(key.clone()).or_insert_with(|| Entry {
            phase: Phase::Ready,
            again: false,
            learned: Learned::new(),
            failures: 0,
        });
        let was_delayed = matches!(entry.phase, Phase::Delayed(_));
        if change(entry) && (is_new || was_delayed) {
            entry.phase = Phase::Ready;
            ready.push_back(key);
            self.shared.ready.notify_one();
        }
    }

    /// The next run, as soon as there is one. The caller must report its end with [`Queue::finish`].
    pub async fn next(&self) -> Job {
        loop {
            if let Some(job) = self.pop() {
                return job;
            }
            self.shared.ready.notified().await;
        }
    }

    fn pop(&self) -> Option<Job> {
        let mut state = self.shared.state.lock();
        loop {
            let key = state.ready.pop_front()?;
            if let Some(entry) = state.entries.get_mut(&key)
                && entry.phase == Phase::Ready
            {
                entry.phase = Phase::Running;
                entry.again = false;
                return Some(Job {
                    key,
                    learned: std::mem::take(&mut entry.learned),
                });
            }
        }
    }

    /// Ends a run. What happened to the key meanwhile is run next; a failed run is repeated after a growing delay.
    ///
    /// Outside of a tokio runtime, as on the way down, nothing is repeated.
    pub fn finish(&self, key: Key, outcome: Outcome) {
        self.settle(key, outcome);
        self.shared.ended.notify_waiters();
    }

    /// Takes the end of a run in. The timer of a delay is set under the lock that the delay began under: the next run of the key may
    /// end before this one's task is scheduled again, and its timer is the one that counts then.
    fn settle(&self, key: Key, outcome: Outcome) {
        let mut state = self.shared.state.lock();
        let State {
            entries,
            ready,
            delays,
            timers,
        } = &mut *state;
        let Some(entry) = entries.get_mut(&key) else {
            return;
        };
        let delay = match outcome {
            Outcome::Done => {
                entry.failures = 0;
                None
            }
            Outcome::Later(delay) => {
                entry.failures = 0;
                Some(delay).filter(|_| entry.learned.is_empty())
            }
            Outcome::Retry(learned) => {
                // The first report of a host is the one whose latency counts.
                for (host, received) in learned {
                    entry.learned.insert(host, received);
                }
                let doublings = entry.failures.min(16);
                entry.failures = entry.failures.saturating_add(1);
                Some((FIRST_DELAY * 2_u32.pow(doublings)).min(LONGEST_DELAY))
            }
        };
        let before = match delay {
            Some(delay) if !entry.again => {
                *delays += 1;
                entry.phase = Phase::Delayed(*delays);
                self.timer(key.clone(), *delays, delay)
                    .and_then(|timer| timers.insert(key, timer))
            }
            None if !entry.again && entry.learned.is_empty() => {
                entries.remove(&key);
                timers.remove(&key)
            }
            _ => {
                entry.phase = Phase::Ready;
                ready.push_back(key);
                self.shared.ready.notify_one();
                None
            }
        };
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Begins to sleep until the delay of this number ends.
    fn timer(&self, key: Key, number: u64, delay: Duration) -> Option<AbortHandle> {
        let runtime = Handle::try_current().ok()?;
        let queue = self.clone();
        let timer = runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            queue.wake(&key, number);
        });
        Some(timer.abort_handle())
    }

    /// Ends the delay of this number. Nothing happens if something else ended it before.
    fn wake(&self, key: &Key, number: u64) {
        let mut state = self.shared.state.lock();
        let State { entries, ready, .. } = &mut *state;
        if let Some(entry) = entries.get_mut(key)
            && entry.phase == Phase::Delayed(number)
        {
            entry.phase = Phase::Ready;
            ready.push_back(key.clone());
            self.shared.ready.notify_one();
        }
    }

    /// Returns once no learned host waits to be written and no run is under way. Delays are cut short.
    pub async fn flushed(&self) {
        loop {
            let ended = self.shared.ended.notified();
            let delayed: Vec<(Key, u64)> = {
                let state = self.shared.state.lock();
                let is_open =
                    |entry: &Entry| entry.phase == Phase::Running || !entry.learned.is_empty();
                if !state.entries.values().any(is_open) {
                    return;
                }
                state
                    .entries
                    .iter()
                    .filter_map(|(key, entry)| match entry.phase {
                        Phase::Delayed(number) if entry.failures == 1 => {
                            Some((key.clone(), number))
                        }
                        _ => None,
                    })
                    .collect()
            };
            for (key, number) in delayed {
                self.wake(&key, number);
            }
            ended.await;
        }
    }
}

#[cfg(test)]
mod tests;
