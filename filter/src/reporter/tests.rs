use super::*;
use crate::{gate::Admission, memory::Memory};
use lazyload_protocol::v1::{FirstRequest, Outcome, ReportResponse, Verdict};
use wasm_bindgen_test::wasm_bindgen_test;

fn mk_reporter(config: Config) -> Reporter {
    let workload = Workload {
        namespace: "shop".to_owned(),
        ..Workload::default()
    };
    Reporter::new(config, workload)
}

fn mk_pending(host: &str) -> Pending {
    Pending {
        key: Key::new(host, 80),
        miss: Miss {
            authority: host.to_owned(),
            port: 80,
            ..Miss::default()
        },
    }
}

/// What the plugin does for a miss.
fn push(reporter: &mut Reporter, envoy: &Memory, host: &str) {
    let pending = mk_pending(host);
    if gate::admit(envoy, pending.key, reporter.config.waits()) == Admission::Report {
        reporter.push(envoy, pending);
    }
}

/// The wake-up that it wants comes.
fn wake(reporter: &mut Reporter, envoy: &Memory) {
    if let Some(due) = &mut reporter.due {
        *due = Moment::after(envoy.now(), 0);
    }
    reporter.on_wake(envoy);
}

/// In how many milliseconds the reporter wants to be woken; 0 for never.
fn wakes_in(reporter: &Reporter, envoy: &Memory) -> u64 {
    reporter.left(envoy.now()).unwrap_or_default()
}

fn mk_response(verdicts: &[Verdict]) -> Vec<u8> {
    let outcomes = verdicts.iter().map(|verdict| Outcome {
        verdict: (*verdict).into(),
        reason: "because".to_owned(),
        ..Outcome::default()
    });
    ReportResponse {
        outcomes: outcomes.collect(),
        ..ReportResponse::default()
    }
    .encode_to_vec()
}

#[wasm_bindgen_test(unsupported = test)]
fn misses_of_one_moment_share_a_report_and_no_tick_remains() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    push(&mut reporter, &envoy, "b");
    assert_eq!(wakes_in(&reporter, &envoy), 1);
    assert!(envoy.calls.borrow().is_empty());
    wake(&mut reporter, &envoy);
    assert_eq!(wakes_in(&reporter, &envoy), 0);
    assert_eq!(envoy.reported(), [["a", "b"]]);
    let calls = envoy.calls.borrow();
    let (target, request) = calls.first().unwrap();
    assert!(target.contains("outbound|8082||lazyload.mesh-operator.svc.cluster.local"));
    assert_eq!(request.workload.as_ref().unwrap().namespace, "shop");
}

