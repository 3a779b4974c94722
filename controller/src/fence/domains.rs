//! Which hosts a fence lets its workload see.

use std::collections::HashSet;

use super::{
    aging::is_auto,
    keys::{host_of_metric_key, is_domain},
    memory::memory,
};
use crate::api::{Destinations, DomainStatus, ServiceFence, ServiceFenceSpec};

/// Most hosts that one fence learns. Who calls more is better served by `<namespace>/*` or a wildcard in the spec, and the
/// API server limits the size of an object.
pub const MAX_LEARNED_HOSTS: usize = 2_000;

/// Every host that `fence` knows already: static, learned or made visible by something else. Not those that a miss brings back:
/// hosts that were learned, or that `auto` says go when they are not called, once they are dropped. Nor those of them that are about to
/// go: they can hardly be missed, as they are visible, but if they are, then they are needed.
pub fn known_hosts(fence: &ServiceFence) -> HashSet<&str> {
    let status = fence.status.iter();
    let (active, going): (Vec<_>, Vec<_>) = status
        .clone()
        .flat_map(|status| &status.domains)
        .partition(|(_, found)| found.status.is_active());
    let going: HashSet<&str> = going.into_iter().map(|(host, _)| host.as_str()).collect();
    let learned = status
        .flat_map(|status| status.metric_status.keys())
        .filter_map(|key| host_of_metric_key(key))
        .filter(|host| !going.contains(host));
    let statics = fence.spec.host.iter();
    statics
        .filter(|(host, strategy)| !(going.contains(host.as_str()) && is_auto(strategy.as_ref())))
        .map(|(host, _)| host.as_str())
        .chain(learned)
        .chain(active.into_iter().map(|(host, _)| host.as_str()))
        .collect()
}

/// How many more hosts `fence` may learn.
pub fn room(fence: &ServiceFence) -> usize {
    let learned = fence
        .status
        .as_ref()
        .map_or(0, |status| status.metric_status.len());
    MAX_LEARNED_HOSTS.saturating_sub(learned)
}

/// Whether `fence` may learn `host`. One that it has learned before takes no more room.
pub fn has_room(fence: &ServiceFence, host: &str) -> bool {
    room(fence) > 0 || memory(fence).contains_key(host)
}

/// The keys of `spec.host` that cannot be in a Sidecar: neither a host name nor `<namespace>/*`.
pub fn refused_hosts(spec: &ServiceFenceSpec) -> Vec<&str> {
    spec.host
        .keys()
        .map(String::as_str)
        .filter(|host| !is_domain(host))
        .collect()
}

/// Whether a domain in this state is part of the Sidecar.
pub fn is_visible(destinations: &Destinations) -> bool {
    destinations.status != DomainStatus::Expire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fence::{aging, metric_key},
        settings::Forgetting,
    };
    use serde_json::json;
    use std::collections::BTreeMap;

    const NOW: i64 = 1_000;

    fn mk_fence(host: serde_json::Value, learned: &[&str]) -> ServiceFence {
        let keys: BTreeMap<String, &str> =
            learned.iter().map(|host| (metric_key(host), "1")).collect();
        serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": { "name": "foo" }, "spec": { "host": host }, "status": { "metricStatus": keys },
        }))
        .unwrap()
    }

    fn states(fence: &ServiceFence) -> Vec<(String, DomainStatus)> {
        aging(fence, &Forgetting::default(), NOW, true, &|_| false)
            .hosts
            .into_iter()
            .map(|(host, aged)| (host, aged.status))
            .collect()
    }

    fn mk_states(states: &[(&str, DomainStatus)]) -> Vec<(String, DomainStatus)> {
        let owned = states
            .iter()
            .map(|(host, state)| ((*host).to_owned(), *state));
        owned.collect()
    }

    #[test]
    fn stable_and_empty_and_null_strategies_never_expire() {
        let fence = mk_fence(
            json!({
                "a.b": {},
                "c.d": null,
                "e.f": { "stable": {}, "deadline": { "expire": { "seconds": 1 } } },
                "ns/*": { "stable": null },
            }),
            &[],
        );
        assert_eq!(
            states(&fence),
            mk_states(&[
                ("a.b", DomainStatus::Active),
                ("c.d", DomainStatus::Active),
                ("e.f", DomainStatus::Active),
                ("ns/*", DomainStatus::Active)
            ])
        );
    }

    #[test]
    fn a_host_whose_deadline_has_passed_is_expired_even_if_learned() {
        let fence = mk_fence(
            json!({
                "later.b": { "deadline": { "expire": { "seconds": NOW + 3_600 } } },
                "now.b": { "deadline": { "expire": { "seconds": NOW } } },
                "past.b": { "deadline": { "expire": { "seconds": "999" } } },
            }),
            &["past.b"],
        );
        assert_eq!(
            states(&fence),
            mk_states(&[
                ("later.b", DomainStatus::Active),
                ("now.b", DomainStatus::ExpireWait),
                ("past.b", DomainStatus::Expire)
            ])
        );
    }

    #[test]
    fn what_a_miss_brings_back_is_not_known_and_everything_else_is() {
        let auto = json!({ "auto": { "duration": { "seconds": 9 } } });
        let date = json!({ "deadline": { "expire": { "seconds": 9 } } });
        let host = json!({ "auto.b": auto, "gone-auto.b": auto, "date.b": date, "stable.b": {} });
        let mut fence = mk_fence(host, &["new.b", "active.b", "gone.b", "going.b", "date.b"]);
        let domains = json!({
            "active.b": {}, "gone.b": { "status": 1 }, "going.b": { "status": 2 }, "by-label.b": {},
            "auto.b": {}, "gone-auto.b": { "status": 1 }, "date.b": { "status": 1 }, "stable.b": {},
        });
        let status = fence.status.as_mut().unwrap();
        status.domains = serde_json::from_value(domains).unwrap();
        let mut known: Vec<_> = known_hosts(&fence).into_iter().collect();
        known.sort();
        assert_eq!(
            known,
            [
                "active.b",
                "auto.b",
                "by-label.b",
                "date.b",
                "new.b",
                "stable.b"
            ]
        );
    }

    #[test]
    fn a_full_fence_has_room_for_what_it_has_learned_before_alone() {
        let learned: Vec<String> = (0..MAX_LEARNED_HOSTS)
            .map(|number| format!("h{number}.b"))
            .collect();
        let learned: Vec<&str> = learned.iter().map(String::as_str).collect();
        let fence = mk_fence(json!({}), &learned);
        assert!(has_room(&fence, "h7.b"));
        assert!(!has_room(&fence, "new.b"));
        assert!(has_room(&mk_fence(json!({}), &learned[1..]), "new.b"));
        let mut of_slime = fence;
        let keys = &mut of_slime.status.as_mut().unwrap().metric_status;
        keys.insert("{request_host=\"old.b\"}".to_owned(), "1".to_owned());
        assert!(has_room(&of_slime, "old.b"), "in either form of its key");
    }

    #[test]
    fn hosts_that_istio_would_refuse_are_left_out_and_named() {
        let host = json!({
            "a b": {}, "ns/host": {}, "-a.b": {}, "*.ok.com": {}, "Upper.ok": {}, "short": {}, "10.0.0.1": {},
        });
        let fence = mk_fence(host, &["short", "10.0.0.1"]);
        assert_eq!(
            refused_hosts(&fence.spec),
            ["-a.b", "10.0.0.1", "a b", "ns/host", "short"]
        );
        assert_eq!(states(&fence).len(), 2);
    }
}
