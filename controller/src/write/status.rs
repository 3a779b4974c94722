//! What a fence's status should be. Pure.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};
use serde_json::{Value, json};

use super::merge_patch::merge_patch;
use crate::{
    api::{DomainStatus, Int64, ServiceFence, ServiceFenceStatus, Timestamp},
    desired::{Desired, Origin, desired},
    fence::{
        Findings, Readiness, conditions, is_mortal, is_visible, known_hosts, memory, metric_key,
        ready, room,
    },
    index::World,
};

/// The hosts of `learned` that `fence` does not know yet, or not any more: those that it has room for, and how many it has not. What
/// it has learned before takes no more room.
pub fn new_hosts<'a>(
    fence: &ServiceFence,
    learned: impl Iterator<Item = &'a str>,
) -> (Vec<&'a str>, usize) {
    let known = known_hosts(fence);
    let memory = memory(fence);
    let new = learned.filter(|host| !known.contains(host));
    let (mut again, mut new): (Vec<_>, Vec<_>) = new.partition(|host| memory.contains_key(host));
    let surplus = new.len().saturating_sub(room(fence));
    new.truncate(new.len() - surplus);
    again.append(&mut new);
    (again, surplus)
}

/// The status once the Sidecar has been dealt with, `hosts` learned and all, and everything that should be then. `readiness` is
/// `None` while the outcome is not known yet.
pub fn settled(
    fence: &ServiceFence,
    hosts: &[&str],
    readiness: Option<&Readiness>,
    world: &World,
    now: jiff::Timestamp,
) -> (ServiceFenceStatus, Desired) {
    let (mut status, desired) = planned(fence, hosts, world, now);
    // Nothing is said of a fence before it is known whether it is in force.
    if readiness.is_some() || ready(&status.conditions).is_some() {
        // Kubernetes keeps whole seconds; anything finer would differ from what comes back.
        let seconds = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        status.conditions = conditions(fence, readiness, &findings(&desired), Time(seconds));
    }
    if readiness.is_some() {
        status.observed_generation = fence.metadata.generation;
    }
    (status, desired)
}

/// `fence` with nothing learned. What static hosts have of times stays.
pub fn without_learned(fence: &ServiceFence) -> ServiceFence {
    let mut fence = fence.clone();
    if let Some(status) = &mut fence.status {
        status.metric_status.clear();
        status
            .domains
            .retain(|host, _| fence.spec.host.contains_key(host));
    }
    fence
}

/// Whether something that the status of `fence` shows as visible, for whatever reason, is not so in `next`.
pub fn is_narrowed(fence: &ServiceFence, next: &ServiceFenceStatus) -> bool {
    let domains = fence.status.iter().flat_map(|status| &status.domains);
    let mut visible = domains.filter(|(_, found)| is_visible(found));
    visible.any(|(key, _)| !next.domains.get(key).is_some_and(is_visible))
}

/// The status with `hosts` learned now, and everything that should be then: how often is counted in `metricStatus` (other keys are
/// kept until they are forgotten), and `domains` are as the spec and everything learned make them.
pub fn planned(
    fence: &ServiceFence,
    hosts: &[&str],
    world: &World,
    now: jiff::Timestamp,
) -> (ServiceFenceStatus, Desired) {
    let mut learned = fence.clone();
    let mut status = learned.status.take().unwrap_or_default();
    let memory = memory(fence);
    let forgetting = &world.settings().forgetting;
    for &host in hosts {
        let times = memory.get(host).map_or(0, |memory| memory.times);
        let times = times.saturating_add(1).to_string();
        status.metric_status.insert(metric_key(host), times);
        let is_mortal = is_mortal(&fence.spec, host, forgetting);
        let domain = status.domains.entry(host.to_owned()).or_default();
        domain.status = DomainStatus::Active;
        if is_mortal {
            domain.recently_called = Some(Timestamp {
                seconds: Int64(now.as_second()),
                nanos: None,
            });
        }
    }
    learned.status = Some(status);
    let desired = desired(&learned, world, now.as_second());
    let mut status = learned.status.unwrap_or_default();
    for key in &desired.aging.forgotten {
        status.metric_status.remove(key);
    }
    status.domains.clone_from(&desired.domains);
    (status, desired)
}

/// What there is to say about the hosts of a fence.
fn findings(desired: &Desired) -> Findings<'_> {
    let is_gone = |host: &str| {
        desired
            .domains
            .get(host)
            .is_some_and(|found| !is_visible(found))
    };
    let of = |is_it: fn(&Origin) -> bool| {
        let origins = desired.origins.iter();
        origins
            .filter(|(host, origins)| !is_gone(host) && origins.iter().any(is_it))
            .map(|(host, _)| host.as_str())
            .collect()
    };
    Findings {
        visible: desired
            .domains
            .values()
            .filter(|found| is_visible(found))
            .count(),
        origins: vec![
            ("static", of(|origin| *origin == Origin::Static)),
            ("by label", of(|origin| *origin == Origin::Label)),
            (
                "by namespace",
                of(|origin| *origin == Origin::NamespaceSelector),
            ),
            ("learned", of(|origin| *origin == Origin::Learned)),
            (
                "by VirtualService",
                of(|origin| matches!(origin, Origin::VirtualService(_))),
            ),
            ("alias", of(|origin| matches!(origin, Origin::Alias(_)))),
        ],
        unknown: desired.unknown.iter().map(String::as_str).collect(),
        problems: desired.problems.iter().map(String::as_str).collect(),
        aging: &desired.aging,
    }
}

/// The body of the status patch that turns `fence`'s status into `status`, or `None` if there is nothing to write.
///
/// A merge patch of the differences alone: fields that this program does not know are not in it and so survive. It names the
/// object and the version that it was made for. The version counts: a status patch of another uid is not refused by the API
/// server, and what was learned for a fence that is gone must not land in the one that took its name.
///
/// # Errors
/// If the status cannot be made into JSON.
pub fn patch(
    fence: &ServiceFence,
    status: &ServiceFenceStatus,
) -> Result<Option<Value>, serde_json::Error> {
    let before = serde_json::to_value(fence.status.clone().unwrap_or_default())?;
    let after = serde_json::to_value(status)?;
    let metadata =
        json!({ "uid": fence.metadata.uid, "resourceVersion": fence.metadata.resource_version });
    Ok(merge_patch(&before, &after)
        .map(|changes| json!({ "metadata": metadata, "status": changes })))
}

#[cfg(test)]
mod tests;
