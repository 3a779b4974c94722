//! What holds in every world.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::queue::Key;

mod events;
mod istio;
mod settings;

use events::{Event, NAMESPACES, mk_event, mk_labels};
use settings::mk_settings;

fn all_desired(world: &World) -> BTreeMap<ObjectRef, Desired> {
    ServiceFence::names(world)
        .into_iter()
        .filter_map(|name| {
            let fence = world.fence(&name)?;
            Some((name, desired(&fence, world, NOW)))
        })
        .collect()
}

fn after(settings: &Settings, events: &[Event]) -> World {
    let mut world = World::new(Arc::new(settings.clone()));
    for event in events {
        event.apply(&mut world);
    }
    world
}

fn all_hosts(found: &BTreeMap<ObjectRef, Desired>) -> Vec<(&ObjectRef, Vec<String>)> {
    found
        .iter()
        .filter(|(_, found)| found.sidecar.is_ok())
        .map(|(name, found)| (name, rendered(found)))
        .collect()
}

/// Puts into the status of `fence` what was found.
fn keep(fence: &mut ServiceFence, found: Desired) {
    let status = fence.status.get_or_insert_default();
    status.domains = found.domains;
    for key in &found.aging.forgotten {
        status.metric_status.remove(key);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_an_event_changes_it_concerns(
        settings in mk_settings(),
        events in vec(mk_event(), 1..30),
    ) {
        let mut world = World::new(Arc::new(settings));
        let mut before = all_desired(&world);
        for event in events {
            let concerned = event.apply(&mut world);
            let now = all_desired(&world);
            for (name, found) in &now {
                let is_same = before.get(name) == Some(found);
                let is_woken = concerned.contains(&Key::Fence(name.clone()));
                prop_assert!(is_same || is_woken, "{event:?} changed {name}: {:?} to {found:?}", before.get(name));
            }
            before = now;
        }
    }

    #[test]
    fn a_change_of_settings_leaves_the_world_as_if_it_had_always_had_them(
        settings in mk_settings(),
        others in mk_settings(),
        events in vec(mk_event(), 1..20),
        last in mk_event(),
    ) {
        let mut changed = after(&others, &events);
        changed.configure(Arc::new(settings.clone()), &mut Vec::new());
        let mut original = after(&settings, &events);
        prop_assert_eq!(all_desired(&changed), all_desired(&original));
        let fences = |mut keys: Vec<Key>| {
            keys.retain(|key| matches!(key, Key::Fence(_)));
            keys.sort_by_key(ToString::to_string);
            keys
        };
        prop_assert_eq!(fences(last.apply(&mut changed)), fences(last.apply(&mut original)));
    }

    #[test]
    fn any_order_of_the_same_events_gives_the_same(
        settings in mk_settings(),
        events in vec(mk_event(), 1..20),
        order in vec(any::<u32>(), 20),
    ) {
        // What is the last to be said about each object, in another order.
        let mut last = BTreeMap::new();
        for event in &events {
            last.insert(event.id(), event.clone());
        }
        let mut others: Vec<_> = last.into_values().zip(order).collect();
        others.sort_by_key(|(_, position)| *position);
        let others: Vec<Event> = others.into_iter().map(|(event, _)| event).collect();
        prop_assert_eq!(
            all_desired(&after(&settings, &events)),
            all_desired(&after(&settings, &others))
        );
    }

    #[test]
    fn adding_a_service_never_hides_a_host(
        settings in mk_settings(),
        mut events in vec(mk_event(), 1..20),
        labels in mk_labels(),
        namespace in select(NAMESPACES.to_vec()),
    ) {
        let service = |object| Event { kind: "Service", namespace, name: "a", object };
        events.push(service(None));
        let mut world = after(&settings, &events);
        let before = all_desired(&world);
        service(Some(json!({ "metadata": { "labels": labels }, "spec": {} }))).apply(&mut world);
        let now = all_desired(&world);
        for ((name, before), (_, now)) in all_hosts(&before).into_iter().zip(all_hosts(&now)) {
            for host in before {
                prop_assert!(now.contains(&host), "{host} of {name} is gone");
            }
        }
    }

    #[test]
    fn what_was_looked_at_twice_stays_as_it_is(
        settings in mk_settings(),
        events in vec(mk_event(), 1..20),
    ) {
        let mut world = after(&settings, &events);
        let metadata = json!({ "namespace": settings.slime_namespace, "name": "lazyload" });
        let heard = json!({ "metadata": metadata, "addressType": "IPv4", "endpoints": [{ "addresses": ["10.0.0.1"] }] });
        add::<EndpointSlice>(&mut world, heard);
        for name in ServiceFence::names(&world) {
            let mut fence = ServiceFence::clone(&world.fence(&name).unwrap());
            // What is dropped may be what has shown another one, which has its grace then.
            for _ in 0..2 {
                let found = desired(&fence, &world, NOW);
                keep(&mut fence, found);
            }
            let found = desired(&fence, &world, NOW);
            prop_assert_eq!(&found.domains, &fence.status.unwrap_or_default().domains);
            prop_assert_eq!(&found.aging.forgotten, &[""; 0]);
        }
    }

    #[test]
    fn the_hosts_of_a_sidecar_are_sorted_unique_and_such_as_istio_takes(
        settings in mk_settings(),
        events in vec(mk_event(), 1..20),
    ) {
        let found = all_desired(&after(&settings, &events));
        for (_, hosts) in all_hosts(&found) {
            prop_assert!(hosts.windows(2).all(|pair| pair[0] < pair[1]), "{hosts:?}");
            prop_assert_eq!(istio::refusal(&hosts), None);
        }
    }
}
