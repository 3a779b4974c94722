//! What a status patch changes, in the words of metrics and events. Pure.

use std::collections::BTreeMap;

use crate::{
    api::{DomainStatus, ServiceFence, ServiceFenceStatus},
    fence::{Memory, is_visible, memory},
};

/// What becomes of a fence by one patch of its status.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Hosts that were never learned before.
    pub learned: Vec<String>,
    /// Hosts that were missed again when they had been dropped, or were about to be, with how often they have been learned by now.
    pub relearned: Vec<(String, u32)>,
    /// Hosts that were visible and are gone until they are missed.
    pub dropped: Vec<String>,
    /// Hosts whose deadline has passed.
    pub expired: Vec<String>,
    /// Hosts of which nothing is remembered any more.
    pub forgotten: Vec<String>,
}

/// What `after` changes about `before`.
pub fn changes(before: &ServiceFence, after: &ServiceFenceStatus) -> Changes {
    let mut changes = Changes::default();
    let was = before.status.as_ref();
    let successor = ServiceFence {
        status: Some(after.clone()),
        ..ServiceFence::default()
    };
    let (old, new) = (memory(before), memory(&successor));
    for (host, learned) in &new {
        match old.get(host) {
            None => changes.learned.push((*host).to_owned()),
            Some(Memory { times, .. }) if learned.times > *times => {
                changes.relearned.push(((*host).to_owned(), learned.times));
            }
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|host| !new.contains_key(*host));
    changes.forgotten = gone.map(|host| (*host).to_owned()).collect();
    let none = BTreeMap::new();
    let domains = was.map_or(&none, |was| &was.domains);
    for (host, found) in &after.domains {
        let was_visible = domains.get(host).is_some_and(is_visible);
        if !was_visible || found.status != DomainStatus::Expire {
            continue;
        }
        // What goes when it is not called says since when; a deadline does not.
        if found.recently_called.is_some() {
            changes.dropped.push(host.clone());
        } else {
            changes.expired.push(host.clone());
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fence::metric_key;
    use serde_json::{Value, json};

    fn mk_status(status: Value) -> ServiceFenceStatus {
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn every_change_of_a_host_is_told_by_its_name() {
        let gone = json!({ "status": 1, "RecentlyCalled": { "seconds": 9 } });
        let before = ServiceFence {
            status: Some(mk_status(json!({
                "metricStatus": { metric_key("again.b"): "1", metric_key("same.b"): "1", metric_key("old.b"): "3", metric_key("drop.b"): "1" },
                "domains": { "drop.b": { "status": 2 }, "date.b": {}, "gone.b": gone, "again.b": gone },
            }))),
            ..ServiceFence::default()
        };
        let after = mk_status(json!({
            "metricStatus": { metric_key("new.b"): "1", metric_key("again.b"): "2", metric_key("same.b"): "1", metric_key("drop.b"): "1" },
            "domains": { "drop.b": gone, "date.b": { "status": 1 }, "gone.b": gone, "again.b": {}, "new.b": {} },
        }));
        let hosts = |hosts: &[&str]| {
            hosts
                .iter()
                .map(|&host| host.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            changes(&before, &after),
            Changes {
                learned: hosts(&["new.b"]),
                relearned: vec![("again.b".to_owned(), 2)],
                dropped: hosts(&["drop.b"]),
                expired: hosts(&["date.b"]),
                forgotten: hosts(&["old.b"]),
            }
        );
        let settled = ServiceFence {
            status: Some(after.clone()),
            ..ServiceFence::default()
        };
        assert_eq!(changes(&settled, &after), Changes::default());
    }
}
