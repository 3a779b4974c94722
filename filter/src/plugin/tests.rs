use super::*;
use crate::memory::{Memory, Went};
use lazyload_protocol::{
    ORIGINAL_DESTINATION_HEADER, SOURCE_NAMESPACE_HEADER,
    v1::{FirstRequest, Outcome, ReportResponse, Verdict},
};
use prost::Message;
use wasm_bindgen_test::wasm_bindgen_test;

const STAMPS: [&str; 2] = [ORIGINAL_DESTINATION_HEADER, SOURCE_NAMESPACE_HEADER];
const PASS_THROUGH: &str = r#"{"firstRequest": "passthrough"}"#;

/// A held request that went on with its stamps.
fn passed() -> Went {
    let destination = "10.96.0.7:9080".parse().unwrap();
    Went::Passed(Some(destination), Some("shop".to_owned()))
}

fn mk_request(virtual_host: &str, authority: &str) -> Memory {
    let envoy = Memory::default();
    envoy.set_property("xds.virtual_host_name", virtual_host.as_bytes());
    envoy.set_property("destination.address", b"10.96.0.7:9080");
    envoy.set_property("xds.node.metadata.NAMESPACE", b"shop");
    *envoy.authority.borrow_mut() = authority.as_bytes().to_vec();
    for value in ["spoofed", "twice"] {
        for name in STAMPS {
            envoy
                .headers
                .borrow_mut()
                .push((name.to_owned(), value.to_owned()));
        }
    }
    envoy
}

fn mk_miss_request(authority: &str) -> Memory {
    mk_request("allow_any", authority)
}

/// An answer that says so of the first miss and of the workload.
fn mk_answer(first_request: FirstRequest) -> Vec<u8> {
    let outcome = Outcome {
        verdict: Verdict::InMesh.into(),
        first_request: first_request.into(),
        ..Outcome::default()
    };
    let response = ReportResponse {
        outcomes: vec![outcome],
        first_request: first_request.into(),
    };
    response.encode_to_vec()
}

/// A request without a body, of some context.
fn request(plugin: &mut Plugin, envoy: &Memory) -> Flow {
    let stream = Stream {
        context: 7,
        ends_here: true,
    };
    plugin.on_request_headers(envoy, stream)
}

/// Time passes until the wake-up that the filter asked for.
fn wake(plugin: &mut Plugin, envoy: &Memory) {
    let period = u64::from(envoy.wake_period.get());
    envoy.now.set(envoy.now.get() + period);
    plugin.on_wake(envoy);
}

fn mk_plugin(envoy: &Memory, json: &str) -> Plugin {
    let mut plugin = Plugin::default();
    plugin.configure(envoy, json.as_bytes());
    plugin
}

