//! One VM of the Envoy in memory: the module, started and configured as Envoy does it.

use crate::{
    abi,
    state::{Paused, SharedData, State},
};
use lazyload_protocol::v1::{ReportRequest, ReportResponse};
use prost::Message;
use std::sync::LazyLock;
use wasm_build::{Options, build_filter};
use wasmtime::{
    Config, Engine, Instance, Linker, Module, OptLevel, Store, TypedFunc, WasmParams, WasmResults,
};

pub const ROOT: u32 = 1;

/// A configuration with which nothing is held.
pub const PASS_THROUGH: &str = r#"{"firstRequest": "passthrough"}"#;

/// The module as it ships, built once for all tests.
pub static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = build_filter(&Options::default()).unwrap_or_else(|error| panic!("{error}"));
    std::fs::read(path).expect("the build made it")
});

/// Compiled without optimisation: the compiler takes longer than all the tests.
pub static MODULE: LazyLock<Module> = LazyLock::new(|| {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).expect("the configuration is valid");
    Module::new(&engine, &*BYTES).expect("the module is valid")
});

pub struct Vm {
    pub store: Store<State>,
    instance: Instance,
    next_context: u32,
}

impl Vm {
    /// A configured VM of a node that looks like productpage's.
    pub fn start(configuration: &str) -> Self {
        Self::start_with(configuration, SharedData::default())
    }

    /// The same, one of several workers that share data.
    pub fn start_with(configuration: &str, shared: SharedData) -> Self {
        Self::launch(configuration, shared, |_| {})
    }

    /// The same, of a proxy that answers one of its functions with this status alone.
    pub fn start_refused(function: &str, status: i32) -> Self {
        Self::launch("", SharedData::default(), |linker| {
            abi::refuse(linker, &MODULE, function, status).expect("the module imports it");
        })
    }

    fn launch(
        configuration: &str,
        shared: SharedData,
        adjust: impl FnOnce(&mut Linker<State>),
    ) -> Self {
        let mut state = State {
            configuration: configuration.as_bytes().to_vec(),
            shared,
            nanoseconds: 1_790_000_000_000_000_000,
            ..State::default()
        };
        let labels = mk_pairs(&[("app", "productpage"), ("version", "v1")]);
        for (name, value) in [
            ("NAMESPACE", &b"shop"[..]),
            ("NAME", b"productpage-1"),
            ("SERVICE_ACCOUNT", b"bookinfo-productpage"),
            ("LABELS", &labels),
        ] {
            state.set_property(&["xds", "node", "metadata", name], value);
        }
        state.set_property(
            &["xds", "node", "id"],
            b"sidecar~10.0.0.9~productpage-1.shop~shop.svc.cluster.local",
        );
        let mut store = Store::new(MODULE.engine(), state);
        let mut linker = Linker::new(MODULE.engine());
        abi::define(&mut linker).expect("no function is defined twice");
        adjust(&mut linker);
        linker
            .define_unknown_imports_as_traps(&MODULE)
            .expect("the rest can be traps");
        let instance = linker
            .instantiate(&mut store, &MODULE)
            .expect("every import is defined");
        let mut vm = Self {
            store,
            instance,
            next_context: ROOT + 1,
        };
        vm.call::<(), ()>("_initialize", ());
        vm.state().contexts.insert(ROOT);
        vm.state().context = ROOT;
        vm.call::<(u32, u32), ()>("proxy_on_context_create", (ROOT, 0));
        assert_eq!(
            vm.call::<(u32, u32), u32>("proxy_on_vm_start", (ROOT, 0)),
            1
        );
        let size = u32::try_from(configuration.len()).expect("short");
        assert_eq!(
            vm.call::<(u32, u32), u32>("proxy_on_configure", (ROOT, size)),
            1,
            "Envoy would refuse traffic"
        );
        vm
    }

    pub fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// Runs a whole request through the filter: whatever the module does to it is in the state. A client whose request is paused
    /// gives it up at once.
    pub fn request(&mut self, virtual_host: &str, authority: &[u8]) {
        let context = self.open(virtual_host, authority);
        if let Some(paused) = self.close(context) {
            self.state().headers = paused.headers;
        }
    }

    pub fn miss(&mut self, authority: &str) {
        self.request("allow_any", authority.as_bytes());
    }

    /// Starts a request to an unknown host, which must be paused, and returns its context.
    pub fn hold(&mut self, authority: &str) -> u32 {
        let context = self.open("allow_any", authority.as_bytes());
        assert!(self.state().paused.contains_key(&context), "{authority}");
        context
    }

