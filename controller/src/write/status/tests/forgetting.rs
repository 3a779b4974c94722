//! Whole lives of hosts in simulated time, through the same functions as the writer.

use super::*;
use crate::{
    desired::standing,
    index::Indexed,
    settings::{Forgetting, Settings},
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

const DAY: i64 = 86_400;

struct Sim {
    fence: ServiceFence,
    world: World,
    now: i64,
    /// By time, the state of every host that has changed.
    history: Vec<(i64, String, DomainStatus)>,
}

fn mk_world(forgetting: Forgetting, hears: bool) -> World {
    let mut world = World::new(Arc::new(Settings {
        forgetting,
        ..Settings::default()
    }));
    let endpoints = if hears {
        json!([{ "addresses": ["10.0.0.1"] }])
    } else {
        json!([])
    };
    let slice: EndpointSlice = serde_json::from_value(json!({
        "metadata": { "namespace": "mesh-operator", "name": "lazyload-1" },
        "addressType": "IPv4", "endpoints": endpoints, "ports": [],
    }))
    .unwrap();
    slice.upsert(&mut world, &mut Vec::new());
    world
}

impl Sim {
    fn new(forgetting: Forgetting) -> Self {
        Self {
            fence: mk_fence(json!({ "enable": true }), json!(null)),
            world: mk_world(forgetting, true),
            now: 1_000_000,
            history: Vec::new(),
        }
    }

    fn forgetting_on() -> Self {
        Self::new(Forgetting {
            is_on: true,
            ..Forgetting::default()
        })
    }

    /// One run of the writer, with what was missed.
    fn run(&mut self, missed: &[&str]) -> usize {
        let (new, _) = new_hosts(&self.fence, missed.iter().copied());
        let (status, _) = planned(&self.fence, &new, &self.world, mk_now(self.now));
        for (host, found) in &status.domains {
            let before = self.fence.status.as_ref().and_then(|s| s.domains.get(host));
            if before.map(|before| before.status) != Some(found.status) {
                self.history.push((self.now, host.clone(), found.status));
            }
        }
        let learned = new.len();
        // Back through JSON, as the watch delivers it.
        let status = serde_json::to_value(status).unwrap();
        self.fence.status = serde_json::from_value(status).unwrap();
        learned
    }

    fn next(&self) -> Option<i64> {
        standing(&self.fence, &self.world, self.now).next
    }

    /// Runs at the times at which something changes by itself, until `end`.
    fn run_until(&mut self, end: i64) {
        while let Some(next) = self.next().filter(|next| *next <= end) {
            assert!(next > self.now);
            self.now = next;
            self.run(&[]);
        }
        self.now = end;
    }

    fn visible(&self) -> BTreeSet<String> {
        let domains = self.fence.status.iter().flat_map(|status| &status.domains);
        domains
            .filter(|(_, found)| is_visible(found))
            .map(|(host, _)| host.clone())
            .collect()
    }
}

#[test]
fn a_steady_dependency_costs_a_handful_of_held_requests_in_a_year() {
    let mut sim = Sim::forgetting_on();
    let mut held = 0;
    // Called every ten minutes, for a year.
    for _ in 0..(365 * DAY / 600) {
        sim.run_until(sim.now + 600);
        if !sim.visible().contains(HOST) {
            held += sim.run(&[HOST]);
        }
    }
    // At first, after 7, 14, 28, 56 and 112 days, and then every 112 days.
    assert_eq!(held, 7);
    let status = sim.fence.status.unwrap();
    assert_eq!(status.metric_status[&metric_key(HOST)], "7");
}

#[test]
fn what_is_not_called_any_more_is_gone_and_forgotten_and_nothing_is_left_to_do() {
    let mut sim = Sim::forgetting_on();
    let start = sim.now;
    sim.run(&[HOST]);
    sim.run_until(start + 365 * DAY);
    let states: Vec<_> = sim
        .history
        .iter()
        .map(|(at, _, s)| (at - start, *s))
        .collect();
    assert_eq!(
        states,
        [
            (0, DomainStatus::Active),
            (7 * DAY - 3_600, DomainStatus::ExpireWait),
            (7 * DAY, DomainStatus::Expire),
        ]
    );
    assert_eq!(sim.fence.status, Some(ServiceFenceStatus::default()));
    assert_eq!(sim.next(), None);
}

#[test]
fn never_more_than_a_share_goes_within_a_window() {
    let mut sim = Sim::forgetting_on();
    let hosts: Vec<String> = (0..95).map(|number| format!("h{number}.b")).collect();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    sim.run(&names);
    sim.run_until(sim.now + 30 * DAY);
    let gone: Vec<i64> = sim
        .history
        .iter()
        .filter(|(_, _, status)| *status == DomainStatus::Expire)
        .map(|(at, _, _)| *at)
        .collect();
    assert_eq!(gone.len(), 95);
    let mut left = 95;
    for (index, at) in gone.iter().enumerate() {
        let within = gone
            .iter()
            .filter(|other| (0..3_600).contains(&(*other - at)))
            .count();
        if index == 0 || gone[index - 1] != *at {
            assert!(within <= (left / 10).max(1), "{within} of {left}");
        }
        left -= 1;
    }
}

#[test]
fn nothing_goes_while_nobody_hears_and_what_is_due_goes_when_somebody_does() {
    let mut sim = Sim::forgetting_on();
    sim.run(&[HOST]);
    let forgetting = sim.world.settings().forgetting.clone();
    sim.world = mk_world(forgetting.clone(), false);
    sim.run_until(sim.now + 100 * DAY);
    assert!(sim.visible().contains(HOST));
    sim.world = mk_world(forgetting, true);
    sim.run(&[]);
    assert!(!sim.visible().contains(HOST));
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn states_do_not_depend_on_how_often_somebody_looks_or_on_restarts() {
    let short = Forgetting {
        is_on: true,
        time_to_live: Duration::from_secs(60),
        longest_time_to_live: Duration::from_secs(300),
        grace: Duration::from_secs(13),
        probation: Duration::from_secs(90),
        max_share_percent: 20,
        window: Duration::from_secs(17),
    };
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let spec = json!({ "enable": true, "host": {
            "auto.b": { "auto": { "duration": { "seconds": 45 } } },
            "date.b": { "deadline": { "expire": { "seconds": 1_000_400 } } },
        } });
        let mut misses = BTreeMap::<i64, Vec<String>>::new();
        for _ in 0..60 {
            let at = 1_000_000 + dice.below(1_500) as i64;
            let host = match dice.below(12) {
                0 => "auto.b".to_owned(),
                number => format!("h{number}.b"),
            };
            misses.entry(at).or_default().push(host);
        }
        let live = |mut looks: Dice, is_eager: bool| {
            let mut sim = Sim::new(short.clone());
            sim.fence = mk_fence(spec.clone(), json!(null));
            sim.run(&[]);
            let mut next = sim.next();
            for second in 1_000_001..1_002_000 {
                sim.now = second;
                let missed = misses.get(&second).cloned().unwrap_or_default();
                let missed: Vec<&str> = missed.iter().map(String::as_str).collect();
                let looks_now = is_eager && looks.below(3) == 0;
                if looks_now {
                    // A new process that knows nothing but the status.
                    sim.world = mk_world(short.clone(), true);
                }
                if looks_now || !missed.is_empty() || next == Some(second) {
                    sim.run(&missed);
                    next = sim.next();
                }
            }
            (sim.history, sim.fence.status)
        };
        let (lazy, eager) = (live(Dice(1), false), live(Dice(seed), true));
        assert!(lazy.0.len() > 60, "something happens: {}", lazy.0.len());
        assert_eq!(lazy, eager, "seed {seed}");
    }
}

#[test]
fn a_status_is_what_both_of_slimes_definitions_take() {
    let mut sim = Sim::forgetting_on();
    sim.run(&[HOST, "z.b"]);
    for _ in 0..3 {
        sim.run_until(sim.next().unwrap());
        let status = serde_json::to_value(&sim.fence.status).unwrap();
        for domain in status["domains"].as_object().unwrap().values() {
            // `status` is an int32 in the typed one and `RecentlyCalled.seconds` an int64; names and texts would be refused there.
            assert!(
                domain["status"].is_null() || domain["status"].is_i64(),
                "{domain}"
            );
            assert!(domain["RecentlyCalled"]["seconds"].is_i64(), "{domain}");
            assert!(
                domain["hosts"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(Value::is_string)
            );
        }
        let counts = status["metricStatus"].as_object().unwrap();
        assert!(counts.values().all(Value::is_string));
    }
}

#[test]
fn a_host_that_is_missed_again_is_counted_and_its_time_begins_anew() {
    let mut sim = Sim::forgetting_on();
    sim.run(&[HOST]);
    sim.run_until(sim.now + 8 * DAY);
    assert!(!sim.visible().contains(HOST));
    assert_eq!(sim.run(&[HOST]), 1);
    assert_eq!(sim.run(&[HOST]), 0, "known now");
    let status = sim.fence.status.clone().unwrap();
    assert_eq!(status.metric_status[&metric_key(HOST)], "2");
    let since = status.domains[HOST].recently_called.unwrap();
    assert_eq!(since.seconds.0, sim.now);
}

mod share;
mod shown;
