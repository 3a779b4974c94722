//! Which parts of the controller have come up.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

/// The parts that must be up before the controller is ready, by what is said while they are not.
#[derive(Clone, Debug)]
pub struct Readiness {
    missing: Arc<Mutex<BTreeSet<String>>>,
    all: Arc<watch::Sender<bool>>,
}

/// One part, to be marked when it has come up.
#[derive(Debug)]
pub struct Part {
    readiness: Readiness,
    words: String,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            missing: Arc::default(),
            all: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl Readiness {
    /// Adds a part. `words` say what is missing as long as it is.
    pub fn part(&self, words: impl Into<String>) -> Part {
        let words = words.into();
        self.missing.lock().insert(words.clone());
        Part {
            readiness: self.clone(),
            words,
        }
    }

    /// What has not come up yet.
    pub fn missing(&self) -> Vec<String> {
        self.missing.lock().iter().cloned().collect()
    }

    /// Whether every part has come up.
    pub fn is_ready(&self) -> bool {
        self.missing.lock().is_empty()
    }

    /// Returns once every part has come up.
    pub async fn ready(&self) {
        let mut all = self.all.subscribe();
        while !self.is_ready() {
            // The sender lives in `self`, so that this cannot fail.
            let _ = all.changed().await;
        }
    }
}

impl Part {
    /// Says that the part is up. Saying it again changes nothing.
    pub fn mark(&self) {
        self.readiness.missing.lock().remove(&self.words);
        self.readiness.all.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_ready_when_the_last_part_is_up_and_says_what_is_missing_until_then() {
        let readiness = Readiness::default();
        let (services, port) = (readiness.part("services"), readiness.part("port"));
        services.mark();
        services.mark();
        assert_eq!(
            (readiness.missing(), readiness.is_ready()),
            (vec!["port".to_owned()], false)
        );
        let waiting = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        port.mark();
        waiting.await.unwrap();
        assert!(readiness.is_ready());
    }
}
