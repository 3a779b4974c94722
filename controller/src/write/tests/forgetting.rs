use super::*;
use crate::{
    api::{DomainStatus, Sidecar},
    settings::Forgetting,
};
use k8s_openapi::{
    api::{core::v1::ObjectReference, discovery::v1::EndpointSlice},
    jiff,
};
use kube::runtime::events::EventType;

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A fence that has learned `x.b`, in this state since so many seconds ago.
fn mk_aged_fence(status: i32, ago: i64) -> Value {
    let mut fence = mk_fence("u1", "5", true);
    fence["status"] = json!({
        "metricStatus": { metric_key("x.b"): "1" },
        "domains": { "x.b": { "hosts": ["x.b"], "status": status, "RecentlyCalled": { "seconds": now() - ago } } },
    });
    fence
}

fn mk_own_sidecar() -> Value {
    let mut sidecar = mk_sidecar(json!({ "app": "web" }));
    sidecar["metadata"]["ownerReferences"] = json!([{
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "name": "web", "uid": "u1", "controller": true, "blockOwnerDeletion": true,
    }]);
    sidecar["spec"]["egress"] =
        json!([{ "hosts": ["*/x.b", "istio-system/*", "mesh-operator/*"] }]);
    sidecar
}

/// A writer whose API server keeps what it is given, but for these fields of a status, and refuses patches of old versions.
fn mk_keeper(fence: Value, pruned: &'static [&'static str]) -> (Writer, Asked) {
    let settings = Arc::new(Settings {
        forgetting: Forgetting {
            is_on: true,
            time_to_live: Duration::from_secs(1_000),
            grace: Duration::from_secs(100),
            probation: Duration::from_secs(2_000),
            ..Forgetting::default()
        },
        ..Settings::default()
    });
    let held = Arc::new(Mutex::new(fence.clone()));
    let answer = move |method: &str, last: &str, body: &Value| {
        let mut held = held.lock();
        match (method, last) {
            ("PATCH", "status") => {
                let version = &body["metadata"]["resourceVersion"];
                if *version != held["metadata"]["resourceVersion"] {
                    return failure(409);
                }
                let next = version.as_str().unwrap().parse::<u32>().unwrap() + 1;
                merge(&mut held["status"], &body["status"]);
                for field in pruned {
                    held["status"].as_object_mut().unwrap().remove(*field);
                }
                held["metadata"]["resourceVersion"] = json!(next.to_string());
                (200, held.clone())
            }
            ("GET", "web") => (200, held.clone()),
            _ => {
                let mut sidecar = mk_own_sidecar();
                sidecar["spec"] = body["spec"].clone();
                (200, sidecar)
            }
        }
    };
    let (writer, asked) = mk_holding_writer(settings, answer, |_, _| true);
    add::<ServiceFence>(&writer, fence);
    add::<Sidecar>(&writer, mk_own_sidecar());
    // As if this replica had made it.
    writer.explained.explained(&web(), Some("9".to_owned()));
    let slice = json!({
        "metadata": { "namespace": "mesh-operator", "name": "lazyload-1" },
        "addressType": "IPv4", "endpoints": [{ "addresses": ["10.0.0.1"] }], "ports": [],
    });
    add::<EndpointSlice>(&writer, slice);
    (writer, asked)
}

fn domain(writer: &Writer) -> (DomainStatus, i64) {
    let fence = writer.index.read(|world| world.fence(&web())).unwrap();
    let found = &fence.status.as_ref().unwrap().domains["x.b"];
    (found.status, found.recently_called.unwrap().seconds.0)
}

#[tokio::test]
async fn a_host_that_is_due_is_unknown_before_it_is_out_of_sight_and_learned_back_for_twice_as_long()
 {
    let (writer, asked) = mk_keeper(mk_aged_fence(2, 1_001), &[]);
    let outcome = writer.fence(&web(), Learned::new()).await;
    let Outcome::Later(wait) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(wait <= Duration::from_secs(2_000) && wait > Duration::from_secs(1_900));
    assert_eq!(domain(&writer).0, DomainStatus::Expire);
    assert_eq!(
        methods(&asked),
        ["PATCH status", "PATCH web", "PATCH status"],
        "the last says for the first time that the fence is ready"
    );
    let hosts = asked.lock()[1].2["spec"]["egress"][0]["hosts"].to_string();
    assert!(!hosts.contains("x.b"), "{hosts}");
    assert_eq!(writer.metrics.forgotten_hosts("dropped").get(), 1);

    asked.lock().clear();
    let outcome = writer.fence(&web(), mk_learned()).await;
    assert!(matches!(outcome, Outcome::Later(wait) if wait <= Duration::from_secs(1_900)));
    let mut calls = methods(&asked);
    calls.sort();
    assert_eq!(calls, ["PATCH status", "PATCH web"], "once each");
    let status = asked
        .lock()
        .iter()
        .find(|(_, last, _)| last == "status")
        .unwrap()
        .2
        .clone();
    assert_eq!(
        status["status"]["metricStatus"],
        json!({ metric_key("x.b"): "2" })
    );
    let conditions = status["status"]["conditions"].to_string();
    assert!(conditions.contains("1 host: learned x.b"), "{conditions}");
    let (state, since) = domain(&writer);
    assert_eq!((state, now() - since < 60), (DomainStatus::Active, true));
    assert_eq!(writer.metrics.relearned_hosts.get(), 1);

    asked.lock().clear();
    writer.fence(&web(), mk_learned()).await;
    assert_eq!(methods(&asked), Vec::<String>::new(), "nothing has changed");
}

