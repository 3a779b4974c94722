use serde_json::json;

use super::*;
use crate::fence::{aging, closure, metric_key};

fn mk_fence(spec: serde_json::Value) -> ServiceFence {
    serde_json::from_value(json!({
        "apiVersion": FENCE_API_VERSION,
        "kind": FENCE_KIND,
        "metadata": { "name": "foo", "namespace": "lazyload", "uid": "u1" },
        "spec": spec,
    }))
    .unwrap()
}

fn hosts(fence: &ServiceFence, learned: &[&str], settings: &Settings) -> Vec<String> {
    let mut fence = fence.clone();
    let keys = learned
        .iter()
        .map(|host| (metric_key(host), "1".to_owned()));
    fence.status.get_or_insert_default().metric_status = keys.collect();
    let domains = closure(&fence, &aging(&fence, &settings.forgetting, 0, true));
    render(&fence, Labels::new(), &domains, settings)
        .unwrap()
        .spec
        .egress[0]
        .hosts
        .clone()
}

#[test]
fn an_empty_fence_renders_the_sidecar_that_slime_renders() {
    let fence = mk_fence(json!({ "enable": true }));
    let selector = Labels::from([("app".to_owned(), "foo".to_owned())]);
    let sidecar = render(&fence, selector, &BTreeMap::new(), &Settings::default()).unwrap();
    assert_eq!(
        serde_json::to_value(sidecar).unwrap(),
        json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "Sidecar",
            "metadata": {
                "name": "foo",
                "namespace": "lazyload",
                "ownerReferences": [{
                    "apiVersion": "microservice.slime.io/v1alpha1",
                    "kind": "ServiceFence",
                    "name": "foo",
                    "uid": "u1",
                    "controller": true,
                    "blockOwnerDeletion": true
                }]
            },
            "spec": {
                "workloadSelector": { "labels": { "app": "foo" } },
                "egress": [{ "hosts": ["istio-system/*", "mesh-operator/*"] }]
            }
        })
    );
}

#[test]
fn hosts_are_unique_and_sorted_by_bytes() {
    let fence =
        mk_fence(json!({ "host": { "test/*": {}, "details.default.svc.cluster.local": {} } }));
    assert_eq!(
        hosts(
            &fence,
            &["details.default.svc.cluster.local", "Z.example.com"],
            &Settings::default()
        ),
        [
            "*/Z.example.com",
            "*/details.default.svc.cluster.local",
            "istio-system/*",
            "mesh-operator/*",
            "test/*"
        ]
    );
}

#[test]
fn one_namespace_for_both_roles_is_named_once() {
    let settings = Settings {
        slime_namespace: "istio-system".to_owned(),
        ..Settings::default()
    };
    assert_eq!(
        hosts(&mk_fence(json!({})), &[], &settings),
        ["istio-system/*"]
    );
}

#[test]
fn stable_hosts_are_in_every_sidecar() {
    let settings = Settings {
        stable_hosts: vec!["shared/*".to_owned(), "api.example.com".to_owned()],
        ..Settings::default()
    };
    assert_eq!(
        hosts(&mk_fence(json!({})), &[], &settings),
        [
            "*/api.example.com",
            "istio-system/*",
            "mesh-operator/*",
            "shared/*"
        ]
    );
}

#[test]
fn an_expired_host_is_not_in_the_sidecar() {
    let fence =
        mk_fence(json!({ "host": { "a.b": { "deadline": { "expire": { "seconds": -1 } } } } }));
    assert_eq!(
        hosts(&fence, &[], &Settings::default()),
        ["istio-system/*", "mesh-operator/*"]
    );
}

#[test]
fn the_revision_is_the_only_label_taken_over() {
    let mut fence = mk_fence(json!({}));
    fence.metadata.labels = Some(Labels::from([
        (REVISION_LABEL.to_owned(), "canary".to_owned()),
        ("team".to_owned(), "web".to_owned()),
    ]));
    let sidecar = render(
        &fence,
        Labels::new(),
        &BTreeMap::new(),
        &Settings::default(),
    )
    .unwrap();
    assert_eq!(
        sidecar.metadata.labels,
        Some(Labels::from([(
            REVISION_LABEL.to_owned(),
            "canary".to_owned()
        )]))
    );
}
