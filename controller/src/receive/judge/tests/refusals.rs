use super::*;

#[test]
fn garbage_is_refused_entry_by_entry_and_costs_the_others_nothing() {
    let world = mk_world();
    let long = "x".repeat(100_000);
    let request = mk_request(&[
        "details",
        &long,
        "a\u{7}b",
        "",
        "a b",
        "details:0",
        "pay.example.com",
    ]);
    let judgements = judge_in(&world, &request);
    let refused = "authority_invalid";
    assert_eq!(
        labels(&judgements),
        [
            "known", refused, refused, refused, refused, refused, "known"
        ]
    );
    for judgement in &judgements {
        assert!(
            judgement.reason.to_string().len() < 300,
            "{}",
            judgement.reason
        );
        assert!(!judgement.reason.to_string().contains('\u{7}'));
    }
}

#[test]
fn misses_beyond_the_limit_are_refused() {
    let world = mk_world();
    let many = vec!["details"; MAX_MISSES + 2];
    let judgements = judge_in(&world, &mk_request(&many));
    assert_eq!(judgements.len(), MAX_MISSES + 2);
    assert_eq!(
        labels(&judgements[MAX_MISSES - 1..]),
        ["known", "too_many", "too_many"]
    );
}

#[test]
fn a_workload_that_is_unknown_or_has_no_labels_is_refused() {
    let world = mk_world();
    let mut unknown = mk_request(&["details"]);
    unknown.workload.as_mut().unwrap().namespace = "nowhere".to_owned();
    assert_eq!(labels(&judge_in(&world, &unknown)), ["namespace_unknown"]);
    let mut bare = mk_request(&["details"]);
    bare.workload.as_mut().unwrap().labels.clear();
    assert_eq!(labels(&judge_in(&world, &bare)), ["labels_empty"]);
    let nobody = ReportRequest {
        workload: None,
        ..mk_request(&["details"])
    };
    assert_eq!(labels(&judge_in(&world, &nobody)), ["namespace_unknown"]);
}

#[test]
fn a_sender_may_speak_only_for_its_own_workload() {
    let world = mk_world();
    let request = mk_request(&["details"]);
    for (namespace, service_account) in [("other", "bookinfo"), ("default", "default")] {
        let identity = Ok(Some(mk_identity(namespace, service_account)));
        let judgements = judge(&world, &request, &identity, &mk_rules(), 100);
        assert_eq!(labels(&judgements), ["identity_mismatch"]);
    }
}

#[test]
fn without_a_proven_identity_nothing_is_believed_unless_the_configuration_says_so() {
    let world = mk_world();
    let request = mk_request(&["details"]);
    let lax = Rules {
        require_identity: false,
        ..mk_rules()
    };
    let broken = Err(IdentityError::OpenQuote);
    assert_eq!(
        labels(&judge(&world, &request, &Ok(None), &mk_rules(), 100)),
        ["identity_missing"]
    );
    assert_eq!(
        labels(&judge(&world, &request, &Ok(None), &lax, 100)),
        ["known"]
    );
    assert_eq!(
        labels(&judge(&world, &request, &broken, &lax, 100)),
        ["identity_invalid"]
    );
}
