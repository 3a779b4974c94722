//! What the filter asks of the proxy that runs it.

use crate::{metric::Metric, stamps::Stamps};

/// The proxy, as far as the filter needs it. Headers are those of the request at hand.
///
/// No method fails loudly: whatever the proxy does not have reads as absent.
pub trait Envoy {
    /// A property of the request or of the node, as the proxy serializes it.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
    /// The first value of a request header; one that is empty reads as absent.
    fn header(&self, name: &str) -> Option<Vec<u8>>;
    /// Whether there is a request header of this name, be it empty.
    fn has_header(&self, name: &str) -> bool;
    /// Removes every value of a request header.
    fn remove_header(&self, name: &str);
    /// Sets a request header to one value.
    fn set_header(&self, name: &str, value: &str);
    /// A value shared by all VMs of the process, and the number to hand back to [`set_shared_data`](Self::set_shared_data).
    fn shared_data(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>);
    /// Writes a shared value; where `cas` is given, only if nobody wrote it since.
    ///
    /// # Errors
    /// [`CasMismatch`] where somebody did.
    fn set_shared_data(&self, key: &str, value: &[u8], cas: Option<u32>)
    -> Result<(), CasMismatch>;
    /// Wall clock, in milliseconds since 1970.
    fn now(&self) -> u64;
    /// Calls [`Plugin::on_wake`](crate::Plugin::on_wake) every so many milliseconds; 0 stops it.
    fn wake_every(&self, milliseconds: u32);
    /// Starts the report call with an encoded request and returns its token.
    ///
    /// # Errors
    /// [`CallRefused`] where the proxy does not even start it, for example for want of the cluster.
    fn call(
        &self,
        target: &str,
        request: &[u8],
        timeout_milliseconds: u32,
    ) -> Result<u32, CallRefused>;
    /// Starts an HTTP call and returns its token.
    ///
    /// # Errors
    /// [`CallRefused`] where the proxy does not even start it, with [`NO_CLUSTER`] for want of the cluster.
    fn ask(
        &self,
        cluster: &str,
        headers: &[(&str, &str)],
        timeout_milliseconds: u32,
    ) -> Result<u32, CallRefused>;
    /// Whether the proxy gives the filter what holding a request takes: the time, wake-ups, and a way to let it go on and to have its
    /// route chosen anew. Asked once, with no request at hand.
    fn can_hold(&self) -> bool;
    /// Lets a held request go on.
    ///
    /// Not to be called while a request is at hand: what is at hand then would be another.
    fn resume(&self, stream: u32, way: Way<'_>) -> Resumed;
    /// Adds a value to the histogram of holds.
    fn record_hold(&self, milliseconds: u64);
    /// Adds to a counter.
    fn count(&self, metric: Metric, by: u32);
    /// Writes to the proxy's log.
    fn log(&self, level: Level, message: &str);
}

/// Somebody else wrote the shared value first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CasMismatch;

/// The proxy did not start the call; the number is its proxy-wasm status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallRefused(pub u32);

/// The status with which the proxy turns down a call to a cluster that it does not have.
pub const NO_CLUSTER: CallRefused = CallRefused(2);

/// How a held request is to go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way<'a> {
    /// On a route chosen anew, through the replay listener of this name.
    Replay(&'a str),
    /// To where it was going, with these stamps.
    PassThrough(Stamps<'a>),
}

/// Whether a held request went on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resumed {
    /// In the way that it was to.
    Done,
    /// Not yet: the proxy does not choose its route anew, so it is as it was, and still held.
    NotReplayed,
    /// Not at all: it is gone.
    Gone,
}

/// How much a log line matters. Nothing that happens per request is above debug.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Of interest when looking for a fault.
    Debug,
    /// Worth knowing.
    Info,
    /// Degraded, traffic is not affected.
    Warn,
    /// The filter does nothing until somebody acts.
    Error,
}
