//! A replica that leads and others that do not, about one Sidecar.

use super::*;
use crate::api::Sidecar;

/// A fence and its Sidecar, as an API server has them.
struct Cluster {
    fence: Value,
    sidecar: Value,
    /// The hosts of the Sidecar in each of its writes.
    writes: Vec<String>,
}

impl Cluster {
    fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let is_status = path.ends_with("/status");
        let object = match path.contains("/sidecars/") {
            true => &mut self.sidecar,
            false => &mut self.fence,
        };
        let version = &object["metadata"]["resourceVersion"];
        match method {
            "GET" => {}
            "PATCH" => {
                let asked = &body["metadata"]["resourceVersion"];
                if !asked.is_null() && asked != version {
                    return failure(409);
                }
                let next = version.as_str().unwrap().parse::<u32>().unwrap() + 1;
                let part = if is_status { "status" } else { "spec" };
                merge(&mut object[part], &body[part]);
                object["metadata"]["resourceVersion"] = json!(next.to_string());
                if !is_status {
                    let hosts = object["spec"]["egress"][0]["hosts"].to_string();
                    self.writes.push(hosts);
                }
            }
            _ => return failure(500),
        }
        (200, object.clone())
    }
}

type Shared = Arc<Mutex<Cluster>>;

fn mk_cluster() -> Shared {
    let mut sidecar = mk_sidecar(json!({ "app": "web" }));
    sidecar["metadata"]["ownerReferences"] = json!([{
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "name": "web", "uid": "u1", "controller": true, "blockOwnerDeletion": true,
    }]);
    sidecar["spec"]["egress"] = json!([{ "hosts": ["istio-system/*", "mesh-operator/*"] }]);
    let cluster = Cluster {
        fence: mk_fence("u1", "5", true),
        sidecar,
        writes: Vec::new(),
    };
    Arc::new(Mutex::new(cluster))
}

/// A replica that has seen the cluster as it is.
fn mk_replica(cluster: &Shared, leads: bool) -> Writer {
    let shared = cluster.clone();
    let handler = move |request: Request<axum::body::Body>| async move {
        let (method, path) = (
            request.method().to_string(),
            request.uri().path().to_owned(),
        );
        let body = axum::body::to_bytes(request.into_body(), 65_536).await;
        let body = serde_json::from_slice(&body.unwrap()).unwrap_or_default();
        let (code, reply) = shared.lock().answer(&method, &path, &body);
        (StatusCode::from_u16(code).unwrap(), Json(reply))
    };
    let (mut writer, _) = mk_writer(|_, _, _| failure(500));
    writer.client = Client::new(Router::new().fallback(handler), "default");
    writer.leading = tokio::sync::watch::channel(leads).1;
    see_fence(&writer, cluster);
    see_sidecar(&writer, cluster);
    writer
}

/// A replica that leads and has brought the fence where it should be.
async fn mk_leader(cluster: &Shared) -> Writer {
    let leader = mk_replica(cluster, true);
    assert_eq!(look(&leader).await, Outcome::Done);
    assert_eq!(cluster.lock().writes, [""; 0]);
    leader
}

fn see_fence(writer: &Writer, cluster: &Shared) {
    add::<ServiceFence>(writer, cluster.lock().fence.clone());
}

fn see_sidecar(writer: &Writer, cluster: &Shared) {
    add::<Sidecar>(writer, cluster.lock().sidecar.clone());
}

async fn look(writer: &Writer) -> Outcome {
    writer.fence(&web(), Learned::new()).await
}

async fn learn(writer: &Writer, host: &str) -> Outcome {
    let learned = Learned::from([(host.to_owned(), Instant::now())]);
    writer.fence(&web(), learned).await
}

/// Somebody adds this host to the Sidecar, and to nothing else.
fn add_to_sidecar(cluster: &Shared, host: &str) {
    let hosts = json!([host, "istio-system/*", "mesh-operator/*"]);
    let body = json!({ "spec": { "egress": [{ "hosts": hosts }] } });
    let (code, _) = cluster.lock().answer("PATCH", "/sidecars/web", &body);
    assert_eq!(code, 200);
}

fn hosts(cluster: &Shared) -> Vec<String> {
    let sidecar = &cluster.lock().sidecar;
    serde_json::from_value(sidecar["spec"]["egress"][0]["hosts"].clone()).unwrap()
}

/// Whether a Sidecar of this cluster shows `host`.
fn shows(cluster: &Shared, host: &str) -> bool {
    hosts(cluster).contains(&format!("*/{host}"))
}

