use axum::{Json, Router, body::Bytes, http::Request, http::StatusCode};
use futures::FutureExt;
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::{
    api::ServiceFence,
    fence::{ObjectRef, metric_key},
    index::{Indexed, World},
    queue::Learned,
    settings::Settings,
};

/// What an API server was asked: method, last part of the path and body.
type Asked = Arc<Mutex<Vec<(String, String, Value)>>>;

/// An API server that answers `answer(method, last part of the path, body)`.
fn mk_writer(answer: fn(&str, &str, &Value) -> (u16, Value)) -> (Writer, Asked) {
    mk_holding_writer(Arc::default(), answer, |_, _| true)
}

/// The same, of an API server that keeps an answer back until `may_answer(last part of the path, methods asked so far)`.
fn mk_holding_writer(
    settings: Arc<Settings>,
    answer: impl Fn(&str, &str, &Value) -> (u16, Value) + Clone + Send + Sync + 'static,
    may_answer: fn(&str, &[String]) -> bool,
) -> (Writer, Asked) {
    let asked = Asked::default();
    let log = asked.clone();
    let handler = move |request: Request<axum::body::Body>| async move {
        let method = request.method().to_string();
        let path = request.uri().path();
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 65_536).await;
        let body: Bytes = body.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let (code, reply) = answer(&method, &last, &body);
        log.lock().push((method, last.clone(), body));
        while !may_answer(&last, &methods(&log)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (StatusCode::from_u16(code).unwrap(), Json(reply))
    };
    let queue = Queue::default();
    let world = World::new(settings);
    let writer = Writer {
        client: Client::new(Router::new().fallback(handler), "default"),
        index: Arc::new(Index::new(world, queue.clone())),
        queue,
        metrics: Arc::default(),
        ports: Arc::default(),
        corrections: Arc::default(),
        fence_corrections: Arc::default(),
        resets: Resets::default(),
        unkept: Arc::default(),
        foreign: Arc::default(),
        explained: Arc::default(),
        events: Events::default(),
        leading: tokio::sync::watch::channel(true).1,
    };
    (writer, asked)
}

fn failure(code: u16) -> (u16, Value) {
    (
        code,
        json!({ "kind": "Status", "status": "Failure", "code": code }),
    )
}

fn mk_fence(uid: &str, version: &str, enable: bool) -> Value {
    json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "default", "name": "web", "uid": uid, "resourceVersion": version },
        "spec": { "enable": enable },
    })
}

fn mk_sidecar(labels: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": { "namespace": "default", "name": "web", "uid": "s1", "resourceVersion": "9" },
        "spec": { "workloadSelector": { "labels": labels } },
    })
}

/// A merge patch as an API server applies it.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, change) in changes {
        match (change, into.as_object_mut()) {
            (Value::Null, Some(into)) => _ = into.remove(key),
            (change, Some(into)) => merge(into.entry(key).or_insert(Value::Null), change),
            _ => {}
        }
    }
}

fn web() -> ObjectRef {
    ObjectRef::new("default", "web")
}

fn mk_learned() -> Learned {
    Learned::from([("x.b".to_owned(), Instant::now())])
}

fn add<K: Indexed>(writer: &Writer, object: Value) {
    let object: K = serde_json::from_value(object).unwrap();
    writer
        .index
        .write(|world, _| object.upsert(world, &mut Vec::new()));
}

fn methods(asked: &Asked) -> Vec<String> {
    let asked = asked.lock();
    asked
        .iter()
        .map(|(method, last, _)| format!("{method} {last}"))
        .collect()
}

#[tokio::test]
async fn a_sidecar_that_somebody_made_meanwhile_is_looked_at_and_not_merged_into() {
    let (writer, asked) = mk_writer(|method, last, _| match (method, last) {
        ("POST", _) => failure(409),
        ("GET", _) => (200, mk_sidecar(json!({ "app": "theirs" }))),
        _ => (200, mk_fence("u1", "6", true)),
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    assert_eq!(writer.fence(&web(), Learned::new()).await, Outcome::Done);
    assert_eq!(
        methods(&asked),
        ["POST sidecars", "GET web", "PATCH status"]
    );
    let (_, _, patch) = asked.lock().pop().unwrap();
    assert_eq!(
        patch["status"]["conditions"][0]["reason"],
        "SidecarNotOwned"
    );
}

#[tokio::test]
async fn what_is_in_the_status_is_not_learned_again_after_a_later_failure() {
    let (writer, _) = mk_writer(|method, _, _| match method {
        "POST" => failure(500),
        _ => (200, mk_fence("u1", "6", true)),
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    assert_eq!(
        writer.fence(&web(), mk_learned()).await,
        Outcome::Retry(Learned::new())
    );
    assert_eq!(writer.metrics.learned_hosts.get(), 1);
}

#[tokio::test]
async fn a_fence_that_cannot_be_read_keeps_learning_with_its_last_readable_spec() {
    let (writer, asked) = mk_writer(|method, last, _| {
        let mut fence = mk_fence("u1", "6", true);
        fence["spec"]["host"] =
            json!({ "a.b": { "deadline": { "expire": { "seconds": "soon" } } } });
        match (method, last) {
            ("POST", _) => (201, mk_sidecar(json!({ "app": "web" }))),
            _ => (200, fence),
        }
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    assert_eq!(writer.fence(&web(), mk_learned()).await, Outcome::Done);
    let (_, _, sidecar) = asked.lock().remove(1);
    let hosts = sidecar["spec"]["egress"][0]["hosts"].to_string();
    assert!(hosts.contains("*/x.b"), "{hosts}");
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_keeps_disappearing_is_corrected_less_and_less_often() {
    let (writer, asked) = mk_writer(|method, _, body| match method {
        "POST" => (201, mk_sidecar(json!({ "app": "web" }))),
        _ => {
            let mut fence = mk_fence("u1", "6", true);
            fence["status"] = body["status"].clone();
            (200, fence)
        }
    });
    add::<ServiceFence>(&writer, mk_fence("u1", "5", true));
    for _ in 0..50 {
        writer.fence(&web(), Learned::new()).await;
        writer.index.write(|world, _| world.forget_sidecar(&web()));
    }
    let outcome = writer.fence(&web(), Learned::new()).await;
    assert!(matches!(outcome, Outcome::Later(_)), "{outcome:?}");
    let writes = methods(&asked);
    assert_eq!(writes.iter().filter(|m| *m == "POST sidecars").count(), 4);
    assert_eq!(writer.metrics.damped_corrections("sidecar").get(), 1);

    writer.fence(&web(), mk_learned()).await;
    assert_eq!(
        methods(&asked)[writes.len()..][..2],
        ["PATCH status", "POST sidecars"],
        "learning does not wait"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_panics_is_repeated_with_its_hosts() {
    let queue = Queue::default();
    queue.learn(web(), "x.b", Instant::now()).unwrap();
    let job = queue.next().await;
    let run = Run {
        queue: queue.clone(),
        job: Some(job),
    };
    let panicking = tokio::spawn(async move {
        let _run = run;
        panic!("a slip");
    });
    assert!(panicking.await.is_err());
    assert!(queue.next().now_or_never().is_none());
    assert!(queue.next().await.learned.contains_key("x.b"));
}

mod ahead;
mod auto_fence;
mod follower;
mod forgetting;
mod gone;
mod kept;
mod replay;
mod replicas;
mod unkept;
