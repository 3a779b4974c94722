//! Holding requests until their route is there.
//!
//! Requests to the same authority and port wait together: first for the verdict on their host, then for its route, for which one
//! probe at a time asks. Whatever goes wrong, and at each limit, they go on to where they would have gone.
//!
//! Requests are let go a few per call of the proxy: what decides how a hold ends only puts them in line for it.
//!
//! Probes are started, and requests let go, when the proxy wakes the filter or answers it, never by a request: a call that a
//! request starts is cancelled when the request ends.

mod ending;
mod leaving;
mod probing;
mod wait;

pub(crate) use ending::Ending;
use leaving::Leaving;
pub(crate) use leaving::MOST_AT_ONCE;
use wait::{Held, Phase, Wait};

use crate::{
    envoy::Envoy,
    gate::{self, End, Key, Standing, Waits},
    metric::Metric,
    quota::Quota,
    reporter::Pending,
};
use lazyload_protocol::{replay_listener, v1::Miss};
use std::{collections::VecDeque, mem, net::SocketAddr, rc::Rc};

/// How much of a request's body the proxy buffers before it stops to read: its default, which a listener may change.
const BUFFERED: u32 = 1 << 20;

/// What holding may cost, in milliseconds where it is a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    pub(crate) verdict: u32,
    pub(crate) hold: u32,
    pub(crate) streams: u32,
    pub(crate) bytes: u32,
    pub(crate) first_probe: u32,
    pub(crate) longest_probe_interval: u32,
    pub(crate) retry: u32,
    pub(crate) waits: Waits,
}

/// Where a request wants to go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) key: Key,
    pub(crate) destination: SocketAddr,
    pub(crate) miss: Miss,
}

impl Place {
    fn port(&self) -> u16 {
        self.destination.port()
    }

    /// The replay listener, and the cluster that leads there.
    fn listener(&self) -> String {
        replay_listener(self.port())
    }
}

/// The requests that one worker holds.
pub(crate) struct Holds {
    limits: Limits,
    /// For the stamps of those that are passed through.
    namespace: Option<Rc<str>>,
    waits: Vec<Wait>,
    /// Those that nothing keeps any more, in the order in which they are to go.
    leaving: VecDeque<Leaving>,
    streams: u32,
    bytes: u32,
    unclaimed: Vec<Pending>,
    late_routes: Quota,
    missing_listeners: Quota,
}

impl Holds {
    pub(crate) fn new(limits: Limits, namespace: Option<Rc<str>>) -> Self {
        Self {
            limits,
            namespace,
            waits: Vec::new(),
            leaving: VecDeque::new(),
            streams: 0,
            bytes: 0,
            unclaimed: Vec::new(),
            late_routes: Quota::default(),
            missing_listeners: Quota::default(),
        }
    }

    /// Holds a request whose host has this standing; `body` is the length of its body, where that is known. Where it is not to be
    /// held, the reason is counted and false.
    pub(crate) fn hold(
        &mut self,
        envoy: &dyn Envoy,
        place: Place,
        standing: Standing,
        stream: u32,
        body: Option<u64>,
    ) -> bool {
        let bytes = body
            .and_then(|length| u32::try_from(length).ok())
            .map_or(BUFFERED, |length| length.min(BUFFERED));
        let streams = self.streams.saturating_add(1);
        let all_bytes = self.bytes.saturating_add(bytes);
        let why_not = match standing {
            Standing::Pass => Some(Ending::Told),
            Standing::Unreported => Some(Ending::ReportFailed),
            _ if streams > self.limits.streams => Some(Ending::StreamLimit),
            _ if all_bytes > self.limits.bytes => Some(Ending::ByteLimit),
            _ => None,
        };
        if let Some(why_not) = why_not {
            envoy.count(why_not.metric(), 1);
            return false;
        }
        self.streams = streams;
        self.bytes = all_bytes;
        envoy.count(Metric::Held, 1);
        let now = envoy.now();
        let held = Held {
            stream,
            bytes,
            since: now,
            destination: place.destination,
        };
        let index = self.waits.iter().position(|wait| wait.is_for(&place));
        let wait = match index.and_then(|index| self.waits.get_mut(index)) {
            Some(wait) => wait,
            None => self.waits.push_mut(Wait::new(place, now)),
        };
        wait.streams.push(held);
        if standing == Standing::Hold {
            wait.expect_route(now, &self.limits);
        }
        true
    }

