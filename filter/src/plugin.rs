//! What the filter does at each call of the proxy.

use crate::{
    alarm::Alarm,
    caller,
    config::{Config, FirstRequest},
    destination,
    envoy::{Envoy, Level},
    gate::{self, Admission, Key, Standing, Waits, workload},
    hold::{Holds, MOST_AT_ONCE, Place},
    metric::Metric,
    miss,
    reporter::{Pending, Reporter},
    stamps::Stamps,
};
use lazyload_protocol::{
    PROBE_HEADER, REPLAY_HEADER,
    host::Authority,
    text::excerpt,
    v1::{Miss, Workload},
};
use std::{net::SocketAddr, rc::Rc};

/// The port that a plain HTTP authority means where nothing else tells one.
const HTTP_PORT: u16 = 80;

/// What a gRPC call is taken to have for a body where it does not say, as hardly any does: an estimate, mostly far too high.
const GRPC_BYTES: u64 = 64 << 10;

/// One configured filter in one worker.
///
/// Inert until a valid configuration came: then it never touches traffic.
#[derive(Default)]
pub struct Plugin {
    config: Option<Config>,
    holding: bool,
    active: Option<Active>,
    /// What earlier configurations held and is still to go on.
    closing: Vec<Holds>,
    alarm: Alarm,
}

/// A request whose headers are at hand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stream {
    /// What the proxy calls it.
    pub context: u32,
    /// Whether there is nothing after its headers.
    pub ends_here: bool,
}

/// What is to become of a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Flow {
    /// It goes on.
    #[default]
    Continue,
    /// It waits until [`Envoy::resume`].
    Pause,
}

/// What the first miss finds out and the others use.
struct Active {
    /// None where the proxy does not tell it, or where it cannot be a header.
    namespace: Option<Rc<str>>,
    reporter: Reporter,
    holds: Holds,
    waits: Waits,
}

impl Plugin {
    /// Takes a plugin configuration. One that is not valid is told in the log and leaves the filter inert: the proxy would
    /// otherwise reject it, and with some failure policies the traffic.
    pub fn configure(&mut self, envoy: &dyn Envoy, json: &[u8]) {
        if let Some(mut active) = self.active.take() {
            active.holds.close(envoy);
            self.closing.push(active.holds);
        }
        // Asking whether requests can be held ends the proxy's timer.
        self.alarm = Alarm::default();
        self.config = match Config::parse(json) {
            Ok(config) => {
                gate::prepare(envoy);
                self.holding = config.first_request == FirstRequest::Hold && can_hold(envoy);
                Some(config)
            }
            Err(error) => {
                envoy.log(
                    Level::Error,
                    &format!(
                        "lazyload: plugin configuration is not valid: {error}: the filter stays inactive; fix spec.pluginConfig \
                         of the WasmPlugin"
                    ),
                );
                None
            }
        };
        self.finish(envoy);
    }

    /// Looks at a request; on a miss sees to its report, and holds it where its route is to come, or else stamps it.
    pub fn on_request_headers(&mut self, envoy: &dyn Envoy, stream: Stream) -> Flow {
        let Some(config) = &self.config else {
            return Flow::Continue;
        };
        let Some(route) = miss::caught_by(envoy) else {
            return Flow::Continue;
        };
        envoy.count(Metric::Misses, 1);
        let active = self
            .active
            .get_or_insert_with(|| Active::new(config, caller::read(envoy)));
        for name in [REPLAY_HEADER, PROBE_HEADER] {
            if envoy.has_header(name) {
                envoy.remove_header(name);
            }
        }
        let destination = destination::read(envoy);
        let held_at = destination.filter(|_| self.holding);
        let flow = match mk_pending(envoy, destination, route) {
            Some(pending) => active.on_miss(envoy, pending, held_at, stream),
            None => {
                envoy.count(Metric::InvalidAuthority, 1);
                Flow::Continue
            }
        };
        // One that waits may yet be replayed, and is then to look like any other.
        if flow == Flow::Continue {
            let stamps = Stamps {
                destination,
                namespace: active.namespace.as_deref(),
            };
            stamps.set(envoy);
        }
        self.set_alarm(envoy);
        flow
    }

    /// A request is over that was paused.
    pub fn on_gone(&mut self, envoy: &dyn Envoy, context: u32) {
        let active = self.active.iter_mut().map(|active| &mut active.holds);
        for holds in active.chain(&mut self.closing) {
            holds.on_gone(envoy, context);
        }
    }

    /// The wake-up that the filter asked for.
    pub fn on_wake(&mut self, envoy: &dyn Envoy) {
        self.alarm.rang();
        if let Some(active) = &mut self.active {
            active.reporter.on_wake(envoy);
            active.follow(envoy);
            let reporter = &active.reporter;
            active.holds.on_wake(envoy, &|key| reporter.holds(key));
            active.report_again(envoy);
        }
        self.finish(envoy);
    }

    /// The answer to a report: its gRPC status, and its body where that is 0.
    pub fn on_answer(&mut self, envoy: &dyn Envoy, token: u32, status: u32, body: &[u8]) {
        if let Some(active) = &mut self.active {
            active.reporter.on_answer(envoy, token, status, body);
            active.follow(envoy);
        }
        self.finish(envoy);
    }

    /// The answer to a probe: the status of the response, where there is one.
    ///
    /// It starts no call: the SDK would take it for one of the context it called last.
    pub fn on_probe_answer(&mut self, envoy: &dyn Envoy, token: u32, status: Option<u16>) {
        if let Some(active) = &mut self.active {
            active.holds.on_probe_answer(envoy, token, status);
        }
        self.finish(envoy);
    }