#[wasm_bindgen_test(unsupported = test)]
fn misses_during_a_call_leave_with_its_answer() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    push(&mut reporter, &envoy, "b");
    push(&mut reporter, &envoy, "c");
    assert_eq!(wakes_in(&reporter, &envoy), 0);
    reporter.on_answer(&envoy, 0, 0, &mk_response(&[Verdict::InMesh]));
    assert_eq!(envoy.reported(), [vec!["a"], vec!["b", "c"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_batch_has_its_limit_and_the_rest_follows() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config {
        max_batch: 2,
        ..Config::default()
    });
    for host in ["a", "b", "c"] {
        push(&mut reporter, &envoy, host);
    }
    wake(&mut reporter, &envoy);
    reporter.on_answer(&envoy, 0, 0, &mk_response(&[Verdict::External; 2]));
    assert_eq!(envoy.reported(), [vec!["a", "b"], vec!["c"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_full_queue_drops_counts_and_lets_the_host_come_again() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config {
        max_pending: 1,
        ..Config::default()
    });
    push(&mut reporter, &envoy, "a");
    push(&mut reporter, &envoy, "b");
    assert_eq!(envoy.counted(Metric::Dropped), 1);
    wake(&mut reporter, &envoy);
    envoy.now.set(1_000);
    push(&mut reporter, &envoy, "b");
    reporter.on_answer(&envoy, 0, 0, &mk_response(&[Verdict::InMesh]));
    assert_eq!(envoy.reported(), [["a"], ["b"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn each_verdict_is_counted_and_a_refusal_is_told() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    for host in ["a", "b", "c", "d", "e"] {
        push(&mut reporter, &envoy, host);
    }
    wake(&mut reporter, &envoy);
    let verdicts = [
        Verdict::InMesh,
        Verdict::External,
        Verdict::Refused,
        Verdict::NoFence,
        Verdict::Unspecified,
    ];
    reporter.on_answer(&envoy, 0, 0, &mk_response(&verdicts));
    for metric in [
        Metric::InMesh,
        Metric::External,
        Metric::Refused,
        Metric::NoFence,
        Metric::Unknown,
    ] {
        assert_eq!(envoy.counted(metric), 1, "{metric:?}");
    }
    assert_eq!(
        envoy.lines_at(Level::Info),
        ["lazyload: c: refused: because"]
    );
    assert_eq!(envoy.lines_at(Level::Debug).len(), 4);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failed_report_is_told_once_and_repeated_after_the_shorter_wait() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    for round in 0..3 {
        envoy.now.set(u64::from(round) * 1_000);
        push(&mut reporter, &envoy, "a");
        wake(&mut reporter, &envoy);
        reporter.on_answer(&envoy, round, 14, b"");
    }
    assert_eq!(envoy.reported(), [["a"], ["a"], ["a"]]);
    assert_eq!(envoy.counted(Metric::ReportsFailed), 3);
    let warnings = envoy.lines_at(Level::Warn);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("gRPC status 14"), "{warnings:?}");
    envoy.now.set(3_000);
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    reporter.on_answer(&envoy, 3, 0, &mk_response(&[Verdict::InMesh]));
    assert_eq!(
        envoy.lines_at(Level::Info),
        ["lazyload: reports reach the controller again"]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_call_that_does_not_start_is_a_failed_report() {
    let envoy = Memory::default();
    envoy.refuse_calls.set(true);
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    assert_eq!(envoy.counted(Metric::ReportsFailed), 1);
    envoy.refuse_calls.set(false);
    envoy.now.set(1_000);
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    assert_eq!(envoy.reported(), [["a"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_call_without_any_answer_does_not_silence_the_filter() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    envoy.now.set(7_001);
    push(&mut reporter, &envoy, "b");
    assert_eq!(wakes_in(&reporter, &envoy), 1_000);
    wake(&mut reporter, &envoy);
    assert_eq!(envoy.reported(), [["a"], ["b"]]);
    reporter.on_answer(&envoy, 0, 0, &mk_response(&[Verdict::InMesh]));
    assert_eq!(
        envoy.counted(Metric::InMesh),
        0,
        "an answer that comes too late is nobody's"
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn an_answer_that_is_none_counts_as_a_failure() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    reporter.on_answer(&envoy, 0, 0, &[0xff; 100]);
    assert_eq!(envoy.counted(Metric::ReportsFailed), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn outcomes_that_are_missing_or_too_many_harm_nobody() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    push(&mut reporter, &envoy, "b");
    wake(&mut reporter, &envoy);
    reporter.on_answer(&envoy, 0, 0, &mk_response(&[Verdict::InMesh]));
    assert_eq!(envoy.counted(Metric::Unknown), 1);
    envoy.now.set(1_000);
    push(&mut reporter, &envoy, "a");
    push(&mut reporter, &envoy, "b");
    wake(&mut reporter, &envoy);
    reporter.on_answer(&envoy, 1, 0, &mk_response(&[Verdict::InMesh; 5]));
    assert_eq!(envoy.reported(), [vec!["a", "b"], vec!["b"]]);
    assert_eq!(envoy.counted(Metric::InMesh), 2);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_reason_cannot_flood_or_forge_a_log_line() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    let response = ReportResponse {
        outcomes: vec![Outcome {
            verdict: Verdict::Refused.into(),
            reason: "x\n".repeat(100_000),
            ..Outcome::default()
        }],
        ..ReportResponse::default()
    };
    reporter.on_answer(&envoy, 0, 0, &response.encode_to_vec());
    let lines = envoy.lines_at(Level::Info);
    assert!(
        lines[0].len() < 400 && !lines[0].contains('\n'),
        "{lines:?}"
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn refusals_without_end_are_told_a_few_times_per_interval() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    for round in 0..20 {
        push(&mut reporter, &envoy, &format!("host-{round}"));
        wake(&mut reporter, &envoy);
        reporter.on_answer(&envoy, round, 0, &mk_response(&[Verdict::Refused]));
    }
    assert_eq!(envoy.counted(Metric::Refused), 20);
    assert_eq!(envoy.lines_at(Level::Info).len(), 3);
    envoy.now.set(10_000);
    push(&mut reporter, &envoy, "another");
    wake(&mut reporter, &envoy);
    reporter.on_answer(&envoy, 20, 0, &mk_response(&[Verdict::Refused]));
    assert_eq!(envoy.lines_at(Level::Info).len(), 4);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_call_without_any_answer_does_not_keep_the_queue_full() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config {
        max_pending: 1,
        ..Config::default()
    });
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    push(&mut reporter, &envoy, "b");
    envoy.now.set(7_001);
    push(&mut reporter, &envoy, "c");
    assert_eq!(envoy.counted(Metric::Dropped), 1);
    assert!(wakes_in(&reporter, &envoy) > 0);
    wake(&mut reporter, &envoy);
    assert_eq!(envoy.reported(), [["a"], ["b"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_waits_while_calls_do_not_start_is_reported_when_they_do() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config {
        max_batch: 1,
        ..Config::default()
    });
    for host in ["a", "b"] {
        push(&mut reporter, &envoy, host);
    }
    envoy.refuse_calls.set(true);
    wake(&mut reporter, &envoy);
    assert_eq!(envoy.counted(Metric::ReportsFailed), 1);
    assert_eq!(wakes_in(&reporter, &envoy), 1_000);
    envoy.refuse_calls.set(false);
    wake(&mut reporter, &envoy);
    assert_eq!(envoy.reported(), [["b"]]);
    assert_eq!(wakes_in(&reporter, &envoy), 0);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_waits_behind_a_failure_follows_after_the_retry_interval() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    push(&mut reporter, &envoy, "b");
    reporter.on_answer(&envoy, 0, 14, b"");
    push(&mut reporter, &envoy, "c");
    assert_eq!(envoy.reported(), [["a"]]);
    assert_eq!(wakes_in(&reporter, &envoy), 1_000);
    wake(&mut reporter, &envoy);
    assert_eq!(envoy.reported(), [vec!["a"], vec!["b", "c"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_controller_that_is_away_is_asked_once_per_retry_interval() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config {
        max_batch: 1,
        ..Config::default()
    });
    for host in 0..50 {
        push(&mut reporter, &envoy, &format!("host-{host}"));
    }
    for round in 0..5 {
        wake(&mut reporter, &envoy);
        reporter.on_answer(&envoy, round, 14, b"");
        push(&mut reporter, &envoy, &format!("another-{round}"));
        assert_eq!(wakes_in(&reporter, &envoy), 1_000);
    }
    assert_eq!(envoy.reported().len(), 5);
}

#[wasm_bindgen_test(unsupported = test)]
fn further_misses_do_not_put_the_wake_up_off() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config {
        batch_delay_milliseconds: 10,
        ..Config::default()
    });
    for now in 0..5 {
        envoy.now.set(now);
        push(&mut reporter, &envoy, &format!("host-{now}"));
    }
    assert_eq!(wakes_in(&reporter, &envoy), 6);
    envoy.now.set(9);
    reporter.on_wake(&envoy);
    assert!(
        envoy.calls.borrow().is_empty(),
        "others wanted this wake-up"
    );
    envoy.now.set(10);
    reporter.on_wake(&envoy);
    assert_eq!(envoy.reported().len(), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_became_known_of_a_host_is_told_and_shared() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    let hosts = ["held", "passed", "external", "unanswered"];
    for host in hosts {
        push(&mut reporter, &envoy, host);
    }
    wake(&mut reporter, &envoy);
    let of = |verdict: Verdict, first_request: FirstRequest| Outcome {
        verdict: verdict.into(),
        first_request: first_request.into(),
        ..Outcome::default()
    };
    let response = ReportResponse {
        outcomes: vec![
            of(Verdict::InMesh, FirstRequest::Hold),
            of(Verdict::InMesh, FirstRequest::PassThrough),
            of(Verdict::External, FirstRequest::Hold),
        ],
        ..ReportResponse::default()
    };
    reporter.on_answer(&envoy, 0, 0, &response.encode_to_vec());
    let expected = [
        Standing::Hold,
        Standing::Pass,
        Standing::Pass,
        Standing::Unreported,
    ];
    let keys = hosts.map(|host| Key::new(host, 80));
    let told: Vec<_> = keys.into_iter().zip(expected).collect();
    assert_eq!(reporter.settled(), told);
    assert!(reporter.settled().is_empty());
    for (key, standing) in told {
        let shared = gate::standing(&envoy, key, reporter.config.waits());
        assert_eq!(shared, Some(standing));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_hosts_of_a_failed_report_are_unreported() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    reporter.on_answer(&envoy, 0, 14, b"");
    let key = Key::new("a", 80);
    assert_eq!(reporter.settled(), [(key, Standing::Unreported)]);
    assert_eq!(
        gate::standing(&envoy, key, reporter.config.waits()),
        Some(Standing::Unreported)
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_host_on_its_way_is_not_queued_twice_though_its_claim_is_lost() {
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    let lose_claims = || envoy.shared.borrow_mut().clear();
    push(&mut reporter, &envoy, "a");
    lose_claims();
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    lose_claims();
    push(&mut reporter, &envoy, "a");
    assert_eq!(envoy.counted(Metric::Deduplicated), 2);
    reporter.on_answer(&envoy, 0, 0, &mk_response(&[Verdict::InMesh]));
    assert_eq!(envoy.reported(), [["a"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn only_an_external_host_is_quiet_for_longer() {
    let hosts = ["mesh", "external", "refused", "fenceless"];
    let envoy = Memory::default();
    let mut reporter = mk_reporter(Config::default());
    let miss_all = |reporter: &mut Reporter, now| {
        envoy.now.set(now);
        for host in hosts {
            push(reporter, &envoy, host);
        }
        wake(reporter, &envoy);
    };
    miss_all(&mut reporter, 0);
    let verdicts = [
        Verdict::InMesh,
        Verdict::External,
        Verdict::Refused,
        Verdict::NoFence,
    ];
    reporter.on_answer(&envoy, 0, 0, &mk_response(&verdicts));
    miss_all(&mut reporter, 10_000);
    reporter.on_answer(&envoy, 1, 0, &mk_response(&[Verdict::NoFence; 3]));
    miss_all(&mut reporter, 59_999);
    reporter.on_answer(&envoy, 2, 0, &mk_response(&[Verdict::NoFence; 3]));
    miss_all(&mut reporter, 60_000);
    let others = vec!["mesh", "refused", "fenceless"];
    assert_eq!(
        envoy.reported(),
        [hosts.to_vec(), others.clone(), others, vec!["external"]]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_clock_that_is_set_back_does_not_keep_a_lost_call_for_longer_than_usual() {
    let envoy = Memory::default();
    envoy.now.set(1_000_000);
    let mut reporter = mk_reporter(Config::default());
    push(&mut reporter, &envoy, "a");
    wake(&mut reporter, &envoy);
    envoy.now.set(5);
    push(&mut reporter, &envoy, "b");
    assert_eq!(envoy.counted(Metric::ReportsFailed), 0);
    envoy.now.set(7_006);
    push(&mut reporter, &envoy, "c");
    assert_eq!(envoy.counted(Metric::ReportsFailed), 1);
}
