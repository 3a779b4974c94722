//! Nothing that an application, a controller or a proxy says may trap the module: a trap silences the filter.

use crate::{
    behaviour::mk_response,
    vm::{ROOT, Vm, mk_pairs},
};
use lazyload_protocol::v1::Verdict;

/// A small generator with a fixed seed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

#[test]
fn an_authority_of_100_kilobytes_passes_untouched_and_unreported() {
    let mut vm = Vm::start("");
    let authority = "a".repeat(100_000);
    vm.miss(&authority);
    vm.pass(1);
    assert_eq!(vm.state().values(":authority"), [authority]);
    assert!(vm.state().calls.is_empty());
    assert_eq!(vm.state().metric("lazyload_misses_invalid_authority"), 1);
    assert!(vm.state().log.iter().all(|(_, line)| line.len() < 500));
}

#[test]
fn a_request_without_authority_goes_on() {
    let mut vm = Vm::start("");
    vm.request("allow_any", b"");
    vm.request("block_all", b"\xff\x00");
    assert_eq!(vm.state().metric("lazyload_misses_invalid_authority"), 2);
}

#[test]
fn a_controller_that_talks_nonsense_is_survived() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut vm = Vm::start("");
    for round in 0..300 {
        vm.miss(&format!("host-{round}"));
        vm.pass(1);
        match random.below(3) {
            0 => vm.fail(u32::try_from(random.below(20)).expect("small")),
            _ => {
                let body = random.bytes(200);
                vm.answer(body);
            }
        }
        vm.pass(20_000);
    }
    assert!(vm.reported().len() >= 300);
}

#[test]
fn random_requests_nodes_and_configurations_never_trap() {
    let names = ["virtual_host_name", "route_name", "cluster_name"];
    let values: [&[u8]; 5] = [
        b"allow_any",
        b"block_all",
        b"PassthroughCluster",
        b"default",
        b"",
    ];
    let configurations = [
        "",
        "{}",
        "{\"maxBatch\":1,\"maxPending\":1}",
        "[",
        "{\"x\":{}}",
        "\u{0}",
    ];
    let hosts: [&[u8]; 8] = [
        b"reviews",
        b"A.b.:80",
        b"[::1]:80",
        b"::",
        b"a:b:c",
        b".",
        b"10.0.0.1",
        b"\xf0\x9f\x92\xa9",
    ];
    for seed in 1..=60 {
        let mut random = Random(seed * 0x2545_f491_4f6c);
        let mut vm = Vm::start(random.pick(&configurations));
        for metadata in ["NAMESPACE", "NAME", "LABELS", "SERVICE_ACCOUNT"] {
            if random.below(2) == 0 {
                let mut value = mk_pairs(&[("app", "x"), ("y", "z")]);
                let at = random.below(value.len());
                value[at] ^= random.next().to_le_bytes()[0];
                value.extend(random.bytes(3));
                vm.state()
                    .set_property(&["xds", "node", "metadata", metadata], &value);
            }
        }
        for _ in 0..40 {
            let name = random.pick(&names);
            let value = random.pick(&values).to_vec();
            vm.state().set_property(&["xds", name], &value);
            let address = match random.below(3) {
                0 => random.bytes(30),
                1 => b"[fd00::1]:80".to_vec(),
                _ => b"10.0.0.1:65535".to_vec(),
            };
            vm.state()
                .set_property(&["destination", "address"], &address);
            let authority = match random.below(3) {
                0 => random.bytes(300),
                _ => random.pick(&hosts).to_vec(),
            };
            let virtual_host = random.pick(&["allow_any", "", "block_all", "a:80"]);
            vm.request(virtual_host, &authority);
            let milliseconds = random.next() % 3_000;
            vm.pass(milliseconds);
            if !vm.state().calls.is_empty() && random.below(2) == 0 {
                let body = random.bytes(60);
                vm.answer(body);
            }
        }
    }
}

#[test]
fn whatever_status_a_function_of_the_proxy_returns_requests_go_on() {
    let all_but_ok = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 77, -1];
    for function in [
        "proxy_call_foreign_function",
        "proxy_continue_stream",
        "proxy_define_metric",
        "proxy_get_buffer_bytes",
        "proxy_get_current_time_nanoseconds",
        "proxy_get_header_map_value",
        "proxy_get_property",
        "proxy_get_shared_data",
        "proxy_http_call",
        "proxy_increment_metric",
        "proxy_log",
        "proxy_record_metric",
        "proxy_remove_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_set_shared_data",
        "proxy_set_tick_period_milliseconds",
    ] {
        for status in all_but_ok {
            let mut vm = Vm::start_refused(function, status);
            vm.open("allow_any", b"reviews");
            vm.tick();
            vm.pass(1);
            if !vm.state().calls.is_empty() {
                vm.answer_with(&mk_response(&[Verdict::InMesh]));
            }
            vm.open("allow_any", b"ratings");
            vm.pass(10);
            if !vm.state().probes.is_empty() {
                vm.answer_probe("299");
            }
            if !vm.state().calls.is_empty() {
                vm.answer(b"\xff".to_vec());
            }
            vm.pass(10_010);
            let waiting = vm.waiting();
            assert!(waiting.is_empty(), "{function}: {status}: {waiting:?}");
        }
    }
}

