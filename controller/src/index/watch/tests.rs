use super::*;
use crate::{
    api::{EnvoyFilter, ServiceFence, Sidecar, VirtualService},
    queue::Queue,
    readiness::Readiness,
};
use axum::{Json, Router, extract::Query, http::StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

fn mk_fence(uid: &str, deadline: serde_json::Value) -> DeserializeGuard<ServiceFence> {
    let host = json!({ "a.b": { "deadline": { "expire": { "seconds": deadline } } } });
    serde_json::from_value(json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "default", "name": "foo", "uid": uid },
        "spec": { "enable": true, "host": host },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_kind_that_is_not_served_holds_nobody_up_if_the_controller_can_do_without_it() {
    let answer = async || {
        let status = json!({ "kind": "Status", "status": "Failure", "code": 404 });
        (StatusCode::NOT_FOUND, Json(status))
    };
    let client = Client::new(Router::new().fallback(answer), "default");
    let index = Arc::new(Index::new(World::default(), Queue::default()));
    let readiness = Readiness::default();
    let metrics = Arc::new(Metrics::default());
    let (rules, sidecars) = (readiness.part("rules"), readiness.part("sidecars"));
    tokio::spawn(watch::<VirtualService>(
        client.clone(),
        index.clone(),
        metrics.clone(),
        rules,
    ));
    tokio::spawn(watch::<Sidecar>(client, index, metrics.clone(), sidecars));
    let errors = |kind| metrics.watch_errors(kind).get();
    while errors("virtualservices") == 0 || errors("sidecars") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(readiness.missing(), ["sidecars"]);
}

#[tokio::test]
async fn a_kind_that_may_not_be_seen_holds_nobody_up_and_leaves_its_rules_in_doubt_until_it_may() {
    let is_allowed = Arc::new(AtomicBool::new(false));
    let asked = is_allowed.clone();
    let answer = move || {
        let is_allowed = asked.load(Ordering::Relaxed);
        async move {
            if is_allowed {
                let list = json!({ "metadata": { "resourceVersion": "1" }, "items": [] });
                return (StatusCode::OK, Json(list));
            }
            let status = json!({ "kind": "Status", "status": "Failure", "code": 403 });
            (StatusCode::FORBIDDEN, Json(status))
        }
    };
    let client = Client::new(Router::new().fallback(answer), "default");
    let index = Arc::new(Index::new(World::default(), Queue::default()));
    // Written by the controller itself, which is all that it can know then.
    let written = json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "spec": {},
        "metadata": { "namespace": "istio-system", "name": crate::replay::REPLAY_NAME },
    });
    let written = serde_json::from_value(written).unwrap();
    index.write(|world, _| world.observe_replay(written));
    let (readiness, metrics) = (Readiness::default(), Arc::new(Metrics::default()));
    let parts = ["rules", "replay", "sidecars"].map(|name| readiness.part(name));
    let [rules, replay, sidecars] = parts;
    let parts = || (client.clone(), index.clone(), metrics.clone());
    let (client_, index_, metrics_) = parts();
    tokio::spawn(watch::<VirtualService>(client_, index_, metrics_, rules));
    let (client_, index_, metrics_) = parts();
    tokio::spawn(watch::<EnvoyFilter>(client_, index_, metrics_, replay));
    let (client_, index_, metrics_) = parts();
    tokio::spawn(watch::<Sidecar>(client_, index_, metrics_, sidecars));
    let kinds = ["virtualservices", "envoyfilters", "sidecars"];
    while kinds
        .iter()
        .any(|kind| metrics.watch_errors(kind).get() == 0)
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(readiness.missing(), ["sidecars"]);
    let unreadable = || index.read(|world| world.mesh().unreadable.clone());
    assert_eq!(unreadable(), BTreeSet::from(["virtualservices"]));
    assert!(index.read(|world| world.replay("istio-system")).is_some());

    is_allowed.store(true, Ordering::Relaxed);
    let clear = async {
        while !unreadable().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let cleared = tokio::time::timeout(Duration::from_secs(10), clear).await;
    cleared.unwrap();
}

#[test]
fn a_fence_that_becomes_unreadable_stays_as_it_last_was_and_its_successor_does_not() {
    let world = World::new(Arc::default());
    let (index, metrics) = (Index::new(world, Queue::default()), Metrics::default());
    let foo = ObjectRef::new("default", "foo");
    take(mk_fence("u1", json!(null)), &index, &metrics);
    take(mk_fence("u1", json!("soon")), &index, &metrics);
    assert!(index.read(|world| world.fence(&foo)).is_some());
    assert_eq!(metrics.unreadable_objects("servicefences").get(), 1);
    take(mk_fence("u2", json!("soon")), &index, &metrics);
    assert!(index.read(|world| world.fence(&foo)).is_none());
}

/// An API server with the mesh configurations of all revisions but `hidden`, which may not be seen.
fn mk_client() -> Client {
    let answer = async |Query(query): Query<Vec<(String, String)>>| {
        let get = |key: &str| query.iter().find(|(name, _)| name == key);
        if get("watch").is_some() {
            std::future::pending::<()>().await;
        }
        let (_, selector) = get("fieldSelector").unwrap();
        let name = selector.trim_start_matches("metadata.name=");
        let host = match name {
            "istio-hidden" => {
                let status = json!({ "kind": "Status", "status": "Failure", "code": 403 });
                return (StatusCode::FORBIDDEN, Json(status));
            }
            "istio-canary" => "b.b",
            _ => "a.b",
        };
        let data = json!({ "mesh": format!("defaultConfig: {{ zipkinAddress: '{host}:1' }}") });
        let metadata = json!({ "namespace": "istio-system", "name": name });
        let items = json!([{ "metadata": metadata, "data": data }]);
        let list = json!({ "metadata": { "resourceVersion": "1" }, "items": items });
        (StatusCode::OK, Json(list))
    };
    Client::new(Router::new().fallback(answer), "default")
}

#[tokio::test]
async fn another_revision_of_ones_own_has_another_configuration_from_then_on() {
    let index = Arc::new(Index::new(World::new(Arc::default()), Queue::default()));
    let readiness = Readiness::default();
    let synced = readiness.part("configmaps");
    let watch = watch::<ConfigMap>(mk_client(), index.clone(), Arc::default(), synced);
    tokio::spawn(watch);
    for (revision, host) in [
        ("", Some("a.b")),
        ("canary", Some("b.b")),
        ("stable", Some("a.b")),
        ("like-stable", Some("a.b")),
        ("hidden", None),
    ] {
        let mut settings = Settings::default();
        settings.revisions.own = Some(revision.to_owned());
        let name = format!("istio-{revision}");
        let name = name.trim_end_matches('-').to_owned();
        index.write(|world, concerned| world.configure(Arc::new(settings), concerned));
        let is_followed = |world: &World| {
            let hosts = world.mesh_hosts.iter().flatten();
            let hosts: Vec<_> = hosts.map(|needed| needed.host.as_str()).collect();
            let config = world.mesh_config.as_ref().map(|config| &config.name);
            hosts == Vec::from_iter(host) && config == host.map(|_| &name)
        };
        let following = async {
            while !index.read(is_followed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let followed = tokio::time::timeout(Duration::from_secs(10), following).await;
        followed.unwrap_or_else(|_| panic!("{revision:?} is not followed"));
    }
}
