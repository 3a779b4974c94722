//! How static and learned hosts age: which are visible now, which are about to go, which are gone, and when that changes next.
//!
//! Everything that has to be remembered stands in the status: how often a host was learned (`metricStatus`), in which state it is
//! and since when (`domains`). What is computed here is therefore the same after a restart and in another replica.

mod run;

use std::collections::BTreeMap;

use super::{forgetting::forgetting_of, keys::is_domain, memory::memory};
use crate::{
    api::{AutoStrategy, DomainStatus, RecyclingStrategy, ServiceFence, ServiceFenceSpec},
    settings::Forgetting,
};
use run::Run;

/// A static or learned host at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Whether it is visible, about to go or gone.
    pub status: DomainStatus,
    /// Whether the spec names it; a host that was learned as well is static all the same.
    pub is_static: bool,
    /// For a host whose time is limited by its use, since when it is in this state, in seconds since 1970-01-01 UTC, as
    /// `RecentlyCalled` shows it: last learned, or dropped.
    pub since: Option<i64>,
    /// When it leaves the Sidecar, in seconds since 1970-01-01 UTC, if it does.
    pub until: Option<i64>,
}

/// Why hosts whose time is over are still visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nobody would learn them back: no replica is known to hear reports, or the fence is disabled.
    Deaf,
    /// As many as may be have been dropped within the window.
    Share,
}

/// The static and learned hosts of one fence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aging {
    /// By host, or `<namespace>/*`. Hosts that Istio would refuse are not among them.
    pub hosts: BTreeMap<String, Aged>,
    /// Keys of `status.metricStatus` that are to be taken out: dropped for so long that nothing needs to be known of them.
    pub forgotten: Vec<String>,
    /// When the answer changes by itself next, in seconds since 1970-01-01 UTC.
    pub next: Option<i64>,
    /// Why some of the hosts that are about to go have not gone at their time, if any has not.
    pub held: Option<Held>,
}

/// How the hosts of `fence` stand at `now` (seconds since 1970-01-01 UTC), by its own wishes over those of the mesh. Without `may_drop`
/// nothing is dropped that a miss would have to bring back; a deadline is the user's own wish and is kept. A learned host that is
/// `shown` by something else as well does not age, for nobody can miss it.
///
/// Static hosts come first and win, and of their strategies `stable`, then `deadline`, then `auto`, as in Slime: one whose
/// deadline has passed stays out even if it was learned as well.
pub fn aging(
    fence: &ServiceFence,
    mesh: &Forgetting,
    now: i64,
    may_drop: bool,
    shown: &dyn Fn(&str) -> bool,
) -> Aging {
    let (forgetting, _) = forgetting_of(&fence.spec, mesh);
    let memory = memory(fence);
    // A fence that is switched off learns nothing back.
    let may_drop = may_drop && fence.spec.enable;
    let mut run = Run::new(&forgetting, now);
    let stored = |host: &str| fence.status.as_ref()?.domains.get(host);
    for (host, strategy) in fence.spec.host.iter().filter(|(host, _)| is_domain(host)) {
        let aged = match Term::of(strategy.as_ref()) {
            Term::None => forever(true),
            Term::Deadline(expire) => run.deadline(expire),
            Term::Auto(auto, called) => {
                let times = memory.get(host.as_str()).map_or(0, |memory| memory.times);
                run.mortal(host, true, stored(host), called, (auto, times))
            }
        };
        run.aging.hosts.insert(host.clone(), aged);
    }
    for (host, learned) in &memory {
        if run.aging.hosts.contains_key(*host) {
            continue;
        }
        let aged = if forgetting.is_on && !shown(host) {
            let stay = (run.time_to_live(), learned.times - 1);
            run.mortal(host, false, stored(host), None, stay)
        } else {
            forever(false)
        };
        run.aging.hosts.insert((*host).to_owned(), aged);
    }
    run.drop_due(may_drop);
    if may_drop {
        run.forget(&memory);
    }
    run.aging
}

/// Whether `spec` names `host` with a deadline that has passed, so that it stays out of the Sidecar. `now` as in [`aging`].
pub fn is_expired(spec: &ServiceFenceSpec, host: &str, now: i64) -> bool {
    let strategy = spec.host.get(host).and_then(Option::as_ref);
    matches!(Term::of(strategy), Term::Deadline(expire) if now > expire)
}

/// Whether a static host of this strategy goes when it is not called, and comes back when it is.
pub(super) fn is_auto(strategy: Option<&RecyclingStrategy>) -> bool {
    matches!(Term::of(strategy), Term::Auto(..))
}

/// Whether `host`, once learned for a fence of this spec, goes again if it is not missed: its times are to be kept.
pub fn is_mortal(spec: &ServiceFenceSpec, host: &str, mesh: &Forgetting) -> bool {
    match spec.host.get(host) {
        Some(strategy) => is_auto(strategy.as_ref()),
        None => forgetting_of(spec, mesh).0.is_on,
    }
}

fn forever(is_static: bool) -> Aged {
    Aged {
        status: DomainStatus::Active,
        is_static,
        since: None,
        until: None,
    }
}

/// How long a static host stays.
enum Term {
    None,
    Deadline(i64),
    /// The length in seconds, and when the spec says it was last called.
    Auto(i64, Option<i64>),
}

impl Term {
    fn of(strategy: Option<&RecyclingStrategy>) -> Self {
        let Some(strategy) = strategy.filter(|strategy| strategy.stable.is_none()) else {
            return Self::None;
        };
        if let Some(expire) = strategy.deadline.as_ref().and_then(|d| d.expire) {
            return Self::Deadline(expire.seconds.0);
        }
        match &strategy.auto {
            // A deadline without a time decides all the same, as in Slime.
            Some(AutoStrategy {
                duration: Some(duration),
            }) if strategy.deadline.is_none() => Self::Auto(
                duration.seconds.0.max(1),
                strategy.recently_called.map(|called| called.seconds.0),
            ),
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests;
