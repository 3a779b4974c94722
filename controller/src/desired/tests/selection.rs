//! What fences name by labels, namespaces and further names, and what is in every Sidecar.

use super::*;
use crate::settings::{Alias, Dispatch, DispatchTo};

const A: &str = "a.default.svc.cluster.local";

#[test]
fn selectors_say_what_they_cannot_select_and_select_the_rest() {
    let mut world = mk_world();
    add_services(&mut world, &["a.default"]);
    let spec = json!({
        "labelSelector": [{}, { "selector": { "app": "a" } }],
        "namespaceSelector": ["Bad", "test", "a/*"],
    });
    let found = desired(&mk_fence("foo", spec, &[]), &world, NOW);
    assert_eq!(rendered(&found), mk_hosts(&[&format!("*/{A}"), "test/*"]));
    let problems = found.problems.join("\n");
    for part in ["labelSelector[0]", "\"Bad\"", "\"a/*\""] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
    assert_eq!(found.problems.len(), 3);
    assert_eq!(found.origins[A], [Origin::Label].into());
    assert_eq!(found.origins["test/*"], [Origin::NamespaceSelector].into());
}

#[test]
fn labels_select_what_is_exported_aliases_of_outside_hosts_included() {
    let mut world = mk_world();
    let mut private = mk_service("private", "other", json!({ "app": "x" }));
    private["metadata"]["annotations"] = json!({ "networking.istio.io/exportTo": "." });
    add::<Service>(&mut world, private);
    let mut outside = mk_service("outside", "other", json!({ "app": "x" }));
    outside["spec"] = json!({ "type": "ExternalName", "externalName": "x.example.com" });
    add::<Service>(&mut world, outside);
    let spec = json!({ "labelSelector": [{ "selector": { "app": "x" } }] });
    assert_eq!(
        hosts_in(&world, spec, &[]),
        mk_hosts(&["*/outside.other.svc.cluster.local"])
    );
}

#[test]
fn labels_are_followed_as_they_change() {
    let mut world = mk_world();
    let spec = json!({ "labelSelector": [{ "selector": { "app": "x", "tier": "1" } }] });
    for (labels, is_selected) in [
        (json!({ "app": "x" }), false),
        (json!({ "app": "x", "tier": "1" }), true),
        (json!({ "app": "y", "tier": "1" }), false),
        (json!(null), false),
    ] {
        add::<Service>(&mut world, mk_service("a", "default", labels.clone()));
        let hosts = hosts_in(&world, spec.clone(), &[]);
        assert_eq!(hosts.contains(&format!("*/{A}")), is_selected, "{labels}");
    }
}

#[test]
fn what_has_expired_is_shown_and_leads_nowhere() {
    let mut world = World::new(Arc::new(Settings {
        aliases: vec![Alias {
            pattern: "^a".to_owned(),
            templates: vec!["alias.example.com".to_owned()],
        }],
        ..Settings::default()
    }));
    add_services(&mut world, &["a.default"]);
    add_routes(
        &mut world,
        "default/a",
        json!({ "hosts": ["a"], "http": [{ "route": to("b") }] }),
    );
    let past = json!({ "deadline": { "expire": { "seconds": NOW - 1 } } });
    let spec = json!({ "host": { A: past }, "labelSelector": [{ "selector": { "app": "a" } }] });
    let found = desired(&mk_fence("foo", spec, &[A]), &world, NOW);
    assert_eq!(found.domains.len(), 1);
    assert_eq!(found.domains[A].status, DomainStatus::Expire);
    assert_eq!(found.domains[A].hosts, [A]);
    assert_eq!(rendered(&found), mk_hosts(&[]));
}

#[test]
fn a_further_name_leads_where_virtual_services_of_that_name_lead_and_is_not_named_further() {
    let mut world = World::new(Arc::new(Settings {
        aliases: vec![Alias {
            pattern: r"^(\w+)\.(.*)".to_owned(),
            templates: vec!["x$1.$2".to_owned(), "$1 $2".to_owned()],
        }],
        ..Settings::default()
    }));
    let spec = json!({ "hosts": ["xa.example.com"], "http": [{ "route": to("b.example.com") }] });
    add_routes(&mut world, "default/xa", spec);
    let found = desired(&mk_fence("foo", only("a.example.com"), &[]), &world, NOW);
    assert_eq!(
        rendered(&found),
        mk_hosts(&["*/a.example.com", "*/xa.example.com", "*/b.example.com"])
    );
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
}

#[test]
fn static_hosts_that_nothing_has_are_named() {
    let mut world = mk_world();
    add_services(&mut world, &["a.default"]);
    let headless = json!({
        "metadata": { "namespace": "default", "name": "db" }, "spec": { "clusterIP": "None" },
    });
    add::<Service>(&mut world, headless);
    add_entry(
        &mut world,
        "default/e",
        json!({ "hosts": ["*.example.com"] }),
    );
    add_routes(
        &mut world,
        "default/v",
        json!({ "hosts": ["only.routed"], "http": [{}] }),
    );
    let spec = json!({ "host": {
        A: {}, "x.example.com": {}, "only.routed": {}, "nobody.has": {}, "*.wild": {}, "test/*": {},
        "db.default.svc.cluster.local": {}, "db-0.db.default.svc.cluster.local": {},
    } });
    let found = desired(&mk_fence("foo", spec, &["learned.and.gone"]), &world, NOW);
    let unknown = ["db-0.db.default.svc.cluster.local", "nobody.has"];
    assert_eq!(found.unknown, unknown.map(str::to_owned).into());
}

#[test]
fn the_clusters_of_dispatches_are_in_every_sidecar() {
    let mk_dispatch = |to| Dispatch {
        name: "d".to_owned(),
        domains: vec!["*.x".to_owned()],
        domain_regex: None,
        to,
    };
    let cluster = |name: &str| mk_dispatch(DispatchTo::Cluster(name.to_owned()));
    let world = World::new(Arc::new(Settings {
        dispatches: vec![
            cluster("outbound|80||egress1.testns.svc.cluster.local"),
            cluster("PassthroughCluster"),
            cluster("outbound|80||a b"),
            mk_dispatch(DispatchTo::GlobalSidecar {
                namespace: "gs".to_owned(),
            }),
        ],
        ..Settings::default()
    }));
    let found = desired(&mk_fence("foo", json!({}), &[]), &world, NOW);
    assert_eq!(
        rendered(&found),
        mk_hosts(&[
            "*/egress1.testns.svc.cluster.local",
            "*/global-sidecar.gs.svc.cluster.local"
        ])
    );
    assert!(found.domains.is_empty());
}

#[test]
fn stable_hosts_are_in_every_sidecar_and_one_namespace_for_both_roles_is_named_once() {
    let world = World::new(Arc::new(Settings {
        slime_namespace: "istio-system".to_owned(),
        stable_hosts: ["shared/*", "api.example.com", "*/*"]
            .map(str::to_owned)
            .to_vec(),
        ..Settings::default()
    }));
    assert_eq!(
        hosts_in(&world, json!({}), &[]),
        ["*/*", "*/api.example.com", "istio-system/*", "shared/*"]
    );
}
