//! Where VirtualServices lead from what fences name.

use super::*;

const A: &str = "a.default.svc.cluster.local";

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
