//! What one worker of the Envoy in memory knows.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

/// Log levels of the ABI.
pub const DEBUG: u32 = 1;
pub const INFO: u32 = 2;
pub const WARN: u32 = 3;
pub const ERROR: u32 = 4;

/// Data that all VMs of a process share: each value with the number of its last write.
pub type SharedData = Arc<Mutex<BTreeMap<Vec<u8>, (Vec<u8>, u32)>>>;

/// A gRPC call that the module started; its token is one more than its index.
#[derive(Clone, Debug)]
pub struct Call {
    pub target: Vec<u8>,
    pub service: String,
    pub method: String,
    pub message: Vec<u8>,
    pub timeout_milliseconds: u32,
    /// The context that the call belongs to: Envoy cancels it when that one ends.
    pub context: u32,
}

/// An HTTP call that the module started; its token is one more than its index.
#[derive(Clone, Debug)]
pub struct Probe {
    pub cluster: String,
    pub headers: Vec<u8>,
    pub timeout_milliseconds: u32,
    /// The context that the call belongs to.
    pub context: u32,
}

/// A request that the module paused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paused {
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub route_cleared: bool,
    pub resumed: bool,
}

/// One worker: its node, the request at hand, and what the module did.
#[derive(Default)]
pub struct State {
    pub configuration: Vec<u8>,
    /// By path, its parts joined with zero bytes.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of the request at hand, or of the last one.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub header_writes: usize,
    /// By context.
    pub paused: BTreeMap<u32, Paused>,
    /// Whether requests that go on are answered at once, as by the 502 of `block_all`: they end when the call that let them go
    /// returns.
    pub answers_at_once: bool,
    /// Those that are to end so.
    pub ending: VecDeque<u32>,
    /// How many ends of requests are under way, each inside of the one before, and the most that ever were.
    pub depth: usize,
    pub deepest: usize,
    pub probes: Vec<Probe>,
    /// Status with which probes are turned down, 0 for none.
    pub refuse_probes: u32,
    /// `:status` of the answer to a probe that is at hand.
    pub probe_status: Vec<u8>,
    pub histogram: Vec<u64>,
    pub shared: SharedData,
    pub nanoseconds: u64,
    pub tick_milliseconds: u32,
    /// When the next tick comes, where there is one.
    pub tick_at: u64,
    pub calls: Vec<Call>,
    /// Status with which calls are turned down, 0 for none.
    pub refuse_calls: u32,
    pub answer: Vec<u8>,
    pub metrics: Vec<(String, u64)>,
    pub log: Vec<(u32, String)>,
    /// The context that calls of the module concern: the one whose callback runs, until it says otherwise.
    pub context: u32,
    /// Contexts that the module was told of and not yet told the end of.
    pub contexts: BTreeSet<u32>,
}

impl State {
    pub fn set_property(&mut self, path: &[&str], value: &[u8]) {
        self.properties
            .insert(path.join("\0").into_bytes(), value.to_vec());
    }

    /// The headers of the request that calls concern.
    pub fn request_headers(&mut self) -> &mut Vec<(Vec<u8>, Vec<u8>)> {
        match self.paused.get_mut(&self.context) {
            Some(paused) => &mut paused.headers,
            None => &mut self.headers,
        }
    }

    /// What a paused request has under a name.
    pub fn paused_values(&self, context: u32, name: &str) -> Vec<String> {
        let headers = self.paused[&context].headers.iter();
        let of_name = headers.filter(|(key, _)| key == name.as_bytes());
        of_name
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    pub fn add_header(&mut self, name: &str, value: &[u8]) {
        self.headers
            .push((name.as_bytes().to_vec(), value.to_vec()));
    }

    pub fn values(&self, name: &str) -> Vec<String> {
        let of_name = self
            .headers
            .iter()
            .filter(|(key, _)| key == name.as_bytes());
        of_name
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    pub fn metric(&self, name: &str) -> u64 {
        let metric = self.metrics.iter().find(|(key, _)| key == name);
        metric.unwrap_or_else(|| panic!("no metric {name}")).1
    }

    pub fn lines(&self, level: u32) -> Vec<&str> {
        let at_level = self.log.iter().filter(|(at, _)| *at == level);
        at_level.map(|(_, line)| line.as_str()).collect()
    }
}