#[wasm_bindgen_test(unsupported = test)]
fn a_hit_is_not_touched_and_not_told() {
    let envoy = mk_request("reviews.shop.svc.cluster.local:9080", "reviews");
    request(&mut mk_plugin(&envoy, ""), &envoy);
    assert_eq!(envoy.header_writes.get(), 0);
    assert_eq!(envoy.property_reads.get(), 1);
    assert!(envoy.lines.borrow().is_empty() && envoy.counts.borrow().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_miss_that_goes_on_is_stamped_over_whatever_the_application_sent() {
    let envoy = mk_miss_request("reviews:9080");
    request(&mut mk_plugin(&envoy, PASS_THROUGH), &envoy);
    assert_eq!(
        envoy.values(ORIGINAL_DESTINATION_HEADER),
        ["10.96.0.7:9080"]
    );
    assert_eq!(envoy.values(SOURCE_NAMESPACE_HEADER), ["shop"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_miss_that_waits_is_left_as_it_came() {
    let envoy = mk_miss_request("reviews:9080");
    let flow = request(&mut mk_plugin(&envoy, ""), &envoy);
    assert_eq!((flow, envoy.header_writes.get()), (Flow::Pause, 0));
    for name in STAMPS {
        assert_eq!(envoy.values(name), ["spoofed", "twice"]);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_the_proxy_does_not_know_is_not_left_to_the_application() {
    let envoy = mk_miss_request("reviews");
    envoy
        .properties
        .borrow_mut()
        .retain(|path, _| path == "xds.virtual_host_name");
    request(&mut mk_plugin(&envoy, ""), &envoy);
    assert!(envoy.headers.borrow().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_miss_is_reported_with_all_that_is_known_of_it() {
    let envoy = mk_miss_request("Reviews:9080");
    let mut plugin = mk_plugin(&envoy, "");
    request(&mut plugin, &envoy);
    wake(&mut plugin, &envoy);
    let calls = envoy.calls.borrow();
    let (_, request) = calls.first().unwrap();
    let expected = Miss {
        authority: "Reviews:9080".to_owned(),
        original_destination: "10.96.0.7:9080".to_owned(),
        port: 9080,
        route: "allow_any".to_owned(),
    };
    assert_eq!(request.misses, [expected]);
    assert_eq!(request.workload.as_ref().unwrap().namespace, "shop");
}

#[wasm_bindgen_test(unsupported = test)]
fn spellings_of_one_host_are_one_miss() {
    let envoy = mk_miss_request("");
    let mut plugin = mk_plugin(&envoy, "");
    for authority in ["reviews", "REVIEWS:9080", "reviews.:80"] {
        *envoy.authority.borrow_mut() = authority.into();
        request(&mut plugin, &envoy);
    }
    wake(&mut plugin, &envoy);
    assert_eq!(envoy.reported(), [["reviews"]]);
    assert_eq!(envoy.counted(Metric::Misses), 3);
    assert_eq!(envoy.counted(Metric::Deduplicated), 2);
}

#[wasm_bindgen_test(unsupported = test)]
fn without_a_destination_the_authority_tells_the_port() {
    for (authority, port) in [("reviews:9080", 9080), ("reviews", 80)] {
        let envoy = mk_miss_request(authority);
        envoy.set_property("destination.address", b"pipe");
        let mut plugin = mk_plugin(&envoy, "");
        request(&mut plugin, &envoy);
        wake(&mut plugin, &envoy);
        assert_eq!(
            envoy.calls.borrow()[0].1.misses[0].port,
            port,
            "{authority}"
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_impossible_authority_is_stamped_and_counted_but_not_reported() {
    let long = "a".repeat(100_000);
    for authority in [&b""[..], b"\xff\xfe", b"a b", long.as_bytes()] {
        let envoy = mk_miss_request("");
        *envoy.authority.borrow_mut() = authority.to_vec();
        let mut plugin = mk_plugin(&envoy, "");
        request(&mut plugin, &envoy);
        wake(&mut plugin, &envoy);
        assert!(envoy.calls.borrow().is_empty());
        assert_eq!(envoy.counted(Metric::InvalidAuthority), 1);
        assert_eq!(envoy.values(SOURCE_NAMESPACE_HEADER), ["shop"]);
        assert!(
            envoy
                .lines
                .borrow()
                .iter()
                .all(|(_, line)| line.len() < 300)
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_address_is_held_and_reported_like_a_name_once_for_all_its_spellings() {
    for spellings in [
        ["10.96.0.7", "10.96.0.7:9080", "[::ffff:10.96.0.7]:9080"],
        ["[fd00::1]", "[FD00:0::1]:9080", "[fd00:0:0:0:0:0:0:1]:9080"],
    ] {
        let envoy = mk_miss_request("");
        let mut plugin = mk_plugin(&envoy, "");
        for authority in spellings {
            *envoy.authority.borrow_mut() = authority.into();
            assert_eq!(request(&mut plugin, &envoy), Flow::Pause, "{authority}");
        }
        wake(&mut plugin, &envoy);
        assert_eq!(envoy.reported(), [[spellings[0]]]);
        assert_eq!(envoy.counted(Metric::Deduplicated), 2);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_address_that_is_of_no_service_is_not_held_again() {
    let envoy = mk_miss_request("10.0.0.1:9080");
    let mut plugin = mk_plugin(&envoy, "");
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    wake(&mut plugin, &envoy);
    let outcome = Outcome {
        verdict: Verdict::External.into(),
        ..Outcome::default()
    };
    let response = ReportResponse {
        outcomes: vec![outcome],
        ..ReportResponse::default()
    };
    plugin.on_answer(&envoy, 0, 0, &response.encode_to_vec());
    assert_eq!(*envoy.resumed.borrow(), [(7, passed())]);
    envoy.now.set(envoy.now.get() + 59_000);
    assert_eq!(request(&mut plugin, &envoy), Flow::Continue);
    assert_eq!(envoy.values(SOURCE_NAMESPACE_HEADER), ["shop"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_that_happens_per_request_is_above_debug() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    for _ in 0..10 {
        request(&mut plugin, &envoy);
    }
    assert!(
        envoy
            .lines
            .borrow()
            .iter()
            .all(|(level, _)| *level == Level::Debug)
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_bad_configuration_is_told_once_and_leaves_the_filter_inert() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, r#"{"x": 1}"#);
    for _ in 0..3 {
        request(&mut plugin, &envoy);
        wake(&mut plugin, &envoy);
        plugin.on_answer(&envoy, 0, 0, b"");
    }
    assert_eq!(envoy.header_writes.get() + envoy.property_reads.get(), 0);
    let lines = envoy.lines_at(Level::Error);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with(
            "lazyload: plugin configuration is not valid: unknown field `x`, expected one of"
        ),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with("the filter stays inactive; fix spec.pluginConfig of the WasmPlugin")
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_good_configuration_brings_an_inert_filter_back() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "[");
    plugin.configure(&envoy, b"{}");
    request(&mut plugin, &envoy);
    assert_eq!(envoy.counted(Metric::Misses), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn headers_of_the_filter_are_taken_from_applications_on_every_miss() {
    for json in ["", PASS_THROUGH] {
        let envoy = mk_miss_request("10.0.0.1");
        for (name, value) in [(REPLAY_HEADER, "lazyload-replay-1"), (PROBE_HEADER, "")] {
            let header = (name.to_owned(), value.to_owned());
            envoy.headers.borrow_mut().push(header);
        }
        request(&mut mk_plugin(&envoy, json), &envoy);
        assert!(envoy.values(REPLAY_HEADER).is_empty());
        assert!(!envoy.has_header(PROBE_HEADER));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_miss_is_held_until_its_report_is_answered() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    wake(&mut plugin, &envoy);
    plugin.on_answer(&envoy, 0, 0, &mk_answer(FirstRequest::Hold));
    let answered = envoy.now.get();
    while envoy.probes.borrow().is_empty() {
        assert!(envoy.wake_period.get() > 0, "a probe is ahead");
        wake(&mut plugin, &envoy);
    }
    assert_eq!(envoy.now.get() - answered, 5);
    plugin.on_probe_answer(&envoy, 0, Some(299));
    let replayed = Went::Replayed("lazyload-replay-9080".to_owned());
    assert_eq!(*envoy.resumed.borrow(), [(7, replayed)]);
    assert_eq!(envoy.header_writes.get(), 0);
    wake(&mut plugin, &envoy);
    assert_eq!(envoy.wake_period.get(), 0);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_cannot_be_held_goes_on_with_its_stamps() {
    for (json, authority, destination) in [
        (PASS_THROUGH, "reviews", &b"10.96.0.7:9080"[..]),
        ("", "a b", b"10.96.0.7:9080"),
        ("", "reviews", b"pipe"),
    ] {
        let envoy = mk_miss_request(authority);
        envoy.set_property("destination.address", destination);
        let mut plugin = mk_plugin(&envoy, json);
        assert_eq!(
            request(&mut plugin, &envoy),
            Flow::Continue,
            "{json} {authority}"
        );
        assert_eq!(envoy.counted(Metric::Held), 0);
        assert_eq!(envoy.values(SOURCE_NAMESPACE_HEADER), ["shop"]);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_proxy_that_cannot_resume_a_request_has_none_held() {
    let envoy = mk_miss_request("reviews");
    envoy.cannot_hold.set(true);
    let mut plugin = mk_plugin(&envoy, "");
    assert_eq!(request(&mut plugin, &envoy), Flow::Continue);
    assert_eq!(envoy.lines_at(Level::Warn).len(), 1);
    wake(&mut plugin, &envoy);
    assert_eq!(envoy.reported(), [["reviews"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_body_that_may_be_long_takes_room_until_its_request_goes_on() {
    let with_body = |context| Stream {
        context,
        ends_here: false,
    };
    for (length, expected) in [(Some("10"), 3), (Some("nonsense"), 2), (None, 2)] {
        let envoy = mk_miss_request("reviews");
        if let Some(length) = length {
            envoy.set_header("content-length", length);
        }
        let mut plugin = mk_plugin(&envoy, r#"{"maxHeldBytes": 2097152}"#);
        for context in 1..=3 {
            plugin.on_request_headers(&envoy, with_body(context));
        }
        assert_eq!(envoy.counted(Metric::Held), expected, "{length:?}");
        plugin.on_gone(&envoy, 1);
        let flow = plugin.on_request_headers(&envoy, with_body(4));
        assert_eq!(flow, Flow::Pause);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_workload_told_to_pass_is_not_held_by_any_worker_until_told_otherwise() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    let other = Memory {
        shared: envoy.shared.clone(),
        ..mk_miss_request("ratings")
    };
    let mut other_plugin = mk_plugin(&other, "");
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    wake(&mut plugin, &envoy);
    plugin.on_answer(&envoy, 0, 0, &mk_answer(FirstRequest::PassThrough));
    assert_eq!(*envoy.resumed.borrow(), [(7, passed())]);
    assert_eq!(request(&mut other_plugin, &other), Flow::Continue);
    wake(&mut other_plugin, &other);
    assert_eq!(other.reported(), [["ratings"]]);
    other_plugin.on_answer(&other, 0, 0, &mk_answer(FirstRequest::Hold));
    assert_eq!(request(&mut plugin, &other), Flow::Pause);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_host_that_did_not_get_into_the_queue_is_not_held() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, r#"{"maxPending": 1}"#);
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    *envoy.authority.borrow_mut() = b"ratings".to_vec();
    assert_eq!(request(&mut plugin, &envoy), Flow::Continue);
    assert_eq!(envoy.counted(Metric::PassedReportFailed), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_new_configuration_lets_go_what_the_old_one_held() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    plugin.configure(&envoy, b"{}");
    assert_eq!(*envoy.resumed.borrow(), [(7, passed())]);
    plugin.on_gone(&envoy, 7);
    plugin.on_wake(&envoy);
    assert_eq!(envoy.wake_period.get(), 0);
}

#[wasm_bindgen_test(unsupported = test)]
fn while_the_controller_is_away_nobody_waits_and_when_it_is_back_they_do() {
    let envoy = mk_miss_request("");
    let mut plugin = mk_plugin(&envoy, "");
    let mut answered = 0;
    let mut paused = 0;
    while envoy.now.get() < 10_000 {
        for host in ["reviews", "ratings"] {
            *envoy.authority.borrow_mut() = host.into();
            if request(&mut plugin, &envoy) == Flow::Pause {
                paused += 1;
                assert_eq!(envoy.counted(Metric::ReportsFailed), 0);
            }
        }
        envoy.now.set(envoy.now.get() + 1);
        plugin.on_wake(&envoy);
        while answered < envoy.calls.borrow().len() {
            let token = u32::try_from(answered).unwrap();
            plugin.on_answer(&envoy, token, 14, b"");
            answered += 1;
        }
        assert_eq!(envoy.resumed.borrow().len(), paused, "nobody waits on");
    }
    assert_eq!(paused, 2);
    assert!((9..=10).contains(&answered), "{answered}");
    envoy.now.set(12_000);
    assert_eq!(request(&mut plugin, &envoy), Flow::Continue);
    envoy.now.set(12_001);
    plugin.on_wake(&envoy);
    plugin.on_answer(
        &envoy,
        u32::try_from(answered).unwrap(),
        0,
        &mk_answer(FirstRequest::Hold),
    );
    *envoy.authority.borrow_mut() = b"details".to_vec();
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failed_report_also_lets_go_those_whose_miss_waits_behind_it() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    wake(&mut plugin, &envoy);
    *envoy.authority.borrow_mut() = b"ratings".to_vec();
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    plugin.on_answer(&envoy, 0, 14, b"");
    assert_eq!(*envoy.resumed.borrow(), [(7, passed()), (7, passed())]);
    envoy.now.set(1_001);
    plugin.on_wake(&envoy);
    assert_eq!(envoy.reported(), [["reviews"], ["ratings"]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_the_old_configuration_held_goes_on_a_few_at_a_time_whatever_the_new_one_is() {
    for json in ["{}", PASS_THROUGH, "["] {
        let envoy = mk_miss_request("reviews");
        let mut plugin = mk_plugin(&envoy, "");
        for context in 0..100 {
            let stream = Stream {
                context,
                ends_here: true,
            };
            assert_eq!(plugin.on_request_headers(&envoy, stream), Flow::Pause);
        }
        plugin.configure(&envoy, json.as_bytes());
        assert_eq!(envoy.resumed.borrow().len(), 32, "{json}");
        plugin.on_gone(&envoy, 99);
        for gone in [64, 96, 99] {
            assert_eq!(envoy.wake_period.get(), 1);
            wake(&mut plugin, &envoy);
            assert_eq!(envoy.resumed.borrow().len(), gone, "{json}");
        }
        wake(&mut plugin, &envoy);
        assert_eq!(envoy.wake_period.get(), 0);
        assert_eq!(envoy.counted(Metric::Reset), 1);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn one_call_of_the_proxy_lets_few_go_though_several_things_end_holds_in_it() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    for context in 0..100 {
        let stream = Stream {
            context,
            ends_here: true,
        };
        let host = if context % 2 == 0 {
            "reviews"
        } else {
            "ratings"
        };
        *envoy.authority.borrow_mut() = host.into();
        assert_eq!(plugin.on_request_headers(&envoy, stream), Flow::Pause);
    }
    envoy.refuse_calls.set(true);
    envoy.now.set(2_000);
    plugin.on_wake(&envoy);
    assert_eq!(envoy.resumed.borrow().len(), 32);
    plugin.on_answer(&envoy, 77, 14, b"");
    assert_eq!(envoy.resumed.borrow().len(), 64);
    plugin.on_probe_answer(&envoy, 77, None);
    assert_eq!(envoy.resumed.borrow().len(), 96);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_grpc_call_of_unknown_length_takes_little_room_and_is_short_enough_to_be_sent_again() {
    for (kind, held, replayed) in [
        ("application/grpc", 4, 4),
        ("Application/gRPC+proto; charset=x", 4, 4),
        ("application/json", 0, 0),
        ("application", 0, 0),
    ] {
        let envoy = mk_miss_request("reviews");
        envoy.set_header("content-type", kind);
        let mut plugin = mk_plugin(&envoy, r#"{"maxHeldBytes": 262144}"#);
        for context in 0..5 {
            let stream = Stream {
                context,
                ends_here: false,
            };
            plugin.on_request_headers(&envoy, stream);
        }
        assert_eq!(envoy.counted(Metric::Held), held, "{kind}");
        wake(&mut plugin, &envoy);
        plugin.on_answer(&envoy, 0, 0, &mk_answer(FirstRequest::Hold));
        while held > 0 && envoy.probes.borrow().is_empty() {
            wake(&mut plugin, &envoy);
        }
        plugin.on_probe_answer(&envoy, 0, Some(299));
        assert_eq!(envoy.counted(Metric::Replayed), replayed, "{kind}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn by_default_as_many_grpc_calls_are_held_as_other_requests() {
    let envoy = mk_miss_request("reviews");
    envoy.set_header("content-type", "application/grpc");
    let mut plugin = mk_plugin(&envoy, "");
    for context in 0..1_001 {
        let stream = Stream {
            context,
            ends_here: false,
        };
        plugin.on_request_headers(&envoy, stream);
    }
    assert_eq!(envoy.counted(Metric::Held), 1_000);
    assert_eq!(envoy.counted(Metric::PassedStreamLimit), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_request_that_waits_for_its_own_worker_to_hear_the_verdict_costs_few_wake_ups() {
    let envoy = mk_miss_request("reviews");
    let mut plugin = mk_plugin(&envoy, "");
    assert_eq!(request(&mut plugin, &envoy), Flow::Pause);
    let mut wakes = 0;
    while envoy.wake_period.get() > 0 {
        wake(&mut plugin, &envoy);
        wakes += 1;
    }
    assert_eq!(*envoy.resumed.borrow(), [(7, passed())]);
    assert!(wakes < 10, "{wakes}");
}
