//! What the filter asks of its proxy, in terms of the ABI.

use super::abi;
use crate::{CallRefused, CasMismatch, Envoy, Level, Metric, Resumed, Way};
use lazyload_protocol::{REPLAY_HEADER, REPORT_METHOD, SERVICE};
use proxy_wasm::{
    hostcalls,
    types::{LogLevel, MapType},
};
use std::time::Duration;

/// Calls into the proxy. Until the metrics are defined, counting does nothing.
#[derive(Default)]
pub(super) struct Host {
    pub(super) root: u32,
    pub(super) counters: Vec<u32>,
    pub(super) holds: Option<u32>,
}

impl Envoy for Host {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        abi::property(&path.join("\0"))
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        abi::header(MapType::HttpRequestHeaders, name)
    }

    fn has_header(&self, name: &str) -> bool {
        abi::has_request_header(name)
    }

    fn remove_header(&self, name: &str) {
        abi::remove_request_header(name);
    }

    fn set_header(&self, name: &str, value: &str) {
        abi::set_request_header(name, value);
    }

    fn shared_data(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>) {
        let (value, cas) = abi::shared_data(key);
        (value, (cas != 0).then_some(cas))
    }

    fn set_shared_data(
        &self,
        key: &str,
        value: &[u8],
        cas: Option<u32>,
    ) -> Result<(), CasMismatch> {
        let written = abi::set_shared_data(key, value, cas.unwrap_or_default());
        written.then_some(()).ok_or(CasMismatch)
    }

    fn now(&self) -> u64 {
        abi::nanoseconds() / 1_000_000
    }

    fn wake_every(&self, milliseconds: u32) {
        abi::set_tick_period(milliseconds);
    }

    fn call(
        &self,
        target: &str,
        request: &[u8],
        timeout_milliseconds: u32,
    ) -> Result<u32, CallRefused> {
        let timeout = Duration::from_millis(u64::from(timeout_milliseconds));
        hostcalls::dispatch_grpc_call(
            target,
            SERVICE,
            REPORT_METHOD,
            Vec::new(),
            Some(request),
            timeout,
        )
        .map_err(|status| CallRefused(status as u32))
    }

    fn ask(
        &self,
        cluster: &str,
        headers: &[(&str, &str)],
        timeout_milliseconds: u32,
    ) -> Result<u32, CallRefused> {
        abi::http_call(cluster, headers, timeout_milliseconds).map_err(CallRefused)
    }

    fn can_hold(&self) -> bool {
        // Of the root context, nothing is paused that could go on: Envoy merely says whether it has the function.
        abi::nanoseconds() > 0
            && abi::set_tick_period(0)
            && abi::set_effective_context(self.root)
            && abi::continue_request()
            && abi::has_foreign_functions()
    }

    fn resume(&self, stream: u32, way: Way<'_>) -> Resumed {
        if !abi::set_effective_context(stream) {
            return Resumed::Gone;
        }
        let done = match way {
            Way::Replay(listener) => choose_route_anew(listener),
            Way::PassThrough(stamps) => {
                stamps.set(self);
                true
            }
        };
        if done {
            abi::continue_request();
        }
        abi::set_effective_context(self.root);
        if done {
            Resumed::Done
        } else {
            Resumed::NotReplayed
        }
    }

    fn record_hold(&self, milliseconds: u64) {
        if let Some(id) = self.holds {
            abi::record(id, milliseconds);
        }
    }

    fn count(&self, metric: Metric, by: u32) {
        if let Some(id) = self.counters.get(metric as usize) {
            abi::count(*id, by);
        }
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        abi::log(level, message);
    }
}

/// Leads the request of the effective context through a replay listener. Where the proxy does not, it is left as it was.
fn choose_route_anew(listener: &str) -> bool {
    let chosen = abi::set_request_header(REPLAY_HEADER, listener) && abi::clear_route_cache();
    if !chosen {
        abi::remove_request_header(REPLAY_HEADER);
    }
    chosen
}
