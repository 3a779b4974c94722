//! What fences name, and where it leads.

use super::*;
use crate::settings::{Alias, Dispatch, DispatchTo};

const A: &str = "a.default.svc.cluster.local";

fn only(host: &str) -> Value {
    json!({ "host": { host: {} } })
}

fn to(host: &str) -> Value {
    json!([{ "destination": { "host": host } }])
}

/// The hosts of the domain `key` of a fence that names it.
fn domain(world: &World, key: &str) -> Vec<String> {
    let found = desired(&mk_fence("foo", only(key), &[]), world, NOW);
    found.domains[key].hosts.clone()
}

#[test]
fn every_kind_of_route_leads_somewhere() {
    let mut world = mk_world();
    let spec = json!({
        "hosts": ["a"],
        "http": [
            { "route": to("b"), "mirror": { "host": "c" }, "mirrors": to("d") },
            { "delegate": { "name": "rest" } },
            { "delegate": { "name": "theirs", "namespace": "other" } },
            { "redirect": { "uri": "/" } },
        ],
        "tls": [{ "match": [{ "sniHosts": ["a"] }], "route": to("e.example.com") }],
        "tcp": [{ "route": to("f.other.svc.cluster.local") }],
    });
    add_routes(&mut world, "default/a", spec);
    let delegate = json!({ "http": [{ "route": to("g") }] });
    add_routes(&mut world, "default/rest", delegate.clone());
    add_routes(&mut world, "other/theirs", delegate);
    let found = desired(&mk_fence("foo", only(A), &[]), &world, NOW);
    let expected = [
        A,
        "b.default.svc.cluster.local",
        "c.default.svc.cluster.local",
        "d.default.svc.cluster.local",
        "e.example.com",
        "f.other.svc.cluster.local",
        "g.default.svc.cluster.local",
        "g.other.svc.cluster.local",
    ];
    assert_eq!(found.domains[A].hosts, expected);
    let visible: Vec<_> = expected.iter().map(|host| format!("*/{host}")).collect();
    let visible: Vec<_> = visible.iter().map(String::as_str).collect();
    assert_eq!(rendered(&found), mk_hosts(&visible));
    let origin = Origin::VirtualService(ObjectRef::new("default", "a"));
    assert_eq!(found.origins["e.example.com"], [origin].into());
    assert_eq!(found.origins[A], [Origin::Static].into());
}

#[test]
fn the_key_comes_first_and_the_rest_is_sorted_and_unique() {
    let mut world = mk_world();
    let key = "m.default.svc.cluster.local";
    let route = json!([
        { "destination": { "host": "z" } }, { "destination": { "host": "m" } },
        { "destination": { "host": "b" } }, { "destination": { "host": "z" } },
    ]);
    add_routes(
        &mut world,
        "default/m",
        json!({ "hosts": ["m"], "http": [{ "route": route }] }),
    );
    assert_eq!(
        domain(&world, key),
        [
            key,
            "b.default.svc.cluster.local",
            "z.default.svc.cluster.local"
        ]
    );
}

#[test]
fn short_names_mean_services_of_the_virtual_services_own_namespace_and_dotted_names_stay() {
    let mut world = mk_world();
    let spec = json!({ "hosts": [A], "http": [{ "route": to("B") }, { "route": to("c.other") }] });
    add_routes(&mut world, "third/a", spec);
    assert_eq!(
        domain(&world, A),
        [A, "b.third.svc.cluster.local", "c.other"]
    );
}

#[test]
fn what_is_for_gateways_alone_leads_sidecars_nowhere() {
    for (spec, leads) in [
        (
            json!({ "gateways": ["edge"], "http": [{ "route": to("b") }] }),
            false,
        ),
        (
            json!({ "gateways": ["edge", "mesh"], "http": [{ "route": to("b") }] }),
            true,
        ),
        (
            json!({ "gateways": ["edge", "mesh"], "http": [{
                "match": [{ "gateways": ["edge"] }], "route": to("b"),
            }] }),
            false,
        ),
        (
            json!({ "gateways": ["edge", "mesh"], "http": [{
                "match": [{ "gateways": ["edge"] }, { "uri": { "exact": "/" } }], "route": to("b"),
            }] }),
            true,
        ),
        (
            json!({ "gateways": ["edge", "mesh"], "tcp": [{
                "match": [{ "gateways": ["edge"] }], "route": to("b"),
            }] }),
            false,
        ),
    ] {
        let mut world = mk_world();
        let mut with_host = spec.clone();
        with_host["hosts"] = json!(["a"]);
        add_routes(&mut world, "default/a", with_host);
        assert_eq!(domain(&world, A).len() == 2, leads, "{spec}");
    }
}

