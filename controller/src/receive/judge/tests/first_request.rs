use super::*;
use crate::api::{AuthorizationPolicy, PeerAuthentication, Sidecar, VirtualService};

/// A fenced workload, and a Service `default/reviews` with a port of each sort. HTTP is also what another Service says about
/// port 9000.
fn mk_ported_world() -> World {
    let mut world = mk_world();
    let spec = json!({
        "selector": { "app": "reviews" },
        "ports": [
            { "port": 9080, "name": "http" },
            { "port": 9000 },
            { "port": 6379, "name": "redis" },
            { "port": 443, "name": "https" },
            { "port": 7000 },
        ],
    });
    add_service(&mut world, "reviews", spec);
    let spec = json!({ "ports": [{ "port": 9000, "name": "http" }] });
    add_service(&mut world, "details", spec);
    world
}

fn add_service(world: &mut World, name: &str, spec: serde_json::Value) {
    let service = json!({ "metadata": mk_meta("default", name), "spec": spec });
    add::<Service>(world, service);
}

fn mk_miss(authority: &str, port: u32, route: &str) -> ReportRequest {
    let mut request = mk_request(&[authority]);
    request.misses[0].port = port;
    request.misses[0].route = route.to_owned();
    request
}

/// What is decided about `reviews` on `port`, in short.
fn decision_with(rules: &Rules, world: &World, port: u32, route: &str) -> &'static str {
    let request = mk_miss("reviews", port, route);
    let judgement = judge_as(&mk_sender(), world, &request, rules).remove(0);
    assert_eq!(judgement.reason, Reason::Known);
    match &judgement.first_request {
        Ok(need) => need.metric_label(),
        Err(pass) => pass.metric_label(),
    }
}

fn decision(world: &World, port: u32) -> &'static str {
    decision_with(&mk_rules(), world, port, "allow_any")
}

#[test]
fn a_request_is_held_where_the_port_has_a_route_table_for_its_host() {
    let world = mk_ported_world();
    for (port, expected) in [
        (9080, "configured"),
        (9000, "configured"),
        (6379, "not_http"),
        (443, "not_http"),
        (7000, "port_not_open"),
        (0, "no_port"),
    ] {
        assert_eq!(decision(&world, port), expected, "{port}");
    }
}

#[test]
fn a_known_host_is_held_too_because_its_route_may_be_on_its_way() {
    let mut world = mk_ported_world();
    let host = json!({ "reviews.default.svc.cluster.local": {} });
    let spec = json!({ "enable": true, "host": host });
    add_fence(&mut world, "productpage", spec, json!(null));
    assert_eq!(decision(&world, 9080), "configured");
}

#[test]
fn nothing_is_held_for_a_fence_whose_sidecar_is_not_in_force_unless_another_ones_is() {
    let mut world = mk_ported_world();
    let sidecar = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": mk_meta("default", "productpage"), "spec": {},
    });
    add::<Sidecar>(&mut world, sidecar);
    assert_eq!(decision(&world, 9080), "not_in_force");
    let request = mk_miss("reviews", 9080, "allow_any");
    let words = judge_in(&world, &request).remove(0).first_request;
    let words = words.unwrap_err().to_string();
    assert!(words.contains("default/productpage"), "{words}");
    assert!(words.contains("SidecarNotOwned"), "{words}");

    let selector = json!({ "labels": { "app": "productpage" } });
    let spec = json!({ "enable": true, "workloadSelector": selector });
    let refused = json!({ "conditions": [{
        "type": "Ready", "status": "False", "reason": "SidecarRejected", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] });
    add_fence(&mut world, "second", spec.clone(), refused);
    assert_eq!(decision(&world, 9080), "not_in_force");
    add_fence(&mut world, "second", spec, json!(null));
    assert_eq!(decision(&world, 9080), "configured");
}

