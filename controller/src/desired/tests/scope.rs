//! The exact form: every host in the namespaces that have it.

use super::*;
use crate::settings::ScopeForm;

const A: &str = "a.default.svc.cluster.local";

fn mk_exact_world() -> World {
    let mut world = World::new(Arc::new(Settings {
        scope_form: ScopeForm::Exact,
        ..Settings::default()
    }));
    configure_mesh(&mut world, "");
    world
}

fn configure_mesh(world: &mut World, mesh: &str) {
    let config = json!({
        "metadata": { "namespace": "istio-system", "name": "istio" }, "data": { "mesh": mesh },
    });
    add::<ConfigMap>(world, config);
}

/// The hosts but for what is always there.
fn exact(world: &World, spec: Value) -> Vec<String> {
    let mut hosts = hosts_in(world, spec, &[]);
    for always in [
        "mesh-operator/lazyload.mesh-operator.svc.cluster.local",
        "mesh-operator/placeholder.lazyload.internal",
    ] {
        let position = hosts.iter().position(|host| host == always).unwrap();
        hosts.remove(position);
    }
    hosts
}

#[test]
fn a_host_is_named_in_the_namespaces_that_own_it_and_those_with_rules_about_it() {
    let mut world = mk_exact_world();
    add_services(&mut world, &["a.default", "b.default"]);
    assert_eq!(exact(&world, only(A)), [format!("default/{A}")]);
    add_entry(&mut world, "extra/a", json!({ "hosts": [A] }));
    add_entry(
        &mut world,
        "private/a",
        json!({ "hosts": [A], "exportTo": ["."] }),
    );
    let routes = json!({ "hosts": [A], "http": [{ "route": [{ "destination": { "host": A } }] }] });
    add_routes(&mut world, "routes/a", routes.clone());
    add_rule(&mut world, "rules/a", "*.default.svc.cluster.local");
    add_rule(&mut world, "elsewhere/b", "b.default.svc.cluster.local");
    let namespaces = ["default", "extra", "routes", "rules"];
    assert_eq!(
        exact(&world, only(A)),
        namespaces.map(|namespace| format!("{namespace}/{A}"))
    );
}

#[test]
fn a_host_that_nobody_has_is_left_out_until_somebody_has_it() {
    const OUTSIDE: &str = "a.example.com";
    let mut world = mk_exact_world();
    add_rule(&mut world, "rules/all", "*.com");
    assert_eq!(exact(&world, only(OUTSIDE)), [] as [&str; 0]);
    add_routes(
        &mut world,
        "routes/a",
        json!({ "hosts": [OUTSIDE], "http": [{}] }),
    );
    assert_eq!(
        exact(&world, only(OUTSIDE)),
        [format!("routes/{OUTSIDE}"), format!("rules/{OUTSIDE}")]
    );
}

#[test]
fn a_service_that_only_another_cluster_of_the_mesh_has_is_named_in_its_own_namespace() {
    assert_eq!(exact(&mk_exact_world(), only(A)), [format!("default/{A}")]);
}

#[test]
fn a_host_that_a_wildcard_entry_covers_is_named_as_the_longest_such() {
    let mut world = mk_exact_world();
    for (at, host) in [("e/short", "*.com"), ("e/long", "*.example.com")] {
        add_entry(&mut world, at, json!({ "hosts": [host] }));
    }
    assert_eq!(exact(&world, only("x.example.com")), ["e/*.example.com"]);
    add_entry(&mut world, "f/exact", json!({ "hosts": ["x.example.com"] }));
    assert_eq!(exact(&world, only("x.example.com")), ["f/x.example.com"]);
    assert_eq!(
        exact(&world, only("*.example.com")),
        ["e/*.example.com", "f/*.example.com"]
    );
}