    /// A request is over. If it was held still, the client gave it up.
    pub(crate) fn on_gone(&mut self, envoy: &dyn Envoy, stream: u32) {
        let gone = self
            .take_waiting(stream)
            .or_else(|| self.take_leaving(stream));
        if let Some((place, held)) = gone {
            self.forget(&held);
            ending::tell_one(envoy, &place, held.age(envoy.now()), Ending::Reset);
        }
    }

    fn take_waiting(&mut self, stream: u32) -> Option<(Place, Held)> {
        let mut waits = self.waits.iter_mut().enumerate();
        let (index, place, held) = waits.find_map(|(index, wait)| {
            let mut streams = wait.streams.iter();
            let at = streams.position(|held| held.stream == stream)?;
            Some((index, wait.place.clone(), wait.streams.remove(at)))
        })?;
        if self
            .waits
            .get(index)
            .is_some_and(|wait| wait.streams.is_empty())
        {
            self.waits.remove(index);
        }
        Some((place, held))
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.leaving.is_empty()
    }

    /// What became known of hosts in this worker.
    pub(crate) fn on_settled(&mut self, envoy: &dyn Envoy, settled: &[(Key, Standing)]) {
        if settled.is_empty() {
            return;
        }
        self.each(&mut |holds, wait| {
            let key = wait.place.key;
            for (_, standing) in settled.iter().filter(|(of, _)| *of == key) {
                holds.on_standing(envoy, wait, *standing);
            }
        });
    }

    /// Looks after everything whose time has come. `reports` says of which hosts this worker hears the verdict itself.
    pub(crate) fn on_wake(&mut self, envoy: &dyn Envoy, reports: &dyn Fn(Key) -> bool) {
        let in_flight = self.waits.iter().filter(|wait| wait.is_probing()).count();
        let mut room = probing::MOST_IN_FLIGHT.saturating_sub(in_flight);
        self.each(&mut |holds, wait| {
            holds.look(envoy, wait, reports);
            holds.end_overdue(envoy, wait);
            holds.end_settled(envoy, wait);
            holds.probe(envoy, wait, &mut room);
        });
    }

    /// Misses to report again: somebody waits for their hosts, and nobody's claim says that they were reported.
    pub(crate) fn unclaimed(&mut self) -> Vec<Pending> {
        mem::take(&mut self.unclaimed)
    }

    /// The answer to a probe, with the status of the response, where there is one.
    pub(crate) fn on_probe_answer(&mut self, envoy: &dyn Envoy, token: u32, status: Option<u16>) {
        let now = envoy.now();
        self.each(&mut |holds, wait| {
            let limits = holds.limits;
            let found = match &mut wait.phase {
                Phase::Route(probing) => probing.on_answer(now, token, status, &limits),
                Phase::Verdict | Phase::Cluster(_) => None,
            };
            match found {
                Some(Ending::Ready) => holds.on_ready(envoy, wait),
                Some(ending) => holds.end_all(envoy, wait, ending),
                None => {}
            }
        });
    }

    /// The route is there; its cluster may come a moment later. The replay route tries again then, but not with a body that the
    /// proxy does not buffer as a whole: such requests wait that moment.
    fn on_ready(&mut self, envoy: &dyn Envoy, wait: &mut Wait) {
        let repeatable = wait.take(&|held| held.bytes < BUFFERED);
        self.end(envoy, wait, repeatable, Ending::Ready);
        wait.expect_cluster(envoy.now());
    }

    /// Ends every hold.
    pub(crate) fn close(&mut self, envoy: &dyn Envoy) {
        self.each(&mut |holds, wait| holds.end_all(envoy, wait, Ending::Closed));
    }

    /// In how many milliseconds it is to be woken, if at all.
    pub(crate) fn left(&self, now: u64) -> Option<u64> {
        let waits = self.waits.iter();
        let waits = waits.map(|wait| wait.left(now, &self.limits));
        let leaving = self.leaving.iter().map(|_| leaving::NEXT);
        waits.chain(leaving.take(1)).min()
    }

    /// Gives each wait its turn, and drops those that nobody waits in any more.
    fn each(&mut self, turn: &mut dyn FnMut(&mut Self, &mut Wait)) {
        let mut waits = mem::take(&mut self.waits);
        waits.retain_mut(|wait| {
            turn(self, wait);
            !wait.streams.is_empty()
        });
        self.waits = waits;
    }

