//! Fences whose learned hosts somebody wants cleared.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::fence::ObjectRef;

/// The wishes to clear what fences have learned. A wish stays until a run has fulfilled it, however often that fails before.
#[derive(Clone, Debug, Default)]
pub struct Resets {
    wishes: Arc<Mutex<Wishes>>,
    fulfilled: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Wishes {
    // Numbered, so that a run that began before a wish does not count as its fulfilment.
    last: u64,
    open: HashMap<ObjectRef, u64>,
}

impl Resets {
    /// Wishes that `fence` be reset; the run that is to do it has to be asked for of the queue.
    pub fn wish(&self, fence: ObjectRef) {
        let mut wishes = self.wishes.lock();
        wishes.last += 1;
        let number = wishes.last;
        wishes.open.insert(fence, number);
    }

    /// The wish about `fence` that is open now, if there is one.
    pub fn open(&self, fence: &ObjectRef) -> Option<u64> {
        self.wishes.lock().open.get(fence).copied()
    }

    /// Says that the wish of this number is fulfilled, or that there is nothing any more that it could be fulfilled with. A later wish
    /// stays open.
    pub fn close(&self, fence: &ObjectRef, number: u64) {
        let mut wishes = self.wishes.lock();
        if wishes.open.get(fence) == Some(&number) {
            wishes.open.remove(fence);
        }
        drop(wishes);
        self.fulfilled.notify_waiters();
    }

    /// Returns once no wish about any of `fences` is open.
    pub async fn closed(&self, fences: &[ObjectRef]) {
        loop {
            let changed = self.fulfilled.notified();
            tokio::pin!(changed);
            // What is fulfilled from here on is not missed.
            changed.as_mut().enable();
            if fences.iter().all(|fence| self.open(fence).is_none()) {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_wish_is_open_until_a_run_that_began_after_it_has_fulfilled_it() {
        let (resets, fence) = (Resets::default(), ObjectRef::new("default", "a"));
        assert_eq!(resets.open(&fence), None);
        resets.wish(fence.clone());
        let first = resets.open(&fence).unwrap();
        resets.wish(fence.clone());
        resets.close(&fence, first);
        let second = resets.open(&fence).unwrap();
        let fences = [fence.clone()];
        assert!(resets.closed(&fences).now_or_never().is_none());
        let waiting = tokio::spawn({
            let (resets, fences) = (resets.clone(), fences.clone());
            async move { resets.closed(&fences).await }
        });
        tokio::task::yield_now().await;
        resets.close(&fence, second);
        waiting.await.unwrap();
        assert_eq!(resets.open(&fence), None);
    }
}
