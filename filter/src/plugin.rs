//! What the filter does at each call of the proxy.

use crate::{
    caller,
    config::Config,
    destination,
    envoy::{Envoy, Level},
    gate::{self, Key},
    metric::Metric,
    miss,
    reporter::{Pending, Reporter},
};
use lazyload_protocol::{
    ORIGINAL_DESTINATION_HEADER, SOURCE_NAMESPACE_HEADER,
    host::Authority,
    text::excerpt,
    v1::{Miss, Workload},
};
use std::net::SocketAddr;

/// The port that a plain HTTP authority means where nothing else tells one.
const HTTP_PORT: u16 = 80;

/// One configured filter in one worker.
///
/// Inert until a valid configuration came: then it never touches traffic.
#[derive(Default)]
pub struct Plugin {
    config: Option<Config>,
    active: Option<Active>,
}

/// What the first miss finds out and the others use.
struct Active {
    /// None where the proxy does not tell it, or where it cannot be a header.
    namespace: Option<String>,
    reporter: Reporter,
}

impl Plugin {
    /// Takes a plugin configuration. One that is not valid is told in the log and leaves the filter inert: the proxy would
    /// otherwise reject it, and with some failure policies the traffic.
    pub fn configure(&mut self, envoy: &dyn Envoy, json: &[u8]) {
        self.active = None;
        self.config = match Config::parse(json) {
            Ok(config) => {
                gate::prepare(envoy);
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
    }

    /// Looks at a request; on a miss stamps it and sees to its report. The request always goes on.
    pub fn on_request_headers(&mut self, envoy: &dyn Envoy) {
        let Some(config) = &self.config else {
            return;
        };
        let Some(route) = miss::caught_by(envoy) else {
            return;
        };
        envoy.count(Metric::Misses, 1);
        let active = self
            .active
            .get_or_insert_with(|| Active::new(config, caller::read(envoy)));
        let destination = destination::read(envoy);
        stamp(
            envoy,
            ORIGINAL_DESTINATION_HEADER,
            destination.map(|address| address.to_string()).as_deref(),
        );
        stamp(envoy, SOURCE_NAMESPACE_HEADER, active.namespace.as_deref());
        let (key, miss) = match mk_miss(envoy, destination, route) {
            Ok(miss) => miss,
            Err(why_not) => return envoy.count(why_not, 1),
        };
        if gate::admit(envoy, key, config.waits()) {
            active.reporter.push(envoy, Pending { key, miss });
        } else {
            envoy.count(Metric::Deduplicated, 1);
        }
    }

    /// The wake-up that the filter asked for.
    pub fn on_wake(&mut self, envoy: &dyn Envoy) {
        match &mut self.active {
            Some(active) => active.reporter.on_wake(envoy),
            None => envoy.wake_every(0),
        }
    }

    /// The answer to a call: its gRPC status, and its body where that is 0.
    pub fn on_answer(&mut self, envoy: &dyn Envoy, token: u32, status: u32, body: &[u8]) {
        if let Some(active) = &mut self.active {
            active.reporter.on_answer(envoy, token, status, body);
        }
    }
}

impl Active {
    fn new(config: &Config, workload: Workload) -> Self {
        let plain =
            |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        Self {
            namespace: Some(workload.namespace.clone()).filter(plain),
            reporter: Reporter::new(config.clone(), workload),
        }
    }
}

/// Whatever the application put there goes first, all of it: a header that is sent twice is one that is half overwritten.
fn stamp(envoy: &dyn Envoy, name: &str, value: Option<&str>) {
    envoy.remove_header(name);
    if let Some(value) = value {
        envoy.set_header(name, value);
    }
}

/// What to report, or the counter that says why nothing is.
fn mk_miss(
    envoy: &dyn Envoy,
    destination: Option<SocketAddr>,
    route: &str,
) -> Result<(Key, Miss), Metric> {
    let bytes = envoy.header(":authority").unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| Metric::InvalidAuthority)?;
    let authority = Authority::parse(&text).map_err(|error| {
        envoy.log(Level::Debug, &format!("lazyload: not reported: {error}"));
        Metric::InvalidAuthority
    })?;
    let host = authority.name().ok_or(Metric::Address)?;
    let port = destination
        .map(|address| address.port())
        .or(authority.port())
        .unwrap_or(HTTP_PORT);
    let key = Key::new(host, port);
    envoy.log(
        Level::Debug,
        &format!("lazyload: {route} caught {}", excerpt(&text)),
    );
    let miss = Miss {
        authority: text,
        original_destination: destination
            .map(|address| address.to_string())
            .unwrap_or_default(),
        port: u32::from(port),
        route: route.to_owned(),
    };
    Ok((key, miss))
}

#[cfg(test)]
mod tests;
