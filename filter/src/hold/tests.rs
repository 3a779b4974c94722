use super::*;
use crate::{
    config::Config,
    envoy::Level,
    gate::Admission,
    memory::{Memory, SharedData, Went},
};
use wasm_bindgen_test::wasm_bindgen_test;

const READY: Option<u16> = Some(299);
const NOT_READY: Option<u16> = Some(404);

/// One worker whose requests want to go to one port.
struct Worker {
    envoy: Memory,
    holds: Holds,
    answered: usize,
    /// Whether it hears the verdicts itself.
    reports_itself: bool,
}

impl Worker {
    fn new(config: &Config) -> Self {
        Self::beside(config, SharedData::default())
    }

    fn beside(config: &Config, shared: SharedData) -> Self {
        let envoy = Memory {
            shared,
            ..Memory::default()
        };
        Self {
            envoy,
            holds: Holds::new(config.limits(), Some("shop".into())),
            answered: 0,
            reports_itself: false,
        }
    }

    fn hold(&mut self, stream: u32, authority: &str, standing: Standing) -> bool {
        self.hold_to(mk_destination(), stream, authority, standing)
    }

    fn hold_to(
        &mut self,
        destination: SocketAddr,
        stream: u32,
        authority: &str,
        standing: Standing,
    ) -> bool {
        let place = Place {
            destination,
            ..mk_place(authority)
        };
        self.holds
            .hold(&self.envoy, place, standing, stream, Some(0))
    }

    /// Lets time pass; the proxy wakes the filter when it wants, and answers each probe with this status.
    fn pass(&mut self, milliseconds: u64, status: Option<u16>) {
        let end = self.envoy.now.get() + milliseconds;
        while let Some(left) = self.holds.left(self.envoy.now.get()) {
            let now = self.envoy.now.get() + left.max(1);
            if now > end {
                break;
            }
            self.envoy.now.set(now);
            self.wake();
            self.answer(status);
        }
        self.envoy.now.set(end);
    }

    fn answer(&mut self, status: Option<u16>) {
        let sent = self.envoy.probes.borrow().len();
        for token in self.answered..sent {
            let token = u32::try_from(token).unwrap();
            self.holds.on_probe_answer(&self.envoy, token, status);
            self.let_go();
        }
        self.answered = sent;
    }

    fn wake(&mut self) {
        let reports_itself = self.reports_itself;
        self.holds.on_wake(&self.envoy, &|_| reports_itself);
        self.let_go();
    }

    fn settled(&mut self, settled: &[(Key, Standing)]) {
        self.holds.on_settled(&self.envoy, settled);
        self.let_go();
    }

    /// What ends each call of the proxy.
    fn let_go(&mut self) {
        self.holds.let_go(&self.envoy, &mut { MOST_AT_ONCE });
    }

    fn probes(&self) -> usize {
        self.envoy.probes.borrow().len()
    }

    fn resumed(&self) -> Vec<(u32, Went)> {
        self.envoy.resumed.borrow().clone()
    }

    /// The requests that went on through their new route.
    fn replayed(&self) -> Vec<u32> {
        let resumed = self.envoy.resumed.borrow();
        let replayed = resumed
            .iter()
            .filter(|(_, went)| matches!(went, Went::Replayed(_)));
        replayed.map(|(stream, _)| *stream).collect()
    }

    fn is_idle(&self) -> bool {
        self.holds.left(self.envoy.now.get()).is_none()
            && (self.holds.streams, self.holds.bytes) == (0, 0)
    }
}

fn mk_destination() -> SocketAddr {
    SocketAddr::from(([10, 96, 0, 7], 9080))
}

fn mk_place(authority: &str) -> Place {
    Place {
        key: Key::new(&authority.to_lowercase(), 9080),
        destination: mk_destination(),
        miss: Miss {
            authority: authority.to_owned(),
            ..Miss::default()
        },
    }
}

fn mk_worker() -> Worker {
    Worker::new(&Config::default())
}

fn mk_key() -> Key {
    Key::new("reviews", 9080)
}

fn passed_to(destination: SocketAddr) -> Went {
    Went::Passed(Some(destination), Some("shop".to_owned()))
}

fn passed(streams: &[u32]) -> Vec<(u32, Went)> {
    let all = streams.iter();
    all.map(|stream| (*stream, passed_to(mk_destination())))
        .collect()
}

