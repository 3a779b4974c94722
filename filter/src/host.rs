//! The proxy behind the wasm boundary: this file and those under `host/` alone touch proxy-wasm.
//!
//! The SDK calls the contexts below; into the proxy goes `abi`, because what the SDK has for it panics on a status that it does
//! not expect. What remains of that in the SDK:
//! - the report call, which only the SDK can make, as it keeps the tokens to itself. Envoy answers it with "ok", "parse
//!   failure" or "internal failure", all of which are looked at, and with "bad argument", which panics, only where it cannot make
//!   a client for the target; for one of the form that `grpc_service` writes it can, whether the cluster exists or not.
//! - `proxy_set_effective_context`, before an answer is handed on. Envoy refuses it only for a context that is gone, and where
//!   `capabilityRestrictionConfig` leaves it out.
//! - callbacks for contexts that the proxy never made, or made twice.
//!
//! The answer to a probe does not pass through the SDK, which panics on a token that it does not know: the build lets Envoy call
//! `lazyload_on_http_call_response` in the place of the SDK's function.
// The entry point is an exported symbol, and exporting one by name counts as unsafe; so do the calls in `abi`.
#![allow(unsafe_code)]

mod abi;
mod calls;

use crate::{Flow, HOLD_MILLISECONDS, Metric, Plugin, Stream};
use calls::Host;
use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{Action, BufferType, ContextType, MapType, MetricType},
};
use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

/// More than any answer to a batch can be.
const MAX_ANSWER_BYTES: usize = 1 << 20;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|context| Box::new(Root::new(context)));
}}

thread_local! {
    /// The root contexts, for what does not pass through the SDK.
    static ROOTS: RefCell<Vec<(u32, Weak<RefCell<Shared>>)>> = RefCell::default();
}

/// What the root context and the requests of one configured filter share.
#[derive(Default)]
struct Shared {
    plugin: Plugin,
    host: Host,
}

#[derive(Clone)]
struct Root(Rc<RefCell<Shared>>);

impl Root {
    fn new(context: u32) -> Self {
        let host = Host {
            root: context,
            ..Host::default()
        };
        let shared = Rc::new(RefCell::new(Shared {
            plugin: Plugin::default(),
            host,
        }));
        ROOTS.with(|roots| {
            if let Ok(mut roots) = roots.try_borrow_mut() {
                roots.retain(|(_, root)| root.strong_count() > 0);
                roots.push((context, Rc::downgrade(&shared)));
            }
        });
        Self(shared)
    }

    fn of(context: u32) -> Option<Self> {
        let root = ROOTS.with(|roots| {
            let roots = roots.try_borrow().ok()?;
            let (_, root) = roots.iter().find(|(of, _)| *of == context)?;
            root.upgrade()
        });
        root.map(Self)
    }

    /// The proxy never calls in while a call runs; if it did, the inner one would be left out rather than panic.
    fn with<T: Default>(&self, run: impl FnOnce(&mut Plugin, &Host) -> T) -> T {
        let Ok(mut shared) = self.0.try_borrow_mut() else {
            return T::default();
        };
        let Shared { plugin, host } = &mut *shared;
        run(plugin, host)
    }
}

/// Envoy's `proxy_on_http_call_response`: the context that made the call, its token, and how many headers, bytes of body and
/// trailers came. No headers mean that there was no response.
#[unsafe(no_mangle)]
extern "C" fn lazyload_on_http_call_response(
    context: u32,
    token: u32,
    headers: usize,
    _body: usize,
    _trailers: usize,
) {
    let status = (headers > 0).then(|| abi::header(MapType::HttpCallResponseHeaders, ":status"));
    // Of a response without a status that can be read, nothing is known but that it came.
    let status = status.map(|value| {
        let value = value.unwrap_or_default();
        let number = str::from_utf8(&value)
            .ok()
            .and_then(|text| text.parse().ok());
        number.unwrap_or_default()
    });
    if let Some(root) = Root::of(context) {
        root.with(|plugin, host| plugin.on_probe_answer(host, token, status));
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
            && shared.host.counters.is_empty()
        {
            shared.host.counters = Metric::ALL
                .into_iter()
                .map_while(|metric| abi::define_metric(MetricType::Counter, metric.name()))
                .collect();
            shared.host.holds = abi::define_metric(MetricType::Histogram, HOLD_MILLISECONDS);
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

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request {
            root: self.clone(),
            context,
            paused: false,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Request {
    root: Root,
    context: u32,
    paused: bool,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let stream = Stream {
            context: self.context,
            ends_here: end_of_stream,
        };
        let flow = self
            .root
            .with(|plugin, host| plugin.on_request_headers(host, stream));
        self.paused = flow == Flow::Pause;
        match flow {
            Flow::Continue => Action::Continue,
            Flow::Pause => Action::Pause,
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.paused {
            let context = self.context;
            self.root.with(|plugin, host| plugin.on_gone(host, context));
        }
    }
}
