//! What the filter asks of the proxy that runs it.

use crate::metric::Metric;

/// The proxy, as far as the filter needs it. Headers are those of the request at hand.
///
/// No method fails loudly: whatever the proxy does not have reads as absent.
pub trait Envoy {
    /// A property of the request or of the node, as the proxy serializes it.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
    /// The first value of a request header.
    fn header(&self, name: &str) -> Option<Vec<u8>>;
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
