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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Json, Router, extract::Query, http::HeaderMap};
    use parking_lot::Mutex;
    use serde_json::json;

    use super::*;
    use crate::{
        index::World,
        queue::Queue,
        settings::{Settings, WorkloadFences},
    };

    /// Which lists an API server was asked for: label selector and form.
    type Asked = Arc<Mutex<Vec<(String, String)>>>;

    /// An API server with one pod, `p1`, which has every label with the value `a`.
    fn mk_client(asked: Asked) -> Client {
        let answer = move |Query(query): Query<Vec<(String, String)>>, headers: HeaderMap| async move {
            let get = |key: &str| query.iter().find(|(name, _)| name == key);
            if get("watch").is_some() {
                std::future::pending::<()>().await;
            }
            let (_, key) = get("labelSelector").cloned().unwrap();
            let form = headers["accept"].to_str().unwrap().to_owned();
            asked.lock().push((key.clone(), form));
            Json(json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
                "metadata": { "resourceVersion": "1" },
                "items": [{ "metadata": { "namespace": "default", "name": "p1", "labels": { key: "a" } } }],
            }))
        };
        Client::new(Router::new().fallback(answer), "default")
    }

    fn set_key(index: &Index, key: Option<&str>) {
        index.write(|world, concerned| {
            let mut settings = Settings::clone(world.settings());
            settings.auto_fence.is_on = true;
            settings.auto_fence.workloads = key.map(|key| WorkloadFences {
                key: key.to_owned(),
                alias: "app".to_owned(),
            });
            world.configure(Arc::new(settings), concerned);
        });
    }

    async fn until(what: impl Fn() -> bool) {
        let wait = async {
            while !what() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn metadata_of_pods_is_watched_by_whatever_label_the_configuration_names() {
        let asked = Asked::default();
        let index = Arc::new(Index::new(World::default(), Queue::default()));
        let watch = watch_pods(mk_client(asked.clone()), index.clone(), Arc::default());
        tokio::spawn(watch);
        let pods = || {
            index.read(|world| {
                let pods = world.workload_pods("default", "a");
                pods.map(|pods| pods.cloned().collect::<Vec<_>>())
            })
        };
        for key in ["job", "task"] {
            set_key(&index, Some(key));
            assert_eq!(pods(), None, "nobody can say yet");
            until(|| pods().is_some()).await;
            assert_eq!(pods().unwrap(), [[(key.to_owned(), "a".to_owned())].into()]);
        }
        set_key(&index, None);
        assert_eq!(pods(), None);
        let asked = asked.lock();
        let keys: Vec<_> = asked.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["job", "task"]);
        let is_metadata = |form: &str| form.contains("as=PartialObjectMetadataList");
        assert!(asked.iter().all(|(_, form)| is_metadata(form)), "{asked:?}");
    }
}
