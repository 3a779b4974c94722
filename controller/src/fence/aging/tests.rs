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
    aging(fence, &mk_forgetting(), now, true, &|_| false)
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
    let found = aging(
        &mk_learned("1", 0, 1_000),
        &forgetting,
        1_049,
        true,
        &|_| false,
    );
    assert_eq!(
        seen(&found),
        (Active, Some(1_000), Some(1_100), Some(1_050))
    );
}

#[test]
fn without_forgetting_what_was_learned_stays_and_what_was_dropped_is_back() {
    let off = Forgetting::default();
    for status in 0..3 {
        let found = aging(&mk_learned("1", status, 5), &off, 1_000_000, true, &|_| {
            false
        });
        assert_eq!(seen(&found), (Active, None, None, None), "{status}");
    }
}

#[test]
fn a_fence_says_for_itself_whether_and_when_it_forgets() {
    let mut fence = mk_learned("1", 2, 1_000);
    fence.spec.forgetting = Some(json!({ "enabled": true, "timeToLive": "50s" }));
    let found = aging(&fence, &Forgetting::default(), 1_050, true, &|_| false);
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
        let found = aging(fence, &mk_forgetting(), 9_000, hears, &|_| false);
        assert_eq!(
            seen(&found),
            (ExpireWait, Some(1_000), Some(1_100), None),
            "an event ends this, not a time"
        );
        assert_eq!(found.held, Some(Held::Deaf));
    }
    let gone = aging(
        &mk_learned("1", 1, 1_000),
        &mk_forgetting(),
        9_000,
        false,
        &|_| false,
    );
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
fn one_that_came_back_within_the_window_counts_as_dropped() {
    let mut fence = mk_crowd(39);
    let status = fence.status.as_mut().unwrap();
    // Two of them have come back, one a while ago; a time far ahead says nothing.
    for (host, since) in [
        ("h000.b", 4_990_i64),
        ("h001.b", 4_980),
        ("h002.b", 4_000_000_000),
    ] {
        status.metric_status.insert(metric_key(host), "2".into());
        let domain = json!({ "RecentlyCalled": { "seconds": since } });
        let domain = serde_json::from_value(domain).unwrap();
        status.domains.insert(host.to_owned(), domain);
    }
    let found = at(&fence, 5_000);
    assert_eq!(gone(&found), ["h003.b", "h004.b"]);
    assert_eq!((found.held, found.next), (Some(Held::Share), Some(5_010)));
}

#[test]
fn one_host_may_always_go() {
    assert_eq!(gone(&at(&mk_crowd(3), 5_000)), ["h000.b"]);
    assert_eq!(at(&mk_crowd(1), 5_000).held, None);
}

mod statics;
