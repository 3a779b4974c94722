//! Watching the pods that workload fences are made for.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use tracing::{info, warn};

use super::{Index, watch::advice, world::object_ref};
use crate::metrics::Metrics;

/// The kind, for logs and metrics.
const PLURAL: &str = "pods";

/// Watches, for ever, the metadata of the pods that carry the label of which the configuration says that workload fences go by it:
/// no pod as long as there is no such label, others as soon as it is another one.
///
/// The controller is ready without it. Until the pods have been listed, or if it may not see them, no workload fence is made or
/// taken away.
pub async fn watch_pods(client: Client, index: Arc<Index>, metrics: Arc<Metrics>) {
    let mut keys = index.read(super::World::workload_key);
    loop {
        let key = keys.borrow_and_update().clone();
        let changed = async {
            // The index holds the sender, and this task the index.
            let _ = keys.changed().await;
        };
        match key {
            None => changed.await,
            Some(key) => tokio::select! {
                () = changed => {}
                () = follow(&key, client.clone(), &index, &metrics) => {}
            },
        }
    }
}

/// Keeps the index in step with the pods that carry the label `key`, until dropped.
async fn follow(key: &str, client: Client, index: &Index, metrics: &Metrics) {
    let api = Api::<PartialObjectMeta<Pod>>::all(client);
    let events = watcher(api, watcher::Config::default().labels(key)).default_backoff();
    pin_mut!(events);
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(pod)) => {
                listed.insert(object_ref(&pod));
                index.write(|world, concerned| world.upsert_pod(pod.metadata, concerned));
            }
            Ok(Event::InitDone) => {
                index.write(|world, concerned| world.pods_listed(key, &listed, concerned));
                info!(kind = PLURAL, label = key, objects = listed.len(), "listed");
                listed.clear();
            }
            Ok(Event::Apply(pod)) => {
                index.write(|world, concerned| world.upsert_pod(pod.metadata, concerned));
            }
            Ok(Event::Delete(pod)) => {
                index.write(|world, concerned| world.remove_pod(&object_ref(&pod), concerned));
            }
            Err(error) => {
                metrics.watch_errors(PLURAL).inc();
                warn!(kind = PLURAL, label = key, error = %advice(&error), "cannot watch; trying again");
            }
        }
    }
}
