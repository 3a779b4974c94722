use serde_json::json;

use super::*;

fn mk_fence(spec: serde_json::Value) -> ServiceFence {
    serde_json::from_value(json!({
        "apiVersion": FENCE_API_VERSION,
        "kind": FENCE_KIND,
        "metadata": { "name": "foo", "namespace": "lazyload", "uid": "u1" },
        "spec": spec,
    }))
    .unwrap()
}

#[test]
fn an_empty_fence_renders_the_sidecar_that_slime_renders() {
    let fence = mk_fence(json!({ "enable": true }));
    let selector = Labels::from([("app".to_owned(), "foo".to_owned())]);
    let hosts = ["istio-system/*", "mesh-operator/*"].map(str::to_owned);
    let sidecar = render(&fence, selector, hosts.into()).unwrap();
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
fn the_revision_is_the_only_label_taken_over() {
    let mut fence = mk_fence(json!({}));
    fence.metadata.labels = Some(Labels::from([
        (REVISION_LABEL.to_owned(), "canary".to_owned()),
        ("team".to_owned(), "web".to_owned()),
    ]));
    let sidecar = render(&fence, Labels::new(), BTreeSet::new()).unwrap();
    assert_eq!(
        sidecar.metadata.labels,
        Some(Labels::from([(
            REVISION_LABEL.to_owned(),
            "canary".to_owned()
        )]))
    );
}
