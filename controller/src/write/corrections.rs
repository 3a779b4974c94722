//! Not fighting for ever with somebody who keeps undoing what the controller writes.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::queue::Key;

/// Corrections that are made at once: somebody deletes or edits by hand.
const FREE: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// After this time without a correction everything is forgotten.
const QUIET: Duration = Duration::from_secs(60);

/// What was written last for each key, and how often the same had to be written again.
#[derive(Debug, Default)]
pub struct Corrections(Mutex<HashMap<Key, Record>>);

#[derive(Debug)]
struct Record {
    wish: u64,
    repeated: u32,
    last: Instant,
    announced: bool,
}

/// A correction that is not due yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undue {
    /// How long it has to wait.
    pub wait: Duration,
    /// How often the same has been written again.
    pub repeated: u32,
    /// Whether this delay is told for the first time.
    pub is_new: bool,
}

impl Corrections {
    /// Whether writing `wish` has to wait, because the same was written lately and keeps being undone. Anything else than what
    /// was written last is no correction and never waits.
    pub fn undue(&self, key: &Key, wish: &impl Hash) -> Option<Undue> {
        let mut records = self.0.lock();
        let record = records.get_mut(key)?;
        let since = record.last.elapsed();
        if record.wish != digest(wish) || since > QUIET || record.repeated < FREE {
            return None;
        }
        let doublings = (record.repeated - FREE).min(16);
        let delay = (FIRST_DELAY * 2_u32.pow(doublings)).min(LONGEST_DELAY);
        let wait = delay.checked_sub(since).filter(|wait| !wait.is_zero())?;
        let is_new = !std::mem::replace(&mut record.announced, true);
        Some(Undue {
            wait,
            repeated: record.repeated,
            is_new,
        })
    }

    /// Says that `wish` was written.
    pub fn written(&self, key: &Key, wish: &impl Hash) {
        let (wish, now) = (digest(wish), Instant::now());
        let mut records = self.0.lock();
        records.retain(|_, record| now - record.last <= QUIET);
        let repeated = records
            .get(key)
            .filter(|record| record.wish == wish)
            .map_or(0, |record| record.repeated.saturating_add(1));
        let record = Record {
            wish,
            repeated,
            last: now,
            announced: false,
        };
        records.insert(key.clone(), record);
    }
}

fn digest(wish: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    wish.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `wish` as soon as it is due; gives the time since it was undone.
    async fn correct(corrections: &Corrections, wish: &str) -> Duration {
        let before = Instant::now();
        while let Some(undue) = corrections.undue(&Key::Placeholder, &wish) {
            tokio::time::sleep(undue.wait).await;
        }
        corrections.written(&Key::Placeholder, &wish);
        before.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_corrections_are_made_at_once_and_then_they_slow_down() {
        let corrections = Corrections::default();
        let mut seconds = Vec::new();
        for _ in 0..12 {
            seconds.push(correct(&corrections, "a").await.as_secs());
        }
        assert_eq!(seconds, [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn something_new_and_something_after_a_quiet_minute_do_not_wait() {
        let corrections = Corrections::default();
        for _ in 0..6 {
            correct(&corrections, "a").await;
        }
        assert_eq!(correct(&corrections, "b").await, Duration::ZERO);
        for _ in 0..6 {
            correct(&corrections, "b").await;
        }
        tokio::time::advance(QUIET + Duration::from_millis(1)).await;
        for _ in 0..4 {
            assert_eq!(correct(&corrections, "b").await, Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_is_told_once() {
        let corrections = Corrections::default();
        for _ in 0..=FREE {
            correct(&corrections, "a").await;
        }
        let told = || corrections.undue(&Key::Placeholder, &"a").unwrap().is_new;
        assert_eq!([told(), told()], [true, false]);
    }
}
