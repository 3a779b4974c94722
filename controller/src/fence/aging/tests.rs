use super::*;
use crate::fence::metric_key;
use serde_json::{Value, json};
use std::time::Duration;

const HOST: &str = "a.b";

fn mk_forgetting() -> Forgetting {
    Forgetting {
        is_on: true,
        time_to_live: Duration::from_secs(100),
        longest_time_to_live: Duration::from_secs(1_000),
        grace: Duration::from_secs(10),
        probation: Duration::from_secs(50),
        max_share_percent: 10,
        window: Duration::from_secs(20),
    }
}

fn mk_fence(host: Value, learned: &[(&str, &str)], domains: Value) -> ServiceFence {
    let keys: BTreeMap<String, &str> = learned
        .iter()
        .map(|(host, times)| (metric_key(host), *times))
        .collect();
    serde_json::from_value(json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND, "metadata": {},
        "spec": { "enable": true, "host": host }, "status": { "metricStatus": keys, "domains": domains },
    }))
    .unwrap()
}

/// The host `a.b` as the status has it.
fn mk_domain(status: i32, since: i64) -> Value {
    json!({ HOST: { "hosts": [HOST], "status": status, "RecentlyCalled": { "seconds": since } } })
}

fn mk_learned(times: &str, status: i32, since: i64) -> ServiceFence {
    mk_fence(json!({}), &[(HOST, times)], mk_domain(status, since))
}

fn mk_auto(host: Value, learned: &[(&str, &str)], domains: Value) -> ServiceFence {
    mk_fence(json!({ HOST: host }), learned, domains)
}

fn at(fence: &ServiceFence, now: i64) -> Aging {
    aging(fence, &mk_forgetting(), now, true)
}

/// State, since when, until when and when to look again.
type Seen = (DomainStatus, Option<i64>, Option<i64>, Option<i64>);

fn seen(aging: &Aging) -> Seen {
    let aged = aging.hosts[HOST];
    (aged.status, aged.since, aged.until, aging.next)
}

use DomainStatus::{Active, Expire, ExpireWait};

#[test]
fn a_learned_host_goes_through_its_states_at_the_second() {
    for (times, status, since, now, expected) in [
        (
            "1",
            0,
            1_000,
            1_000,
            (Active, Some(1_000), Some(1_100), Some(1_090)),
        ),
        (
            "1",
            0,
            1_000,
            1_089,
            (Active, Some(1_000), Some(1_100), Some(1_090)),
        ),
        (
            "1",
            0,
            1_000,
            1_090,
            (ExpireWait, Some(1_000), Some(1_100), Some(1_100)),
        ),
        (
            "1",
            2,
            1_000,
            1_099,
            (ExpireWait, Some(1_000), Some(1_100), Some(1_100)),
        ),
        (
            "1",
            2,
            1_000,
            1_100,
            (Expire, Some(1_100), None, Some(1_150)),
        ),
        (
            "1",
            1,
            1_100,
            1_149,
            (Expire, Some(1_100), None, Some(1_150)),
        ),
        // Each time that it came back doubles its time, up to a limit.
        (
            "2",
            0,
            1_000,
            1_001,
            (Active, Some(1_000), Some(1_200), Some(1_190)),
        ),
        (
            "4",
            0,
            1_000,
            1_001,
            (Active, Some(1_000), Some(1_800), Some(1_790)),
        ),
        (
            "5",
            0,
            1_000,
            1_001,
            (Active, Some(1_000), Some(2_000), Some(1_990)),
        ),
        (
            "4000000000",
            0,
            1_000,
            1_001,
            (Active, Some(1_000), Some(2_000), Some(1_990)),
        ),
    ] {
        let found = at(&mk_learned(times, status, since), now);
        assert_eq!(seen(&found), expected, "{times} {status} {since} {now}");
        assert_eq!((found.held, found.forgotten), (None, vec![]));
    }
}

#[test]
fn a_host_that_is_not_missed_on_probation_is_forgotten() {
    let found = at(&mk_learned("3", 1, 1_100), 1_150);
    assert_eq!(found.forgotten, [metric_key(HOST)]);
    assert_eq!((found.hosts.len(), found.next), (0, None));
}

#[test]
fn a_host_whose_time_is_not_known_begins_it_now() {
    let fence = mk_fence(json!({}), &[(HOST, "1")], json!({}));
    let expected = (Active, Some(7_000), Some(7_100), Some(7_090));
    assert_eq!(seen(&at(&fence, 7_000)), expected);
}

