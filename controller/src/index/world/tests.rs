use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::*;
use crate::{
    index::Indexed,
    queue::Key,
    settings::Replay,
    settings::{Dispatch, DispatchTo, PortRules},
};

fn mk_world() -> World {
    World::new(Arc::default())
}

fn mk_fence(uid: &str, version: &str) -> ServiceFence {
    serde_json::from_value(json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "default", "name": "foo", "uid": uid, "resourceVersion": version },
        "spec": { "enable": true, "workloadSelector": { "fromService": true } },
    }))
    .unwrap()
}

fn mk_sidecar(version: &str) -> Sidecar {
    serde_json::from_value(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": { "namespace": "default", "name": "foo", "resourceVersion": version }, "spec": {},
    }))
    .unwrap()
}

fn mk_service(name: &str, selector: serde_json::Value, port: &str) -> Service {
    serde_json::from_value(json!({
        "metadata": { "namespace": "default", "name": name },
        "spec": { "selector": selector, "ports": [{ "port": 80, "name": port }] },
    }))
    .unwrap()
}

fn foo() -> ObjectRef {
    ObjectRef::new("default", "foo")
}

fn upsert(world: &mut World, object: impl Indexed) -> Vec<Key> {
    let mut concerned = Vec::new();
    object.upsert(world, &mut concerned);
    concerned
}

fn remove<K: Indexed>(world: &mut World, version: Option<&str>) -> Vec<Key> {
    let mut concerned = Vec::new();
    K::remove(&foo(), version, world, &mut concerned);
    concerned
}

fn fence_version(world: &World) -> Option<String> {
    world.fence(&foo())?.metadata.resource_version.clone()
}

fn sidecar_version(world: &World) -> Option<String> {
    world.sidecar(&foo())?.metadata.resource_version.clone()
}

#[test]
fn the_answer_to_a_write_counts_at_once_and_a_late_event_cannot_undo_it() {
    let mut world = mk_world();
    upsert(&mut world, mk_fence("u1", "5"));
    world.observe_fence(mk_fence("u1", "7"));
    assert_eq!(upsert(&mut world, mk_fence("u1", "6")), []);
    assert_eq!(fence_version(&world).as_deref(), Some("7"));
}

#[test]
fn the_answer_to_a_write_cannot_bring_back_a_fence_that_is_gone_or_replaced() {
    let mut world = mk_world();
    world.observe_fence(mk_fence("u1", "7"));
    assert_eq!(fence_version(&world), None);
    upsert(&mut world, mk_fence("u2", "6"));
    world.observe_fence(mk_fence("u1", "7"));
    assert_eq!(fence_version(&world).as_deref(), Some("6"));
}

#[test]
fn a_deleted_sidecar_wakes_its_fence() {
    let mut world = mk_world();
    upsert(&mut world, mk_fence("u1", "1"));
    upsert(&mut world, mk_sidecar("5"));
    assert_eq!(
        remove::<Sidecar>(&mut world, Some("6")),
        [Key::Fence(foo())]
    );
    assert_eq!(sidecar_version(&world), None);
}

#[test]
fn a_late_answer_does_not_hide_that_the_sidecar_was_deleted() {
    let mut world = mk_world();
    upsert(&mut world, mk_fence("u1", "1"));
    remove::<Sidecar>(&mut world, Some("6"));
    world.observe_sidecar(mk_sidecar("5"));
    assert_eq!(sidecar_version(&world), None);
    world.observe_sidecar(mk_sidecar("7"));
    assert_eq!(sidecar_version(&world).as_deref(), Some("7"));
}

#[test]
fn a_late_deletion_does_not_hide_the_sidecar_that_came_after_it() {
    let mut world = mk_world();
    upsert(&mut world, mk_fence("u1", "1"));
    world.observe_sidecar(mk_sidecar("7"));
    assert_eq!(remove::<Sidecar>(&mut world, Some("6")), []);
    assert_eq!(sidecar_version(&world).as_deref(), Some("7"));
}

#[test]
fn sidecars_without_a_fence_concern_nobody() {
    let mut world = mk_world();
    assert_eq!(upsert(&mut world, mk_sidecar("5")), []);
    assert_eq!(remove::<Sidecar>(&mut world, Some("6")), []);
}

#[test]
fn a_service_gives_and_takes_the_selector_of_the_fence_of_its_name() {
    let mut world = mk_world();
    let fence = mk_fence("u1", "1");
    upsert(&mut world, fence.clone());
    assert_eq!(world.selector(&fence), None);

    let concerned = upsert(
        &mut world,
        mk_service("foo", json!({ "run": "foo" }), "tcp"),
    );
    assert!(concerned.contains(&Key::Fence(foo())), "{concerned:?}");
    assert_eq!(
        world.selector(&fence),
        Some(Labels::from([("run".to_owned(), "foo".to_owned())]))
    );

    assert!(remove::<Service>(&mut world, None).contains(&Key::Fence(foo())));
    assert_eq!(world.selector(&fence), None);
}

#[test]
fn the_placeholder_is_woken_by_ports_alone() {
    let mut world = mk_world();
    let labels = json!({ "app": "foo" });
    assert!(
        upsert(&mut world, mk_service("foo", labels.clone(), "http")).contains(&Key::Placeholder)
    );
    assert_eq!(
        upsert(
            &mut world,
            mk_service("foo", labels.clone(), "http-renamed")
        ),
        []
    );
    assert_eq!(
        upsert(&mut world, mk_service("foo", labels, "tcp")),
        [Key::Placeholder]
    );
}

