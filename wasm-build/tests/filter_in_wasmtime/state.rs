//! What one worker of the Envoy in memory knows.

use std::{
    collections::BTreeMap,
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

/// One worker: its node, the request at hand, and what the module did.
#[derive(Default)]
pub struct State {
    pub configuration: Vec<u8>,
    /// By path, its parts joined with zero bytes.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub header_writes: usize,
    pub shared: SharedData,
    pub nanoseconds: u64,
    pub tick_milliseconds: u32,
    pub calls: Vec<Call>,
    /// Status with which calls are turned down, 0 for none.
    pub refuse_calls: u32,
    pub answer: Vec<u8>,
    pub metrics: Vec<(String, u64)>,
    pub log: Vec<(u32, String)>,
    /// The context whose callback runs.
    pub context: u32,
}

impl State {
    pub fn set_property(&mut self, path: &[&str], value: &[u8]) {
        self.properties
            .insert(path.join("\0").into_bytes(), value.to_vec());
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
