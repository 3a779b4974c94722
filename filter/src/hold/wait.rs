use super::{Limits, Place, probing::Probing};
use crate::{alarm::Moment, gate::Key};
use std::net::SocketAddr;

/// How often a worker looks whether another one heard the verdict, in milliseconds.
const LOOK_FOR_VERDICT: u32 = 5;

/// How often a worker looks, at most, where it only wants to know whether the claim still holds, in milliseconds: of a host whose
/// route is waited for, or whose verdict this worker hears itself.
const LOOK_FOR_CLAIM: u32 = 250;

/// How long a route's cluster may take to follow it, in milliseconds: istiod sends it before the route, but it is used only once
/// its endpoints are there, for which the proxy asks once more.
const CLUSTER_FOLLOWS: u32 = 25;

/// A request that is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Held {
    pub(super) stream: u32,
    /// How much of its body the proxy may be buffering.
    pub(super) bytes: u32,
    pub(super) since: u64,
    /// Its own: requests to one authority and port may have resolved the name to different addresses.
    pub(super) destination: SocketAddr,
}

impl Held {
    pub(super) fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.since)
    }

    pub(super) fn limit(&self, milliseconds: u32) -> Moment {
        Moment::after(self.since, milliseconds)
    }
}

/// What the requests of a wait are waiting for.
pub(super) enum Phase {
    /// The verdict on their host.
    Verdict,
    /// Its route.
    Route(Probing),
    /// The cluster that its route leads to, until then.
    Cluster(Moment),
}

/// The requests that wait for the same route, oldest first.
pub(super) struct Wait {
    /// That of the first; the others share its authority and port.
    pub(super) place: Place,
    pub(super) phase: Phase,
    pub(super) streams: Vec<Held>,
    /// When to look at what all workers know of the host.
    look: Moment,
}

impl Wait {
    pub(super) fn new(place: Place, now: u64) -> Self {
        Self {
            place,
            phase: Phase::Verdict,
            streams: Vec::new(),
            look: Moment::after(now, LOOK_FOR_VERDICT),
        }
    }

    /// Routes are chosen by the authority as it is written, but for its case.
    pub(super) fn is_for(&self, place: &Place) -> bool {
        let (own, other) = (&self.place.miss.authority, &place.miss.authority);
        self.place.port() == place.port() && own.eq_ignore_ascii_case(other)
    }

    /// Whether a probe for it is in flight.
    pub(super) fn is_probing(&self) -> bool {
        matches!(&self.phase, Phase::Route(probing) if probing.is_in_flight())
    }

    /// The verdict is there: from now on it is the route that is waited for.
    pub(super) fn expect_route(&mut self, now: u64, limits: &Limits) {
        if let Phase::Verdict = self.phase {
            self.look = Moment::after(now, LOOK_FOR_CLAIM);
            self.phase = Phase::Route(Probing::new(now, limits));
        }
    }

    /// The route is there: from now on it is its cluster that is waited for.
    pub(super) fn expect_cluster(&mut self, now: u64) {
        self.phase = Phase::Cluster(Moment::after(now, CLUSTER_FOLLOWS));
    }

    /// Whether it is time to look; if so, the next time is set.
    pub(super) fn wants_to_look(&mut self, now: u64, reports: &dyn Fn(Key) -> bool) -> bool {
        let wants = self.look.reached(now);
        if wants {
            let interval = match self.phase {
                Phase::Verdict if !reports(self.place.key) => LOOK_FOR_VERDICT,
                Phase::Verdict | Phase::Route(_) | Phase::Cluster(_) => LOOK_FOR_CLAIM,
            };
            self.look = Moment::after(now, interval);
        }
        wants
    }

    /// Takes out the requests that are meant.
    pub(super) fn take(&mut self, meant: &dyn Fn(&Held) -> bool) -> Vec<Held> {
        self.streams.extract_if(.., |held| meant(held)).collect()
    }

    /// In how many milliseconds it is to be woken.
    pub(super) fn left(&self, now: u64, limits: &Limits) -> u64 {
        let (limit, next) = match &self.phase {
            Phase::Cluster(until) => return until.left(now),
            Phase::Verdict => (limits.verdict, self.look),
            // A look at the claim waits for a probe.
            Phase::Route(probing) => (limits.hold, probing.next()),
        };
        let oldest = self.streams.first().map(|held| held.limit(limit).left(now));
        next.left(now).min(oldest.unwrap_or(u64::MAX))
    }
}
