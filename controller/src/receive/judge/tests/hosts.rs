use super::*;
use crate::api::VirtualService;

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
fn the_host_of_a_service_entry_that_covers_a_name_is_what_is_learned() {
    let world = mk_world();
    for (host, learned) in [
        ("pay.example.com", "pay.example.com"),
        ("a.cdn.example.com", "*.cdn.example.com"),
        ("b_1.a.cdn.example.com", "*.cdn.example.com"),
    ] {
        assert_eq!(host_in(&world, host), (Verdict::InMesh, learned.to_owned()));
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
fn the_address_of_a_service_is_that_service() {
    let mut world = mk_world();
    let add_with = |world: &mut World, name: &str, addresses: serde_json::Value| {
        let spec = json!({ "clusterIP": addresses[0], "clusterIPs": addresses, "ports": [{ "port": 9080 }] });
        add::<Service>(
            world,
            json!({ "metadata": mk_meta("default", name), "spec": spec }),
        );
    };
    add_with(&mut world, "details", json!(["10.0.0.7", "fd00::7"]));
    add_with(&mut world, "headless", json!(["None"]));
    for authority in ["10.0.0.7", "10.0.0.7:9080", "[fd00::7]:9080"] {
        assert_eq!(
            host_in(&world, authority),
            (Verdict::InMesh, DETAILS.to_owned()),
            "{authority}"
        );
    }
    assert_eq!(
        reason_on(&world, "10.0.0.7", 9999).metric_label(),
        "unknown_port"
    );
    assert_eq!(reason_on(&world, "10.0.0.8", 9080), Reason::Address);

    add_with(&mut world, "heir", json!(["10.0.0.7"]));
    add_with(&mut world, "details", json!(["10.0.0.9"]));
    let heir = "heir.default.svc.cluster.local".to_owned();
    assert_eq!(host_in(&world, "10.0.0.7"), (Verdict::InMesh, heir));
    assert_eq!(host_in(&world, "[fd00::7]").0, Verdict::External);
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
fn the_longest_wildcard_that_covers_a_name_is_meant() {
    let mut world = mk_world();
    for (entry, host) in [("short", "*.example.com"), ("long", "*.b.cdn.example.com")] {
        add_entry(&mut world, mk_meta("other", entry), host);
    }
    for (name, learned) in [
        ("x.b.cdn.example.com", "*.b.cdn.example.com"),
        ("b.cdn.example.com", "*.cdn.example.com"),
        ("cdn.example.com", "*.example.com"),
    ] {
        assert_eq!(host_in(&world, name), (Verdict::InMesh, learned.to_owned()));
    }
}

#[test]
fn a_name_is_learned_once_however_many_a_wildcard_covers() {
    let mut world = mk_unfenced_world();
    let status = json!({ "metricStatus": { metric_key("*.cdn.example.com"): "1" } });
    add_fence(&mut world, "productpage", json!({ "enable": true }), status);
    let judgements = judge_in(
        &world,
        &mk_request(&["bucket1.cdn.example.com", "bucket_2.cdn.example.com"]),
    );
    for judgement in judgements {
        assert_eq!(
            (judgement.reason, judgement.learners.len()),
            (Reason::Known, 0)
        );
    }
}

#[test]
fn a_host_that_no_sidecar_can_name_is_no_host_of_the_mesh() {
    let mut world = mk_world();
    add_entry(&mut world, mk_meta("other", "odd"), "my_host.example.com");
    assert_eq!(host_in(&world, "my_host.example.com").0, Verdict::External);
}

fn mk_miss(authority: &str, port: u32) -> ReportRequest {
    let mut request = mk_request(&[authority]);
    request.misses[0].port = port;
    request
}

fn reason_on(world: &World, authority: &str, port: u32) -> Reason {
    judge_in(world, &mk_miss(authority, port)).remove(0).reason
}

#[test]
fn a_host_is_in_the_mesh_on_its_own_ports_alone() {
    let mut world = mk_world();
    let spec = json!({ "ports": [{ "port": 9080 }] });
    add::<Service>(
        &mut world,
        json!({ "metadata": mk_meta("default", "reviews"), "spec": spec }),
    );
    let entry = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": mk_meta("other", "ported"),
        "spec": { "hosts": ["*.ported.com"], "ports": [{ "number": 80, "name": "http" }] },
    });
    add::<ServiceEntry>(&mut world, entry);
    for (authority, port) in [("reviews", 9080), ("reviews", 0), ("a.ported.com", 80)] {
        assert_eq!(reason_on(&world, authority, port), Reason::Known);
    }
    assert_eq!(
        reason_on(&world, "details", 9999),
        Reason::Known,
        "a Service that states no port has no wrong one"
    );
    for (authority, words) in [
        (
            "reviews",
            "Service reviews.default.svc.cluster.local has no port 9999",
        ),
        (
            "a.ported.com",
            "ServiceEntry host *.ported.com has no port 9999",
        ),
    ] {
        let reason = reason_on(&world, authority, 9999);
        assert_eq!(reason.verdict(), Verdict::External);
        assert_eq!(reason.to_string().replace('"', ""), words);
    }
    assert_eq!(
        reason_on(&world, "reviews", 65_536),
        Reason::PortInvalid(65_536)
    );
}

#[test]
fn what_is_not_exported_to_a_namespace_is_not_in_its_mesh() {
    let mut world = mk_world();
    for (namespace, host) in [("other", "theirs.com"), ("default", "ours.com")] {
        let entry = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": mk_meta(namespace, host), "spec": { "hosts": [host], "exportTo": ["."] },
        });
        add::<ServiceEntry>(&mut world, entry);
    }
    let mut metadata = mk_meta("other", "private");
    metadata["annotations"] = json!({ "networking.istio.io/exportTo": "., third" });
    add::<Service>(&mut world, json!({ "metadata": metadata, "spec": {} }));
    for (name, verdict) in [
        ("theirs.com", Verdict::External),
        ("ours.com", Verdict::InMesh),
        ("private.other", Verdict::External),
    ] {
        assert_eq!(host_in(&world, name).0, verdict, "{name}");
    }
}

