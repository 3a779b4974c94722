use super::*;
use crate::api::ServiceFenceStatus;
use crate::{
    api::DomainStatus,
    fence::{Aged, Aging, Held},
};
use serde_json::json;

fn mk_fence(spec: serde_json::Value) -> ServiceFence {
    let mut fence = ServiceFence::new("foo", serde_json::from_value(spec).unwrap());
    fence.metadata.generation = Some(3);
    fence
}

fn mk_time(second: u32) -> Time {
    serde_json::from_value(json!(format!("2026-01-01T00:00:{second:02}Z"))).unwrap()
}

/// The conditions of a fence of whose hosts nothing is to be said.
fn told(fence: &ServiceFence, readiness: Option<&Readiness>, now: Time) -> Vec<Condition> {
    conditions(fence, readiness, &mk_findings(&Aging::default()), now)
}

fn mk_findings(aging: &Aging) -> Findings<'_> {
    Findings {
        visible: 0,
        origins: Vec::new(),
        unknown: Vec::new(),
        problems: Vec::new(),
        aging,
    }
}

fn mk_aged(status: DomainStatus, until: Option<i64>) -> Aged {
    Aged {
        status,
        is_static: false,
        since: Some(1),
        until,
    }
}

/// `fence` as it is after `conditions` was written.
fn written(mut fence: ServiceFence, conditions: Vec<Condition>) -> ServiceFence {
    fence.status = Some(ServiceFenceStatus {
        conditions,
        ..ServiceFenceStatus::default()
    });
    fence
}

#[test]
fn nothing_changes_while_nothing_changes() {
    let fence = mk_fence(json!({ "labelSelector": [{ "selector": { "a": "b" } }] }));
    let first = told(&fence, Some(&Readiness::Applied), mk_time(1));
    let fence = written(fence, first.clone());
    assert_eq!(told(&fence, Some(&Readiness::Applied), mk_time(2)), first);
}

#[test]
fn the_transition_time_moves_with_the_status_alone() {
    let fence = mk_fence(json!({}));
    let disabled = told(&fence, Some(&Readiness::Disabled), mk_time(1));
    let fence = written(fence, disabled);

    let other_reason = told(&fence, Some(&Readiness::NoWorkload), mk_time(2));
    assert_eq!(other_reason[0].reason, "NoWorkload");
    assert_eq!(other_reason[0].last_transition_time, mk_time(1));

    let ready = told(&fence, Some(&Readiness::Applied), mk_time(3));
    assert_eq!(
        (ready[0].status.as_str(), &ready[0].last_transition_time),
        ("True", &mk_time(3))
    );
}

#[test]
fn fields_that_are_not_acted_on_are_named_and_the_others_are_not() {
    let fence = mk_fence(json!({
        "namespaceSelector": ["a"],
        "firstRequest": "sometimes",
        "forgetting": { "timeToLive": "soon" },
        "host": {
            "b.c": { "deadline": { "expire": { "seconds": 9 } } },
            "d.e": { "auto": { "duration": { "seconds": 9 } } },
            "f g": {},
        },
    }));
    let found = told(&fence, Some(&Readiness::Applied), mk_time(1));
    let found = found.iter().find(|c| c.type_ == "SpecSupported").unwrap();
    assert_eq!(found.status, "False");
    for part in [
        "\"f g\"",
        "\"sometimes\"",
        "spec.forgetting.timeToLive \"soon\"",
    ] {
        assert!(found.message.contains(part), "{part} in {}", found.message);
    }
    for part in ["namespaceSelector", "b.c", "d.e"] {
        assert!(!found.message.contains(part), "{part} in {}", found.message);
    }
}