#[test]
fn nothing_is_held_where_the_sidecar_has_no_replay_listeners() {
    let mut world = mk_ported_world();
    add_replay(&mut world, "default", Some("lazyload"));
    for (namespaces, expected) in [
        (&[][..], "not_installed"),
        (&["other"], "not_installed"),
        (&["other", "default"], "configured"),
    ] {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned());
        let rules = Rules {
            replay: Arc::new(Replay {
                namespaces: namespaces.collect(),
                root_namespace: "istio-system".to_owned(),
                ..Replay::default()
            }),
            ..mk_rules()
        };
        assert_eq!(decision_with(&rules, &world, 9080, "allow_any"), expected);
    }
}

#[test]
fn a_replay_envoy_filter_that_is_not_there_holds_nothing_and_only_somebody_elses_is_the_last_word()
{
    let labels = Ok(Labels::from([("app".to_owned(), "productpage".to_owned())]));
    let judge = |world: &World, rules: &Rules| {
        let request = mk_miss("reviews", 9080, "allow_any");
        let Judged { mut misses, mode } = judge(world, &request, &labels, rules, 100);
        (misses.remove(0).first_request, mode)
    };
    let (rules, mut world) = (mk_rules(), mk_ported_world());
    assert_eq!(
        judge(&world, &rules),
        (Ok(Need::Configured), Some(Mode::Hold))
    );
    let name = ObjectRef::new("istio-system", REPLAY_NAME);
    EnvoyFilter::remove(&name, None, &mut world, &mut Vec::new());
    assert_eq!(
        judge(&world, &rules),
        (Err(PassThrough::ReplayMissing), None)
    );
    let passing = Rules {
        first_request: Mode::PassThrough,
        ..mk_rules()
    };
    let (_, mode) = judge(&world, &passing);
    assert_eq!(mode, Some(Mode::PassThrough));
    add_replay(&mut world, "istio-system", None);
    let (first_request, mode) = judge(&world, &rules);
    assert_eq!(first_request, Err(PassThrough::ReplayForeign));
    assert_eq!(mode, Some(Mode::PassThrough));
}

#[test]
fn the_most_careful_fence_decides_and_without_a_wish_the_configuration() {
    let selector = json!({ "labels": { "app": "productpage" } });
    let wish = |mode: serde_json::Value| json!({ "enable": true, "workloadSelector": selector, "firstRequest": mode });
    let mode = |rules: &Rules, world: &World| {
        let labels = Ok(Labels::from([("app".to_owned(), "productpage".to_owned())]));
        judge(world, &mk_request(&["details"]), &labels, rules, 100).mode
    };
    for (wishes, expected) in [
        (&[json!("passthrough")][..], Mode::PassThrough),
        (&[json!("passthrough"), json!("adaptive")], Mode::Adaptive),
        (&[json!("hold"), json!("adaptive")], Mode::Hold),
        (&[json!("passthrough"), json!(null)], Mode::Adaptive),
        (&[json!("sometimes")], Mode::Adaptive),
    ] {
        let mut world = mk_unfenced_world();
        for (number, mode) in wishes.iter().enumerate() {
            let name = format!("fence-{number}");
            add_fence(&mut world, &name, wish(mode.clone()), json!(null));
        }
        let rules = Rules {
            first_request: Mode::Adaptive,
            ..mk_rules()
        };
        assert_eq!(mode(&rules, &world), Some(expected), "{wishes:?}");
    }
    assert_eq!(mode(&mk_rules(), &mk_unfenced_world()), None);
}

