//! What the filter does to requests, and what it tells the controller.

use crate::{
    state::{DEBUG, ERROR, INFO, SharedData, WARN},
    vm::{PASS_THROUGH, Vm},
};
use lazyload_protocol::v1::{FirstRequest, Miss, Outcome, ReportResponse, Verdict, Workload};

pub const ORIGINAL_DESTINATION: &str = "slime-orig-dest";
pub const SOURCE_NAMESPACE: &str = "slime-source-ns";

pub fn mk_response(verdicts: &[Verdict]) -> ReportResponse {
    let outcomes = verdicts.iter().map(|verdict| Outcome {
        verdict: (*verdict).into(),
        host: "reviews.shop.svc.cluster.local".to_owned(),
        first_request: FirstRequest::Hold.into(),
        ..Outcome::default()
    });
    ReportResponse {
        outcomes: outcomes.collect(),
        ..ReportResponse::default()
    }
}

pub fn mk_spoofed(vm: &mut Vm) {
    for name in [ORIGINAL_DESTINATION, SOURCE_NAMESPACE] {
        vm.state().add_header(name, b"spoofed");
        vm.state().add_header(name, b"twice");
    }
}

#[test]
fn a_miss_that_goes_on_is_stamped_over_whatever_the_application_sent() {
    let mut vm = Vm::start(PASS_THROUGH);
    mk_spoofed(&mut vm);
    vm.miss("reviews:9080");
    assert_eq!(vm.state().values(ORIGINAL_DESTINATION), ["10.96.0.7:9080"]);
    assert_eq!(vm.state().values(SOURCE_NAMESPACE), ["shop"]);
}

#[test]
fn a_hit_is_not_touched_and_not_told() {
    let mut vm = Vm::start("");
    mk_spoofed(&mut vm);
    let log = vm.state().log.len();
    vm.request("reviews.shop.svc.cluster.local:9080", b"reviews:9080");
    vm.pass(10);
    assert_eq!(vm.state().header_writes, 0);
    assert_eq!(vm.state().log.len(), log);
    assert!(vm.state().calls.is_empty());
    assert_eq!(vm.state().metric("lazyload_misses"), 0);
}

#[test]
fn stamps_that_the_proxy_cannot_tell_are_removed_rather_than_believed() {
    let mut vm = Vm::start("");
    mk_spoofed(&mut vm);
    vm.state().properties.clear();
    vm.state()
        .set_property(&["destination", "address"], b"pipe");
    vm.miss("reviews");
    assert!(vm.state().values(ORIGINAL_DESTINATION).is_empty());
    assert!(vm.state().values(SOURCE_NAMESPACE).is_empty());
}

#[test]
fn a_report_says_who_missed_what_and_goes_to_the_configured_cluster() {
    let mut vm = Vm::start(
        r#"{"controllerCluster": "outbound|80||c", "controllerAuthority": "c:80", "reportTimeoutMilliseconds": 7}"#,
    );
    vm.miss("Reviews:9080");
    vm.pass(1);
    let call = vm.state().calls.first().expect("a call").clone();
    assert_eq!(call.target, b"\n\x16\n\x0eoutbound|80||c\x12\x04c:80");
    assert_eq!(
        (call.service.as_str(), call.method.as_str()),
        ("istio.lazyload.v1.MissService", "Report")
    );
    assert_eq!(call.timeout_milliseconds, 7);
    assert_eq!(
        call.context, 1,
        "a call of a request's context would end with the request"
    );
    let report = vm.reports().remove(0);
    let labels = [("app", "productpage"), ("version", "v1")];
    let expected = Workload {
        namespace: "shop".to_owned(),
        name: "productpage-1".to_owned(),
        labels: labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        service_account: "bookinfo-productpage".to_owned(),
        node_id: "sidecar~10.0.0.9~productpage-1.shop~shop.svc.cluster.local".to_owned(),
    };
    assert_eq!(report.workload, Some(expected));
    let expected = Miss {
        authority: "Reviews:9080".to_owned(),
        original_destination: "10.96.0.7:9080".to_owned(),
        port: 9080,
        route: "allow_any".to_owned(),
    };
    assert_eq!(report.misses, [expected]);
}