#[test]
fn the_replay_envoy_filters_follow_the_placeholder() {
    let mut world = World::new(Arc::new(Settings {
        replay: Arc::new(Replay {
            namespaces: ["a".to_owned(), "b".to_owned()].into(),
            ..Replay::default()
        }),
        ..Settings::default()
    }));
    let labels = json!({ "app": "foo" });
    let replays = [Key::Replay("a".to_owned()), Key::Replay("b".to_owned())];
    for (port, open) in [("http", 1), ("tcp", 0)] {
        let concerned = upsert(&mut world, mk_service("foo", labels.clone(), port));
        assert!(concerned.ends_with(&replays), "{concerned:?}");
        assert_eq!(world.placeholder_ports().open.len(), open);
    }
}

#[test]
fn ports_of_service_entries_count_like_those_of_services() {
    let mk_entry = |name: &str, host: &str, protocol: &str| -> ServiceEntry {
        serde_json::from_value(json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": { "namespace": "default", "name": name },
            "spec": {
                "hosts": [host],
                "ports": [{ "number": 8080, "name": "any", "protocol": protocol }],
            },
        }))
        .unwrap()
    };
    let mut world = mk_world();
    let open = |world: &World| world.placeholder_ports().open.contains(&8080);
    let http = mk_entry("foo", "a.example.com", "HTTP");
    assert_eq!(upsert(&mut world, http), [Key::Placeholder]);
    assert!(open(&world));
    let other_host = mk_entry("foo", "b.example.com", "HTTP");
    assert_eq!(upsert(&mut world, other_host), []);

    let tcp = mk_entry("tcp", "c.example.com", "TCP");
    assert_eq!(upsert(&mut world, tcp), [Key::Placeholder]);
    let conflicts = &world.placeholder_ports().conflicts;
    assert_eq!(
        conflicts.get(&8080),
        Some(&ObjectRef::new("default", "tcp"))
    );
    let mut concerned = Vec::new();
    let name = ObjectRef::new("default", "tcp");
    ServiceEntry::remove(&name, None, &mut world, &mut concerned);
    assert_eq!(concerned, [Key::Placeholder]);
    assert!(open(&world));
    assert_eq!(remove::<ServiceEntry>(&mut world, None), [Key::Placeholder]);
    assert!(!open(&world));
}

#[test]
fn other_port_rules_hold_at_once() {
    let mut world = mk_world();
    upsert(&mut world, mk_service("foo", json!({}), "grpc"));
    assert!(world.placeholder_ports().open.contains(&80));
    let settings = Settings {
        ports: PortRules {
            support_h2: false,
            ..PortRules::default()
        },
        ..Settings::default()
    };
    let mut concerned = Vec::new();
    world.configure(Arc::new(settings), &mut concerned);
    assert_eq!(concerned, [Key::Placeholder]);
    assert!(!world.placeholder_ports().open.contains(&80));
}

#[test]
fn an_envoy_filter_that_only_dispatches_is_looked_at_when_it_is_configured_and_when_it_is_not() {
    let replay = Replay {
        root_namespace: "root".to_owned(),
        ..Replay::default()
    };
    let plain = Settings {
        replay: Arc::new(replay),
        ..Settings::default()
    };
    let dispatching = Settings {
        dispatches: vec![Dispatch {
            name: "a".to_owned(),
            domains: vec!["*".to_owned()],
            domain_regex: None,
            to: DispatchTo::Cluster("PassthroughCluster".to_owned()),
        }],
        ..plain.clone()
    };
    let mut world = World::new(Arc::new(plain.clone()));
    for settings in [dispatching, plain] {
        let mut concerned = Vec::new();
        world.configure(Arc::new(settings), &mut concerned);
        assert!(concerned.contains(&Key::Replay("root".to_owned())));
    }
}

#[test]
fn a_replay_envoy_filter_that_changes_or_goes_is_looked_at_and_others_are_not() {
    let mk_filter = |name: &str| -> EnvoyFilter {
        serde_json::from_value(json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": { "namespace": "a", "name": name }, "spec": {},
        }))
        .unwrap()
    };
    let mut world = mk_world();
    let key = Key::Replay("a".to_owned());
    assert_eq!(upsert(&mut world, mk_filter("theirs")), []);
    assert_eq!(
        upsert(&mut world, mk_filter("lazyload-replay")),
        std::slice::from_ref(&key)
    );
    let mut all = Vec::new();
    world.concern_all(&mut all);
    assert!(all.contains(&key), "wanted or not: {all:?}");
    let names = EnvoyFilter::names(&world);
    assert_eq!(names, [ObjectRef::new("a", "lazyload-replay")]);
    let mut concerned = Vec::new();
    EnvoyFilter::remove(&names[0], None, &mut world, &mut concerned);
    assert_eq!(concerned, [key]);
    assert!(world.replay("a").is_none());
}

#[test]
fn a_fence_of_a_namespace_with_a_longer_name_is_not_found() {
    let mut world = mk_world();
    let mut fence = mk_fence("u1", "1");
    fence.spec.workload_selector = None;
    fence.metadata.namespace = Some("default-2".to_owned());
    upsert(&mut world, fence);
    let labels = Labels::from([("app".to_owned(), "foo".to_owned())]);
    assert_eq!(world.fences_selecting("default", &labels).len(), 0);
    assert_eq!(world.fences_selecting("default-2", &labels).len(), 1);
}
