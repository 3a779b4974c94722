use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Service};
use lazyload_protocol::v1::{Verdict, Workload};
use serde_json::json;

use super::*;
use crate::{
    api::{EnvoyFilter, ServiceEntry},
    fence::{MAX_LEARNED_HOSTS, metric_key},
    index::Indexed,
    receive::{Identity, IdentityError, Sender, check_sender},
    replay::REPLAY_NAME,
};

const DETAILS: &str = "details.default.svc.cluster.local";

fn mk_rules() -> Rules {
    Rules {
        cluster_domain: "cluster.local".to_owned(),
        require_identity: true,
        trust_domain: "cluster.local".to_owned(),
        first_request: Mode::Hold,
        replay: Arc::new(Replay {
            namespaces: ["istio-system".to_owned()].into(),
            root_namespace: "istio-system".to_owned(),
            ..Replay::default()
        }),
    }
}

fn add<K: Indexed>(world: &mut World, object: serde_json::Value) {
    serde_json::from_value::<K>(object)
        .unwrap()
        .upsert(world, &mut Vec::new());
}

fn mk_meta(namespace: &str, name: &str) -> serde_json::Value {
    json!({ "namespace": namespace, "name": name, "uid": format!("{namespace}-{name}") })
}

fn add_fence(world: &mut World, name: &str, spec: serde_json::Value, status: serde_json::Value) {
    let kind = json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": mk_meta("default", name), "spec": spec, "status": status,
    });
    add::<ServiceFence>(world, kind);
}

/// Namespaces default and other, Services details and other/api, two ServiceEntries, and no fence.
fn mk_unfenced_world() -> World {
    let mut world = World::new(Arc::default());
    for namespace in ["default", "other"] {
        add::<Namespace>(&mut world, json!({ "metadata": { "name": namespace } }));
    }
    for (namespace, name) in [("default", "details"), ("other", "api")] {
        add::<Service>(
            &mut world,
            json!({ "metadata": mk_meta(namespace, name), "spec": {} }),
        );
    }
    add_replay(&mut world, "istio-system", Some("lazyload"));
    for (name, host) in [("exact", "pay.example.com"), ("wild", "*.cdn.example.com")] {
        add_entry(&mut world, mk_meta("other", name), host);
    }
    world
}

/// A replay EnvoyFilter that says who made it.
fn add_replay(world: &mut World, namespace: &str, managed_by: Option<&str>) {
    let mut metadata = mk_meta(namespace, REPLAY_NAME);
    let labels = managed_by.map(|name| ("app.kubernetes.io/managed-by".to_owned(), name.into()));
    metadata["labels"] = labels.into_iter().collect::<serde_json::Map<_, _>>().into();
    let filter = json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": metadata, "spec": {},
    });
    add::<EnvoyFilter>(world, filter);
}

fn add_entry(world: &mut World, metadata: serde_json::Value, host: &str) {
    let entry = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": metadata, "spec": { "hosts": [host] },
    });
    add::<ServiceEntry>(world, entry);
}

fn mk_world() -> World {
    let mut world = mk_unfenced_world();
    add_fence(
        &mut world,
        "productpage",
        json!({ "enable": true }),
        json!(null),
    );
    world
}

fn mk_request(authorities: &[&str]) -> ReportRequest {
    ReportRequest {
        workload: Some(Workload {
            namespace: "default".to_owned(),
            name: "productpage-1".to_owned(),
            labels: BTreeMap::from([("app".to_owned(), "productpage".to_owned())]),
            service_account: "bookinfo".to_owned(),
            node_id: String::new(),
        }),
        misses: authorities
            .iter()
            .map(|authority| Miss {
                authority: (*authority).to_owned(),
                ..Miss::default()
            })
            .collect(),
    }
}

/// The sender that the mesh proved to be the workload of [`mk_request`].
fn mk_sender() -> Sender {
    Sender {
        identity: Ok(Some(Identity {
            trust_domain: "cluster.local".to_owned(),
            namespace: "default".to_owned(),
            service_account: "bookinfo".to_owned(),
        })),
        is_own_sidecar: true,
    }
}

/// As the service does it where pods are not looked up.
fn judge_as(
    sender: &Sender,
    world: &World,
    request: &ReportRequest,
    rules: &Rules,
) -> Vec<Judgement> {
    let workload = request.workload.clone().unwrap_or_default();
    let labels = check_sender(world, &workload, sender, rules).map(|()| workload.labels);
    judge(world, request, &labels, rules, 100).misses
}

fn judge_in(world: &World, request: &ReportRequest) -> Vec<Judgement> {
    judge_as(&mk_sender(), world, request, &mk_rules())
}

