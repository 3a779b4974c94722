//! What should be of a fence: the one computation from a fence and the world to hosts, status and Sidecar. Pure.

mod closure;
mod scope;
mod standing;

pub use closure::Closure;
pub use standing::standing;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{Destinations, ServiceFence, Sidecar},
    fence::{Aging, ObjectRef, Readiness, render},
    index::World,
};

/// Why something is visible.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// `spec.host` names it.
    Static,
    /// `spec.labelSelector` matches the Service.
    Label,
    /// `spec.namespaceSelector` names the namespace.
    NamespaceSelector,
    /// It was called.
    Learned,
    /// A VirtualService leads there from a host that is visible.
    VirtualService(ObjectRef),
    /// It is a further name, by `domainAliases`, of this host.
    Alias(String),
}

/// What should be of one fence.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// `status.domains`.
    pub domains: BTreeMap<String, Destinations>,
    /// The Sidecar, or why there should be none.
    pub sidecar: Result<Box<Sidecar>, Readiness>,
    /// How its static and learned hosts stand.
    pub aging: Aging,
    /// Why each key of `domains` is there, and each host that is visible only because a VirtualService leads there.
    pub origins: BTreeMap<String, BTreeSet<Origin>>,
    /// What the spec, or a further name, says in vain, in words. What is wrong with keys of `spec.host` is not among it.
    pub problems: Vec<String>,
    /// Static hosts for which there is no Service, ServiceEntry or VirtualService that the fence's namespace may use.
    pub unknown: BTreeSet<String>,
}

/// What should be of `fence` in `world` at `now` (seconds since 1970-01-01 UTC).
pub fn desired(fence: &ServiceFence, world: &World, now: i64) -> Desired {
    let aging = standing(fence, world, now);
    let Closure {
        domains,
        origins,
        problems,
        unknown,
    } = closure::closure(fence, &aging, world);
    let sidecar = if fence.spec.enable {
        world
            .selector(fence)
            .and_then(|selector| {
                let from = fence.metadata.namespace.as_deref().unwrap_or_default();
                let hosts = scope::hosts(&domains, world, from);
                render(fence, selector, hosts)
            })
            .map(Box::new)
            .ok_or(Readiness::NoWorkload)
    } else {
        Err(Readiness::Disabled)
    };
    Desired {
        domains,
        sidecar,
        aging,
        origins,
        problems,
        unknown,
    }
}

#[cfg(test)]
mod tests;
