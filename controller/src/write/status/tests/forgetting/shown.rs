//! Learned hosts that something else shows as well.

use super::*;

#[test]
fn what_a_selector_shows_as_well_does_not_age() {
    let service: k8s_openapi::api::core::v1::Service = serde_json::from_value(json!({
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
