//! Collecting misses and telling the controller.
//!
//! One call at a time: while it runs, further misses collect and go out together with its answer. Calls are started when
//! the proxy wakes the filter, never by a request, because a call that a request starts is cancelled when the request ends.
//!
//! Whatever waits has either a call in flight, whose answer sends it on, or a wake-up ahead: soon after the first miss, later
//! after a failure, so that a controller that is away is asked by one call per retry interval.

mod answer;

use crate::{
    alarm::Moment,
    config::Config,
    envoy::{Envoy, Level},
    gate::{self, End, Key, Standing},
    grpc_service,
    metric::Metric,
    quota::Quota,
};
use lazyload_protocol::v1::{Miss, ReportRequest, Workload};
use prost::Message;
use std::{collections::VecDeque, mem};

/// How long after its timeout a call without an answer is taken for lost, in milliseconds.
const GRACE: u64 = 5_000;

/// A miss on its way to the controller.
pub(crate) struct Pending {
    pub(crate) key: Key,
    pub(crate) miss: Miss,
}

struct InFlight {
    token: u32,
    since: u64,
    sent: Vec<Key>,
    authorities: Vec<String>,
}

/// The misses of one worker that wait, and the call that is running.
pub(crate) struct Reporter {
    config: Config,
    /// None where the configured texts do not fit, which the configuration has ruled out.
    target: Option<String>,
    workload: Workload,
    waiting: VecDeque<Pending>,
    in_flight: Option<InFlight>,
    /// When to be woken to report what waits.
    due: Option<Moment>,
    /// Whether the last report failed.
    failing: bool,
    refusals: Quota,
    /// What became known of hosts since somebody last asked.
    settled: Vec<(Key, Standing)>,
}

impl Reporter {
    pub(crate) fn new(config: Config, workload: Workload) -> Self {
        Self {
            target: grpc_service::encode(&config.controller_cluster, &config.controller_authority),
            config,
            workload,
            waiting: VecDeque::new(),
            in_flight: None,
            due: None,
            failing: false,
            refusals: Quota::default(),
            settled: Vec::new(),
        }
    }

    /// Takes a miss to report it at the wake-up that it then wants. False where nobody should wait for its verdict: there is no
    /// room for it, or reports fail, and this one waits until the next may be tried.
    pub(crate) fn push(&mut self, envoy: &dyn Envoy, pending: Pending) -> bool {
        self.give_up_on_lost_call(envoy);
        let most = usize::try_from(self.config.max_pending).unwrap_or(usize::MAX);
        let key = pending.key;
        let mut awaited = !self.failing;
        if self.holds(key) {
            envoy.count(Metric::Deduplicated, 1);
        } else if self.waiting.len() >= most {
            envoy.count(Metric::Dropped, 1);
            awaited = false;
        } else {
            self.waiting.push_back(pending);
        }
        if self.in_flight.is_none() {
            self.want(envoy, self.config.batch_delay_milliseconds);
        }
        if !awaited {
            // Not for `settled`: the caller knows, and applications choose how often this happens.
            let end = End::Within(self.config.retry_after_milliseconds);
            gate::settle(envoy, key, Standing::Unreported, end);
        }
        awaited
    }

    /// Reports what waits, if its time has come.
    pub(crate) fn on_wake(&mut self, envoy: &dyn Envoy) {
        let now = envoy.now();
        if self.due.take_if(|due| due.reached(now)).is_some() && self.in_flight.is_none() {
            self.send(envoy);
        }
    }

    /// In how many milliseconds it is to be woken, if at all.
    pub(crate) fn left(&self, now: u64) -> Option<u64> {
        self.due.map(|due| due.left(now))
    }

    /// What became known of hosts since this was last asked.
    pub(crate) fn settled(&mut self) -> Vec<(Key, Standing)> {
        mem::take(&mut self.settled)
    }

