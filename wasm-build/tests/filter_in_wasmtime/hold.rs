//! A request that is held, from the miss to its way through the new route.

use crate::{
    behaviour::{ORIGINAL_DESTINATION, SOURCE_NAMESPACE, mk_response, mk_spoofed},
    state::SharedData,
    vm::{PASS_THROUGH, ROOT, Vm, mk_pairs},
};
use lazyload_protocol::v1::{FirstRequest, ReportResponse, Verdict};

const REPLAY: &str = "x-lazyload-replay";
const PROBE: &str = "x-lazyload-probe";
const STAMPS: [&str; 2] = [ORIGINAL_DESTINATION, SOURCE_NAMESPACE];

/// What a held request has of the stamps, in their order.
fn stamps(vm: &mut Vm, context: u32) -> [Vec<String>; 2] {
    STAMPS.map(|name| vm.state().paused_values(context, name))
}

fn mk_stamps(destination: &str) -> [Vec<String>; 2] {
    [destination, "shop"].map(|value| vec![value.to_owned()])
}

/// Starts a request with headers of its own to this address, which must be held.
fn hold_spoofed(vm: &mut Vm, authority: &str, destination: &str) -> u32 {
    mk_spoofed(vm);
    vm.state()
        .set_property(&["destination", "address"], destination.as_bytes());
    vm.hold(authority)
}

/// A VM that was told to hold what it holds.
fn mk_expecting(authorities: &[&str]) -> (Vm, Vec<u32>) {
    let mut vm = Vm::start("");
    let held = authorities.iter().map(|authority| vm.hold(authority));
    let held = held.collect();
    vm.pass(1);
    vm.answer_with(&mk_response(&vec![Verdict::InMesh; authorities.len()]));
    (vm, held)
}

#[test]
fn a_request_is_held_until_its_route_is_there_and_leaves_through_it() {
    let (mut vm, held) = mk_expecting(&["Reviews:9080"]);
    assert!(vm.state().probes.is_empty());
    vm.pass(5);
    let probe = vm.state().probes.first().expect("a probe").clone();
    assert_eq!(probe.cluster, "lazyload-replay-9080");
    let headers = [
        (":method", "GET"),
        (":path", "/"),
        (":authority", "Reviews:9080"),
        (PROBE, "1"),
    ];
    assert_eq!(probe.headers, mk_pairs(&headers));
    assert_eq!(probe.timeout_milliseconds, 1_000);
    assert_eq!(
        probe.context, ROOT,
        "a call of a request's context would end with the request"
    );
    vm.answer_probe("404");
    assert!(!vm.state().paused[&held[0]].resumed);
    vm.pass(5);
    assert_eq!(vm.state().probes.len(), 2);
    vm.answer_probe("299");
    let paused = vm.state().paused[&held[0]].clone();
    assert!(paused.resumed && paused.route_cleared);
    assert_eq!(
        vm.state().paused_values(held[0], REPLAY),
        ["lazyload-replay-9080"]
    );
    assert_eq!(vm.state().context, ROOT);
    assert_eq!(vm.state().metric("lazyload_requests_held"), 1);
    assert_eq!(vm.state().metric("lazyload_requests_replayed"), 1);
    assert_eq!(vm.state().metric("lazyload_probes_sent"), 2);
    assert_eq!(vm.state().histogram, [11]);
    vm.close(held[0]);
    assert_eq!(vm.state().metric("lazyload_requests_reset"), 0);
    vm.pass(1_000);
    assert_eq!(vm.state().tick_milliseconds, 0);
}

#[test]
fn a_replayed_request_has_what_the_application_sent_and_nothing_of_the_filter() {
    let mut vm = Vm::start("");
    let plain = vm.hold("reviews");
    let spoofed = hold_spoofed(&mut vm, "reviews", "10.96.0.7:9080");
    let before = stamps(&mut vm, spoofed);
    assert_eq!(
        before,
        STAMPS.map(|_| ["spoofed", "twice"].map(String::from))
    );
    vm.pass(1);
    vm.answer_with(&mk_response(&[Verdict::InMesh]));
    vm.pass(5);
    vm.answer_probe("299");
    assert!(vm.waiting().is_empty());
    assert_eq!(stamps(&mut vm, plain), [const { Vec::<String>::new() }; 2]);
    assert_eq!(stamps(&mut vm, spoofed), before);
    assert_eq!(vm.state().metric("lazyload_requests_replayed"), 2);
}