#[tokio::test]
async fn a_sidecar_that_comes_before_its_status_is_left_as_it_is() {
    let cluster = mk_cluster();
    let leader = mk_leader(&cluster).await;
    let follower = mk_replica(&cluster, false);
    assert_eq!(learn(&follower, "x.b").await, Outcome::Done);
    assert!(shows(&cluster, "x.b"));

    see_sidecar(&leader, &cluster);
    let outcome = look(&leader).await;
    assert!(matches!(outcome, Outcome::Later(_)), "{outcome:?}");
    see_fence(&leader, &cluster);
    assert_eq!(look(&leader).await, Outcome::Done);
    assert_eq!(cluster.lock().writes.len(), 1, "that of the follower");
}

#[tokio::test(start_paused = true)]
async fn what_no_status_speaks_for_goes_after_a_second_however_often_the_sidecar_changes() {
    let cluster = mk_cluster();
    let leader = mk_leader(&cluster).await;
    for host in ["*/x.b", "*/y.b"] {
        add_to_sidecar(&cluster, host);
        see_sidecar(&leader, &cluster);
        let outcome = look(&leader).await;
        assert!(
            matches!(outcome, Outcome::Later(wait) if wait <= Duration::from_secs(1)),
            "{outcome:?}"
        );
        tokio::time::advance(Duration::from_millis(500)).await;
    }
    // The leader has not seen this one yet.
    add_to_sidecar(&cluster, "*/z.b");
    assert_eq!(look(&leader).await, Outcome::Done);
    assert_eq!(hosts(&cluster), ["istio-system/*", "mesh-operator/*"]);
    // What is known to be nobody's does not wait any more.
    assert_eq!(look(&leader).await, Outcome::Done);
    assert_eq!(cluster.lock().writes.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_was_unexplained_before_does_not_cost_what_is_so_now_its_second() {
    let cluster = mk_cluster();
    let leader = mk_leader(&cluster).await;
    add_to_sidecar(&cluster, "*/x.b");
    see_sidecar(&leader, &cluster);
    assert!(matches!(look(&leader).await, Outcome::Later(_)));
    tokio::time::advance(Duration::from_secs(1)).await;
    // By now the status says why, and what else there is; and the Sidecar has changed anew.
    let times = json!({ metric_key("x.b"): "1", metric_key("y.b"): "1" });
    let body = json!({ "status": { "metricStatus": times } });
    cluster.lock().answer("PATCH", "/web/status", &body);
    see_fence(&leader, &cluster);
    add_to_sidecar(&cluster, "*/z.b");
    assert!(matches!(look(&leader).await, Outcome::Later(_)));
    assert!(shows(&cluster, "z.b"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(look(&leader).await, Outcome::Done);
    assert!(shows(&cluster, "y.b") && !shows(&cluster, "z.b"));
}

#[tokio::test(start_paused = true)]
async fn what_a_request_waits_for_does_not_wait_for_what_is_unexplained() {
    let cluster = mk_cluster();
    let leader = mk_leader(&cluster).await;
    add_to_sidecar(&cluster, "*/x.b");
    see_sidecar(&leader, &cluster);
    let outcome = learn(&leader, "y.b").await;
    assert!(matches!(outcome, Outcome::Later(_)), "{outcome:?}");
    assert!(shows(&cluster, "x.b") && shows(&cluster, "y.b"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(look(&leader).await, Outcome::Done);
    assert!(!shows(&cluster, "x.b") && shows(&cluster, "y.b"));
}

#[tokio::test]
async fn replicas_that_learn_at_once_keep_each_others_hosts() {
    let cluster = mk_cluster();
    let leader = mk_leader(&cluster).await;
    let followers = [mk_replica(&cluster, false), mk_replica(&cluster, false)];
    // No replica has seen what another has written.
    learn(&followers[0], "x.b").await;
    learn(&followers[1], "y.b").await;
    assert!(shows(&cluster, "x.b") && !shows(&cluster, "y.b"));
    learn(&leader, "z.b").await;
    see_sidecar(&leader, &cluster);
    see_fence(&leader, &cluster);
    assert_eq!(look(&leader).await, Outcome::Done);
    for host in ["x.b", "y.b", "z.b"] {
        assert!(shows(&cluster, host), "{host}");
    }
    let cluster = cluster.lock();
    let writes = &cluster.writes;
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes.iter().all(|hosts| hosts.contains("*/x.b")));
}

#[tokio::test]
async fn a_replica_of_another_configuration_takes_nothing_out() {
    let cluster = mk_cluster();
    add_to_sidecar(&cluster, "*/stable.b");
    let follower = mk_replica(&cluster, false);
    assert_eq!(learn(&follower, "x.b").await, Outcome::Done);
    assert!(shows(&cluster, "stable.b") && !shows(&cluster, "x.b"));
    assert!(
        cluster.lock().fence["status"]["domains"]["x.b"].is_object(),
        "the leader sees it in the status"
    );
}