#[test]
fn a_host_that_a_virtual_service_alone_has_is_in_the_mesh_on_port_80_under_its_own_name() {
    let mut world = mk_world();
    let mut add_routes = |name: &str, spec: serde_json::Value| {
        let routes = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": mk_meta("other", name), "spec": spec,
        });
        add::<VirtualService>(&mut world, routes);
    };
    let http = json!([{ "route": [{ "destination": { "host": "api" } }] }]);
    add_routes(
        "exact",
        json!({ "hosts": ["shop.example.org"], "http": http }),
    );
    add_routes("wild", json!({ "hosts": ["*.example.net"], "http": http }));
    add_routes("short", json!({ "hosts": ["virtual"], "http": http }));
    add_routes(
        "edge",
        json!({ "hosts": ["edge.org"], "gateways": ["edge"], "http": http }),
    );
    add_routes(
        "private",
        json!({ "hosts": ["private.org"], "exportTo": ["."], "http": http }),
    );
    add_routes("tcp", json!({ "hosts": ["tcp.org"], "tcp": http }));
    // Hosts that are there besides have their own ports, and are learned as what has them.
    add_routes(
        "known",
        json!({ "hosts": ["details.default.svc.cluster.local", "a.cdn.example.com"], "http": http }),
    );
    for (name, verdict, learned) in [
        ("shop.example.org", Verdict::InMesh, "shop.example.org"),
        ("a.example.net", Verdict::InMesh, "a.example.net"),
        (
            "virtual.other",
            Verdict::InMesh,
            "virtual.other.svc.cluster.local",
        ),
        ("details", Verdict::InMesh, DETAILS),
        ("a.cdn.example.com", Verdict::InMesh, "*.cdn.example.com"),
        ("example.net", Verdict::External, ""),
        ("edge.org", Verdict::External, ""),
        ("private.org", Verdict::External, ""),
        ("tcp.org", Verdict::External, ""),
    ] {
        assert_eq!(
            host_in(&world, name),
            (verdict, learned.to_owned()),
            "{name}"
        );
    }
    assert_eq!(reason_on(&world, "shop.example.org", 80), Reason::Known);
    let other = reason_on(&world, "shop.example.org", 8080);
    assert_eq!(other.verdict(), Verdict::External);
    assert!(
        other.to_string().contains("VirtualService other/exact"),
        "{other}"
    );
}