    /// Starts a request with the headers in the state, and returns its context.
    pub fn open(&mut self, virtual_host: &str, authority: &[u8]) -> u32 {
        let state = self.state();
        state.set_property(&["xds", "virtual_host_name"], virtual_host.as_bytes());
        if !state.properties.contains_key(&b"destination\0address"[..]) {
            state.set_property(&["destination", "address"], b"10.96.0.7:9080");
        }
        state.headers.retain(|(name, _)| name != b":authority");
        state.add_header(":authority", authority);
        let context = self.next_context;
        self.next_context += 1;
        self.state().contexts.insert(context);
        self.call::<(u32, u32), ()>("proxy_on_context_create", (context, ROOT));
        self.state().context = context;
        match self.call::<(u32, u32, u32), u32>("proxy_on_request_headers", (context, 0, 1)) {
            0 => {}
            1 => {
                let paused = Paused {
                    headers: std::mem::take(&mut self.state().headers),
                    ..Paused::default()
                };
                self.state().paused.insert(context, paused);
            }
            other => panic!("Envoy knows no action {other}"),
        }
        context
    }

    /// The paused requests that were not resumed.
    pub fn waiting(&mut self) -> Vec<u32> {
        let paused = self.state().paused.iter();
        let waiting = paused.filter(|(_, paused)| !paused.resumed);
        waiting.map(|(context, _)| *context).collect()
    }

    /// Ends a request, unless it has ended, and returns what became of it if it was paused.
    pub fn close(&mut self, context: u32) -> Option<Paused> {
        self.end(context);
        self.state().paused.remove(&context)
    }

    fn end(&mut self, context: u32) {
        if self.state().contexts.remove(&context) {
            self.state().context = context;
            self.call::<u32, ()>("proxy_on_delete", context);
        }
    }

    /// Ends the requests that the last call let go and that are answered at once. As in Envoy, the end of each is a call too, and
    /// the next ones end inside of it.
    fn end_answered(&mut self) {
        while let Some(context) = self.state().ending.pop_front() {
            let state = self.state();
            state.depth += 1;
            state.deepest = state.deepest.max(state.depth);
            self.end(context);
            self.state().depth -= 1;
        }
    }

    /// Lets time pass; ticks that the module asked for happen.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = self.state().nanoseconds + milliseconds * 1_000_000;
        while self.state().tick_milliseconds > 0 && self.state().tick_at <= end {
            let state = self.state();
            state.nanoseconds = state.tick_at;
            state.tick_at += u64::from(state.tick_milliseconds) * 1_000_000;
            self.tick();
        }
        self.state().nanoseconds = end;
    }

    pub fn tick(&mut self) {
        self.state().context = ROOT;
        self.call::<u32, ()>("proxy_on_tick", ROOT);
    }

    /// Answers the last probe.
    pub fn answer_probe(&mut self, status: &str) {
        let token = u32::try_from(self.state().probes.len()).expect("few");
        self.answer_call(ROOT, token, status, 1);
    }

    /// Answers an HTTP call, be it one that was made or not.
    pub fn answer_call(&mut self, context: u32, token: u32, status: &str, headers: u32) {
        self.state().probe_status = status.as_bytes().to_vec();
        self.state().context = context;
        self.call::<(u32, u32, u32, u32, u32), ()>(
            "proxy_on_http_call_response",
            (context, token, headers, 0, 0),
        );
    }

    /// Answers the last call with a body.
    pub fn answer(&mut self, body: Vec<u8>) {
        let token = u32::try_from(self.state().calls.len()).expect("few");
        let size = u32::try_from(body.len()).expect("short");
        self.state().answer = body;
        self.call::<(u32, u32, u32), ()>("proxy_on_grpc_receive", (ROOT, token, size));
    }

    pub fn answer_with(&mut self, response: &ReportResponse) {
        self.answer(response.encode_to_vec());
    }

    /// Ends the last call with a status other than 0.
    pub fn fail(&mut self, status: u32) {
        let token = u32::try_from(self.state().calls.len()).expect("few");
        self.call::<(u32, u32, u32), ()>("proxy_on_grpc_close", (ROOT, token, status));
    }

    /// Every report so far.
    pub fn reports(&mut self) -> Vec<ReportRequest> {
        let calls = self.state().calls.iter();
        calls
            .map(|call| ReportRequest::decode(&*call.message).expect("a report"))
            .collect()
    }

    /// The authorities of every report so far.
    pub fn reported(&mut self) -> Vec<Vec<String>> {
        let reports = self.reports().into_iter();
        reports
            .map(|report| {
                report
                    .misses
                    .into_iter()
                    .map(|miss| miss.authority)
                    .collect()
            })
            .collect()
    }

    /// How much memory the module has taken.
    pub fn memory_bytes(&mut self) -> usize {
        let memory = self.instance.get_memory(&mut self.store, "memory");
        memory
            .expect("the module exports its memory")
            .data_size(&self.store)
    }

    pub fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, parameters: P) -> R {
        let function: TypedFunc<P, R> = self
            .instance
            .get_typed_func(&mut self.store, name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let result = function
            .call(&mut self.store, parameters)
            .unwrap_or_else(|error| {
                panic!("{name} trapped, which would silence the filter: {error:?}")
            });
        self.end_answered();
        result
    }
}

/// Serializes a map as Envoy does for a property.
pub fn mk_pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).expect("short").to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (key, value) in pairs {
        bytes.extend(number(key.len()));
        bytes.extend(number(value.len()));
    }
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}
