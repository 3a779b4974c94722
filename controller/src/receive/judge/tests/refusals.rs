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

fn mk_proven(trust_domain: &str, namespace: &str, service_account: &str) -> Sender {
    Sender {
        identity: Ok(Some(Identity {
            trust_domain: trust_domain.to_owned(),
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
        })),
        ..mk_sender()
    }
}

#[test]
fn a_sender_may_speak_only_for_its_own_workload() {
    let world = mk_world();
    let request = mk_request(&["details"]);
    for (trust_domain, namespace, service_account) in [
        ("cluster.local", "other", "bookinfo"),
        ("cluster.local", "default", "default"),
        ("elsewhere", "default", "bookinfo"),
    ] {
        let sender = mk_proven(trust_domain, namespace, service_account);
        let judgements = judge_as(&sender, &world, &request, &mk_rules());
        assert_eq!(labels(&judgements), ["identity_mismatch"]);
    }
}

#[test]
fn without_a_proven_identity_nothing_is_believed_unless_the_configuration_says_so() {
    let world = mk_world();
    let lax = Rules {
        require_identity: false,
        ..mk_rules()
    };
    let mk_sender = |identity, is_own_sidecar| Sender {
        identity,
        is_own_sidecar,
    };
    for (sender, rules, label) in [
        (mk_sender(Ok(None), true), mk_rules(), "identity_missing"),
        (mk_sender(Ok(None), false), lax.clone(), "known"),
        (
            mk_sender(Err(IdentityError::OpenQuote), true),
            lax,
            "identity_invalid",
        ),
    ] {
        let judgements = judge_as(&sender, &world, &mk_request(&["details"]), &rules);
        assert_eq!(labels(&judgements), [label]);
    }
}

#[test]
fn an_identity_that_did_not_come_through_the_own_sidecar_is_hearsay() {
    let sender = Sender {
        is_own_sidecar: false,
        ..mk_sender()
    };
    let judgements = judge_as(&sender, &mk_world(), &mk_request(&["details"]), &mk_rules());
    assert_eq!(labels(&judgements), ["not_own_sidecar"]);
    let words = judgements[0].reason.to_string();
    assert!(words.contains("this pod's own sidecar"), "{words}");
}
