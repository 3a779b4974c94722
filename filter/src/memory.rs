//! A proxy in memory, for the unit tests: state goes in, state comes out.

use crate::{
    envoy::{CallRefused, CasMismatch, Envoy, Level, Resumed, Way},
    metric::Metric,
};
use lazyload_protocol::v1::ReportRequest;
use prost::Message;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
};

/// A shared value and the number of its last write.
pub(crate) type SharedData = Rc<RefCell<BTreeMap<String, (Vec<u8>, u32)>>>;

/// Cluster and headers of a probe.
pub(crate) type Probe = (String, Vec<(String, String)>);

/// How a held request went on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Went {
    /// Through the listener of this name.
    Replayed(String),
    /// With these stamps.
    Passed(Option<SocketAddr>, Option<String>),
}

/// One worker of the proxy, with one request at hand.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) properties: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(crate) property_reads: Cell<usize>,
    pub(crate) headers: RefCell<Vec<(String, String)>>,
    pub(crate) authority: RefCell<Vec<u8>>,
    pub(crate) header_writes: Cell<usize>,
    pub(crate) shared: SharedData,
    /// How many writes yet to come find that somebody else was faster.
    pub(crate) lost_races: Cell<usize>,
    pub(crate) now: Cell<u64>,
    pub(crate) wake_period: Cell<u32>,
    /// How often a wake-up was asked for; each time starts the proxy's timer anew.
    pub(crate) wakes_asked: Cell<usize>,
    /// Target and request of each call; its token is its index.
    pub(crate) calls: RefCell<Vec<(String, ReportRequest)>>,
    pub(crate) refuse_calls: Cell<bool>,
    /// The token of a probe is its index.
    pub(crate) probes: RefCell<Vec<Probe>>,
    /// Status with which probes are turned down, 0 for none.
    pub(crate) refuse_probes: Cell<u32>,
    pub(crate) cannot_hold: Cell<bool>,
    pub(crate) resumed: RefCell<Vec<(u32, Went)>>,
    /// Whether held requests are gone when they are to go on.
    pub(crate) forgets_held: Cell<bool>,
    pub(crate) refuse_replays: Cell<bool>,
    pub(crate) holds: RefCell<Vec<u64>>,
    pub(crate) counts: RefCell<BTreeMap<Metric, u32>>,
    pub(crate) lines: RefCell<Vec<(Level, String)>>,
}

impl Memory {
    /// Sets a property; `path` has dots between its parts.
    pub(crate) fn set_property(&self, path: &str, value: &[u8]) {
        self.properties
            .borrow_mut()
            .insert(path.to_owned(), value.to_owned());
    }

    pub(crate) fn counted(&self, metric: Metric) -> u32 {
        self.counts
            .borrow()
            .get(&metric)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let headers = self.headers.borrow();
        let of_name = headers.iter().filter(|(key, _)| key == name);
        of_name.map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn lines_at(&self, level: Level) -> Vec<String> {
        let lines = self.lines.borrow();
        let at_level = lines.iter().filter(|(at, _)| *at == level);
        at_level.map(|(_, line)| line.clone()).collect()
    }

    /// The authorities of each report, in order.
    pub(crate) fn reported(&self) -> Vec<Vec<String>> {
        let of_call = |request: &ReportRequest| {
            let misses = request.misses.iter();
            misses.map(|miss| miss.authority.clone()).collect()
        };
        self.calls
            .borrow()
            .iter()
            .map(|(_, request)| of_call(request))
            .collect()
    }
}

impl Envoy for Memory {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.property_reads.set(self.property_reads.get() + 1);
        self.properties.borrow().get(&path.join(".")).cloned()
    }

    fn header(&self, name: &str) -> Option<Vec<u8>> {
        if name == ":authority" {
            return Some(self.authority.borrow().clone());
        }
        self.values(name)
            .first()
            .map(|value| value.clone().into_bytes())
    }

    fn has_header(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }

    fn remove_header(&self, name: &str) {
        self.header_writes.set(self.header_writes.get() + 1);
        self.headers.borrow_mut().retain(|(key, _)| key != name);
    }

    fn set_header(&self, name: &str, value: &str) {
        self.header_writes.set(self.header_writes.get() + 1);
        self.headers
            .borrow_mut()
            .push((name.to_owned(), value.to_owned()));
    }

    fn shared_data(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>) {
        match self.shared.borrow().get(key) {
            Some((value, cas)) => (Some(value.clone()), Some(*cas)),
            None => (None, None),
        }
    }

    fn set_shared_data(
        &self,
        key: &str,
        value: &[u8],
        cas: Option<u32>,
    ) -> Result<(), CasMismatch> {
        let mut shared = self.shared.borrow_mut();
        let held = shared.get(key).map(|(_, cas)| *cas);
        if self.lost_races.get() > 0 {
            self.lost_races.set(self.lost_races.get() - 1);
            return Err(CasMismatch);
        }
        if cas.is_some() && held.is_some() && cas != held {
            return Err(CasMismatch);
        }
        shared.insert(
            key.to_owned(),
            (value.to_owned(), held.unwrap_or_default() + 1),
        );
        Ok(())
    }

    fn now(&self) -> u64 {
        self.now.get()
    }

    fn wake_every(&self, milliseconds: u32) {
        self.wake_period.set(milliseconds);
        if milliseconds > 0 {
            self.wakes_asked.set(self.wakes_asked.get() + 1);
        }
    }

    fn call(
        &self,
        target: &str,
        request: &[u8],
        _timeout_milliseconds: u32,
    ) -> Result<u32, CallRefused> {
        if self.refuse_calls.get() {
            return Err(CallRefused(4));
        }
        let mut calls = self.calls.borrow_mut();
        calls.push((target.to_owned(), ReportRequest::decode(request).unwrap()));
        Ok(u32::try_from(calls.len() - 1).unwrap())
    }

    fn ask(
        &self,
        cluster: &str,
        headers: &[(&str, &str)],
        _timeout_milliseconds: u32,
    ) -> Result<u32, CallRefused> {
        if self.refuse_probes.get() != 0 {
            return Err(CallRefused(self.refuse_probes.get()));
        }
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut probes = self.probes.borrow_mut();
        probes.push((cluster.to_owned(), headers.collect()));
        Ok(u32::try_from(probes.len() - 1).unwrap())
    }

    fn can_hold(&self) -> bool {
        !self.cannot_hold.get()
    }

    fn resume(&self, stream: u32, way: Way<'_>) -> Resumed {
        if self.forgets_held.get() {
            return Resumed::Gone;
        }
        let went = match way {
            Way::Replay(_) if self.refuse_replays.get() => return Resumed::NotReplayed,
            Way::Replay(listener) => Went::Replayed(listener.to_owned()),
            Way::PassThrough(stamps) => {
                let namespace = stamps.namespace.map(str::to_owned);
                Went::Passed(stamps.destination, namespace)
            }
        };
        self.resumed.borrow_mut().push((stream, went));
        Resumed::Done
    }

    fn record_hold(&self, milliseconds: u64) {
        self.holds.borrow_mut().push(milliseconds);
    }

    fn count(&self, metric: Metric, by: u32) {
        *self.counts.borrow_mut().entry(metric).or_default() += by;
    }

    fn log(&self, level: Level, message: &str) {
        self.lines.borrow_mut().push((level, message.to_owned()));
    }
}
