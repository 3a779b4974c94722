use super::*;
use crate::fence::MAX_LEARNED_HOSTS;

const HOST: &str = "details.default.svc.cluster.local";

fn mk_fence(spec: Value, status: Value) -> ServiceFence {
    serde_json::from_value(json!({
        "apiVersion": crate::api::FENCE_API_VERSION,
        "kind": crate::api::FENCE_KIND,
        "metadata": { "name": "foo", "namespace": "default", "uid": "u1", "resourceVersion": "7", "generation": 2 },
        "spec": spec,
        "status": status,
    }))
    .unwrap()
}

fn mk_now(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

/// The status part of the patch.
fn learn(fence: &ServiceFence, hosts: &[&str]) -> Option<Value> {
    let patch = patch(
        fence,
        &planned(fence, hosts, &World::default(), mk_now(100)).0,
    )
    .unwrap()?;
    assert_eq!(
        patch["metadata"],
        json!({ "uid": "u1", "resourceVersion": "7" }),
        "a patch is for one object in one version"
    );
    Some(json!({ "status": patch["status"] }))
}

#[test]
fn a_learned_host_is_written_the_way_slime_writes_it() {
    let fence = mk_fence(json!({ "enable": true }), json!(null));
    assert_eq!(
        learn(&fence, &[HOST]),
        Some(json!({ "status": {
            "metricStatus": { format!("{{destination_service=\"{HOST}\"}}"): "1" },
            "domains": { HOST: { "hosts": [HOST] } },
        } }))
    );
}

#[test]
fn what_was_learned_before_is_not_in_the_patch() {
    let old = "a.default.svc.cluster.local";
    let fence = mk_fence(
        json!({}),
        json!({
            "metricStatus": { metric_key(old): "17", "{request_host=\"b.com\"}": "3" },
            "domains": {
                old: { "hosts": [old], "RecentlyCalled": { "seconds": "5" } },
                "b.com": { "hosts": ["b.com"], "status": "ACTIVE" },
            },
        }),
    );
    let new = new_hosts(&fence, [old, "b.com", HOST].into_iter());
    assert_eq!(new, (vec![HOST], 0));
    assert_eq!(
        learn(&fence, &[HOST]),
        Some(json!({ "status": {
            "metricStatus": { metric_key(HOST): "1" },
            "domains": { HOST: { "hosts": [HOST] } },
        } }))
    );
    assert_eq!(learn(&fence, &[]), None);
}

#[test]
fn a_fence_learns_a_bounded_number_of_hosts() {
    let full: Vec<String> = (1..MAX_LEARNED_HOSTS)
        .map(|number| format!("h{number}.b"))
        .collect();
    let keys: serde_json::Map<_, _> = full
        .iter()
        .map(|host| (metric_key(host), json!("1")))
        .collect();
    let fence = mk_fence(json!({}), json!({ "metricStatus": keys }));
    let learned = full.iter().map(String::as_str).chain(["x.b", "y.b", "z.b"]);
    assert_eq!(new_hosts(&fence, learned), (vec!["x.b"], 2));
}

#[test]
fn a_static_host_that_is_taken_out_leaves_the_domains() {
    let fence = mk_fence(
        json!({}),
        json!({ "domains": { "ns/*": { "hosts": ["ns/*"] } } }),
    );
    assert_eq!(
        learn(&fence, &[]),
        Some(json!({ "status": { "domains": null } }))
    );
}

#[test]
fn an_expired_host_is_shown_as_such() {
    let spec = json!({ "host": { "a.b": { "deadline": { "expire": { "seconds": 99 } } } } });
    let fence = mk_fence(spec, json!(null));
    assert_eq!(
        learn(&fence, &[]),
        Some(json!({ "status": { "domains": { "a.b": { "hosts": ["a.b"], "status": 1 } } } }))
    );
}

#[test]
fn a_settled_fence_is_not_written_again() {
    let fence = mk_fence(json!({ "enable": true }), json!(null));
    let (status, _) = settled(
        &fence,
        &[],
        Some(&Readiness::Applied),
        &World::default(),
        mk_now(100),
    );
    assert!(patch(&fence, &status).unwrap().is_some());
    assert_eq!(status.observed_generation, Some(2));

    // Back through JSON, as the watch delivers it.
    let written = mk_fence(
        json!({ "enable": true }),
        serde_json::to_value(&status).unwrap(),
    );
    let (later, _) = settled(
        &written,
        &[],
        Some(&Readiness::Applied),
        &World::default(),
        mk_now(200),
    );
    assert_eq!(patch(&written, &later).unwrap(), None);
}

#[test]
fn an_unknown_outcome_leaves_the_conditions_alone() {
    let fence = mk_fence(json!({ "enable": true }), json!(null));
    let (status, _) = settled(
        &fence,
        &[],
        Some(&Readiness::Disabled),
        &World::default(),
        mk_now(100),
    );
    let written = mk_fence(
        json!({ "enable": true }),
        serde_json::to_value(&status).unwrap(),
    );
    assert_eq!(
        patch(
            &written,
            &settled(&written, &[], None, &World::default(), mk_now(200)).0
        )
        .unwrap(),
        None
    );
}

mod forgetting;
