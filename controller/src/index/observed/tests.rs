use serde_json::{Value, json};

use super::*;
use crate::{index::Indexed, placeholder::PLACEHOLDER_NAME, queue::Key, settings::Settings};

/// A world in which each of the three is wanted.
fn mk_world() -> World {
    let mut settings = Settings::default();
    let replay = crate::settings::Replay {
        namespaces: ["mesh-operator".to_owned()].into(),
        ..Default::default()
    };
    settings.replay = Arc::new(replay);
    let mut world = World::new(Arc::new(settings));
    let fence = mk::<ServiceFence>("1", json!({ "enable": true }));
    fence.upsert(&mut world, &mut Vec::new());
    world
}

fn name_of<K: Indexed>() -> &'static str {
    match K::PLURAL {
        "serviceentries" => PLACEHOLDER_NAME,
        "envoyfilters" => REPLAY_NAME,
        _ => "web",
    }
}

fn mk<K: Indexed>(version: &str, spec: Value) -> K {
    serde_json::from_value(json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "spec": spec,
        "metadata": { "namespace": "mesh-operator", "name": name_of::<K>(), "resourceVersion": version },
    }))
    .unwrap()
}

fn delete<K: Indexed>(world: &mut World, version: &str) -> Vec<Key> {
    let mut concerned = Vec::new();
    let name = ObjectRef::new("mesh-operator", name_of::<K>());
    K::remove(&name, Some(version), world, &mut concerned);
    concerned
}

fn assert_what_is_newer_stays<K: Indexed>(
    key: &Key,
    spec: Value,
    get: impl Fn(&World) -> Option<Arc<K>>,
    observe: impl Fn(&mut World, K),
    forget: impl Fn(&mut World),
) {
    let mut world = mk_world();
    let version = |world: &World| get(world)?.meta().resource_version.clone();
    let answer = |world: &mut World, version| observe(world, mk(version, spec.clone()));

    answer(&mut world, "5");
    assert_eq!(version(&world).as_deref(), Some("5"));
    assert_eq!(delete::<K>(&mut world, "6"), std::slice::from_ref(key));
    answer(&mut world, "5");
    assert_eq!(version(&world), None, "a late answer is refused");
    answer(&mut world, "8");
    assert_eq!(delete::<K>(&mut world, "7"), [], "a late deletion too");
    assert_eq!(version(&world).as_deref(), Some("8"));
    forget(&mut world);
    assert_eq!(version(&world), None);
}

#[test]
fn what_is_newer_stays_whether_it_came_by_the_watch_or_as_an_answer() {
    assert_what_is_newer_stays::<Sidecar>(
        &Key::Fence(ObjectRef::new("mesh-operator", "web")),
        json!({}),
        |world| world.sidecar(&ObjectRef::new("mesh-operator", "web")),
        World::observe_sidecar,
        |world| world.forget_sidecar(&ObjectRef::new("mesh-operator", "web")),
    );
    assert_what_is_newer_stays::<ServiceEntry>(
        &Key::Placeholder,
        json!({ "hosts": [] }),
        World::placeholder,
        World::observe_placeholder,
        World::forget_placeholder,
    );
    assert_what_is_newer_stays::<EnvoyFilter>(
        &Key::Replay("mesh-operator".to_owned()),
        json!({}),
        |world| world.replay("mesh-operator"),
        World::observe_replay,
        |world| world.forget_replay("mesh-operator"),
    );
}

#[test]
fn deletions_of_what_nobody_writes_are_not_remembered() {
    let mut world = World::default();
    delete::<Sidecar>(&mut world, "6");
    delete::<EnvoyFilter>(&mut world, "6");
    assert!(world.sidecars.deleted.is_empty() && world.replays.deleted.is_empty());
    let mut world = mk_world();
    delete::<Sidecar>(&mut world, "6");
    assert_eq!(world.sidecars.deleted.len(), 1);
    delete::<ServiceFence>(&mut world, "7");
    assert!(world.sidecars.deleted.is_empty());
}