#[test]
fn what_is_not_exported_to_the_fences_namespace_leads_nowhere() {
    for (export_to, delegate_to, hosts) in [
        (json!(["."]), json!([]), 1),
        (json!(["default"]), json!([]), 3),
        (json!([]), json!(["."]), 2),
        // Whom a delegate is exported to is the namespace that leaves routes to it.
        (json!([]), json!(["other"]), 3),
    ] {
        let mut world = mk_world();
        let http =
            json!([{ "route": to("b") }, { "delegate": { "name": "d", "namespace": "third" } }]);
        let spec = json!({ "hosts": [A], "exportTo": export_to, "http": http });
        add_routes(&mut world, "other/a", spec);
        let delegate = json!({ "exportTo": delegate_to, "http": [{ "route": to("c") }] });
        add_routes(&mut world, "third/d", delegate);
        assert_eq!(domain(&world, A).len(), hosts, "{export_to} {delegate_to}");
    }
}

#[test]
fn only_a_virtual_service_without_hosts_is_a_delegate_and_it_has_none_itself() {
    let mut world = mk_world();
    let leave_to = |name: &str| json!({ "name": name });
    let spec = json!({ "hosts": ["a"], "http": [
        { "delegate": leave_to("with-hosts") }, { "delegate": leave_to("leaves-on") },
    ] });
    add_routes(&mut world, "default/a", spec);
    let spec = json!({ "hosts": ["x"], "http": [{ "route": to("b") }] });
    add_routes(&mut world, "default/with-hosts", spec);
    let spec = json!({ "http": [{ "route": to("c"), "delegate": leave_to("last") }] });
    add_routes(&mut world, "default/leaves-on", spec);
    let spec = json!({ "http": [{ "route": to("d") }] });
    add_routes(&mut world, "default/last", spec);
    assert_eq!(domain(&world, A), [A, "c.default.svc.cluster.local"]);
}

#[test]
fn destinations_do_not_lead_on() {
    let mut world = mk_world();
    for (from, target) in [("a", "b"), ("b", "c")] {
        let spec = json!({ "hosts": [from], "http": [{ "route": to(target) }] });
        add_routes(&mut world, &format!("default/{from}"), spec);
    }
    assert_eq!(domain(&world, A), [A, "b.default.svc.cluster.local"]);
}

#[test]
fn wildcards_lead_where_all_that_they_cover_leads_and_the_other_way_round() {
    let mut world = mk_world();
    let spec = json!({ "hosts": ["*.shop.example.com"], "http": [{ "route": to("b") }] });
    add_routes(&mut world, "default/wild", spec);
    let spec = json!({ "hosts": ["x.shop.example.com"], "http": [{ "route": to("c") }] });
    add_routes(&mut world, "default/exact", spec);
    let b = "b.default.svc.cluster.local";
    let c = "c.default.svc.cluster.local";
    for (key, leads) in [
        ("x.shop.example.com", &[b, c][..]),
        ("y.shop.example.com", &[b]),
        ("*.example.com", &[b, c]),
        ("shop.example.com", &[]),
        ("*.example.org", &[]),
    ] {
        assert_eq!(domain(&world, key)[1..], *leads, "{key}");
    }
}

#[test]
fn a_namespace_leads_where_its_services_lead_beyond_it() {
    let mut world = mk_world();
    add_services(&mut world, &["a.test"]);
    let route = json!([
        { "destination": { "host": "b.test.svc.cluster.local" } },
        { "destination": { "host": "c.other.svc.cluster.local" } },
    ]);
    let spec = json!({ "hosts": ["a.test.svc.cluster.local", "gone.test.svc.cluster.local"], "http": [{ "route": route }] });
    add_routes(&mut world, "test/a", spec);
    let spec = json!({ "hosts": ["gone.test.svc.cluster.local"], "http": [{ "route": to("d.other.svc.cluster.local") }] });
    add_routes(&mut world, "test/gone", spec);
    assert_eq!(
        domain(&world, "test/*"),
        ["test/*", "c.other.svc.cluster.local"]
    );
    let by_selector = json!({ "namespaceSelector": ["test"] });
    assert_eq!(
        hosts_in(&world, by_selector, &[]),
        mk_hosts(&["*/c.other.svc.cluster.local", "test/*"])
    );
}

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
    } });
    let found = desired(&mk_fence("foo", spec, &["learned.and.gone"]), &world, NOW);
    assert_eq!(found.unknown, ["nobody.has".to_owned()].into());
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
