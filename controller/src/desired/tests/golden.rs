//! What Slime's tutorials show, section by section. The line `*/global-sidecar.<namespace>.svc.cluster.local` of the older one is
//! not reproduced anywhere: there is no forwarder any more.

use super::*;
use crate::settings::Alias;

/// The bookinfo of the tutorials, twice.
fn mk_bookinfo() -> World {
    let mut world = mk_world();
    add_services(
        &mut world,
        &[
            "details.default",
            "ratings.default",
            "productpage.default",
            "details.test",
            "ratings.test",
        ],
    );
    for namespace in ["default", "test"] {
        let group = if namespace == "default" {
            "default"
        } else {
            "other"
        };
        let labels = json!({ "app": "reviews", "group": group });
        add::<Service>(&mut world, mk_service("reviews", namespace, labels));
    }
    world
}

fn status(desired: &Desired) -> Value {
    serde_json::to_value(&desired.domains).unwrap()
}

#[test]
fn tutorial_enabling_lazyload_an_empty_fence() {
    let fence = mk_fence("productpage", json!({}), &[]);
    let found = desired(&fence, &mk_bookinfo(), NOW);
    assert_eq!(rendered(&found), ["istio-system/*", "mesh-operator/*"]);
    assert_eq!(status(&found), json!({}));
    let sidecar = serde_json::to_value(found.sidecar.unwrap()).unwrap();
    assert_eq!(
        sidecar["spec"]["workloadSelector"],
        json!({ "labels": { "app": "productpage" } })
    );
    assert_eq!(
        sidecar["metadata"]["ownerReferences"],
        json!([{
            "apiVersion": "microservice.slime.io/v1alpha1", "blockOwnerDeletion": true, "controller": true,
            "kind": "ServiceFence", "name": "productpage", "uid": "u1",
        }])
    );
}

#[test]
fn tutorial_first_call_details_and_reviews_are_learned() {
    let learned = [
        "details.default.svc.cluster.local",
        "reviews.default.svc.cluster.local",
    ];
    let fence = mk_fence("productpage", json!({}), &learned);
    let found = desired(&fence, &mk_bookinfo(), NOW);
    assert_eq!(
        rendered(&found),
        [
            "*/details.default.svc.cluster.local",
            "*/reviews.default.svc.cluster.local",
            "istio-system/*",
            "mesh-operator/*"
        ]
    );
    assert_eq!(
        status(&found),
        json!({
            "details.default.svc.cluster.local": { "hosts": ["details.default.svc.cluster.local"] },
            "reviews.default.svc.cluster.local": { "hosts": ["reviews.default.svc.cluster.local"] },
        })
    );
}

#[test]
fn tutorial_static_dependencies_one_service() {
    for strategy in [json!(null), json!({}), json!({ "stable": null })] {
        let spec = json!({ "host": { "reviews.default.svc.cluster.local": strategy } });
        assert_eq!(
            hosts_in(&mk_bookinfo(), spec, &[]),
            [
                "*/reviews.default.svc.cluster.local",
                "istio-system/*",
                "mesh-operator/*"
            ]
        );
    }
}

#[test]
fn tutorial_static_dependencies_every_service_of_a_namespace() {
    // The tutorial does not sort; Slime itself does.
    let spec = json!({ "host": { "test/*": {} } });
    assert_eq!(
        hosts_in(&mk_bookinfo(), spec, &[]),
        ["istio-system/*", "mesh-operator/*", "test/*"]
    );
}

#[test]
fn tutorial_static_dependencies_every_service_with_a_label() {
    let spec = json!({ "labelSelector": [
        { "selector": { "app": "details" } },
        { "selector": { "app": "reviews", "group": "default" } },
    ] });
    assert_eq!(
        hosts_in(&mk_bookinfo(), spec, &[]),
        [
            "*/details.default.svc.cluster.local",
            "*/details.test.svc.cluster.local",
            "*/reviews.default.svc.cluster.local",
            "istio-system/*",
            "mesh-operator/*"
        ]
    );
}

#[test]
fn tutorial_domain_aliases() {
    let settings = Settings {
        aliases: vec![Alias {
            pattern: r"(?P<service>[^\.]+)\.(?P<namespace>[^\.]+)\.svc\.cluster\.local$".to_owned(),
            templates: vec!["$namespace.$service.mailsaas".to_owned()],
        }],
        ..Settings::default()
    };
    let mut world = World::new(Arc::new(settings));
    add_services(&mut world, &["details.default", "productpage.default"]);
    let spec = json!({ "host": { "details.default.svc.cluster.local": { "stable": {} } } });
    let fence = mk_fence("ratings", spec, &["productpage.default.svc.cluster.local"]);
    let found = desired(&fence, &world, NOW);
    assert_eq!(
        status(&found),
        json!({
            "default.details.mailsaas": { "hosts": ["default.details.mailsaas"] },
            "default.productpage.mailsaas": { "hosts": ["default.productpage.mailsaas"] },
            "details.default.svc.cluster.local": { "hosts": ["details.default.svc.cluster.local"] },
            "productpage.default.svc.cluster.local": { "hosts": ["productpage.default.svc.cluster.local"] },
        })
    );
    assert_eq!(
        rendered(&found),
        [
            "*/default.details.mailsaas",
            "*/default.productpage.mailsaas",
            "*/details.default.svc.cluster.local",
            "*/productpage.default.svc.cluster.local",
            "istio-system/*",
            "mesh-operator/*"
        ]
    );
    let origin = Origin::Alias("details.default.svc.cluster.local".to_owned());
    assert_eq!(found.origins["default.details.mailsaas"], [origin].into());
}

#[test]
fn older_tutorial_without_the_line_of_the_forwarder_that_is_retired() {
    let learned = [
        "details.default.svc.cluster.local",
        "reviews.default.svc.cluster.local",
    ];
    let hosts = hosts_in(&mk_bookinfo(), json!({}), &learned);
    assert_eq!(
        hosts,
        mk_hosts(&[
            "*/details.default.svc.cluster.local",
            "*/reviews.default.svc.cluster.local"
        ])
    );
    assert!(!hosts.iter().any(|host| host.contains("global-sidecar")));
}
