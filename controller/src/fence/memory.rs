//! What `status.metricStatus` remembers of learned hosts.

use std::collections::BTreeMap;

use super::keys::host_of_metric_key;
use crate::api::ServiceFence;

/// What is remembered of one learned host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory<'a> {
    /// How often it was learned, at least once. Slime's counts are taken as they are.
    pub times: u32,
    /// The keys that name it.
    pub keys: Vec<&'a str>,
}

/// Everything that `fence` remembers of learned hosts, by host.
pub fn memory(fence: &ServiceFence) -> BTreeMap<&str, Memory<'_>> {
    let mut found = BTreeMap::<&str, Memory<'_>>::new();
    let entries = fence.status.iter().flat_map(|status| &status.metric_status);
    for (key, count) in entries {
        if let Some(host) = host_of_metric_key(key) {
            let memory = found.entry(host).or_default();
            memory.times = memory.times.max(times(count));
            memory.keys.push(key);
        }
    }
    found
}

/// A count as text; Prometheus writes them as decimal fractions. What is none counts once.
fn times(count: &str) -> u32 {
    let count: f64 = count.trim().parse().unwrap_or(1.0);
    // The conversion saturates, and what is no number becomes 0.
    (count as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_of_all_origins_are_read_and_the_highest_of_a_host_counts() {
        let fence: ServiceFence = serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND, "metadata": {}, "spec": {},
            "status": { "metricStatus": {
                "{destination_service=\"a.b\"}": "2",
                "{request_host=\"a.b\"}": "12.0",
                "{destination_service=\"c.d\"}": "often",
                "{destination_service=\"e.f\"}": "-3",
                "{destination_service=\"g.h\"}": "99999999999999999999",
                "nothing": "7",
            } },
        }))
        .unwrap();
        let memory = memory(&fence);
        let times: Vec<_> = memory.iter().map(|(host, m)| (*host, m.times)).collect();
        assert_eq!(
            times,
            [("a.b", 12), ("c.d", 1), ("e.f", 1), ("g.h", u32::MAX)]
        );
        assert_eq!(memory["a.b"].keys.len(), 2);
    }
}
