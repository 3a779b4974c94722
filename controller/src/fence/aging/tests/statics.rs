//! Static hosts whose time is limited.

use super::*;

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
    let found = aging(&fence, &Forgetting::default(), 30, true, &|_| false);
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
        let found = aging(&fence, &mk_forgetting(), now, false, &|_| false);
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