#[test]
fn answers_to_calls_that_nobody_made_are_ignored() {
    let mut vm = Vm::start("");
    let held = vm.hold("reviews");
    for token in [0, 1, 77, u32::MAX] {
        vm.call::<(u32, u32, u32), ()>("proxy_on_grpc_receive", (ROOT, token, 10));
        vm.call::<(u32, u32, u32), ()>("proxy_on_grpc_close", (ROOT, token, 14));
        for context in [0, ROOT, held, 77, u32::MAX] {
            vm.answer_call(context, token, "299", 1);
            vm.answer_call(context, token, "", 0);
        }
    }
    assert_eq!(vm.waiting(), [held]);
}

#[test]
fn answers_of_any_size_and_status_are_survived() {
    let mut random = Random(0x5851_f42d_4c95_7f2d);
    let statuses = [
        "",
        "299",
        "404",
        "999999999999",
        "-1",
        "\u{1f4a9}",
        "200 OK",
    ];
    for round in 0..40 {
        let mut vm = Vm::start("");
        vm.hold(&format!("host-{round}"));
        vm.pass(1);
        vm.answer_with(&mk_response(&[Verdict::InMesh]));
        for _ in 0..10 {
            vm.pass(50);
            let token = u32::try_from(vm.state().probes.len()).expect("few");
            let status = random.pick(&statuses).to_owned();
            vm.state().probe_status = status.into_bytes();
            vm.call::<(u32, u32, u32, u32, u32), ()>(
                "proxy_on_http_call_response",
                (ROOT, token, u32::MAX, u32::MAX, u32::MAX),
            );
        }
        vm.pass(10_010);
        assert!(vm.waiting().is_empty());
    }
}

#[test]
fn whatever_happens_nobody_waits_past_the_limits() {
    let hosts = ["reviews", "Reviews:9080", "ratings", "details", "10.96.0.7"];
    let verdicts = [
        Verdict::InMesh,
        Verdict::InMesh,
        Verdict::External,
        Verdict::Unspecified,
    ];
    for seed in 1..=40 {
        let mut random = Random(seed * 0x2545_f491_4f6d);
        let mut vm = Vm::start(r#"{"maxHeldStreams": 8, "maxPending": 4}"#);
        vm.state().answers_at_once = seed % 2 == 0;
        let mut open = Vec::new();
        for _ in 0..80 {
            match random.below(6) {
                0 | 1 => open.push(vm.open("allow_any", random.pick(&hosts).as_bytes())),
                2 if !open.is_empty() => {
                    let context = open.swap_remove(random.below(open.len()));
                    vm.close(context);
                }
                3 if !vm.state().calls.is_empty() => {
                    let verdict = verdicts[random.below(verdicts.len())];
                    vm.answer_with(&mk_response(&[verdict; 3]));
                }
                4 => {
                    let token = u32::try_from(random.below(40)).expect("small");
                    let status = random.pick(&["299", "404", "503", ""]);
                    vm.answer_call(ROOT, token, status, 1);
                }
                _ => {
                    let milliseconds = random.next() % 300;
                    vm.pass(milliseconds);
                }
            }
        }
        vm.pass(10_010);
        assert!(vm.waiting().is_empty(), "seed {seed}");
        for context in open {
            vm.close(context);
        }
        let ended = |name: &str| {
            name.starts_with("lazyload_passed_")
                || name == "lazyload_requests_replayed"
                || name == "lazyload_requests_reset"
                || name == "lazyload_misses_invalid_authority"
        };
        let metrics = vm.state().metrics.iter();
        let ended: u64 = metrics
            .filter(|(name, _)| ended(name))
            .map(|(_, value)| value)
            .sum();
        let misses = vm.state().metric("lazyload_misses");
        assert!(misses > 0);
        assert_eq!(misses, ended, "seed {seed}: each ends once");
        vm.pass(20_000);
        assert_eq!(vm.state().tick_milliseconds, 0, "seed {seed}");
    }
}

#[test]
fn clients_that_come_and_give_up_without_end_leave_nothing_behind() {
    let mut vm = Vm::start("");
    let mut host = 0;
    let mut churn = |vm: &mut Vm| {
        for _ in 0..1_500 {
            let context = vm.open("allow_any", format!("host-{host}").as_bytes());
            host += 1;
            vm.pass(1);
            vm.close(context);
        }
    };
    churn(&mut vm);
    let memory = vm.memory_bytes();
    for _ in 0..3 {
        churn(&mut vm);
    }
    assert_eq!(vm.memory_bytes(), memory);
}