#[test]
fn the_grace_lasts_even_where_nobody_was_there_when_it_should_have_begun() {
    let late = at(&mk_learned("1", 0, 1_000), 5_000);
    assert_eq!(
        seen(&late),
        (ExpireWait, Some(4_910), Some(5_010), Some(5_010))
    );
    // As it is in the status from then on.
    let fence = mk_learned("1", 2, 4_910);
    assert_eq!(seen(&at(&fence, 5_009)).0, ExpireWait);
    assert_eq!(seen(&at(&fence, 5_010)).0, Expire);
}

#[test]
fn a_grace_longer_than_the_life_takes_half_of_it() {
    let forgetting = Forgetting {
        grace: Duration::from_secs(5_000),
        ..mk_forgetting()
    };
    let found = aging(&mk_learned("1", 0, 1_000), &forgetting, 1_049, true);
    assert_eq!(
        seen(&found),
        (Active, Some(1_000), Some(1_100), Some(1_050))
    );
}

#[test]
fn without_forgetting_what_was_learned_stays_and_what_was_dropped_is_back() {
    let off = Forgetting::default();
    for status in 0..3 {
        let found = aging(&mk_learned("1", status, 5), &off, 1_000_000, true);
        assert_eq!(seen(&found), (Active, None, None, None), "{status}");
    }
}

#[test]
fn a_fence_says_for_itself_whether_and_when_it_forgets() {
    let mut fence = mk_learned("1", 2, 1_000);
    fence.spec.forgetting = Some(json!({ "enabled": true, "timeToLive": "50s" }));
    let found = aging(&fence, &Forgetting::default(), 1_050, true);
    assert_eq!(found.hosts[HOST].status, Expire);
    fence.spec.forgetting = Some(json!({ "enabled": false }));
    assert_eq!(seen(&at(&fence, 5_000)), (Active, None, None, None));
}

#[test]
fn nothing_is_dropped_or_forgotten_while_nobody_would_learn_it_back() {
    let due = mk_learned("1", 2, 1_000);
    let mut disabled = due.clone();
    disabled.spec.enable = false;
    for (fence, hears) in [(&due, false), (&disabled, true)] {
        let found = aging(fence, &mk_forgetting(), 9_000, hears);
        assert_eq!(
            seen(&found),
            (ExpireWait, Some(1_000), Some(1_100), None),
            "an event ends this, not a time"
        );
        assert_eq!(found.held, Some(Held::Deaf));
    }
    let gone = aging(&mk_learned("1", 1, 1_000), &mk_forgetting(), 9_000, false);
    assert_eq!((gone.forgotten.len(), gone.hosts.len()), (0, 1));
}

/// A fence of so many learned hosts, host `n` learned in second `n`, all about to go.
fn mk_crowd(hosts: i64) -> ServiceFence {
    let names: Vec<String> = (0..hosts).map(|number| format!("h{number:03}.b")).collect();
    let domains: serde_json::Map<_, _> = names
        .iter()
        .zip(0..)
        .map(|(name, since)| {
            let domain = json!({ "status": 2, "RecentlyCalled": { "seconds": since } });
            (name.clone(), domain)
        })
        .collect();
    let learned: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    mk_fence(json!({}), &learned, Value::Object(domains))
}

fn gone(aging: &Aging) -> Vec<&str> {
    let hosts = aging.hosts.iter();
    hosts
        .filter(|(_, aged)| aged.status == Expire)
        .map(|(host, _)| host.as_str())
        .collect()
}

#[test]
fn only_a_share_is_dropped_within_a_window_and_the_oldest_first() {
    let mut fence = mk_crowd(39);
    let found = at(&fence, 5_000);
    assert_eq!(gone(&found), ["h000.b", "h001.b", "h002.b"]);
    assert_eq!((found.held, found.next), (Some(Held::Share), Some(5_020)));

    // As the status has them then.
    let domains = &mut fence.status.as_mut().unwrap().domains;
    for host in gone(&found) {
        let domain = json!({ "status": 1, "RecentlyCalled": { "seconds": 5_000 } });
        domains.insert(host.to_owned(), serde_json::from_value(domain).unwrap());
    }
    let found = at(&fence, 5_019);
    assert_eq!((gone(&found).len(), found.next), (3, Some(5_020)));
    assert_eq!(gone(&at(&fence, 5_020)).len(), 6);
}

#[test]
fn one_host_may_always_go() {
    assert_eq!(gone(&at(&mk_crowd(3), 5_000)), ["h000.b"]);
    assert_eq!(at(&mk_crowd(1), 5_000).held, None);
}

