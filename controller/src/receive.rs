//! Taking reports of misses: who says so, is it valid, which host is meant, which fences does it widen.
//!
//! [`check_sender`] and [`judge`] decide and are pure; [`Receiver`] is the gRPC service around them, and [`Pods`] asks the API
//! server who the sender really is. Slime takes access logs unauthenticated and guesses the sender by its address; here the
//! mesh proves namespace and service account, the API server the labels, and a sender can widen only fences that select it.

mod identity;
mod judge;
mod pods;
mod reason;
mod sender;
mod server;
mod service;

pub use identity::{Identity, IdentityError, peer_identity};
pub use judge::{Judged, Judgement, Rules, judge};
pub use pods::{PodError, PodFacts, Pods};
pub use reason::Reason;
pub use sender::{Sender, check_sender, is_own_sidecar, proven_labels};
pub use server::serve;
pub use service::{MAX_MISSES, Receiver};
