//! Follows the pods of the cluster: binds the unbound, runs the bound, stops the deleted.

use super::shared::Shared;
use super::{NODE, pod};
use anyhow::{Context, Result};
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;

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
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => anyhow::bail!("the watch of pods ended"),
            // The watcher has already waited and looks again by itself.
            Err(_) => continue,
        };
        let (watcher::Event::Apply(seen) | watcher::Event::InitApply(seen)) = event else {
            continue;
        };
        let uid = seen.uid().unwrap_or_default();
        let bound = seen
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.as_deref());
        match (seen.metadata.deletion_timestamp.is_some(), bound) {
            (true, _) => match running.remove(&uid) {
                Some(stop) => stop.notify_one(),
                // Deleted before it ever ran here.
                None if bound.is_none() => pod::forget(&shared, &seen).await,
                None => {}
            },
            (false, None) => bind(&shared.client, &seen).await?,
            (false, Some(NODE)) if !running.contains_key(&uid) => {
                let stop = Arc::new(Notify::new());
                running.insert(uid, stop.clone());
                tokio::spawn(pod::run(shared.clone(), seen, stop));
            }
            _ => {}
        }
    }
}

/// What a scheduler does, where there is one node and always room.
async fn bind(client: &Client, pod: &Pod) -> Result<()> {
    let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
    });
    let bound: Result<serde_json::Value, _> = pods
        .create_subresource("binding", &name, &PostParams::default(), &binding)
        .await;
    match bound {
        // Gone, or bound by an earlier look at the same pod.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        other => other
            .map(drop)
            .with_context(|| format!("could not bind pod {namespace}/{name}")),
    }
}
