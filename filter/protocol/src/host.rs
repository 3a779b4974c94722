//! Host names as applications write them, and the names that Kubernetes DNS would make of them.
//!
//! [`Authority`] turns any spelling of `:authority` into one canonical form; [`candidates`] lists, in lookup order, the
//! mesh hosts that a canonical name may stand for. Whether such a host exists is for the caller to know.

mod authority;
mod candidates;
mod error;

pub use authority::{Authority, Host, MAX_LABEL_BYTES, MAX_NAME_BYTES};
pub use candidates::candidates;
pub use error::{AuthorityError, AuthorityErrorKind};