#[wasm_bindgen_test(unsupported = test)]
fn a_request_waits_for_the_verdict_then_for_its_route_and_leaves_through_it() {
    let mut worker = mk_worker();
    assert!(worker.hold(7, "Reviews", Standing::Awaiting));
    worker.pass(20, READY);
    assert_eq!(worker.probes(), 0, "nothing is known yet");
    worker.settled(&[(mk_key(), Standing::Hold)]);
    worker.pass(4, READY);
    assert_eq!(worker.probes(), 0);
    worker.pass(1, NOT_READY);
    let headers = [
        (":method", "GET"),
        (":path", "/"),
        (":authority", "Reviews"),
        ("x-lazyload-probe", "1"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        *worker.envoy.probes.borrow(),
        [("lazyload-replay-9080".to_owned(), headers.to_vec())]
    );
    assert!(worker.resumed().is_empty());
    worker.pass(5, READY);
    let replayed = Went::Replayed("lazyload-replay-9080".to_owned());
    assert_eq!(worker.resumed(), [(7, replayed)]);
    assert_eq!(worker.envoy.counted(Metric::Replayed), 1);
    assert_eq!(*worker.envoy.holds.borrow(), [30]);
    assert!(worker.is_idle());
    let lines = worker.envoy.lines_at(Level::Debug);
    assert_eq!(
        lines,
        ["lazyload: Reviews on port 9080: held for 30 ms, replayed through its new route"]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn fifty_requests_to_one_host_share_their_probes() {
    let mut worker = mk_worker();
    for stream in 0..50 {
        let authority = if stream % 2 == 0 {
            "reviews"
        } else {
            "REVIEWS"
        };
        assert!(worker.hold(stream, authority, Standing::Hold));
    }
    worker.wake();
    worker.envoy.now.set(5);
    for _ in 0..3 {
        worker.wake();
    }
    assert_eq!(worker.probes(), 1);
    worker.answer(READY);
    worker.pass(1, READY);
    assert_eq!(worker.resumed().len(), 50);
    assert_eq!(worker.envoy.counted(Metric::Held), 50);
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn another_spelling_or_port_is_another_route() {
    let mut worker = mk_worker();
    assert!(worker.hold(1, "reviews", Standing::Hold));
    assert!(worker.hold(2, "reviews:9080", Standing::Hold));
    let elsewhere = SocketAddr::from(([10, 96, 0, 7], 9081));
    assert!(worker.hold_to(elsewhere, 3, "reviews", Standing::Hold));
    worker.pass(5, NOT_READY);
    assert_eq!(worker.probes(), 3);
}

#[wasm_bindgen_test(unsupported = test)]
fn probes_grow_rarer_in_proportion_to_the_wait() {
    let mut worker = mk_worker();
    assert!(worker.hold(1, "reviews", Standing::Hold));
    let mut sent = Vec::new();
    while worker.envoy.now.get() < 9_000 {
        let before = worker.probes();
        worker.pass(1, NOT_READY);
        if worker.probes() > before {
            sent.push(worker.envoy.now.get());
        }
    }
    assert_eq!(sent[..3], [5, 10, 15]);
    for pair in sent.windows(2) {
        let interval = pair[1] - pair[0];
        assert_eq!(interval, (pair[0] / 16).clamp(5, 250), "{pair:?}");
    }
    assert!(sent.len() < 110, "{}", sent.len());
}

#[wasm_bindgen_test(unsupported = test)]
fn without_a_verdict_in_time_the_request_passes_and_others_need_not_wait() {
    let mut worker = mk_worker();
    let waits = worker.holds.limits.waits;
    gate::admit(&worker.envoy, mk_key(), waits);
    assert!(worker.hold(1, "reviews", Standing::Awaiting));
    worker.pass(999, READY);
    assert!(worker.resumed().is_empty());
    worker.pass(1, READY);
    assert_eq!(worker.resumed(), passed(&[1]));
    assert_eq!(worker.envoy.counted(Metric::PassedVerdictTimeout), 1);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Known(Standing::Unreported)
    );
    worker.envoy.now.set(2_000);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Report
    );
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn the_limit_of_a_hold_counts_from_when_each_request_came() {
    let mut worker = mk_worker();
    assert!(worker.hold(1, "reviews", Standing::Hold));
    worker.pass(4_000, NOT_READY);
    assert!(worker.hold(2, "reviews", Standing::Awaiting));
    worker.pass(6_000, NOT_READY);
    assert_eq!(worker.resumed(), passed(&[1]));
    let waits = worker.holds.limits.waits;
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Known(Standing::Pass),
        "nobody else waits in vain"
    );
    worker.pass(4_000, NOT_READY);
    assert_eq!(worker.resumed(), passed(&[1, 2]));
    assert_eq!(worker.envoy.counted(Metric::PassedHoldTimeout), 2);
    worker.pass(59_999, NOT_READY);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Known(Standing::Pass),
        "a route that never comes costs one held request a minute"
    );
    worker.pass(1, NOT_READY);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Report
    );
    assert!(worker.is_idle());
    let warnings = worker.envoy.lines_at(Level::Warn);
    assert!(warnings[0].contains("reviews on port 9080 waited 10000 ms"));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_verdict_to_pass_ends_every_wait_for_the_host() {
    for before in [Standing::Awaiting, Standing::Hold] {
        let mut worker = mk_worker();
        assert!(worker.hold(1, "reviews", before));
        assert!(worker.hold(2, "ratings", before));
        worker.settled(&[(mk_key(), Standing::Pass)]);
        assert_eq!(worker.resumed(), passed(&[1]));
        assert_eq!(worker.envoy.counted(Metric::PassedVerdict), 1);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_failed_report_ends_the_wait_for_a_verdict_but_not_for_a_route() {
    let mut worker = mk_worker();
    assert!(worker.hold(1, "reviews", Standing::Awaiting));
    assert!(worker.hold(2, "REVIEWS", Standing::Awaiting));
    let failed = [(mk_key(), Standing::Unreported)];
    worker.settled(&failed);
    assert_eq!(worker.resumed(), passed(&[1, 2]));
    assert_eq!(worker.envoy.counted(Metric::PassedReportFailed), 2);
    assert!(worker.hold(3, "reviews", Standing::Hold));
    worker.settled(&failed);
    assert_eq!(worker.resumed().len(), 2);
}

#[wasm_bindgen_test(unsupported = test)]
fn the_verdict_that_another_worker_heard_is_found_within_milliseconds() {
    for (standing, expected) in [
        (Standing::Hold, 0),
        (Standing::Pass, 1),
        (Standing::Unreported, 1),
    ] {
        let config = Config::default();
        let mut worker = Worker::new(&config);
        let other = Worker::beside(&config, worker.envoy.shared.clone());
        gate::admit(&other.envoy, mk_key(), config.limits().waits);
        assert!(worker.hold(1, "reviews", Standing::Awaiting));
        worker.pass(50, NOT_READY);
        assert_eq!(worker.probes(), 0);
        gate::settle(&other.envoy, mk_key(), standing, End::Kept);
        worker.pass(10, NOT_READY);
        assert_eq!(worker.resumed().len(), expected, "{standing:?}");
        assert_eq!(worker.probes() > 0, standing == Standing::Hold);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_known_standing_holds_nothing_that_is_to_pass() {
    let mut worker = mk_worker();
    assert!(!worker.hold(1, "reviews", Standing::Pass));
    assert!(!worker.hold(2, "reviews", Standing::Unreported));
    assert_eq!(worker.envoy.counted(Metric::PassedVerdict), 1);
    assert_eq!(worker.envoy.counted(Metric::PassedReportFailed), 1);
    assert_eq!(worker.envoy.counted(Metric::Held), 0);
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn past_the_limit_of_streams_requests_pass_until_one_ends() {
    let mut worker = Worker::new(&Config {
        max_held_streams: 2,
        ..Config::default()
    });
    assert!(worker.hold(1, "reviews", Standing::Hold));
    assert!(worker.hold(2, "ratings", Standing::Hold));
    assert!(!worker.hold(3, "reviews", Standing::Hold));
    assert_eq!(worker.envoy.counted(Metric::PassedStreamLimit), 1);
    worker.holds.on_gone(&worker.envoy, 1);
    assert!(worker.hold(4, "reviews", Standing::Hold));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_body_counts_with_what_the_proxy_may_buffer_of_it() {
    let mut worker = Worker::new(&Config {
        max_held_bytes: 5 << 19,
        ..Config::default()
    });
    let mut hold = |stream, body| {
        let place = mk_place("reviews");
        worker
            .holds
            .hold(&worker.envoy, place, Standing::Hold, stream, body)
    };
    assert!(hold(1, Some(u64::MAX)));
    assert!(hold(2, None));
    assert!(!hold(3, Some((1 << 19) + 1)));
    assert!(hold(4, Some(1 << 19)));
    assert!(hold(5, Some(0)));
    assert!(!hold(6, Some(1)));
    assert_eq!(worker.envoy.counted(Metric::PassedByteLimit), 2);
    worker.pass(30, READY);
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_request_that_its_client_gives_up_leaves_the_books() {
    let mut worker = mk_worker();
    assert!(worker.hold(1, "reviews", Standing::Hold));
    assert!(worker.hold(2, "reviews", Standing::Hold));
    worker.pass(5, NOT_READY);
    worker.holds.on_gone(&worker.envoy, 1);
    worker.holds.on_gone(&worker.envoy, 1);
    worker.holds.on_gone(&worker.envoy, 77);
    assert_eq!(worker.envoy.counted(Metric::Reset), 1);
    assert!(!worker.is_idle());
    worker.holds.on_gone(&worker.envoy, 2);
    assert!(worker.is_idle());
    assert!(worker.resumed().is_empty());
    worker.answer(READY);
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn what_the_proxy_knows_no_more_counts_as_given_up() {
    let mut worker = mk_worker();
    worker.envoy.forgets_held.set(true);
    assert!(worker.hold(1, "reviews", Standing::Hold));
    worker.pass(5, READY);
    assert_eq!(worker.envoy.counted(Metric::Reset), 1);
    assert_eq!(worker.envoy.counted(Metric::Replayed), 0);
    assert!(worker.envoy.holds.borrow().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn without_a_replay_cluster_requests_pass_at_once() {
    let mut worker = mk_worker();
    let waits = worker.holds.limits.waits;
    gate::admit(&worker.envoy, mk_key(), waits);
    worker.envoy.refuse_probes.set(2);
    assert!(worker.hold(1, "reviews", Standing::Hold));
    worker.pass(5, READY);
    assert_eq!(worker.resumed(), passed(&[1]));
    assert_eq!(worker.envoy.counted(Metric::PassedNotInstalled), 1);
    assert_eq!(worker.envoy.counted(Metric::ProbesSent), 0);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Known(Standing::Pass)
    );
    let warnings = worker.envoy.lines_at(Level::Warn);
    assert!(warnings[0].contains("lazyload-replay-9080"), "{warnings:?}");
}

#[wasm_bindgen_test(unsupported = test)]
fn answers_that_no_replay_listener_gives_end_the_wait_when_they_repeat() {
    for status in [200, 503, 0] {
        let mut worker = mk_worker();
        assert!(worker.hold(1, "reviews", Standing::Hold));
        worker.pass(10, Some(status));
        worker.pass(5, NOT_READY);
        worker.pass(10, Some(status));
        assert!(worker.resumed().is_empty(), "two in a row are no proof");
        worker.pass(5, Some(status));
        assert_eq!(worker.envoy.counted(Metric::PassedNotInstalled), 1);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_probe_without_an_answer_is_sent_again() {
    let mut worker = mk_worker();
    assert!(worker.hold(1, "reviews", Standing::Hold));
    worker.pass(50, None);
    assert!(worker.probes() > 3 && worker.resumed().is_empty());
    worker.envoy.now.set(60);
    worker.wake();
    let lost = worker.probes();
    worker.envoy.now.set(3_060);
    worker.wake();
    assert_eq!(worker.probes(), lost + 1);
    worker.answer(READY);
    assert_eq!(worker.envoy.counted(Metric::Replayed), 1);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_clock_that_is_set_back_keeps_nobody_waiting() {
    for standing in [Standing::Awaiting, Standing::Hold] {
        let mut worker = mk_worker();
        worker.envoy.now.set(1_000_000);
        assert!(worker.hold(1, "reviews", standing));
        worker.envoy.now.set(5);
        worker.wake();
        assert_eq!(worker.resumed(), passed(&[1]));
        assert!(worker.is_idle());
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_operator_is_told_a_few_times_whatever_happens() {
    let mut worker = mk_worker();
    worker.envoy.refuse_probes.set(2);
    for stream in 0..100 {
        assert!(worker.hold(stream, &format!("host-{stream}"), Standing::Hold));
        worker.pass(5, READY);
    }
    assert_eq!(worker.envoy.counted(Metric::PassedNotInstalled), 100);
    assert_eq!(worker.envoy.lines_at(Level::Warn).len(), 3);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_request_whose_route_the_proxy_does_not_choose_anew_passes() {
    let mut worker = mk_worker();
    worker.envoy.refuse_replays.set(true);
    assert!(worker.hold(1, "reviews", Standing::Hold));
    worker.pass(5, READY);
    assert_eq!(worker.resumed(), passed(&[1]));
    assert_eq!(worker.envoy.counted(Metric::PassedNotInstalled), 1);
    assert_eq!(worker.envoy.counted(Metric::Replayed), 0);
    let waits = worker.holds.limits.waits;
    worker.pass(9_000, READY);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Known(Standing::Pass),
        "nobody else waits for what cannot be"
    );
    let warnings = worker.envoy.lines_at(Level::Warn);
    assert!(warnings[0].contains("lazyload-replay-9080"), "{warnings:?}");
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn requests_that_wait_together_are_each_stamped_with_their_own_destination() {
    let mut worker = mk_worker();
    let other = "[fd00::7]:9080".parse().unwrap();
    assert!(worker.hold(1, "reviews", Standing::Hold));
    assert!(worker.hold_to(other, 2, "Reviews", Standing::Hold));
    worker.pass(5, NOT_READY);
    assert_eq!(worker.probes(), 1, "they wait together");
    worker.settled(&[(mk_key(), Standing::Pass)]);
    let expected = [(1, passed_to(mk_destination())), (2, passed_to(other))];
    assert_eq!(worker.resumed(), expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn the_books_take_little_room_per_request() {
    assert!(size_of::<Held>() <= 48, "{}", size_of::<Held>());
}

#[wasm_bindgen_test(unsupported = test)]
fn closing_lets_everything_go() {
    let mut worker = mk_worker();
    assert!(worker.hold(1, "reviews", Standing::Awaiting));
    assert!(worker.hold(2, "ratings", Standing::Hold));
    worker.holds.close(&worker.envoy);
    worker.let_go();
    assert_eq!(worker.resumed(), passed(&[1, 2]));
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn however_many_routes_are_waited_for_few_probes_are_in_flight() {
    let mut worker = mk_worker();
    for stream in 0..200 {
        assert!(worker.hold(stream, &format!("host-{stream}"), Standing::Hold));
    }
    worker.envoy.now.set(5);
    worker.wake();
    assert_eq!(worker.probes(), 64);
    worker.envoy.now.set(7);
    worker.wake();
    assert_eq!(worker.probes(), 64);
    worker.answer(READY);
    worker.pass(10, READY);
    assert_eq!(worker.envoy.counted(Metric::Replayed), 200);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_host_that_is_waited_for_is_reported_again_when_its_claim_ends() {
    let mut worker = mk_worker();
    let waits = worker.holds.limits.waits;
    gate::admit(&worker.envoy, mk_key(), waits);
    worker.pass(5_000, NOT_READY);
    assert!(worker.hold(1, "reviews", Standing::Hold));
    worker.pass(4_900, NOT_READY);
    assert!(worker.holds.unclaimed().is_empty());
    worker.pass(600, NOT_READY);
    let unclaimed = worker.holds.unclaimed();
    assert_eq!(unclaimed[0].miss.authority, "reviews");
    assert!(unclaimed.len() <= 3, "{}", unclaimed.len());
    gate::admit(&worker.envoy, mk_key(), waits);
    worker.pass(600, NOT_READY);
    assert!(worker.holds.unclaimed().is_empty());
    assert!(worker.resumed().is_empty());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_route_that_goes_again_is_reported_again_soon() {
    let mut worker = mk_worker();
    let waits = worker.holds.limits.waits;
    gate::admit(&worker.envoy, mk_key(), waits);
    assert!(worker.hold(1, "reviews", Standing::Hold));
    worker.pass(5, READY);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Known(Standing::Hold)
    );
    worker.pass(1_000, READY);
    assert_eq!(
        gate::admit(&worker.envoy, mk_key(), waits),
        Admission::Report
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_body_that_cannot_be_sent_again_waits_for_the_cluster_as_well() {
    let mut worker = mk_worker();
    for (stream, body) in [(1, Some(0)), (2, Some(1 << 30)), (3, None)] {
        let place = mk_place("reviews");
        assert!(
            worker
                .holds
                .hold(&worker.envoy, place, Standing::Hold, stream, body)
        );
    }
    worker.pass(5, READY);
    assert_eq!(worker.replayed(), [1]);
    worker.pass(24, READY);
    assert_eq!(worker.replayed(), [1]);
    worker.pass(1, READY);
    assert_eq!(worker.replayed(), [1, 2, 3]);
    assert_eq!(worker.holds.left(worker.envoy.now.get()), None);
}

#[wasm_bindgen_test(unsupported = test)]
fn while_the_cluster_is_waited_for_neither_limit_nor_verdict_sends_a_request_astray() {
    let config = Config {
        hold_timeout_milliseconds: 10,
        ..Config::default()
    };
    let mut worker = Worker::new(&config);
    let place = mk_place("reviews");
    let key = place.key;
    worker
        .holds
        .hold(&worker.envoy, place, Standing::Hold, 1, None);
    worker.pass(5, READY);
    worker.settled(&[(key, Standing::Pass)]);
    worker.pass(30, NOT_READY);
    assert_eq!(worker.replayed(), [1]);
}

#[wasm_bindgen_test(unsupported = test)]
fn many_go_on_a_few_at_a_time_whatever_ended_their_hold() {
    type End = fn(&mut Worker);
    let ready: End = |worker| worker.pass(5, READY);
    let told: End = |worker| worker.settled(&[(mk_key(), Standing::Pass)]);
    let late: End = |worker| worker.pass(10_000, NOT_READY);
    let closed: End = |worker| {
        worker.holds.close(&worker.envoy);
        worker.let_go();
    };
    for end in [ready, told, late, closed] {
        let mut worker = mk_worker();
        for stream in 0..100 {
            assert!(worker.hold(stream, "reviews", Standing::Hold));
        }
        end(&mut worker);
        for gone in [32, 64, 96] {
            assert_eq!(worker.resumed().len(), gone);
            assert_eq!(worker.holds.left(worker.envoy.now.get()), Some(1));
            worker.pass(1, NOT_READY);
        }
        assert_eq!(worker.resumed().len(), 100);
        assert!(worker.is_idle());
        let went: Vec<_> = worker.resumed().into_iter().map(|(_, went)| went).collect();
        assert!(
            went.iter().all(|one| *one == went[0]),
            "they all went alike"
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn one_that_is_in_line_to_go_leaves_the_books_when_its_client_gives_up_and_keeps_its_ending() {
    let mut worker = Worker::new(&Config {
        hold_timeout_milliseconds: 6,
        ..Config::default()
    });
    for stream in 0..40 {
        assert!(worker.hold(stream, "reviews", Standing::Hold));
    }
    worker.pass(5, READY);
    worker.holds.on_gone(&worker.envoy, 39);
    worker.holds.on_gone(&worker.envoy, 0);
    assert_eq!(worker.envoy.counted(Metric::Reset), 1);
    worker.envoy.now.set(500);
    worker.wake();
    assert_eq!(worker.replayed().len(), 39);
    assert!(worker.is_idle());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_worker_that_hears_the_verdict_itself_is_not_woken_to_look_for_it() {
    for (reports_itself, most) in [(true, 6), (false, 201)] {
        let mut worker = mk_worker();
        worker.reports_itself = reports_itself;
        gate::admit(&worker.envoy, mk_key(), worker.holds.limits.waits);
        assert!(worker.hold(1, "reviews", Standing::Awaiting));
        let mut wakes = 0;
        while let Some(left) = worker.holds.left(worker.envoy.now.get()) {
            worker.envoy.now.set(worker.envoy.now.get() + left);
            worker.wake();
            wakes += 1;
        }
        assert!(wakes <= most, "{wakes}");
        assert_eq!(worker.envoy.now.get(), 1_000);
    }
}
