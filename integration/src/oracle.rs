//! The differential oracle: the same calls by two callers of one mesh that differ in one thing. One has the full
//! configuration, the other is loaded lazily and knows nothing of what it calls. Whatever can be observed of the calls is
//! compared; what differs is a mistake of ours, or stands on a short list with its cause in Envoy or Istio.

mod caller;
pub mod case;
pub mod cases;
pub mod compare;
pub mod documented;
pub mod facts;
mod observe;
mod phase;
mod played;
pub mod run;
mod stage;
pub mod tell;
pub mod wire;

/// The namespace of the callers and of all that they call.
pub const NAMESPACE: &str = "oracle";

/// The service account of both callers.
pub const ACCOUNT: &str = "caller";