#[test]
fn an_auto_host_lives_as_long_as_it_says_since_it_was_called_or_seen_first() {
    let auto = json!({ "auto": { "duration": { "seconds": 30 } } });
    let called = json!({ "auto": { "duration": { "seconds": 30 } }, "RecentlyCalled": { "seconds": 1_000 } });
    for (host, learned, domains, now, expected) in [
        // Nobody knows: now.
        (
            &auto,
            vec![],
            json!({}),
            500,
            (Active, Some(500), Some(530), Some(520)),
        ),
        (
            &auto,
            vec![],
            mk_domain(0, 490),
            500,
            (Active, Some(490), Some(520), Some(510)),
        ),
        (
            &called,
            vec![],
            json!({}),
            1_001,
            (Active, Some(1_000), Some(1_030), Some(1_020)),
        ),
        (
            &called,
            vec![],
            mk_domain(0, 490),
            1_001,
            (Active, Some(1_000), Some(1_030), Some(1_020)),
        ),
        (
            &called,
            vec![],
            mk_domain(2, 1_000),
            1_030,
            (Expire, Some(1_030), None, None),
        ),
        // Gone, and it stays gone and is shown.
        (
            &called,
            vec![],
            mk_domain(1, 1_030),
            99_000,
            (Expire, Some(1_030), None, None),
        ),
        (
            &called,
            vec![(HOST, "1")],
            mk_domain(1, 1_030),
            1_040,
            (Expire, Some(1_030), None, Some(1_080)),
        ),
        // The user says that it was called since.
        (
            &called,
            vec![],
            mk_domain(1, 900),
            1_001,
            (Active, Some(1_000), Some(1_030), Some(1_020)),
        ),
        // Missed and learned back: twice as long.
        (
            &called,
            vec![(HOST, "1")],
            mk_domain(0, 2_000),
            2_001,
            (Active, Some(2_000), Some(2_060), Some(2_050)),
        ),
    ] {
        let fence = mk_auto(host.clone(), &learned, domains);
        let found = at(&fence, now);
        assert_eq!(seen(&found), expected, "{host} {learned:?} {now}");
        assert!(found.hosts[HOST].is_static);
    }
    let fence = mk_auto(called, &[(HOST, "1")], mk_domain(1, 1_030));
    let found = at(&fence, 1_080);
    assert_eq!(found.forgotten, [metric_key(HOST)]);
    assert_eq!(found.hosts[HOST].status, Expire, "it stays visible");
}

#[test]
fn an_auto_host_ages_whether_learned_hosts_are_forgotten_or_not() {
    let fence = mk_auto(
        json!({ "auto": { "duration": { "seconds": 30 } } }),
        &[],
        mk_domain(2, 0),
    );
    let found = aging(&fence, &Forgetting::default(), 30, true);
    assert_eq!(found.hosts[HOST].status, Expire);
}

#[test]
fn a_deadline_is_kept_at_its_second_even_where_nobody_hears() {
    let fence = mk_auto(
        json!({ "deadline": { "expire": { "seconds": 999 } }, "auto": { "duration": { "seconds": 1 } } }),
        &[(HOST, "1")],
        json!({}),
    );
    for (now, expected) in [
        (989, (Active, None, Some(1_000), Some(990))),
        (990, (ExpireWait, None, Some(1_000), Some(1_000))),
        (999, (ExpireWait, None, Some(1_000), Some(1_000))),
        (1_000, (Expire, None, None, None)),
    ] {
        let found = aging(&fence, &mk_forgetting(), now, false);
        assert_eq!(seen(&found), expected, "{now}");
        assert_eq!(is_expired(&fence.spec, HOST, now), now == 1_000);
    }
}

#[test]
fn numbers_at_the_end_of_time_do_no_harm() {
    let deadline = json!({ "deadline": { "expire": { "seconds": i64::MAX } } });
    let fence = mk_auto(deadline, &[], json!({}));
    assert_eq!(seen(&at(&fence, 1_000)).0, Active);
    let auto = json!({ "auto": { "duration": { "seconds": i64::MAX } } });
    let fence = mk_auto(auto, &[(HOST, "9")], mk_domain(0, 1_000));
    assert_eq!(seen(&at(&fence, 1_001)).0, Active);
    let auto = json!({ "auto": { "duration": { "seconds": -5 } } });
    let fence = mk_auto(auto, &[], mk_domain(0, 1_000));
    assert_eq!(seen(&at(&fence, 1_001)).0, Expire);
}
