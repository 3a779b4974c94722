//! Being one of several replicas.

use std::{env, future::Future, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{index::Index, metrics::Metrics, readiness::Readiness};

/// The name under which this replica holds the Lease: its pod's.
pub fn identity() -> String {
    ["POD_NAME", "HOSTNAME"]
        .into_iter()
        .find_map(|variable| env::var(variable).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| format!("process-{}", std::process::id()))
}

/// Takes part in the `election` once everything has come up, or not at all if it is to `stop` before: a replica that cannot write
/// must not keep another one from it.
pub async fn when_ready(
    readiness: Readiness,
    stop: CancellationToken,
    election: impl Future<Output = ()>,
) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = readiness.ready() => election.await,
    }
}

/// What another replica may have left undone is looked at as soon as it is this one's to do; what it then shows of fences and ports
/// is no longer shown by this one. Ends with the election, which never does.
pub async fn take_over(
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    mut is_leading: watch::Receiver<bool>,
) {
    while is_leading.changed().await.is_ok() {
        if *is_leading.borrow_and_update() {
            metrics.start_leading();
            index.write(|world, concerned| world.concern_all(concerned));
        } else {
            metrics.stop_leading();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fence::ObjectRef,
        index::World,
        queue::{Key, Queue},
    };

    #[tokio::test]
    async fn a_replica_that_is_not_ready_does_not_ask_for_the_lease() {
        let readiness = Readiness::default();
        let part = readiness.part("services");
        let (asked, mut is_asked) = watch::channel(false);
        let (stop, early) = (CancellationToken::new(), CancellationToken::new());
        early.cancel();
        when_ready(readiness.clone(), early, async { panic!("too early") }).await;

        let election = async move {
            asked.send_replace(true);
        };
        let electing = tokio::spawn(when_ready(readiness, stop, election));
        tokio::task::yield_now().await;
        assert!(!*is_asked.borrow());
        part.mark();
        is_asked.wait_for(|is_asked| *is_asked).await.unwrap();
        electing.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_begins_to_lead_looks_at_everything_and_whoever_ends_shows_nothing() {
        let queue = Queue::default();
        let index = Arc::new(Index::new(World::default(), queue.clone()));
        let metrics = Arc::new(Metrics::default());
        metrics.stop_leading();
        let (leading, is_leading) = watch::channel(false);
        let taking_over = tokio::spawn(take_over(index, metrics.clone(), is_leading));
        leading.send_replace(true);
        assert_eq!(queue.next().await.key, Key::Placeholder);

        let web = ObjectRef::new("default", "web");
        assert!(metrics.set_fence(&web, Some("SidecarApplied")));
        metrics.set_ports(7, 0, 0);
        leading.send_replace(false);
        drop(leading);
        taking_over.await.unwrap();
        assert_eq!(metrics.placeholder_ports.get(), 0);
        assert!(!metrics.set_fence(&web, Some("SidecarApplied")));
    }
}