#[test]
fn a_namespace_is_named_host_by_host() {
    let mut world = mk_exact_world();
    add_services(&mut world, &["a.test", "b.test", "c.other"]);
    let mut private = mk_service("private", "test", json!({}));
    private["metadata"]["annotations"] = json!({ "networking.istio.io/exportTo": "." });
    add::<Service>(&mut world, private);
    add_entry(
        &mut world,
        "test/e",
        json!({ "hosts": ["x.example.com", "*.example.org"] }),
    );
    add_rule(&mut world, "rules/b", "b.test.svc.cluster.local");
    let route = json!([{ "route": [{ "destination": { "host": "c.other.svc.cluster.local" } }] }]);
    add_routes(
        &mut world,
        "test/a",
        json!({ "hosts": ["a", "virtual.com"], "http": route }),
    );
    let expected = [
        "other/c.other.svc.cluster.local",
        "rules/b.test.svc.cluster.local",
        "test/*.example.org",
        "test/a.test.svc.cluster.local",
        "test/b.test.svc.cluster.local",
        "test/virtual.com",
        "test/x.example.com",
    ];
    assert_eq!(exact(&world, only("test/*")), expected);
    assert_eq!(
        exact(&world, json!({ "namespaceSelector": ["test"] })),
        expected
    );
}

#[test]
fn a_namespace_with_a_host_of_one_label_is_named_whole_where_all_of_it_or_the_mesh_needs_it() {
    let mut world = mk_exact_world();
    add_services(&mut world, &["a.test", "a.other"]);
    add_entry(
        &mut world,
        "test/e",
        json!({ "hosts": ["mysql", "b.example.com"] }),
    );
    add_rule(&mut world, "other/r", "b.example.com");
    assert_eq!(
        exact(&world, only("test/*")),
        ["other/b.example.com", "test/*"]
    );
    assert_eq!(exact(&world, only("b.example.com")).len(), 2);
    assert_eq!(exact(&world, only("mysql")), [""; 0]);
    let provider = "extensionProviders: [{ name: a, envoyExtAuthzHttp: { service: mysql } }]";
    configure_mesh(&mut world, provider);
    assert_eq!(exact(&world, json!({})), ["test/*"]);
    let private = json!({ "hosts": ["mysql"], "exportTo": ["."] });
    add_entry(&mut world, "test/e", private);
    assert_eq!(exact(&world, json!({})), [""; 0]);
}

#[test]
fn what_the_mesh_configuration_needs_is_named_and_all_of_istios_namespace_while_nobody_knows() {
    let mut world = World::new(Arc::new(Settings {
        scope_form: ScopeForm::Exact,
        ..Settings::default()
    }));
    assert_eq!(exact(&world, json!({})), ["istio-system/*"]);
    add_services(&mut world, &["zipkin.istio-system", "otel.observability"]);
    let mesh = "
        extensionProviders:
        - { name: a, opentelemetry: { service: otel.observability.svc.cluster.local } }
        - { name: b, envoyExtAuthzHttp: { service: security/authz.example.com } }
        - { name: c, zipkin: { service: gone.tracing.svc.cluster.local } }
        defaultConfig: { tracing: { zipkin: { address: 'zipkin.istio-system:9411' } } }
    ";
    configure_mesh(&mut world, mesh);
    assert_eq!(
        exact(&world, json!({})),
        [
            "istio-system/zipkin.istio-system.svc.cluster.local",
            "observability/otel.observability.svc.cluster.local",
            "security/authz.example.com",
            "tracing/gone.tracing.svc.cluster.local"
        ]
    );
}

#[test]
fn stable_hosts_are_named_like_any_and_those_that_are_no_namespace_stay_as_they_are() {
    let stable = ["*/*", "test/*", A].map(str::to_owned).to_vec();
    let mut world = World::new(Arc::new(Settings {
        scope_form: ScopeForm::Exact,
        stable_hosts: stable,
        ..Settings::default()
    }));
    configure_mesh(&mut world, "");
    add_services(&mut world, &["a.default", "a.test"]);
    assert_eq!(
        exact(&world, json!({})),
        [
            "*/*".to_owned(),
            format!("default/{A}"),
            "test/a.test.svc.cluster.local".to_owned()
        ]
    );
}