#[test]
fn adaptive_holds_where_the_host_needs_the_mesh() {
    let rules = Rules {
        first_request: Mode::Adaptive,
        ..mk_rules()
    };
    let mut world = mk_ported_world();
    let decide = |world: &World, route| decision_with(&rules, world, 9080, route);
    assert_eq!(decide(&world, "allow_any"), "not_needed");
    assert_eq!(decide(&world, "block_all"), "registry_only");

    let policy = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": mk_meta("default", "policy"),
        "spec": { "selector": { "matchLabels": { "app": "reviews" } } },
    });
    add::<AuthorizationPolicy>(&mut world, policy);
    assert_eq!(decide(&world, "allow_any"), "authorization_policy");

    let strict = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": mk_meta("istio-system", "default"), "spec": { "mtls": { "mode": "STRICT" } },
    });
    add::<PeerAuthentication>(&mut world, strict);
    assert_eq!(decide(&world, "allow_any"), "strict_mtls");

    let routes = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": mk_meta("default", "reviews"), "spec": { "hosts": ["reviews"] },
    });
    add::<VirtualService>(&mut world, routes);
    assert_eq!(decide(&world, "allow_any"), "virtual_service");
}

#[test]
fn adaptive_holds_for_a_service_entry_that_says_where_its_host_is() {
    let rules = Rules {
        first_request: Mode::Adaptive,
        ..mk_rules()
    };
    let mut world = mk_ported_world();
    let add_entry = |world: &mut World, name: &str, more: serde_json::Value| {
        let mut spec = json!({ "hosts": ["db.corp"], "ports": [{ "number": 9080, "name": "http", "protocol": "HTTP" }] });
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let entry = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": mk_meta("other", name), "spec": spec,
        });
        add::<ServiceEntry>(world, entry);
    };
    let decide = |world: &World| {
        let request = mk_miss("db.corp", 9080, "allow_any");
        judge_as(&mk_sender(), world, &request, &rules)
            .remove(0)
            .first_request
    };
    add_entry(
        &mut world,
        "plain",
        json!({ "location": "MESH_EXTERNAL", "resolution": "NONE" }),
    );
    assert_eq!(decide(&world), Err(PassThrough::NotNeeded));
    let inside = json!({ "location": "MESH_INTERNAL", "resolution": "STATIC" });
    add_entry(&mut world, "vm", inside.clone());
    let need = Need::ServiceEntry(ObjectRef::new("other", "vm"));
    assert_eq!(
        decide(&world),
        Ok(need),
        "although the other one has the port too"
    );
    let mut hidden = inside;
    hidden["exportTo"] = json!(["."]);
    add_entry(&mut world, "vm", hidden);
    assert_eq!(decide(&world), Err(PassThrough::NotNeeded));
}

#[test]
fn an_alias_is_learned_with_what_it_means_and_has_its_ports() {
    let mut world = mk_ported_world();
    let alias = |target: &str| json!({ "type": "ExternalName", "externalName": target });
    add_service(
        &mut world,
        "alias",
        alias("again.default.svc.cluster.local"),
    );
    let reviews = "reviews.default.svc.cluster.local";
    add_service(
        &mut world,
        "again",
        alias("Reviews.default.svc.cluster.local."),
    );
    let judge = |world: &World, port| {
        let request = mk_miss("alias", port, "allow_any");
        judge_in(world, &request).remove(0)
    };
    let judgement = judge(&world, 9080);
    assert_eq!(judgement.host, "alias.default.svc.cluster.local");
    assert_eq!(judgement.alias_of.as_deref(), Some(reviews));
    assert_eq!(judgement.learners.len(), 1);
    assert_eq!(judgement.first_request, Ok(Need::Configured));
    assert_eq!(judge(&world, 9999).reason.verdict(), Verdict::External);

    let known = json!({ "metricStatus": { metric_key("alias.default.svc.cluster.local"): "1" } });
    add_fence(&mut world, "productpage", json!({ "enable": true }), known);
    assert_eq!(judge(&world, 9080).learners.len(), 1, "half of it is known");

    add_service(
        &mut world,
        "again",
        alias("alias.default.svc.cluster.local"),
    );
    assert_eq!(judge(&world, 9080).reason, Reason::Known, "a circle ends");
    add_service(&mut world, "again", alias("www.example.org"));
    let outside = judge(&world, 9080);
    assert_eq!(outside.first_request, Err(PassThrough::NoPort));
}
