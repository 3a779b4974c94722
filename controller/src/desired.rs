//! What should be of a fence: the one computation from a fence and the world to hosts, status and Sidecar. Pure.

use std::collections::BTreeMap;

use crate::{
    api::{Destinations, ServiceFence, Sidecar},
    fence::{Aging, Readiness, aging, closure, render},
    index::World,
};

/// What should be of one fence.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// `status.domains`.
    pub domains: BTreeMap<String, Destinations>,
    /// The Sidecar, or why there should be none.
    pub sidecar: Result<Box<Sidecar>, Readiness>,
    /// How its static and learned hosts stand.
    pub aging: Aging,
}

/// What should be of `fence` in `world` at `now` (seconds since 1970-01-01 UTC).
pub fn desired(fence: &ServiceFence, world: &World, now: i64) -> Desired {
    let settings = world.settings();
    let aging = aging(fence, &settings.forgetting, now, world.hears());
    let domains = closure(fence, &aging);
    let sidecar = if fence.spec.enable {
        world
            .selector(fence)
            .and_then(|selector| render(fence, selector, &domains, settings))
            .map(Box::new)
            .ok_or(Readiness::NoWorkload)
    } else {
        Err(Readiness::Disabled)
    };
    Desired {
        domains,
        sidecar,
        aging,
    }
}
