use super::*;

fn mk_facts(observed: &Observed, chance: Chance) -> Facts {
    let caller = Caller {
        pod: "caller-1".into(),
        address: "10.244.0.9".into(),
    };
    facts(observed, &caller, chance)
}

fn mk_seen(id: &str, version: &str, headers: &[(&str, &str)]) -> Seen {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Seen {
        id: id.into(),
        version: version.into(),
        headers: headers.collect(),
        ..Seen::default()
    }
}

#[test]
fn what_belongs_to_the_callers_pod_is_no_difference() {
    let seen = vec![mk_seen("a", "v1", &[("x-forwarded-for", "10.244.0.9")])];
    let facts = mk_facts(
        &Observed {
            seen,
            ..Observed::default()
        },
        Chance::default(),
    );
    let values: Vec<_> = facts["upstream header x-forwarded-for"].keys().collect();
    assert_eq!(values, ["<caller's address>"]);
}

#[test]
fn attempts_are_counted_per_request_and_upstream() {
    let seen = vec![
        mk_seen("a", "v1", &[]),
        mk_seen("a", "v1", &[]),
        mk_seen("a", "v2", &[]),
    ];
    let facts = mk_facts(
        &Observed {
            seen,
            ..Observed::default()
        },
        Chance::default(),
    );
    assert_eq!(facts["attempts at v1"], BTreeMap::from([("2".into(), 1)]));
    assert_eq!(facts["attempts at v2"], BTreeMap::from([("1".into(), 1)]));
}

#[test]
fn numbers_do_not_count_where_chance_decides() {
    let seen = vec![
        mk_seen("a", "v1", &[]),
        mk_seen("b", "v1", &[]),
        mk_seen("c", "v2", &[]),
    ];
    let chance = Chance {
        spread: true,
        sticky: false,
    };
    let facts = mk_facts(
        &Observed {
            seen,
            ..Observed::default()
        },
        chance,
    );
    assert_eq!(
        facts["upstream version"],
        BTreeMap::from([("v1".into(), 1), ("v2".into(), 1)])
    );
}

#[test]
fn a_sticky_caller_may_stick_to_another_upstream() {
    let observed = |version: &str| Observed {
        seen: vec![mk_seen("a", version, &[]), mk_seen("b", version, &[])],
        ..Observed::default()
    };
    let chance = Chance {
        spread: false,
        sticky: true,
    };
    assert_eq!(
        mk_facts(&observed("v1"), chance),
        mk_facts(&observed("v2"), chance)
    );
}

#[test]
fn the_identity_is_the_one_that_the_last_hop_proved() {
    let headers = [(
        "x-forwarded-client-cert",
        "By=a;URI=spiffe://forged,By=b;URI=spiffe://real",
    )];
    assert_eq!(
        identity(&mk_seen("a", "v1", &headers).headers).as_deref(),
        Some("spiffe://real")
    );
}
