//! Follows the pods of the cluster: binds the unbound, runs the bound, stops the deleted.

use super::shared::Shared;
use super::{NODE, pod};
use anyhow::Result;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Before a pod that could not be bound is tried again.
const BIND_AGAIN: Duration = Duration::from_secs(1);

/// The agent.
pub struct Agent {
    shared: Arc<Shared>,
}

impl Agent {
    /// An agent that talks to the API server through `client`.
    pub fn new(client: Client) -> Self {
        Self {
            shared: Arc::new(Shared::new(client)),
        }
    }

    /// Runs until a watch fails for good.
    pub async fn run(self) -> Result<()> {
        let shared = self.shared;
        tokio::try_join!(
            follow_pods(shared.clone()),
            shared.names.follow(shared.client.clone())
        )
        .map(drop)
    }
}

async fn follow_pods(shared: Arc<Shared>) -> Result<()> {
    let pods: Api<Pod> = Api::all(shared.client.clone());
    let mut events = std::pin::pin!(watcher(pods, watcher::Config::default()).default_backoff());
    // By uid: a pod of the same name made anew is another pod.
    let mut running: HashMap<String, Arc<Notify>> = HashMap::new();
    let mut listed: HashSet<String> = HashSet::new();
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => anyhow::bail!("the watch of pods ended"),
            // The watcher has already waited and looks again by itself.
            Err(_) => continue,
        };
        let seen = match event {
            watcher::Event::Apply(seen) => seen,
            watcher::Event::InitApply(seen) => {
                listed.insert(seen.uid().unwrap_or_default());
                seen
            }
            // Without notice, as `kubectl delete --force` does it.
            watcher::Event::Delete(gone) => {
                stop(running.remove(&gone.uid().unwrap_or_default()));
                continue;
            }
            watcher::Event::Init => {
                listed.clear();
                continue;
            }
            watcher::Event::InitDone => {
                for (_, gone) in running.extract_if(|uid, _| !listed.contains(uid)) {
                    stop(Some(gone));
                }
                continue;
            }
        };
        let uid = seen.uid().unwrap_or_default();
        let bound = seen
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.as_deref());
        match (seen.metadata.deletion_timestamp.is_some(), bound) {
            (true, _) => match running.remove(&uid) {
                Some(running) => stop(Some(running)),
                // Deleted before it ever ran here.
                None if bound.is_none() => {
                    let shared = shared.clone();
                    tokio::spawn(async move { pod::forget(&shared, &seen).await });
                }
                None => {}
            },
            (false, None) => {
                tokio::spawn(bind(shared.client.clone(), seen));
            }
            (false, Some(NODE)) if !running.contains_key(&uid) => {
                let stop = Arc::new(Notify::new());
                running.insert(uid, stop.clone());
                tokio::spawn(pod::run(shared.clone(), seen, stop));
            }
            _ => {}
        }
    }
}

fn stop(running: Option<Arc<Notify>>) {
    if let Some(running) = running {
        running.notify_one();
    }
}

/// What a scheduler does, where there is one node and always room.
async fn bind(client: Client, pod: Pod) {
    let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": pod.uid()},
        "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
    });
    loop {
        let bound: Result<serde_json::Value, _> = pods
            .create_subresource("binding", &name, &PostParams::default(), &binding)
            .await;
        match bound {
            // The pod is gone or bound already, or its namespace is on its way out.
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 409 | 422) => return,
            Ok(_) => return,
            Err(_) => tokio::time::sleep(BIND_AGAIN).await,
        }
    }
}