#[tokio::test]
async fn a_host_that_another_replica_has_learned_back_meanwhile_is_counted_once() {
    let (writer, asked) = mk_keeper(mk_aged_fence(1, 5), &[]);
    // This replica has not seen yet what the other has written.
    let body = json!({ "metadata": { "resourceVersion": "5" }, "status": {
        "metricStatus": { metric_key("x.b"): "2" },
        "domains": { "x.b": { "status": null, "RecentlyCalled": { "seconds": now() } } },
    } });
    let api: kube::Api<ServiceFence> = kube::Api::namespaced(writer.client.clone(), "default");
    let patch = kube::api::Patch::Merge(&body);
    api.patch_status("web", &Default::default(), &patch)
        .await
        .unwrap();
    asked.lock().clear();

    writer.fence(&web(), mk_learned()).await;
    let fence = writer.index.read(|world| world.fence(&web())).unwrap();
    let status = fence.status.as_ref().unwrap();
    assert_eq!(status.metric_status[&metric_key("x.b")], "2");
    assert!(
        methods(&asked).contains(&"GET web".to_owned()),
        "after a conflict"
    );
    assert_eq!(writer.metrics.relearned_hosts.get(), 0);
}

#[tokio::test]
async fn what_slimes_definition_prunes_is_not_written_for_ever() {
    let (writer, asked) = mk_keeper(mk_aged_fence(0, 5), &["conditions", "observedGeneration"]);
    for _ in 0..5 {
        writer.fence(&web(), Learned::new()).await;
    }
    assert_eq!(methods(&asked), ["PATCH status"]);
    let learned = Learned::from([("y.b".to_owned(), Instant::now())]);
    writer.fence(&web(), learned).await;
    let fence = writer.index.read(|world| world.fence(&web())).unwrap();
    assert_eq!(fence.status.as_ref().unwrap().metric_status.len(), 2);
    let count = methods(&asked).len();
    writer.fence(&web(), Learned::new()).await;
    assert_eq!(methods(&asked).len(), count);
}

#[tokio::test]
async fn a_reset_clears_what_was_learned_once_and_survives_a_failure() {
    let (writer, asked) = mk_writer(|method, _, _| match method {
        "PATCH" => failure(500),
        _ => (200, mk_fence("u1", "6", true)),
    });
    add::<ServiceFence>(&writer, mk_aged_fence(0, 5));
    writer.resets.wish(web());
    let outcome = writer.fence(&web(), Learned::new()).await;
    assert_eq!(outcome, Outcome::Retry(Learned::new()));
    assert!(writer.resets.open(&web()).is_some(), "{asked:?}");

    let (mut writer, asked) = {
        let resets = writer.resets.clone();
        let (mut writer, asked) = mk_keeper(mk_aged_fence(0, 5), &[]);
        writer.resets = resets;
        (writer, asked)
    };
    writer.fence(&web(), Learned::new()).await;
    assert_eq!(writer.resets.open(&web()), None);
    let patch = asked.lock()[0].2["status"].clone();
    assert_eq!(
        (&patch["metricStatus"], &patch["domains"]),
        (&json!(null), &json!(null))
    );
    let hosts = asked.lock()[1].2["spec"]["egress"][0]["hosts"].to_string();
    assert!(!hosts.contains("x.b"), "{hosts}");
    assert_eq!(writer.metrics.forgotten_hosts("reset").get(), 1);
    assert_eq!(writer.metrics.resets.get(), 1);

    // What is missed afterwards is learned as if for the first time.
    writer.fence(&web(), mk_learned()).await;
    writer.resets = Resets::default();
    let fence = writer.index.read(|world| world.fence(&web())).unwrap();
    let status = fence.status.as_ref().unwrap();
    assert_eq!(status.metric_status[&metric_key("x.b")], "1");
}

#[tokio::test]
async fn a_reset_of_a_fence_that_is_gone_is_over() {
    let (writer, _) = mk_writer(|_, _, _| failure(500));
    writer.resets.wish(web());
    assert_eq!(writer.fence(&web(), Learned::new()).await, Outcome::Done);
    assert_eq!(writer.resets.open(&web()), None);
}

/// How often the user is told something in three runs.
async fn told(writer: &mut Writer) -> usize {
    let told = Arc::new(Mutex::new(Vec::<String>::new()));
    let log = told.clone();
    let handler = move |Json(event): Json<Value>| async move {
        log.lock()
            .push(event["reason"].as_str().unwrap().to_owned());
        Json(event)
    };
    let client = Client::new(Router::new().fallback(handler), "default");
    let (events, writing) = Events::new(client, Arc::default());
    writer.events = events;
    let writing = tokio::spawn(writing);
    for _ in 0..3 {
        writer.fence(&web(), Learned::new()).await;
    }
    let (about, normal) = (ObjectReference::default(), EventType::Normal);
    writer.events.emit(about, normal, "Last", String::new());
    while told.lock().last().is_none_or(|reason| reason != "Last") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    writing.abort();
    let told = told.lock().len();
    told - 1
}

#[tokio::test]
async fn readiness_is_told_when_it_changes_and_neither_after_a_restart_nor_where_it_is_not_kept() {
    let (mut writer, _) = mk_keeper(mk_aged_fence(0, 5), &[]);
    assert_eq!(told(&mut writer).await, 1);
    writer.metrics = Arc::default();
    assert_eq!(told(&mut writer).await, 0, "another process");
    let (mut writer, _) = mk_keeper(mk_aged_fence(0, 5), &["conditions"]);
    assert_eq!(told(&mut writer).await, 1);
}

mod narrowed;
