//! Asking whether the route is there, one probe at a time.

use super::{Ending, Limits, Place};
use crate::{
    alarm::Moment,
    envoy::{Envoy, NO_CLUSTER},
    metric::Metric,
};
use lazyload_protocol::{PROBE_HEADER, PROBE_NOT_READY, PROBE_READY};

/// When the proxy gives a probe up, in milliseconds. It never leaves the sidecar.
const TIMEOUT: u32 = 1_000;

/// How many probes may be in flight at once, for whatever routes.
pub(super) const MOST_IN_FLIGHT: usize = 64;

/// When to try again while so many are, in milliseconds.
const CROWDED: u32 = 2;

/// How long after its start a probe without an answer is taken for lost, in milliseconds.
const LOST_AFTER: u32 = 3_000;

/// How many answers in a row that no replay listener gives mean that there is none.
const STRANGE_ANSWERS: u32 = 3;

/// An interval is this part of the time waited so far: it bounds both how late a route is noticed and how many probes there are.
const PART: u64 = 16;

/// The probes of one wait.
pub(super) struct Probing {
    since: u64,
    in_flight: Option<u32>,
    /// When to send the next probe, or to take the one in flight for lost.
    next: Moment,
    strange: u32,
}

impl Probing {
    pub(super) fn new(now: u64, limits: &Limits) -> Self {
        Self {
            since: now,
            in_flight: None,
            next: Moment::after(now, limits.first_probe),
            strange: 0,
        }
    }

    pub(super) fn next(&self) -> Moment {
        self.next
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Sends a probe if it is time, and there is still `room` for one. Says how the hold ends where it turns out that there is
    /// nothing to probe.
    pub(super) fn on_wake(
        &mut self,
        envoy: &dyn Envoy,
        place: &Place,
        limits: &Limits,
        room: &mut usize,
    ) -> Option<Ending> {
        let now = envoy.now();
        if !self.next.reached(now) {
            return None;
        }
        self.in_flight = None;
        let Some(rest) = room.checked_sub(1) else {
            self.next = Moment::after(now, CROWDED);
            return None;
        };
        let headers = [
            (":method", "GET"),
            (":path", "/"),
            (":authority", place.miss.authority.as_str()),
            (PROBE_HEADER, "1"),
        ];
        match envoy.ask(&place.listener(), &headers, TIMEOUT) {
            Ok(token) => {
                envoy.count(Metric::ProbesSent, 1);
                self.in_flight = Some(token);
                *room = rest;
                self.next = Moment::after(now, LOST_AFTER);
                None
            }
            Err(NO_CLUSTER) => Some(Ending::NotInstalled),
            Err(_) => self.strange(now, limits),
        }
    }

    /// Says how the hold ends, if it does with this answer.
    pub(super) fn on_answer(
        &mut self,
        now: u64,
        token: u32,
        status: Option<u16>,
        limits: &Limits,
    ) -> Option<Ending> {
        self.in_flight.take_if(|in_flight| *in_flight == token)?;
        match status {
            Some(PROBE_READY) => Some(Ending::Ready),
            Some(PROBE_NOT_READY) => {
                self.strange = 0;
                self.again(now, limits);
                None
            }
            None => {
                self.again(now, limits);
                None
            }
            Some(_) => self.strange(now, limits),
        }
    }

    fn strange(&mut self, now: u64, limits: &Limits) -> Option<Ending> {
        self.again(now, limits);
        self.strange = self.strange.saturating_add(1);
        (self.strange >= STRANGE_ANSWERS).then_some(Ending::NotInstalled)
    }

    fn again(&mut self, now: u64, limits: &Limits) {
        let part = now.saturating_sub(self.since) / PART;
        let interval = u32::try_from(part)
            .unwrap_or(u32::MAX)
            .max(limits.first_probe)
            .min(limits.longest_probe_interval);
        self.next = Moment::after(now, interval);
    }
}