    /// The end of each call of the proxy but those that concern a request: some of those whose hold has ended go on.
    fn finish(&mut self, envoy: &dyn Envoy) {
        let mut room = MOST_AT_ONCE;
        for holds in &mut self.closing {
            holds.let_go(envoy, &mut room);
        }
        self.closing.retain(|holds| !holds.is_empty());
        if let Some(active) = &mut self.active {
            active.holds.let_go(envoy, &mut room);
        }
        self.set_alarm(envoy);
    }

    fn set_alarm(&mut self, envoy: &dyn Envoy) {
        let now = envoy.now();
        let closing = self.closing.iter().filter_map(|holds| holds.left(now));
        let active = self.active.iter().filter_map(|active| active.left(now));
        self.alarm.set(envoy, closing.chain(active).min());
    }
}

impl Active {
    fn new(config: &Config, workload: Workload) -> Self {
        let plain =
            |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let namespace = Some(&workload.namespace).filter(|text| plain(text));
        let namespace: Option<Rc<str>> = namespace.map(|text| text.as_str().into());
        Self {
            namespace: namespace.clone(),
            reporter: Reporter::new(config.clone(), workload),
            holds: Holds::new(config.limits(), namespace),
            waits: config.waits(),
        }
    }

    /// Reports a miss, and holds it where `held_at` says that it may be.
    fn on_miss(
        &mut self,
        envoy: &dyn Envoy,
        pending: Pending,
        held_at: Option<SocketAddr>,
        stream: Stream,
    ) -> Flow {
        let place = held_at.map(|destination| Place {
            key: pending.key,
            destination,
            miss: pending.miss.clone(),
        });
        let standing = self.admit(envoy, pending);
        match place {
            Some(place) => self.hold(envoy, place, standing, stream),
            None => Flow::Continue,
        }
    }

    /// Sees to the report of a miss, and says what is known of its host.
    fn admit(&mut self, envoy: &dyn Envoy, pending: Pending) -> Standing {
        match gate::admit(envoy, pending.key, self.waits) {
            Admission::Report if self.reporter.push(envoy, pending) => Standing::Awaiting,
            Admission::Report => Standing::Unreported,
            Admission::Known(standing) => {
                envoy.count(Metric::Deduplicated, 1);
                standing
            }
        }
    }

    fn hold(
        &mut self,
        envoy: &dyn Envoy,
        place: Place,
        standing: Standing,
        stream: Stream,
    ) -> Flow {
        let awaited = matches!(standing, Standing::Awaiting | Standing::Hold);
        let standing = if awaited && workload::passes_through(envoy) {
            Standing::Pass
        } else {
            standing
        };
        let body = if stream.ends_here {
            Some(0)
        } else {
            body_length(envoy)
        };
        if self
            .holds
            .hold(envoy, place, standing, stream.context, body)
        {
            Flow::Pause
        } else {
            Flow::Continue
        }
    }

    /// Sees to hosts that requests wait for though nobody reported them lately.
    fn report_again(&mut self, envoy: &dyn Envoy) {
        for pending in self.holds.unclaimed() {
            if gate::admit(envoy, pending.key, self.waits) == Admission::Report {
                self.reporter.push(envoy, pending);
            }
        }
    }

    /// Hands on what the reporter learned.
    fn follow(&mut self, envoy: &dyn Envoy) {
        let settled = self.reporter.settled();
        self.holds.on_settled(envoy, &settled);
    }

    /// In how many milliseconds it is to be woken, if at all.
    fn left(&self, now: u64) -> Option<u64> {
        let left = [self.reporter.left(now), self.holds.left(now)];
        left.into_iter().flatten().min()
    }
}

fn can_hold(envoy: &dyn Envoy) -> bool {
    let can = envoy.can_hold();
    if !can {
        envoy.log(
            Level::Warn,
            "lazyload: this proxy does not let the filter tell the time, be woken, resume a request or have its route chosen \
             anew: first requests are not held. Check capability_restriction_config of its wasm VMs",
        );
    }
    can
}

/// How long the body of the request at hand is, as far as its headers tell.
fn body_length(envoy: &dyn Envoy) -> Option<u64> {
    let told = envoy
        .header("content-length")
        .and_then(|bytes| str::from_utf8(&bytes).ok()?.parse().ok());
    told.or_else(|| is_grpc(envoy).then_some(GRPC_BYTES))
}

fn is_grpc(envoy: &dyn Envoy) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let kind = envoy.header("content-type").unwrap_or_default();
    kind.get(..GRPC.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

/// What to report; nothing where the authority cannot be that of a host.
fn mk_pending(envoy: &dyn Envoy, destination: Option<SocketAddr>, route: &str) -> Option<Pending> {
    let text = String::from_utf8(envoy.header(":authority").unwrap_or_default()).ok()?;
    let authority = Authority::parse(&text)
        .inspect_err(|error| {
            envoy.log(Level::Debug, &format!("lazyload: not reported: {error}"));
        })
        .ok()?;
    let port = destination
        .map(|address| address.port())
        .or(authority.port())
        .unwrap_or(HTTP_PORT);
    envoy.log(
        Level::Debug,
        &format!("lazyload: {route} caught {}", excerpt(&text)),
    );
    // An address is a host like another: it may be that of a Service, which has a virtual host for it.
    let key = Key::new(&authority.host().to_string(), port);
    let miss = Miss {
        authority: text,
        original_destination: destination
            .map(|address| address.to_string())
            .unwrap_or_default(),
        port: u32::from(port),
        route: route.to_owned(),
    };
    Some(Pending { key, miss })
}

#[cfg(test)]
mod tests;
