//! What the replica that leads shows, and no other: sums over replicas would count it twice.

use std::collections::HashMap;

use super::Metrics;
use crate::fence::ObjectRef;

/// How fences stand, as this replica shows it.
#[derive(Debug, Default)]
pub(super) struct Leading {
    readiness: HashMap<ObjectRef, &'static str>,
    // Runs that began before the lead was lost come to their end after it.
    is_over: bool,
}

impl Metrics {
    /// Says how a fence stands: the reason of its `Ready` condition, or `None` if it is gone. Returns whether that is new, which it
    /// is not where another replica leads.
    pub fn set_fence(&self, fence: &ObjectRef, reason: Option<&'static str>) -> bool {
        let mut leading = self.leading.lock();
        let before = match reason {
            Some(_) if leading.is_over => return false,
            Some(reason) => leading.readiness.insert(fence.clone(), reason),
            None => leading.readiness.remove(fence),
        };
        if before == reason {
            return false;
        }
        let gauge = |reason| self.fences.get_or_create_owned(&[("reason", reason)]);
        if let Some(before) = before {
            gauge(before).dec();
        }
        if let Some(reason) = reason {
            gauge(reason).inc();
        }
        true
    }

    /// Says how many ports the placeholder carries, and how many it leaves out because of a TCP port and for want of room.
    pub fn set_ports(&self, carried: usize, conflicts: usize, surplus: usize) {
        let leading = self.leading.lock();
        if leading.is_over {
            return;
        }
        self.placeholder_ports.set(length(carried));
        let left_out = |reason, length| self.placeholder_left_out(reason).set(length);
        left_out("tcp_conflict", length(conflicts));
        left_out("surplus", length(surplus));
    }

    /// Shows from now on what the replica that leads shows.
    pub fn start_leading(&self) {
        self.leading.lock().is_over = false;
    }

    /// Takes out what the replica that leads shows, until it leads again.
    pub fn stop_leading(&self) {
        let mut leading = self.leading.lock();
        leading.is_over = true;
        leading.readiness.clear();
        self.fences.clear();
        self.placeholder_ports.set(0);
        self.placeholder_left_out.clear();
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_end_after_the_lead_was_lost_show_nothing() {
        let (metrics, web) = (Metrics::default(), ObjectRef::new("default", "web"));
        let shown = || {
            let fences = metrics
                .fences
                .get_or_create_owned(&[("reason", "SidecarApplied")]);
            let surplus = metrics.placeholder_left_out("surplus");
            [fences.get(), metrics.placeholder_ports.get(), surplus.get()]
        };
        let show = || {
            metrics.set_ports(7, 1, 2);
            metrics.set_fence(&web, Some("SidecarApplied"))
        };
        assert!(show());
        assert_eq!(shown(), [1, 7, 2]);
        metrics.stop_leading();
        assert!(!show());
        assert_eq!(shown(), [0, 0, 0]);
        metrics.start_leading();
        assert!(show());
        assert_eq!(shown(), [1, 7, 2]);
    }
}
