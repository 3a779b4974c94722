//! How static and learned hosts age: which are visible now, which are about to go, which are gone, and when that changes next.

use std::collections::BTreeMap;

use super::domains::{host_of_metric_key, is_domain};
use crate::{
    api::{DomainStatus, RecyclingStrategy, ServiceFence, ServiceFenceSpec},
    settings::Forgetting,
};

/// A static or learned host at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Whether it is visible, about to go or gone.
    pub status: DomainStatus,
    /// Whether the spec names it; a host that was learned as well is static all the same.
    pub is_static: bool,
    /// Since when it is in this state, in seconds since 1970-01-01 UTC, as `RecentlyCalled` shows it.
    pub since: Option<i64>,
    /// When it leaves the Sidecar, in seconds since 1970-01-01 UTC, if it does.
    pub until: Option<i64>,
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
}

/// How the hosts of `fence` stand at `now` (seconds since 1970-01-01 UTC). Without `may_drop` nothing learned is dropped.
///
/// Static hosts come first and win: one whose deadline has passed stays out even if it was learned as well.
pub fn aging(fence: &ServiceFence, _: &Forgetting, now: i64, _may_drop: bool) -> Aging {
    let mut hosts = BTreeMap::new();
    for (host, strategy) in fence.spec.host.iter().filter(|(host, _)| is_domain(host)) {
        let status = match strategy {
            Some(strategy) if has_expired(strategy, now) => DomainStatus::Expire,
            _ => DomainStatus::Active,
        };
        let aged = Aged {
            status,
            is_static: true,
            since: None,
            until: None,
        };
        hosts.insert(host.clone(), aged);
    }
    let learned = fence
        .status
        .iter()
        .flat_map(|status| status.metric_status.keys());
    for host in learned.filter_map(|key| host_of_metric_key(key)) {
        hosts.entry(host.to_owned()).or_insert(Aged {
            status: DomainStatus::Active,
            is_static: false,
            since: None,
            until: None,
        });
    }
    Aging {
        hosts,
        ..Aging::default()
    }
}

/// Whether `spec` names `host` with a deadline that has passed, so that it stays out of the Sidecar. `now` as in [`aging`].
pub fn is_expired(spec: &ServiceFenceSpec, host: &str, now: i64) -> bool {
    spec.host
        .get(host)
        .and_then(Option::as_ref)
        .is_some_and(|strategy| has_expired(strategy, now))
}

fn has_expired(strategy: &RecyclingStrategy, now: i64) -> bool {
    if strategy.stable.is_some() {
        return false;
    }
    strategy
        .deadline
        .as_ref()
        .and_then(|deadline| deadline.expire)
        .is_some_and(|expire| now > expire.seconds.0)
}