#[test]
fn requests_that_wait_together_in_vain_are_each_stamped_with_their_own_destination() {
    type End = fn(&mut Vm);
    let told: End = |vm| vm.answer_with(&mk_response(&[Verdict::External]));
    let failed: End = |vm| vm.fail(14);
    let no_verdict: End = |vm| vm.pass(1_000);
    let no_route: End = |vm| {
        vm.answer_with(&mk_response(&[Verdict::InMesh]));
        vm.pass(10_000);
    };
    let no_listener: End = |vm| {
        vm.answer_with(&mk_response(&[Verdict::InMesh]));
        vm.state().refuse_probes = 2;
        vm.pass(5);
    };
    for end in [told, failed, no_verdict, no_route, no_listener] {
        let mut vm = Vm::start("");
        let one = hold_spoofed(&mut vm, "reviews", "10.96.0.7:9080");
        let other = hold_spoofed(&mut vm, "reviews", "[fd00::7]:9080");
        vm.pass(1);
        end(&mut vm);
        assert!(vm.waiting().is_empty());
        assert_eq!(stamps(&mut vm, one), mk_stamps("10.96.0.7:9080"));
        assert_eq!(stamps(&mut vm, other), mk_stamps("[fd00::7]:9080"));
        assert_eq!(vm.state().context, ROOT);
    }
}

#[test]
fn an_address_is_held_and_reported_like_a_name() {
    for authority in ["10.96.0.7:9080", "[fd00::7]"] {
        let mut vm = Vm::start("");
        let held = vm.hold(authority);
        vm.pass(1);
        assert_eq!(vm.reported(), [[authority]]);
        vm.answer_with(&mk_response(&[Verdict::InMesh]));
        vm.pass(5);
        let probe = vm.state().probes.first().expect("a probe").clone();
        let sent = String::from_utf8_lossy(&probe.headers).into_owned();
        assert!(sent.contains(&format!("\0{authority}\0")), "{sent:?}");
        vm.answer_probe("299");
        assert!(vm.state().paused[&held].route_cleared);
    }
}

#[test]
fn fifty_requests_to_one_host_make_one_report_and_share_their_probes() {
    let mut vm = Vm::start("");
    let held: Vec<u32> = (0..50).map(|_| vm.hold("reviews")).collect();
    vm.pass(1);
    vm.answer_with(&mk_response(&[Verdict::InMesh]));
    vm.pass(20);
    assert_eq!(vm.reported(), [["reviews"]]);
    assert_eq!(vm.state().probes.len(), 1);
    vm.answer_probe("299");
    assert_eq!(vm.waiting().len(), 18, "some go on in the next call");
    vm.pass(1);
    for context in held {
        assert!(vm.state().paused[&context].resumed);
        assert_eq!(vm.state().paused_values(context, REPLAY).len(), 1);
    }
}

#[test]
fn a_request_that_is_not_to_be_held_goes_on_as_it_was() {
    let answers = [Verdict::External, Verdict::Refused, Verdict::NoFence];
    for verdict in answers {
        let mut vm = Vm::start("");
        let held = vm.hold("reviews");
        vm.pass(1);
        vm.answer_with(&mk_response(&[verdict]));
        let paused = vm.state().paused[&held].clone();
        assert!(paused.resumed && !paused.route_cleared, "{verdict:?}");
        assert!(vm.state().paused_values(held, REPLAY).is_empty());
        let next = vm.open("allow_any", b"reviews");
        assert!(
            !vm.state().paused.contains_key(&next),
            "it never waits again"
        );
        assert_eq!(vm.state().metric("lazyload_passed_verdict"), 2);
    }
}

#[test]
fn a_controller_that_is_away_delays_a_request_by_the_verdict_limit_at_most() {
    let mut vm = Vm::start("");
    let unanswered = vm.hold("reviews");
    vm.pass(999);
    assert!(!vm.state().paused[&unanswered].resumed);
    vm.pass(1);
    assert!(vm.state().paused[&unanswered].resumed);
    let failed = vm.hold("ratings");
    vm.fail(14);
    assert!(vm.state().paused[&failed].resumed);
    let next = vm.open("allow_any", b"details");
    assert!(!vm.state().paused.contains_key(&next));
    assert_eq!(vm.state().metric("lazyload_passed_report_failed"), 2);
    assert_eq!(vm.state().metric("lazyload_passed_verdict_timeout"), 1);
}

#[test]
fn without_replay_listeners_a_request_goes_on_as_it_was() {
    let (mut vm, held) = mk_expecting(&["reviews"]);
    vm.state().refuse_probes = 2;
    vm.pass(5);
    assert!(vm.state().paused[&held[0]].resumed);
    assert!(vm.state().paused_values(held[0], REPLAY).is_empty());
    assert_eq!(vm.state().metric("lazyload_passed_not_installed"), 1);
}

#[test]
fn a_route_that_does_not_come_ends_the_hold_at_its_limit() {
    let (mut vm, held) = mk_expecting(&["reviews"]);
    for _ in 0..120 {
        vm.pass(100);
        if !vm.state().paused[&held[0]].resumed {
            vm.answer_probe("404");
        }
    }
    assert!(vm.state().paused[&held[0]].resumed);
    assert!(vm.state().paused_values(held[0], REPLAY).is_empty());
    assert_eq!(vm.state().metric("lazyload_passed_hold_timeout"), 1);
    assert_eq!(vm.state().tick_milliseconds, 0);
}

