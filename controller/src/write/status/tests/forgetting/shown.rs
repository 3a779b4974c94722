//! Learned hosts that something else shows as well.

use super::*;
use crate::api::{ServiceEntry, VirtualService};
use k8s_openapi::api::core::v1::Service;

#[test]
fn what_a_selector_shows_as_well_does_not_age() {
    let service: Service = serde_json::from_value(json!({
        "metadata": { "namespace": "default", "name": "a", "labels": { "app": "a" } }, "spec": {},
    }))
    .unwrap();
    let host = "a.default.svc.cluster.local";
    let mut sim = Sim::forgetting_on();
    service.upsert(&mut sim.world, &mut Vec::new());
    sim.run(&[host]);
    let selector = json!([{ "selector": { "app": "a" } }]);
    sim.fence.spec.label_selector = serde_json::from_value(selector).unwrap();
    let learned = sim.now;
    sim.run_until(learned + 365 * DAY);
    let states = [(learned, host.to_owned(), DomainStatus::Active)];
    assert_eq!(sim.history, states, "and nothing was written since");
    // What no selector shows any more is about to go, and then on probation.
    sim.fence.spec.label_selector.clear();
    sim.run(&[]);
    assert_eq!(sim.history.last().unwrap().2, DomainStatus::ExpireWait);
    sim.run_until(sim.now + DAY);
    assert_eq!(sim.history.last().unwrap().2, DomainStatus::Expire);
    assert_eq!(sim.run(&[host]), 1);
}

fn add<K: Indexed>(sim: &mut Sim, object: Value) {
    let object: K = serde_json::from_value(object).unwrap();
    object.upsert(&mut sim.world, &mut Vec::new());
}

/// Called for a year by a fence of this spec that has learned three hosts, with the Services and the ServiceEntry that have them
/// and one VirtualService.
fn after_a_year(stable: &[&str], spec: Value) -> BTreeSet<String> {
    let mut sim = Sim::forgetting_on();
    let settings = Settings {
        stable_hosts: stable.iter().map(|&host| host.to_owned()).collect(),
        ..(**sim.world.settings()).clone()
    };
    sim.world.configure(Arc::new(settings), &mut Vec::new());
    for (name, namespace) in [("a", "default"), ("b", "team")] {
        let metadata = json!({ "namespace": namespace, "name": name });
        add::<Service>(&mut sim, json!({ "metadata": metadata, "spec": {} }));
    }
    let object = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": { "namespace": "team", "name": "x" }, "spec": spec,
        })
    };
    let entry = json!({ "hosts": ["c.example.com"] });
    add::<ServiceEntry>(&mut sim, object("ServiceEntry", entry));
    let route = json!({ "hosts": ["entry.team.svc.cluster.local"], "http": [
        { "route": [{ "destination": { "host": B } }] },
    ] });
    add::<VirtualService>(&mut sim, object("VirtualService", route));

    sim.run(&[A, B, C]);
    sim.fence = mk_fence(spec, serde_json::to_value(&sim.fence.status).unwrap());
    sim.run_until(sim.now + 365 * DAY);
    let mut gone = [A, B, C].map(str::to_owned).to_vec();
    gone.retain(|host| {
        sim.history
            .iter()
            .any(|(_, of, state)| of == host && *state != DomainStatus::Active)
    });
    gone.into_iter().collect()
}

const A: &str = "a.default.svc.cluster.local";
const B: &str = "b.team.svc.cluster.local";
const C: &str = "c.example.com";

#[test]
fn what_anything_static_shows_as_well_does_not_age() {
    let hosts = |names: &[&str]| -> serde_json::Map<_, _> {
        names
            .iter()
            .map(|&name| (name.to_owned(), json!(null)))
            .collect()
    };
    for (stable, spec, aged) in [
        (&[][..], json!({}), &[A, B, C][..]),
        (&[], json!({ "host": hosts(&["team/*"]) }), &[A]),
        (&[], json!({ "host": hosts(&["./*"]) }), &[B, C]),
        (&[], json!({ "host": hosts(&["*/*"]) }), &[]),
        (&[], json!({ "host": hosts(&["*.example.com"]) }), &[A, B]),
        (
            &[],
            json!({ "host": hosts(&["entry.team.svc.cluster.local"]) }),
            &[A, C],
        ),
        (&[], json!({ "namespaceSelector": ["default"] }), &[B, C]),
        (&[C, "*.default.svc.cluster.local"], json!({}), &[B]),
        (&["team/*"], json!({}), &[A]),
    ] {
        let mut fence = spec.clone();
        fence["enable"] = json!(true);
        let aged: BTreeSet<_> = aged.iter().map(|&host| host.to_owned()).collect();
        assert_eq!(after_a_year(stable, fence), aged, "{stable:?} {spec}");
    }
}

#[test]
fn what_showed_it_as_well_and_goes_leaves_it_its_grace() {
    let mut sim = Sim::forgetting_on();
    let metadata = json!({ "namespace": "team", "name": "b" });
    add::<Service>(&mut sim, json!({ "metadata": metadata, "spec": {} }));
    sim.run(&[B]);
    let end = sim.now + 30 * DAY;
    let until = json!({ "deadline": { "expire": { "seconds": end } } });
    let spec = json!({ "enable": true, "host": { "team/*": until } });
    sim.fence = mk_fence(spec, serde_json::to_value(&sim.fence.status).unwrap());
    sim.run_until(end + DAY);
    let history = sim.history.iter().filter(|(_, host, _)| host == B);
    let states: Vec<_> = history.map(|(at, _, state)| (*at, *state)).collect();
    assert_eq!(
        states[1..],
        [
            (end + 1, DomainStatus::ExpireWait),
            (end + 1 + 3_600, DomainStatus::Expire)
        ]
    );
}

#[test]
fn a_further_name_of_what_is_visible_does_not_age() {
    let aliases = vec![crate::settings::Alias {
        pattern: r"^stable\.b$".to_owned(),
        templates: vec![HOST.to_owned()],
    }];
    let mut sim = Sim::forgetting_on();
    let settings = Settings {
        aliases,
        ..(**sim.world.settings()).clone()
    };
    sim.world.configure(Arc::new(settings), &mut Vec::new());
    sim.run(&[HOST, "other.b"]);
    sim.fence.spec.host = [("stable.b".to_owned(), None)].into();
    sim.run(&[]);
    sim.run_until(sim.now + 365 * DAY);
    let of = |host| sim.history.iter().filter(move |(_, of, _)| of == host);
    assert_eq!(of(HOST).count(), 1, "{:?}", of(HOST).collect::<Vec<_>>());
    assert_eq!(of("other.b").next_back().unwrap().2, DomainStatus::Expire);
}