    /// Looks what all workers know of the host: another one may have reported it and heard the verdict, or its claim has ended.
    fn look(&mut self, envoy: &dyn Envoy, wait: &mut Wait, reports: &dyn Fn(Key) -> bool) {
        if !wait.wants_to_look(envoy.now(), reports) {
            return;
        }
        match (
            gate::standing(envoy, wait.place.key, self.limits.waits),
            &wait.phase,
        ) {
            (Some(standing), Phase::Verdict) => self.on_standing(envoy, wait, standing),
            (Some(_), Phase::Route(_) | Phase::Cluster(_)) => {}
            (None, _) => self.unclaimed.push(Pending {
                key: wait.place.key,
                miss: wait.place.miss.clone(),
            }),
        }
    }

    fn on_standing(&mut self, envoy: &dyn Envoy, wait: &mut Wait, standing: Standing) {
        match (standing, &wait.phase) {
            // Nothing that is said of the host now takes its route away.
            (_, Phase::Cluster(_)) => {}
            (Standing::Hold, _) => wait.expect_route(envoy.now(), &self.limits),
            (Standing::Pass, _) => self.end_all(envoy, wait, Ending::Told),
            (Standing::Unreported, Phase::Verdict) => {
                self.end_all(envoy, wait, Ending::ReportFailed);
            }
            // That a report failed says nothing about a route that is on its way already.
            (Standing::Unreported, Phase::Route(_)) | (Standing::Awaiting, _) => {}
        }
    }

    fn end_overdue(&mut self, envoy: &dyn Envoy, wait: &mut Wait) {
        let (limit, ending) = match wait.phase {
            Phase::Verdict => (self.limits.verdict, Ending::VerdictTimeout),
            Phase::Route(_) => (self.limits.hold, Ending::HoldTimeout),
            Phase::Cluster(_) => return,
        };
        let now = envoy.now();
        let overdue = wait.take(&|held| held.limit(limit).reached(now));
        self.end(envoy, wait, overdue, ending);
    }

    fn end_settled(&mut self, envoy: &dyn Envoy, wait: &mut Wait) {
        if matches!(wait.phase, Phase::Cluster(until) if until.reached(envoy.now())) {
            self.end_all(envoy, wait, Ending::Ready);
        }
    }

    fn probe(&mut self, envoy: &dyn Envoy, wait: &mut Wait, room: &mut usize) {
        let limits = self.limits;
        let Phase::Route(probing) = &mut wait.phase else {
            return;
        };
        if wait.streams.is_empty() {
            return;
        }
        if let Some(ending) = probing.on_wake(envoy, &wait.place, &limits, room) {
            self.end_all(envoy, wait, ending);
        }
    }

    fn end_all(&mut self, envoy: &dyn Envoy, wait: &mut Wait, ending: Ending) {
        let all = mem::take(&mut wait.streams);
        self.end(envoy, wait, all, ending);
    }

    /// Decides how the hold of these requests ends; they go on in their turn.
    fn end(&mut self, envoy: &dyn Envoy, wait: &Wait, streams: Vec<Held>, ending: Ending) {
        if streams.is_empty() {
            return;
        }
        self.settle(envoy, wait.place.key, ending);
        self.tell_operator(envoy, &wait.place, ending);
        let leaving = Leaving::new(wait.place.clone(), streams, ending);
        self.leaving.push_back(leaving);
    }

    /// Spares others what these requests waited for in vain.
    fn settle(&self, envoy: &dyn Envoy, key: Key, ending: Ending) {
        match ending {
            // Once the route comes after all there are no more misses: this only bounds what a host without one costs.
            Ending::HoldTimeout => gate::pass(envoy, key, self.limits.waits.longest),
            // Not `settle`: the end of the claim may have been brought forward, for a route that was there.
            Ending::NotInstalled => gate::pass(envoy, key, self.limits.waits.repeat),
            Ending::VerdictTimeout => {
                let end = End::Within(self.limits.retry);
                gate::settle(envoy, key, Standing::Unreported, end);
            }
            // There are no more misses to the host, unless the route goes again: then it is to be reported without delay.
            Ending::Ready => {
                let end = End::Within(self.limits.retry);
                gate::settle(envoy, key, Standing::Hold, end);
            }
            _ => {}
        }
    }

    fn forget(&mut self, held: &Held) {
        self.streams = self.streams.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(held.bytes);
    }
}

#[cfg(test)]
mod tests;
