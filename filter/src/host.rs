//! The proxy behind the wasm boundary: the one file that touches proxy-wasm.
//!
//! It uses the SDK's `hostcalls`, whose results can be looked at, rather than its context methods, which unwrap them.
// The entry point is an exported symbol, and exporting one by name counts as unsafe.
#![allow(unsafe_code)]

use crate::{CallRefused, CasMismatch, Envoy, Level, Metric, Plugin};
use lazyload_protocol::{REPORT_METHOD, SERVICE};
use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{Action, BufferType, ContextType, LogLevel, MapType, MetricType},
};
use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, UNIX_EPOCH},
};

/// More than any answer to a batch can be.
const MAX_ANSWER_BYTES: usize = 1 << 20;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root(Rc::default())));
}}

/// What the root context and the requests of one configured filter share.
#[derive(Default)]
struct Shared {
    plugin: Plugin,
    host: Host,
}

/// Calls into the proxy. Until the counters are defined, counting does nothing.
#[derive(Default)]
struct Host {
    metrics: Vec<u32>,
}

#[derive(Clone)]
struct Root(Rc<RefCell<Shared>>);

impl Root {
    /// The proxy never calls in while a call runs; if it did, the inner one would be left out rather than panic.
    fn with(&self, run: impl FnOnce(&mut Plugin, &Host)) {
        if let Ok(mut shared) = self.0.try_borrow_mut() {
            let Shared { plugin, host } = &mut *shared;
            run(plugin, host);
        }
    }
}

impl Context for Root {
    fn on_grpc_call_response(&mut self, token: u32, status: u32, size: usize) {
        self.with(|plugin, host| {
            let size = size.min(MAX_ANSWER_BYTES);
            let body = if status == 0 && size > 0 {
                hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, size)
                    .ok()
                    .flatten()
            } else {
                None
            };
            plugin.on_answer(host, token, status, &body.unwrap_or_default());
        });
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        if let Ok(mut shared) = self.0.try_borrow_mut()
            && shared.host.metrics.is_empty()
        {
            shared.host.metrics = Metric::ALL
                .into_iter()
                .map_while(|metric| {
                    hostcalls::define_metric(MetricType::Counter, metric.name()).ok()
                })
                .collect();
        }
        self.with(|plugin, host| {
            let json = match size {
                0 => None,
                size => hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size)
                    .ok()
                    .flatten(),
            };
            plugin.configure(host, &json.unwrap_or_default());
        });
        // False would make the proxy treat the filter as failed, and depending on its failure policy, the traffic.
        true
    }

    fn on_tick(&mut self) {
        self.with(|plugin, host| plugin.on_wake(host));
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request(self.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Request(Root);

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.0.with(|plugin, host| plugin.on_request_headers(host));
        Action::Continue
    }
}

impl Envoy for Host {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        hostcalls::get_property(path.to_vec()).ok().flatten()
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name)
            .ok()
            .flatten()
    }

    fn remove_header(&self, name: &str) {
        let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
    }

    fn set_header(&self, name: &str, value: &str) {
        let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value));
    }

    fn shared_data(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>) {
        hostcalls::get_shared_data(key).unwrap_or((None, None))
    }

    fn set_shared_data(
        &self,
        key: &str,
        value: &[u8],
        cas: Option<u32>,
    ) -> Result<(), CasMismatch> {
        hostcalls::set_shared_data(key, Some(value), cas).map_err(|_| CasMismatch)
    }

    fn now(&self) -> u64 {
        let now = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn wake_every(&self, milliseconds: u32) {
        let _ = hostcalls::set_tick_period(Duration::from_millis(u64::from(milliseconds)));
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

    fn count(&self, metric: Metric, by: u32) {
        if let Some(id) = self.metrics.get(metric as usize) {
            let _ = hostcalls::increment_metric(*id, i64::from(by));
        }
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        let _ = hostcalls::log(level, message);
    }
}
