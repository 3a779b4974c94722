use serde_json::json;

use super::*;
use crate::fence::closure;

fn mk_common() -> Sidecars {
    Sidecars {
        istio_namespace: "istio-system".to_owned(),
        slime_namespace: "mesh-operator".to_owned(),
        stable_hosts: Vec::new(),
        workload_label: "app".to_owned(),
    }
}

fn mk_fence(spec: serde_json::Value) -> ServiceFence {
    serde_json::from_value(json!({
        "apiVersion": FENCE_API_VERSION,
        "kind": FENCE_KIND,
        "metadata": { "name": "foo", "namespace": "lazyload", "uid": "u1" },
        "spec": spec,
    }))
    .unwrap()
}

fn hosts(fence: &ServiceFence, learned: &[&str], common: &Sidecars) -> Vec<String> {
    let domains = closure(&fence.spec, learned.iter().copied(), 0);
    render(fence, Labels::new(), &domains, common)
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
    let sidecar = render(&fence, selector, &BTreeMap::new(), &mk_common()).unwrap();
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
            &mk_common()
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
    let common = Sidecars {
        slime_namespace: "istio-system".to_owned(),
        ..mk_common()
    };
    assert_eq!(
        hosts(&mk_fence(json!({})), &[], &common),
        ["istio-system/*"]
    );
}

#[test]
fn stable_hosts_are_in_every_sidecar() {
    let common = Sidecars {
        stable_hosts: vec!["shared/*".to_owned(), "api.example.com".to_owned()],
        ..mk_common()
    };
    assert_eq!(
        hosts(&mk_fence(json!({})), &[], &common),
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
        hosts(&fence, &[], &mk_common()),
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
    let sidecar = render(&fence, Labels::new(), &BTreeMap::new(), &mk_common()).unwrap();
    assert_eq!(
        sidecar.metadata.labels,
        Some(Labels::from([(
            REVISION_LABEL.to_owned(),
            "canary".to_owned()
        )]))
    );
}