fn host_in(world: &World, authority: &str) -> (Verdict, String) {
    let judgement = judge_in(world, &mk_request(&[authority])).remove(0);
    (judgement.reason.verdict(), judgement.host)
}

fn labels(judgements: &[Judgement]) -> Vec<&'static str> {
    judgements
        .iter()
        .map(|judgement| judgement.reason.metric_label())
        .collect()
}

#[test]
fn every_fence_that_selects_the_workload_learns() {
    let mut world = mk_world();
    add_fence(
        &mut world,
        "second",
        json!({ "enable": true, "workloadSelector": { "labels": { "app": "productpage" } } }),
        json!(null),
    );
    add_fence(
        &mut world,
        "stranger",
        json!({ "enable": true }),
        json!(null),
    );
    let judgement = judge_in(&world, &mk_request(&["details"])).remove(0);
    assert_eq!(
        judgement.learners,
        [
            ObjectRef::new("default", "productpage"),
            ObjectRef::new("default", "second")
        ]
    );
}

#[test]
fn a_fence_that_knows_the_host_has_nothing_to_learn() {
    for (spec, status) in [
        (
            json!({ "enable": true, "host": { DETAILS: {} } }),
            json!(null),
        ),
        (
            json!({ "enable": true }),
            json!({ "metricStatus": { format!("{{request_host=\"{DETAILS}\"}}"): "4" } }),
        ),
    ] {
        let mut world = mk_unfenced_world();
        add_fence(&mut world, "productpage", spec, status);
        let judgement = judge_in(&world, &mk_request(&["details"])).remove(0);
        assert_eq!(
            (judgement.host.as_str(), judgement.learners.len()),
            (DETAILS, 0)
        );
    }
}

#[test]
fn disabled_and_absent_and_dying_fences_do_not_learn() {
    let mut disabled = mk_unfenced_world();
    add_fence(
        &mut disabled,
        "productpage",
        json!({ "enable": false }),
        json!(null),
    );
    let mut dying = mk_unfenced_world();
    let mut metadata = mk_meta("default", "productpage");
    metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let fence = json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": metadata, "spec": { "enable": true },
    });
    add::<ServiceFence>(&mut dying, fence);
    for world in [mk_unfenced_world(), disabled, dying] {
        assert_eq!(host_in(&world, "details").0, Verdict::NoFence);
    }
}

#[test]
fn a_host_past_its_deadline_is_refused_because_it_will_not_become_visible() {
    let mut world = mk_unfenced_world();
    let host = json!({ DETAILS: { "deadline": { "expire": { "seconds": 99 } } } });
    add_fence(
        &mut world,
        "productpage",
        json!({ "enable": true, "host": host }),
        json!(null),
    );
    assert_eq!(
        labels(&judge_in(&world, &mk_request(&["details"]))),
        ["expired"]
    );
}

#[test]
fn a_full_fence_learns_nothing_and_says_so_and_the_others_learn() {
    let mut world = mk_world();
    let full: BTreeMap<String, &str> = (0..MAX_LEARNED_HOSTS)
        .map(|number| (metric_key(&format!("h{number}.b")), "1"))
        .chain([(metric_key("pay.example.com"), "1")])
        .collect();
    let status = json!({ "metricStatus": full });
    let selector = json!({ "labels": { "app": "productpage" } });
    add_fence(
        &mut world,
        "full",
        json!({ "enable": true, "workloadSelector": selector }),
        status,
    );
    let judgements = judge_in(&world, &mk_request(&["details", "pay.example.com"]));
    assert_eq!(labels(&judgements), ["fence_full", "known"]);
    assert!(judgements[0].reason.to_string().contains("default/full"));
    assert_eq!(
        judgements[0].learners,
        [ObjectRef::new("default", "productpage")]
    );
}

mod first_request;
mod hosts;
mod pods;
mod refusals;

#[test]
fn a_host_that_was_dropped_is_learned_back_even_by_a_full_fence() {
    let mut world = mk_unfenced_world();
    let mut learned: BTreeMap<String, &str> = (1..MAX_LEARNED_HOSTS)
        .map(|number| (metric_key(&format!("h{number}.b")), "1"))
        .collect();
    learned.insert(metric_key(DETAILS), "1");
    let domains =
        json!({ DETAILS: { "hosts": [DETAILS], "status": 1, "RecentlyCalled": { "seconds": 5 } } });
    let spec =
        json!({ "enable": true, "workloadSelector": { "labels": { "app": "productpage" } } });
    let status = json!({ "metricStatus": learned, "domains": domains });
    add_fence(&mut world, "full", spec, status);
    let judgements = judge_in(&world, &mk_request(&["details", "api.other"]));
    assert_eq!(labels(&judgements), ["known", "fence_full"]);
    assert_eq!(judgements[0].learners.len(), 1);
}