    fn settle(&mut self, envoy: &dyn Envoy, key: Key, standing: Standing, end: End) {
        gate::settle(envoy, key, standing, end);
        self.settled.push((key, standing));
    }

    /// Lets a host be reported again soon.
    fn unreported(&mut self, envoy: &dyn Envoy, key: Key) {
        let end = End::Within(self.config.retry_after_milliseconds);
        self.settle(envoy, key, Standing::Unreported, end);
    }

    /// Whether a miss of this host is on its way already: its claim may have been lost to others, or have ended.
    pub(crate) fn holds(&self, key: Key) -> bool {
        let sent = self.in_flight.iter().flat_map(|call| &call.sent);
        let waiting = self.waiting.iter().map(|pending| &pending.key);
        waiting.chain(sent).any(|held| *held == key)
    }

    /// A wake-up that is wanted already is not put off, nor brought forward: it may be the pause after a failure.
    fn want(&mut self, envoy: &dyn Envoy, milliseconds: u32) {
        self.due
            .get_or_insert_with(|| Moment::after(envoy.now(), milliseconds));
    }

    fn send(&mut self, envoy: &dyn Envoy) {
        let most = usize::try_from(self.config.max_batch).unwrap_or(usize::MAX);
        let batch: Vec<Pending> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        if batch.is_empty() {
            return;
        }
        let (sent, misses): (Vec<Key>, Vec<Miss>) = batch
            .into_iter()
            .map(|pending| (pending.key, pending.miss))
            .unzip();
        let request = ReportRequest {
            workload: Some(self.workload.clone()),
            misses,
        };
        let call = self.target.as_deref().map(|target| {
            envoy.call(
                target,
                &request.encode_to_vec(),
                self.config.report_timeout_milliseconds,
            )
        });
        match call {
            Some(Ok(token)) => {
                envoy.count(Metric::ReportsSent, 1);
                let authorities = request.misses.into_iter().map(|miss| miss.authority);
                self.in_flight = Some(InFlight {
                    token,
                    since: envoy.now(),
                    sent,
                    authorities: authorities.collect(),
                });
            }
            Some(Err(refused)) => {
                self.failed(envoy, &sent, &format!("proxy-wasm status {}", refused.0));
            }
            None => self.failed(envoy, &sent, "its name is too long"),
        }
    }

    /// A call that the proxy never answers must not silence the filter.
    fn give_up_on_lost_call(&mut self, envoy: &dyn Envoy) {
        let limit = u64::from(self.config.report_timeout_milliseconds).saturating_add(GRACE);
        let now = envoy.now();
        let lost = |call: &mut InFlight| {
            // Where the clock was set back, the call has all its time once more: it is mostly not lost.
            call.since = call.since.min(now);
            now.saturating_sub(call.since) > limit
        };
        if let Some(call) = self.in_flight.take_if(lost) {
            self.failed(envoy, &call.sent, "no answer");
        }
    }

    /// Lets the hosts of a call be reported again, and has what waits wait longer. Until a report succeeds, no request waits for
    /// either.
    fn failed(&mut self, envoy: &dyn Envoy, sent: &[Key], why: &str) {
        envoy.count(Metric::ReportsFailed, 1);
        let waiting = self.waiting.iter().map(|pending| pending.key);
        let of_all: Vec<Key> = sent.iter().copied().chain(waiting).collect();
        for key in of_all {
            self.unreported(envoy, key);
        }
        self.want(envoy, self.config.retry_after_milliseconds);
        let level = if self.failing {
            Level::Debug
        } else {
            Level::Warn
        };
        self.failing = true;
        envoy.log(
            level,
            &format!(
                "lazyload: a report to {} failed ({why}): its hosts are reported again when they are missed again; requests to them \
                 are not held meanwhile. Check that the controller runs and that its Service is visible to this sidecar",
                self.config.controller_cluster
            ),
        );
    }
}

#[cfg(test)]
mod tests;
