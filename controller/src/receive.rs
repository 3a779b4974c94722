//! Taking reports of misses: who says so, is it valid, which host is meant, which fences does it widen.
//!
//! [`judge`] decides and is pure; [`Receiver`] is the gRPC service around it. Slime takes access logs unauthenticated and
//! guesses the sender by its address; here the mesh proves who the sender is, and it can widen only fences that select it.

mod identity;
mod judge;
mod reason;
mod service;

pub use identity::{Identity, IdentityError, peer_identity};
pub use judge::{Judgement, MAX_MISSES, Rules, judge};
pub use reason::Reason;
pub use service::{MAX_REQUEST_BYTES, Receiver};
