use super::{InFlight, Reporter};
use crate::{
    envoy::{Envoy, Level},
    gate::{End, Standing, workload},
    metric::Metric,
};
use lazyload_protocol::{
    text::excerpt,
    v1::{FirstRequest, Outcome, ReportResponse, Verdict},
};
use prost::Message;

/// How many refusals are told at info in one repeat interval; applications choose how many there are.
const TOLD_REFUSALS: u32 = 3;

impl Reporter {
    /// Takes the answer to a call; `body` is what came with gRPC status 0. Reports what waited for it, but after a failure
    /// leaves that to the next wake-up.
    pub(crate) fn on_answer(&mut self, envoy: &dyn Envoy, token: u32, status: u32, body: &[u8]) {
        let Some(call) = self.in_flight.take_if(|call| call.token == token) else {
            return;
        };
        match (status, ReportResponse::decode(body)) {
            (0, Ok(response)) => {
                workload::learn(envoy, response.first_request());
                self.answered(envoy, &call, &response.outcomes);
                self.send(envoy);
            }
            (0, Err(error)) => {
                self.failed(envoy, &call.sent, &format!("no ReportResponse: {error}"));
            }
            (status, _) => self.failed(envoy, &call.sent, &format!("gRPC status {status}")),
        }
    }

    fn answered(&mut self, envoy: &dyn Envoy, call: &InFlight, outcomes: &[Outcome]) {
        if self.failing {
            self.failing = false;
            envoy.log(Level::Info, "lazyload: reports reach the controller again");
        }
        let mut outcomes = outcomes.iter();
        for (key, authority) in call.sent.iter().zip(&call.authorities) {
            let Some(outcome) = outcomes.next() else {
                envoy.count(Metric::Unknown, 1);
                self.unreported(envoy, *key);
                continue;
            };
            let (metric, word) = match Verdict::try_from(outcome.verdict) {
                Ok(Verdict::InMesh) => (Metric::InMesh, "in mesh"),
                Ok(Verdict::External) => (Metric::External, "external"),
                Ok(Verdict::Refused) => (Metric::Refused, "refused"),
                Ok(Verdict::NoFence) => (Metric::NoFence, "no fence"),
                Ok(Verdict::Unspecified) | Err(_) => (Metric::Unknown, "unknown"),
            };
            envoy.count(metric, 1);
            let standing = match (metric, outcome.first_request()) {
                (Metric::InMesh, FirstRequest::Hold) => Standing::Hold,
                _ => Standing::Pass,
            };
            // Not where there is no fence: one that is made meanwhile should learn without delay.
            let end = match metric {
                Metric::External => End::NotBefore(self.config.quiet_after_milliseconds),
                _ => End::Kept,
            };
            self.settle(envoy, *key, standing, end);
            let level = if metric == Metric::Refused && self.may_tell(envoy.now()) {
                Level::Info
            } else {
                Level::Debug
            };
            let told = if outcome.host.is_empty() {
                &outcome.reason
            } else {
                &outcome.host
            };
            envoy.log(
                level,
                &format!(
                    "lazyload: {}: {word}: {}",
                    excerpt(authority),
                    told_excerpt(told)
                ),
            );
        }
    }

    fn may_tell(&mut self, now: u64) -> bool {
        let interval = self.config.repeat_after_milliseconds;
        self.refusals.allows(now, interval, TOLD_REFUSALS)
    }
}

/// A reason is a sentence, so it gets more room than a name.
fn told_excerpt(told: &str) -> String {
    const ROOM: usize = 256;
    told.chars()
        .flat_map(char::escape_debug)
        .take(ROOM)
        .collect()
}
