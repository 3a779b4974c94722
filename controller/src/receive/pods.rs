//! What the API server says about reporting pods, so that their labels need not be believed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use moka::{Expiry, future::Cache};
use thiserror::Error;

use crate::fence::{Labels, ObjectRef};

/// Most pods remembered. A sidecar reports in bursts, so that those of a large mesh need not all be.
const MAX_PODS: u64 = 10_000;
/// How long a pod is believed to be what it was: a label edit may take as long to count.
const TIME_TO_LIVE: Duration = Duration::from_secs(30);
/// The same for a pod that is not there: long enough not to ask again for each report, short for one that comes up.
const ABSENT_TIME_TO_LIVE: Duration = Duration::from_secs(1);
/// Longest time that one look may take: a request may be waiting, and the filter reports again.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest name of a pod.
const MAX_NAME_BYTES: usize = 253;

/// The part of a pod that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// `spec.serviceAccountName`.
    pub service_account: String,
    /// `metadata.labels`.
    pub labels: Labels,
}

/// Why a pod could not be looked up.
#[derive(Debug, Error)]
pub enum PodError {
    /// The API server refuses, or is not there.
    #[error("cannot get the reporting pod from the API server: {0}")]
    Api(#[from] kube::Error),
    /// No answer in time.
    #[error("no answer about the reporting pod from the API server within {} s", LOOK_TIMEOUT.as_secs())]
    Timeout,
}

/// Pods by name, remembered for a while. Concurrent questions about one pod are one call.
#[derive(Clone)]
pub struct Pods {
    client: Client,
    known: Cache<ObjectRef, Option<Arc<PodFacts>>>,
}

impl Pods {
    /// Asks `client`, which must be allowed to get pods.
    pub fn new(client: Client) -> Self {
        let known = Cache::builder()
            .max_capacity(MAX_PODS)
            .expire_after(Lifetime)
            .build();
        Self { client, known }
    }

    /// The pod, or `None` if there is none of this name.
    ///
    /// # Errors
    /// If the API server does not say; that is not remembered.
    pub async fn get(&self, pod: &ObjectRef) -> Result<Option<Arc<PodFacts>>, Arc<PodError>> {
        if !is_name(&pod.name) {
            return Ok(None);
        }
        let look = look(self.client.clone(), pod);
        self.known.try_get_with_by_ref(pod, look).await
    }
}

async fn look(client: Client, pod: &ObjectRef) -> Result<Option<Arc<PodFacts>>, PodError> {
    let pods: Api<Pod> = Api::namespaced(client, &pod.namespace);
    let found = tokio::time::timeout(LOOK_TIMEOUT, pods.get_opt(&pod.name))
        .await
        .map_err(|_| PodError::Timeout)??;
    Ok(found.map(|pod| {
        let spec = pod.spec.unwrap_or_default();
        Arc::new(PodFacts {
            service_account: spec.service_account_name.unwrap_or_default(),
            labels: pod.metadata.labels.unwrap_or_default(),
        })
    }))
}

/// Whether a pod can have this name, which becomes part of the path of a request.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
    };
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(allowed)
}

struct Lifetime;

impl Expiry<ObjectRef, Option<Arc<PodFacts>>> for Lifetime {
    fn expire_after_create(
        &self,
        _: &ObjectRef,
        found: &Option<Arc<PodFacts>>,
        _: Instant,
    ) -> Option<Duration> {
        Some(match found {
            Some(_) => TIME_TO_LIVE,
            None => ABSENT_TIME_TO_LIVE,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
    use serde_json::json;

    use super::*;

    /// An API server with the pod `default/web`, none called `gone`, and no answer about others.
    fn mk_pods(asked: Arc<AtomicUsize>) -> Pods {
        let answer = move |Path(name): Path<String>| async move {
            asked.fetch_add(1, Relaxed);
            tokio::task::yield_now().await;
            let failure = |reason: &str, code: u16| json!({ "status": "Failure", "reason": reason, "code": code });
            match name.as_str() {
                "web" => {
                    let metadata = json!({ "name": "web", "labels": { "app": "web" } });
                    let spec = json!({ "serviceAccountName": "bookinfo", "containers": [] });
                    let pod = json!({ "metadata": metadata, "spec": spec });
                    (StatusCode::OK, Json(pod))
                }
                "gone" => (StatusCode::NOT_FOUND, Json(failure("NotFound", 404))),
                _ => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    Json(failure("InternalError", 500)),
                ),
            }
        };
        let path = "/api/v1/namespaces/default/pods/{name}";
        let server = Router::new().route(path, get(answer));
        Pods::new(Client::new(server, "default"))
    }

    fn mk_name(name: &str) -> ObjectRef {
        ObjectRef::new("default", name)
    }

    #[tokio::test]
    async fn a_pod_is_asked_for_once_even_by_many_at_the_same_time() {
        let asked = Arc::new(AtomicUsize::new(0));
        let pods = mk_pods(asked.clone());
        let web = mk_name("web");
        let (first, second) = tokio::join!(pods.get(&web), pods.get(&web));
        let found = first.unwrap().unwrap();
        assert_eq!(
            (found.service_account.as_str(), found.labels["app"].as_str()),
            ("bookinfo", "web")
        );
        assert_eq!(second.unwrap(), Some(found));
        pods.get(&web).await.unwrap();
        assert_eq!(asked.load(Relaxed), 1);
    }

    #[tokio::test]
    async fn an_absent_pod_is_none_and_a_failure_is_not_remembered() {
        let asked = Arc::new(AtomicUsize::new(0));
        let pods = mk_pods(asked.clone());
        assert_eq!(pods.get(&mk_name("gone")).await.unwrap(), None);
        for _ in 0..2 {
            pods.get(&mk_name("broken")).await.unwrap_err();
        }
        assert_eq!(asked.load(Relaxed), 3);
    }

    #[tokio::test]
    async fn a_name_that_no_pod_can_have_is_not_asked_for() {
        let asked = Arc::new(AtomicUsize::new(0));
        let pods = mk_pods(asked.clone());
        for name in ["", "..", "web/log", "web?a=b", "Web", &"x".repeat(254)] {
            assert_eq!(pods.get(&mk_name(name)).await.unwrap(), None, "{name}");
        }
        assert_eq!(asked.load(Relaxed), 0);
    }
}
