use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Service};
use lazyload_protocol::v1::Verdict;
use serde_json::json;

use super::*;
use crate::{api::ServiceEntry, index::Indexed};

const DETAILS: &str = "details.default.svc.cluster.local";

fn mk_rules() -> Rules {
    Rules {
        cluster_domain: "cluster.local".to_owned(),
        workload_label: "app".to_owned(),
        require_identity: true,
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
    let mut world = World::new(
        "cluster.local",
        ObjectRef::new("mesh-operator", "lazyload-placeholder"),
    );
    for namespace in ["default", "other"] {
        add::<Namespace>(&mut world, json!({ "metadata": { "name": namespace } }));
    }
    for (namespace, name) in [("default", "details"), ("other", "api")] {
        add::<Service>(
            &mut world,
            json!({ "metadata": mk_meta(namespace, name), "spec": {} }),
        );
    }
    for (name, host) in [("exact", "pay.example.com"), ("wild", "*.cdn.example.com")] {
        add_entry(&mut world, mk_meta("other", name), host);
    }
    world
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

fn mk_identity(namespace: &str, service_account: &str) -> Identity {
    Identity {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
    }
}

fn judge_in(world: &World, request: &ReportRequest) -> Vec<Judgement> {
    judge(
        world,
        request,
        &Ok(Some(mk_identity("default", "bookinfo"))),
        &mk_rules(),
        100,
    )
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
fn every_spelling_of_a_service_is_its_full_name() {
    let world = mk_world();
    for spelling in [
        "details",
        "details:9080",
        "DETAILS.default",
        "details.default.svc",
        "details.default.svc.cluster.local:9080",
        "details.default.svc.cluster.local.",
    ] {
        assert_eq!(
            host_in(&world, spelling),
            (Verdict::InMesh, DETAILS.to_owned()),
            "{spelling}"
        );
    }
    let api = "api.other.svc.cluster.local".to_owned();
    assert_eq!(host_in(&world, "api.other"), (Verdict::InMesh, api));
}

#[test]
fn hosts_of_service_entries_are_in_the_mesh_exactly_and_by_wildcard() {
    let world = mk_world();
    for host in [
        "pay.example.com",
        "a.cdn.example.com",
        "b.a.cdn.example.com",
    ] {
        assert_eq!(host_in(&world, host), (Verdict::InMesh, host.to_owned()));
    }
    for host in ["cdn.example.com", "example.com", "x.pay.example.com"] {
        assert_eq!(host_in(&world, host).0, Verdict::External, "{host}");
    }
}

#[test]
fn unknown_names_and_addresses_are_external() {
    let world = mk_world();
    for host in [
        "api",
        "nothing.default",
        "1.2.3.4:80",
        "[::1]:80",
        "global-sidecar.default",
    ] {
        assert_eq!(
            host_in(&world, host),
            (Verdict::External, String::new()),
            "{host}"
        );
    }
}

#[test]
fn the_placeholder_is_no_host() {
    let mut world = mk_world();
    let metadata = mk_meta("mesh-operator", "lazyload-placeholder");
    add_entry(&mut world, metadata, crate::placeholder::PLACEHOLDER_HOST);
    assert_eq!(
        host_in(&world, crate::placeholder::PLACEHOLDER_HOST).0,
        Verdict::External
    );
}

#[test]
fn a_host_is_known_until_the_last_service_entry_that_has_it_is_gone() {
    let mut world = mk_world();
    add_entry(&mut world, mk_meta("default", "again"), "pay.example.com");
    for (entry, verdict) in [("again", Verdict::InMesh), ("exact", Verdict::External)] {
        let namespace = if entry == "again" { "default" } else { "other" };
        ServiceEntry::remove(
            &ObjectRef::new(namespace, entry),
            None,
            &mut world,
            &mut Vec::new(),
        );
        assert_eq!(host_in(&world, "pay.example.com").0, verdict);
    }
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

mod refusals;
