//! Which of several replicas writes Sidecars, fences that make themselves, the placeholder and EnvoyFilters: the holder of a
//! Lease.
//!
//! Every replica takes reports, answers them and writes what was learned: into a fence's status, by a patch for the version that it
//! was made for, and into the Sidecar that the fence has, because a request waits for it. Two holders for a moment do no harm
//! either, since every write can be repeated; the Lease keeps replicas of different versions or configurations from writing
//! against each other.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Name of the Lease, in the controller's namespace.
pub const LEASE_NAME: &str = "lazyload";

/// How long a holder that has stopped without a word keeps others from taking over, in seconds. A container that starts again in
/// its pod is the same holder and goes on at once.
const DURATION: u64 = 10;
/// How long before its end the Lease is renewed, in seconds.
const GRACE: u64 = 5;
const RETRY: Duration = Duration::from_secs(1);

/// Who takes part in the election, and where.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Namespace of the Lease.
    pub namespace: String,
    /// The holder's name: the pod's.
    pub identity: String,
}

/// Takes part in the election until `stop`, and says in `leading` whether this replica holds the Lease. Then it gives the Lease
/// back, so that another replica need not wait for its end.
///
/// While the API server does not answer, the present holder stays it for as long as the Lease would have lasted; nobody can write
/// anything in that time anyway.
pub async fn elect(
    client: Client,
    candidate: Candidate,
    leading: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let mut failing_since = None;
    while !stop.is_cancelled() {
        let held = hold(&client, &candidate, &leading, &mut failing_since, &stop).await;
        let Err(error) = held else {
            return;
        };
        let since = *failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= Duration::from_secs(DURATION) {
            set(&leading, false);
        }
        warn!(
            lease = LEASE_NAME,
            namespace = candidate.namespace,
            error = %advice(&error),
            "cannot take part in the election of the replica that writes; trying again"
        );
        tokio::time::sleep(RETRY).await;
    }
}

/// Holds the Lease, or waits for it, until `stop`.
async fn hold(
    client: &Client,
    candidate: &Candidate,
    leading: &watch::Sender<bool>,
    failing_since: &mut Option<Instant>,
    stop: &CancellationToken,
) -> Result<(), LeaseManagerError> {
    let manager = LeaseManagerBuilder::new(client.clone(), LEASE_NAME)
        .with_namespace(candidate.namespace.as_str())
        .with_identity(candidate.identity.as_str())
        .with_duration(DURATION)
        .with_grace(GRACE)
        .build()
        .await?;
    let outcome = follow(&manager, leading, failing_since, stop).await;
    if stop.is_cancelled()
        && let Err(error) = manager.release().await
    {
        warn!(lease = LEASE_NAME, %error, "the Lease could not be given back; it ends by itself");
    }
    outcome
}

async fn follow(
    manager: &LeaseManager,
    leading: &watch::Sender<bool>,
    failing_since: &mut Option<Instant>,
    stop: &CancellationToken,
) -> Result<(), LeaseManagerError> {
    // A manager that is new after a failure says nothing where another replica has taken over meanwhile.
    let mut is_in_doubt = *leading.borrow();
    loop {
        let is_leader = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = manager.changed() => changed?,
            () = tokio::time::sleep(Duration::from_secs(DURATION)), if is_in_doubt => false,
        };
        is_in_doubt = false;
        *failing_since = None;
        set(leading, is_leader);
    }
}

/// Says it once.
fn set(leading: &watch::Sender<bool>, is_leader: bool) {
    let is_new = leading.send_if_modified(|present| {
        let is_new = *present != is_leader;
        *present = is_leader;
        is_new
    });
    match (is_new, is_leader) {
        (true, true) => info!(lease = LEASE_NAME, "this replica writes now"),
        (true, false) => info!(lease = LEASE_NAME, "another replica writes now"),
        (false, _) => {}
    }
}

/// The error, with what to check where that is known.
fn advice(error: &LeaseManagerError) -> String {
    let text = error.to_string();
    if text.contains("orbidden") {
        return format!(
            "{text}; the Role must allow Leases: apply the RBAC of manifests/base anew"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Json, Router, body::Bytes, http::Request};
    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use tokio::task::JoinHandle;

    use super::*;

    /// An API server with one Lease, of which it takes every patch.
    fn mk_client(lease: &Arc<Mutex<Value>>) -> Client {
        let lease = lease.clone();
        let handler = move |request: Request<axum::body::Body>| async move {
            let is_patch = request.method() == "PATCH";
            let body: Bytes = axum::body::to_bytes(request.into_body(), 65_536)
                .await
                .unwrap();
            let mut lease = lease.lock();
            if is_patch {
                let patch: Value = serde_json::from_slice(&body).unwrap();
                for (key, value) in patch["spec"].as_object().unwrap() {
                    lease["spec"][key] = value.clone();
                }
            }
            Json(lease.clone())
        };
        Client::new(Router::new().fallback(handler), "default")
    }

    fn mk_lease(holder: Option<&str>) -> Arc<Mutex<Value>> {
        let spec = holder.map(|holder| {
            json!({
                "holderIdentity": holder, "leaseDurationSeconds": 3_600,
                "renewTime": "2026-01-01T00:00:00.000000Z",
            })
        });
        let metadata = json!({ "name": LEASE_NAME, "namespace": "mesh" });
        Arc::new(Mutex::new(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": metadata, "spec": spec.unwrap_or_else(|| json!({})),
        })))
    }

    /// Starts `pod-1` and returns once it leads: what ends it, and its end.
    async fn leads(lease: &Arc<Mutex<Value>>) -> (CancellationToken, JoinHandle<()>) {
        let (leading, mut is_leading) = watch::channel(false);
        let stop = CancellationToken::new();
        let candidate = Candidate {
            namespace: "mesh".to_owned(),
            identity: "pod-1".to_owned(),
        };
        let electing = elect(mk_client(lease), candidate, leading, stop.clone());
        let electing = tokio::spawn(electing);
        is_leading.wait_for(|is_leading| *is_leading).await.unwrap();
        (stop, electing)
    }

    #[tokio::test]
    async fn a_free_lease_is_taken_and_given_back_at_the_end() {
        let lease = mk_lease(None);
        let (stop, electing) = leads(&lease).await;
        assert_eq!(lease.lock()["spec"]["holderIdentity"], "pod-1");
        stop.cancel();
        electing.await.unwrap();
        assert_eq!(lease.lock()["spec"]["holderIdentity"], Value::Null);
    }

    #[tokio::test]
    async fn a_holder_that_starts_again_under_its_name_goes_on_at_once() {
        let lease = mk_lease(Some("pod-1"));
        let (stop, electing) = leads(&lease).await;
        stop.cancel();
        electing.await.unwrap();
    }
}
