//! What a fence means: from its spec and the world to a selector, a set of hosts and a Sidecar.
//!
//! Everything here is pure: no clock, no cluster, no locks. The rules are those of Slime's lazyload, so that a Sidecar
//! rendered here equals the one Slime would have written.

mod aging;
mod aliases;
mod condition;
mod domains;
mod forgetting;
mod keys;
mod memory;
mod plan;
mod selector;
mod sidecar;

pub use aging::{Aged, Aging, Held, aging, is_expired, is_mortal};
pub use aliases::Aliases;
pub use condition::{Findings, NOT_OWNED, Readiness, conditions, ready, refusal, some};
pub use domains::{MAX_LEARNED_HOSTS, has_room, is_visible, known_hosts, refused_hosts, room};
pub use forgetting::forgetting_of;
pub use keys::{host_of_metric_key, is_domain, is_host, is_namespace, metric_key};
pub use memory::{Memory, memory};
pub use plan::{
    SidecarAction, is_foreign, is_up_to_date, is_widened, plan_sidecar, shows_more, united,
};
pub use selector::{effective_selector, matches};
pub use sidecar::{owner_reference, render};

use std::{collections::BTreeMap, fmt};

/// Names one object: a fence and its Sidecar alike, a Service, a ServiceEntry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Kubernetes namespace; empty for an object that has none.
    pub namespace: String,
    /// Object name.
    pub name: String,
}

impl ObjectRef {
    /// Names the object `namespace/name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Kubernetes labels, or a selector made of them.
pub type Labels = BTreeMap<String, String>;
