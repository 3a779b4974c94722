//! The proxy behind the wasm boundary: this file and `host/abi.rs` alone touch proxy-wasm.
//!
//! The SDK calls the contexts below; into the proxy goes `abi`, because what the SDK has for it panics on a status that it does
//! not expect. What remains of that in the SDK:
//! - the call itself, which only the SDK can make, as it keeps the tokens to itself. Envoy answers it with "ok", "parse
//!   failure" or "internal failure", all of which are looked at, and with "bad argument", which panics, only where it cannot make
//!   a client for the target; for one of the form that `grpc_service` writes it can, whether the cluster exists or not.
//! - `proxy_set_effective_context`, before an answer is handed on. Envoy refuses it only for a context that is gone, and where
//!   `capabilityRestrictionConfig` leaves it out.
//! - callbacks for contexts that the proxy never made, or made twice.
// The entry point is an exported symbol, and exporting one by name counts as unsafe; so do the calls in `abi`.
#![allow(unsafe_code)]

mod abi;

use crate::{CallRefused, CasMismatch, Envoy, Level, Metric, Plugin};
use lazyload_protocol::{REPORT_METHOD, SERVICE};
use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{Action, BufferType, ContextType, LogLevel},
};
use std::{cell::RefCell, rc::Rc, time::Duration};

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
                abi::buffer(BufferType::GrpcReceiveBuffer, size)
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
                .map_while(|metric| abi::define_counter(metric.name()))
                .collect();
        }
        self.with(|plugin, host| {
            let json = match size {
                0 => None,
                size => abi::buffer(BufferType::PluginConfiguration, size),
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
        abi::property(&path.join("\0"))
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        abi::request_header(name)
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

    fn count(&self, metric: Metric, by: u32) {
        if let Some(id) = self.metrics.get(metric as usize) {
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