#[test]
fn it_is_told_where_hosts_come_from_and_what_is_gone() {
    let aging = Aging {
        hosts: [("gone.b".to_owned(), mk_aged(DomainStatus::Expire, None))].into(),
        ..Aging::default()
    };
    let findings = Findings {
        visible: 8,
        origins: vec![
            ("static", vec!["s.b"]),
            ("by label", vec![]),
            ("learned", vec!["a", "b", "c", "d", "e", "f", "g"]),
        ],
        ..mk_findings(&aging)
    };
    let found = conditions(
        &mk_fence(json!({})),
        Some(&Readiness::Applied),
        &findings,
        mk_time(1),
    );
    assert_eq!(
        (
            found[1].type_.as_str(),
            found[1].status.as_str(),
            found[1].message.as_str()
        ),
        (
            "HostsResolved",
            "True",
            "8 hosts: static s.b; learned a, b, c, d, e and 2 more; dropped until missed again gone.b"
        )
    );
}

#[test]
fn unknown_hosts_and_problems_are_told_and_leave_the_hosts_unresolved() {
    let aging = Aging::default();
    let unknown = Findings {
        visible: 1,
        unknown: vec!["typo.b"],
        ..mk_findings(&aging)
    };
    let problems = Findings {
        problems: vec!["the pattern ( is none"; 21],
        ..mk_findings(&aging)
    };
    for (findings, reason, words) in [
        (
            unknown,
            "UnknownHosts",
            "1 host: declared by no Service or ServiceEntry typo.b",
        ),
        (
            problems,
            "Problems",
            "the pattern ( is none; 1 more problems",
        ),
    ] {
        let found = conditions(&mk_fence(json!({})), None, &findings, mk_time(1));
        assert_eq!(
            (found[0].status.as_str(), found[0].reason.as_str()),
            ("False", reason)
        );
        assert!(found[0].message.ends_with(words), "{}", found[0].message);
    }
}

#[test]
fn hosts_about_to_go_are_told_with_their_time_and_why_they_stay_all_the_same() {
    let hosts = [
        ("a", Some(5)),
        ("b", Some(3)),
        ("c", Some(90)),
        ("d", Some(91)),
        ("e", Some(92)),
        ("f", Some(93)),
    ];
    let mut aging = Aging {
        hosts: hosts
            .map(|(host, until)| (host.to_owned(), mk_aged(DomainStatus::ExpireWait, until)))
            .into(),
        ..Aging::default()
    };
    let fence = mk_fence(json!({ "enable": true }));
    let message = |aging: &Aging| {
        let found = conditions(&fence, None, &mk_findings(aging), mk_time(1));
        assert_eq!(
            (found[1].type_.as_str(), found[1].status.as_str()),
            ("Expiring", "True")
        );
        found[1].message.clone()
    };
    let listed = "b at 1970-01-01T00:00:03Z, a at 1970-01-01T00:00:05Z, c at 1970-01-01T00:01:30Z, \
                  d at 1970-01-01T00:01:31Z, e at 1970-01-01T00:01:32Z and 1 more";
    assert_eq!(message(&aging), listed);
    aging.held = Some(Held::Deaf);
    assert!(message(&aging).contains("no replica is known to hear reports"));
    aging.held = Some(Held::Share);
    assert!(message(&aging).contains("within one window"));
    aging.hosts.clear();
    let found = conditions(&fence, None, &mk_findings(&aging), mk_time(1));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn what_is_not_known_yet_leaves_ready_as_it_is() {
    let fence = mk_fence(json!({}));
    let fence = written(
        fence.clone(),
        told(&fence, Some(&Readiness::NoWorkload), mk_time(1)),
    );
    assert_eq!(
        told(&fence, None, mk_time(2)),
        fence.status.as_ref().unwrap().conditions
    );
}

#[test]
fn conditions_of_others_are_kept() {
    let mut other = told(&mk_fence(json!({})), Some(&Readiness::Applied), mk_time(1));
    other[0].type_ = "Theirs".to_owned();
    let fence = written(mk_fence(json!({})), other);
    let types: Vec<String> = told(&fence, Some(&Readiness::Applied), mk_time(2))
        .into_iter()
        .map(|c| c.type_)
        .collect();
    assert_eq!(types, ["Theirs", "Ready", "HostsResolved"]);
}
