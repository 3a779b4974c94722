//! How a hold ends, and who is told.

use super::{Holds, Place, wait::Held};
use crate::{
    envoy::{Envoy, Level, Resumed, Way},
    metric::Metric,
    stamps::Stamps,
};
use lazyload_protocol::text::excerpt;

/// For how long an operator is not told the same again, in milliseconds.
const TELL_EVERY: u32 = 60_000;

/// How many hosts or ports an operator is told of in that time.
const TOLD: u32 = 3;

/// Why a request is not held, or no longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// The route is there.
    Ready,
    /// The client gave the request up.
    Reset,
    VerdictTimeout,
    HoldTimeout,
    StreamLimit,
    ByteLimit,
    NotInstalled,
    ReportFailed,
    Told,
    /// The filter is configured anew.
    Closed,
}

impl Ending {
    pub(super) fn metric(self) -> Metric {
        match self {
            Self::Ready => Metric::Replayed,
            Self::Reset => Metric::Reset,
            Self::VerdictTimeout => Metric::PassedVerdictTimeout,
            Self::HoldTimeout => Metric::PassedHoldTimeout,
            Self::StreamLimit => Metric::PassedStreamLimit,
            Self::ByteLimit => Metric::PassedByteLimit,
            Self::NotInstalled => Metric::PassedNotInstalled,
            Self::ReportFailed => Metric::PassedReportFailed,
            Self::Told | Self::Closed => Metric::PassedVerdict,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Ready => "replayed through its new route",
            Self::Reset => "given up by the client",
            Self::VerdictTimeout => "passed through: no verdict in time",
            Self::HoldTimeout => "passed through: no route in time",
            Self::StreamLimit => "passed through: too many requests are held",
            Self::ByteLimit => "passed through: too many bytes are held",
            Self::NotInstalled => "passed through: no replay listener",
            Self::ReportFailed => "passed through: its report failed",
            Self::Told => "passed through: by the verdict on its host",
            Self::Closed => "passed through: the filter was configured anew",
        }
    }
}

/// Counts and tells how the hold of one request ended.
pub(super) fn tell_one(envoy: &dyn Envoy, place: &Place, milliseconds: u64, ending: Ending) {
    envoy.count(ending.metric(), 1);
    if ending == Ending::Ready {
        envoy.record_hold(milliseconds);
    }
    let (authority, port) = (excerpt(&place.miss.authority), place.port());
    let words = ending.words();
    envoy.log(
        Level::Debug,
        &format!("lazyload: {authority} on port {port}: held for {milliseconds} ms, {words}"),
    );
}

impl Holds {
    /// Lets one request go on, and says how its hold ended when the proxy has had its say.
    pub(super) fn resume(
        &self,
        envoy: &dyn Envoy,
        place: &Place,
        held: &Held,
        ending: Ending,
    ) -> Ending {
        let mut ending = ending;
        if ending == Ending::Ready {
            match envoy.resume(held.stream, Way::Replay(&place.listener())) {
                Resumed::Done => return ending,
                Resumed::NotReplayed => ending = Ending::NotInstalled,
                Resumed::Gone => return Ending::Reset,
            }
        }
        let stamps = Stamps {
            destination: Some(held.destination),
            namespace: self.namespace.as_deref(),
        };
        match envoy.resume(held.stream, Way::PassThrough(stamps)) {
            Resumed::Done | Resumed::NotReplayed => ending,
            Resumed::Gone => Ending::Reset,
        }
    }

    /// Tells of what somebody should look into.
    pub(super) fn tell_operator(&mut self, envoy: &dyn Envoy, place: &Place, ending: Ending) {
        let (quota, told) = match ending {
            Ending::HoldTimeout => (
                &mut self.late_routes,
                format!(
                    "a request to {} on port {} waited {} ms for its route, then went on without. Check that the Sidecar of this \
                     workload has the host, that istiod pushes, and holdTimeoutMilliseconds",
                    excerpt(&place.miss.authority),
                    place.port(),
                    self.limits.hold
                ),
            ),
            Ending::NotInstalled => (
                &mut self.missing_listeners,
                format!(
                    "requests are not held, because this sidecar has no working listener {}: they go on without their new route. \
                     Check that the controller's EnvoyFilter reaches this sidecar",
                    place.listener()
                ),
            ),
            _ => return,
        };
        if quota.allows(envoy.now(), TELL_EVERY, TOLD) {
            envoy.log(Level::Warn, &format!("lazyload: {told}"));
        }
    }
}
