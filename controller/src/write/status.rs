//! What a fence's status should be. Pure.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff,
};
use serde_json::{Value, json};

use super::merge_patch::merge_patch;
use crate::{
    api::{ServiceFence, ServiceFenceStatus},
    desired::desired,
    fence::{Readiness, conditions, known_hosts, metric_key, room},
    index::World,
};

/// The hosts of `learned` that `fence` does not name yet: those that it has room for, and how many it has not.
pub fn new_hosts<'a>(
    fence: &ServiceFence,
    learned: impl Iterator<Item = &'a str>,
) -> (Vec<&'a str>, usize) {
    let known = known_hosts(fence);
    let mut new: Vec<_> = learned.filter(|host| !known.contains(host)).collect();
    let surplus = new.len().saturating_sub(room(fence));
    new.truncate(new.len() - surplus);
    (new, surplus)
}

/// The status with `hosts` learned: remembered in `metricStatus` (existing keys are never touched), and `domains` as the
/// spec and everything learned make them.
pub fn with_hosts(
    fence: &ServiceFence,
    hosts: &[&str],
    world: &World,
    now: jiff::Timestamp,
) -> ServiceFenceStatus {
    let mut status = fence.status.clone().unwrap_or_default();
    for host in hosts {
        status
            .metric_status
            .entry(metric_key(host))
            .or_insert_with(|| "1".to_owned());
    }
    let mut learned = fence.clone();
    learned.status = Some(status);
    let domains = desired(&learned, world, now.as_second()).domains;
    ServiceFenceStatus {
        domains,
        ..learned.status.unwrap_or_default()
    }
}

/// The status once the Sidecar has been dealt with. `readiness` is `None` while the outcome is not known yet.
pub fn settled(
    fence: &ServiceFence,
    readiness: Option<&Readiness>,
    world: &World,
    now: jiff::Timestamp,
) -> ServiceFenceStatus {
    let mut status = with_hosts(fence, &[], world, now);
    if let Some(readiness) = readiness {
        status.conditions = conditions_of(fence, readiness, now);
        status.observed_generation = fence.metadata.generation;
    }
    status
}

fn conditions_of(
    fence: &ServiceFence,
    readiness: &Readiness,
    now: jiff::Timestamp,
) -> Vec<Condition> {
    // Kubernetes keeps whole seconds; anything finer would differ from what comes back.
    let seconds = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    conditions(fence, readiness, Time(seconds))
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
mod tests {
    use super::*;
    use crate::fence::MAX_LEARNED_HOSTS;

    const HOST: &str = "details.default.svc.cluster.local";

    fn mk_fence(spec: Value, status: Value) -> ServiceFence {
        serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION,
            "kind": crate::api::FENCE_KIND,
            "metadata": { "name": "foo", "namespace": "default", "uid": "u1", "resourceVersion": "7", "generation": 2 },
            "spec": spec,
            "status": status,
        }))
        .unwrap()
    }

    fn mk_now(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).unwrap()
    }

    /// The status part of the patch.
    fn learn(fence: &ServiceFence, hosts: &[&str]) -> Option<Value> {
        let patch = patch(
            fence,
            &with_hosts(fence, hosts, &World::default(), mk_now(100)),
        )
        .unwrap()?;
        assert_eq!(
            patch["metadata"],
            json!({ "uid": "u1", "resourceVersion": "7" }),
            "a patch is for one object in one version"
        );
        Some(json!({ "status": patch["status"] }))
    }

    #[test]
    fn a_learned_host_is_written_the_way_slime_writes_it() {
        let fence = mk_fence(json!({ "enable": true }), json!(null));
        assert_eq!(
            learn(&fence, &[HOST]),
            Some(json!({ "status": {
                "metricStatus": { format!("{{destination_service=\"{HOST}\"}}"): "1" },
                "domains": { HOST: { "hosts": [HOST] } },
            } }))
        );
    }

    #[test]
    fn what_was_learned_before_is_not_in_the_patch() {
        let old = "a.default.svc.cluster.local";
        let fence = mk_fence(
            json!({}),
            json!({
                "metricStatus": { metric_key(old): "17", "{request_host=\"b.com\"}": "3" },
                "domains": {
                    old: { "hosts": [old], "RecentlyCalled": { "seconds": "5" } },
                    "b.com": { "hosts": ["b.com"], "status": "ACTIVE" },
                },
            }),
        );
        let new = new_hosts(&fence, [old, "b.com", HOST].into_iter());
        assert_eq!(new, (vec![HOST], 0));
        assert_eq!(
            learn(&fence, &[HOST]),
            Some(json!({ "status": {
                "metricStatus": { metric_key(HOST): "1" },
                "domains": { HOST: { "hosts": [HOST] } },
            } }))
        );
        assert_eq!(learn(&fence, &[]), None);
    }

    #[test]
    fn a_fence_learns_a_bounded_number_of_hosts() {
        let full: Vec<String> = (1..MAX_LEARNED_HOSTS)
            .map(|number| format!("h{number}.b"))
            .collect();
        let keys: serde_json::Map<_, _> = full
            .iter()
            .map(|host| (metric_key(host), json!("1")))
            .collect();
        let fence = mk_fence(json!({}), json!({ "metricStatus": keys }));
        let learned = full.iter().map(String::as_str).chain(["x.b", "y.b", "z.b"]);
        assert_eq!(new_hosts(&fence, learned), (vec!["x.b"], 2));
    }

    #[test]
    fn a_static_host_that_is_taken_out_leaves_the_domains() {
        let fence = mk_fence(
            json!({}),
            json!({ "domains": { "ns/*": { "hosts": ["ns/*"] } } }),
        );
        assert_eq!(
            learn(&fence, &[]),
            Some(json!({ "status": { "domains": null } }))
        );
    }

    #[test]
    fn an_expired_host_is_shown_as_such() {
        let spec = json!({ "host": { "a.b": { "deadline": { "expire": { "seconds": 99 } } } } });
        let fence = mk_fence(spec, json!(null));
        assert_eq!(
            learn(&fence, &[]),
            Some(json!({ "status": { "domains": { "a.b": { "hosts": ["a.b"], "status": 1 } } } }))
        );
    }

    #[test]
    fn a_settled_fence_is_not_written_again() {
        let fence = mk_fence(json!({ "enable": true }), json!(null));
        let status = settled(
            &fence,
            Some(&Readiness::Applied),
            &World::default(),
            mk_now(100),
        );
        assert!(patch(&fence, &status).unwrap().is_some());
        assert_eq!(status.observed_generation, Some(2));

        // Back through JSON, as the watch delivers it.
        let written = mk_fence(
            json!({ "enable": true }),
            serde_json::to_value(&status).unwrap(),
        );
        let later = settled(
            &written,
            Some(&Readiness::Applied),
            &World::default(),
            mk_now(200),
        );
        assert_eq!(patch(&written, &later).unwrap(), None);
    }

    #[test]
    fn an_unknown_outcome_leaves_the_conditions_alone() {
        let fence = mk_fence(json!({ "enable": true }), json!(null));
        let status = settled(
            &fence,
            Some(&Readiness::Disabled),
            &World::default(),
            mk_now(100),
        );
        let written = mk_fence(
            json!({ "enable": true }),
            serde_json::to_value(&status).unwrap(),
        );
        assert_eq!(
            patch(
                &written,
                &settled(&written, None, &World::default(), mk_now(200))
            )
            .unwrap(),
            None
        );
    }
}