#[test]
fn misses_of_one_moment_share_a_report_and_no_tick_remains() {
    let mut vm = Vm::start(PASS_THROUGH);
    assert_eq!(vm.state().tick_milliseconds, 0);
    vm.miss("reviews");
    vm.miss("ratings");
    vm.pass(1);
    assert_eq!(vm.reported(), [["reviews", "ratings"]]);
    assert_eq!(vm.state().tick_milliseconds, 0);
    vm.miss("details");
    assert_eq!(vm.state().tick_milliseconds, 0, "it leaves with the answer");
    vm.answer_with(&mk_response(&[Verdict::InMesh; 2]));
    assert_eq!(vm.reported(), [vec!["reviews", "ratings"], vec!["details"]]);
    assert_eq!(vm.state().metric("lazyload_outcomes_in_mesh"), 2);
}

#[test]
fn two_workers_report_a_miss_once() {
    let shared = SharedData::default();
    let mut one = Vm::start_with("", shared.clone());
    let mut other = Vm::start_with("", shared);
    one.miss("reviews");
    other.miss("reviews");
    one.pass(1);
    other.pass(1);
    assert_eq!(one.reported().len() + other.reported().len(), 1);
    assert_eq!(other.state().metric("lazyload_misses_deduplicated"), 1);
}

#[test]
fn a_host_that_is_still_missed_is_reported_again_after_the_interval() {
    let mut vm = Vm::start("");
    for milliseconds in [1, 9_998, 2] {
        vm.miss("reviews");
        vm.pass(milliseconds);
        if vm.reported().len() == 1 {
            vm.answer_with(&mk_response(&[Verdict::InMesh]));
        }
    }
    assert_eq!(vm.reported().len(), 1);
    vm.miss("reviews");
    vm.pass(1);
    assert_eq!(vm.reported().len(), 2);
}

#[test]
fn a_failed_report_is_repeated_sooner_and_told_once() {
    let mut vm = Vm::start("");
    for round in 1..=3 {
        vm.miss("reviews");
        vm.pass(1);
        assert_eq!(vm.reported().len(), round);
        vm.fail(14);
        vm.pass(1_000);
    }
    assert_eq!(vm.state().metric("lazyload_reports_failed"), 3);
    let warnings = vm.state().lines(WARN);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn a_call_that_envoy_does_not_start_is_a_failed_report() {
    for status in [4, 10] {
        let mut vm = Vm::start("");
        vm.state().refuse_calls = status;
        vm.miss("reviews");
        vm.pass(1);
        assert_eq!(vm.state().metric("lazyload_reports_failed"), 1);
    }
}

#[test]
fn an_unknown_key_leaves_the_filter_inert_and_says_what_to_do() {
    let mut vm = Vm::start(r#"{"x": 1}"#);
    let errors = vm.state().lines(ERROR);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("lazyload: plugin configuration is not valid: unknown field `x`, expected one of `controllerCluster`"),
        "{errors:?}"
    );
    assert!(
        errors[0].ends_with("the filter stays inactive; fix spec.pluginConfig of the WasmPlugin"),
        "{errors:?}"
    );
    mk_spoofed(&mut vm);
    vm.miss("reviews");
    vm.pass(10);
    assert_eq!(vm.state().header_writes, 0);
    assert!(vm.state().calls.is_empty());
}

#[test]
fn nothing_that_happens_per_request_is_above_debug() {
    let mut vm = Vm::start("");
    for host in 0..50 {
        vm.miss(&format!("host-{host}"));
        vm.request("allow_any", b"not a host");
    }
    for level in [INFO, WARN, ERROR] {
        assert!(vm.state().lines(level).is_empty());
    }
    assert!(!vm.state().lines(DEBUG).is_empty());
}

#[test]
fn shared_data_stays_bounded_whatever_applications_ask_for() {
    let mut vm = Vm::start("");
    for host in 0..5_000 {
        vm.miss(&format!("host-{host}"));
    }
    let shared = vm.state().shared.clone();
    let shared = shared.lock().expect("no test panics with the lock");
    assert!(shared.len() <= 256, "{}", shared.len());
}

#[test]
fn a_filter_whose_controller_never_answers_does_not_grow() {
    let mut vm = Vm::start("");
    let mut host = 0;
    let mut miss_many = |vm: &mut Vm| {
        for _ in 0..2_000 {
            vm.miss(&format!("host-{host}"));
            host += 1;
        }
    };
    miss_many(&mut vm);
    let memory = vm.memory_bytes();
    for _ in 0..5 {
        miss_many(&mut vm);
    }
    assert_eq!(vm.memory_bytes(), memory);
    assert!(vm.state().metric("lazyload_misses_dropped") > 0);
}