#[test]
fn a_client_that_gives_up_takes_its_request_out_of_the_books() {
    let (mut vm, held) = mk_expecting(&["reviews", "ratings"]);
    vm.pass(5);
    vm.close(held[0]);
    vm.answer_call(ROOT, 1, "299", 1);
    vm.answer_call(ROOT, 2, "299", 1);
    assert!(vm.state().paused[&held[1]].resumed);
    assert_eq!(vm.state().metric("lazyload_requests_reset"), 1);
    assert_eq!(vm.state().metric("lazyload_requests_replayed"), 1);
}

#[test]
fn the_workers_of_a_sidecar_share_a_verdict() {
    let shared = SharedData::default();
    let mut one = Vm::start_with("", shared.clone());
    let mut other = Vm::start_with("", shared);
    one.hold("reviews");
    let held = other.hold("reviews");
    one.pass(1);
    one.answer_with(&mk_response(&[Verdict::InMesh]));
    other.pass(10);
    assert!(other.reported().is_empty());
    assert_eq!(other.state().probes.len(), 1);
    other.answer_probe("299");
    assert!(other.state().paused[&held].resumed);
    let late = other.hold("reviews");
    other.pass(5);
    other.answer_probe("299");
    assert!(
        other.state().paused[&late].resumed,
        "it waits for no verdict"
    );
}

#[test]
fn a_workload_whose_requests_all_pass_is_still_reported() {
    let mut vm = Vm::start("");
    vm.hold("reviews");
    vm.pass(1);
    let response = |first_request: FirstRequest| ReportResponse {
        first_request: first_request.into(),
        ..mk_response(&[Verdict::InMesh])
    };
    vm.answer_with(&response(FirstRequest::PassThrough));
    let passed = vm.open("allow_any", b"ratings");
    assert!(!vm.state().paused.contains_key(&passed));
    vm.pass(1);
    assert_eq!(vm.reported(), [["reviews"], ["ratings"]]);
    vm.answer_with(&response(FirstRequest::Hold));
    vm.hold("details");
}

#[test]
fn headers_of_the_filter_are_taken_from_applications_even_where_nothing_is_held() {
    for configuration in ["", PASS_THROUGH] {
        let mut vm = Vm::start(configuration);
        vm.state().add_header(REPLAY, b"lazyload-replay-80");
        vm.state().add_header(PROBE, b"");
        vm.miss("reviews");
        for name in [REPLAY, PROBE] {
            assert!(vm.state().values(name).is_empty(), "{name}");
        }
    }
}

#[test]
fn a_replay_that_the_proxy_does_not_route_anew_carries_no_header_of_the_filter() {
    for (function, status) in [
        ("proxy_call_foreign_function", 1),
        ("proxy_replace_header_map_value", 10),
    ] {
        let mut vm = Vm::start_refused(function, status);
        let held = hold_spoofed(&mut vm, "reviews", "10.96.0.7:9080");
        vm.pass(1);
        vm.answer_with(&mk_response(&[Verdict::InMesh]));
        vm.pass(5);
        vm.answer_probe("299");
        assert!(vm.state().paused[&held].resumed);
        assert!(vm.state().paused_values(held, REPLAY).is_empty());
        assert_eq!(vm.state().metric("lazyload_passed_not_installed"), 1);
        // A proxy that sets no header at all has at least those removed that nobody may believe.
        let expected = match function {
            "proxy_call_foreign_function" => mk_stamps("10.96.0.7:9080"),
            _ => [const { Vec::new() }; 2],
        };
        assert_eq!(stamps(&mut vm, held), expected, "{function}");
    }
}

#[test]
fn where_the_proxy_withholds_what_holding_takes_nothing_is_held() {
    for function in [
        "proxy_call_foreign_function",
        "proxy_continue_stream",
        "proxy_get_current_time_nanoseconds",
        "proxy_set_effective_context",
        "proxy_set_tick_period_milliseconds",
    ] {
        let mut vm = Vm::start_refused(function, 10);
        let passed = vm.open("allow_any", b"reviews");
        assert!(!vm.state().paused.contains_key(&passed), "{function}");
    }
}

#[test]
fn requests_that_end_as_soon_as_they_go_on_do_not_pile_up() {
    let mut vm = Vm::start("");
    vm.state().answers_at_once = true;
    for _ in 0..500 {
        vm.hold("reviews");
    }
    vm.pass(1);
    vm.answer_with(&mk_response(&[Verdict::External]));
    vm.pass(20);
    assert!(vm.waiting().is_empty());
    assert_eq!(vm.state().contexts.len(), 1, "only the root is left");
    assert_eq!(vm.state().deepest, 32);
    assert_eq!(vm.state().metric("lazyload_passed_verdict"), 500);
    assert_eq!(vm.state().metric("lazyload_requests_reset"), 0);
}
