//! Everything that `/metrics` shows.

mod slime;

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::fence::ObjectRef;

type Label = [(&'static str, &'static str); 1];
type Counters<L> = Family<L, Counter>;

/// The controller's metrics, all called `lazyload_…`. Labels have few values, all known when the program was written.
#[derive(Debug)]
pub struct Metrics {
    misses: Counters<[(&'static str, &'static str); 2]>,
    first_requests: Counters<[(&'static str, &'static str); 2]>,
    /// Hosts written into a fence's status.
    pub learned_hosts: Counter,
    dropped_hosts: Counters<Label>,
    /// Hosts that were learned back when they had been dropped, or were about to be.
    pub relearned_hosts: Counter,
    forgotten_hosts: Counters<Label>,
    /// Fences reset on demand.
    pub resets: Counter,
    lost_events: Counters<Label>,
    sidecar_writes: Counters<Label>,
    fence_writes: Counters<Label>,
    creation_failures: Counters<Label>,
    sidecar_refusals: Counters<Label>,
    /// Reports that could not be verified because the API server did not say who the pod is.
    pub pod_lookup_failures: Counter,
    damped_corrections: Counters<Label>,
    /// Patches of a fence's status.
    pub status_writes: Counter,
    write_failures: Counters<[(&'static str, &'static str); 2]>,
    foreign_objects: Counters<Label>,
    fences: Family<Label, Gauge>,
    fence_readiness: Mutex<HashMap<ObjectRef, &'static str>>,
    /// Ports that the placeholder carries.
    pub placeholder_ports: Gauge,
    placeholder_left_out: Family<Label, Gauge>,
    /// Writes of the placeholder.
    pub placeholder_writes: Counter,
    /// Writes of replay EnvoyFilters.
    pub envoyfilter_writes: Counter,
    /// Seconds from the receipt of a report to the Sidecar that carries its host.
    pub learning: Histogram,
    /// Fences found when the controller has come up.
    pub loaded_fences: Histogram,
    watch_errors: Counters<Label>,
    unreadable_objects: Counters<Label>,
    config_reloads: Counters<Label>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            misses: Family::default(),
            first_requests: Family::default(),
            learned_hosts: Counter::default(),
            dropped_hosts: Family::default(),
            relearned_hosts: Counter::default(),
            forgotten_hosts: Family::default(),
            resets: Counter::default(),
            lost_events: Family::default(),
            sidecar_writes: Family::default(),
            fence_writes: Family::default(),
            creation_failures: Family::default(),
            sidecar_refusals: Family::default(),
            pod_lookup_failures: Counter::default(),
            damped_corrections: Family::default(),
            status_writes: Counter::default(),
            write_failures: Family::default(),
            foreign_objects: Family::default(),
            fences: Family::default(),
            fence_readiness: Mutex::default(),
            placeholder_ports: Gauge::default(),
            placeholder_left_out: Family::default(),
            placeholder_writes: Counter::default(),
            envoyfilter_writes: Counter::default(),
            // From well under what one write takes to well over what a struggling API server needs.
            learning: Histogram::new([
                0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
            ]),
            loaded_fences: Histogram::new([1.0, 10.0, 100.0, 1_000.0, 10_000.0]),
            watch_errors: Family::default(),
            unreadable_objects: Family::default(),
            config_reloads: Family::default(),
        }
    }
}

impl Metrics {
    /// Adds every metric to `registry`, those of Slime's names included.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        self.register_as_slime(registry);
        let registry = registry.sub_registry_with_prefix("lazyload");
        registry.register(
            "misses",
            "Reported misses, by what was answered and why",
            self.misses.clone(),
        );
        registry.register(
            "first_requests",
            "Answers about hosts of the mesh, by whether to hold the request and why",
            self.first_requests.clone(),
        );
        registry.register(
            "learned_hosts",
            "Hosts written into the status of a fence",
            self.learned_hosts.clone(),
        );
        registry.register(
            "dropped_hosts",
            "Hosts that were to be learned and were not, by reason",
            self.dropped_hosts.clone(),
        );
        registry.register(
            "relearned_hosts",
            "Hosts learned back when they had been dropped, or were about to be",
            self.relearned_hosts.clone(),
        );
        registry.register(
            "forgotten_hosts",
            "Hosts that fences no longer show or remember, by reason",
            self.forgotten_hosts.clone(),
        );
        registry.register(
            "resets",
            "Fences whose learned hosts were cleared on demand",
            self.resets.clone(),
        );
        registry.register(
            "lost_events",
            "Kubernetes events that were not written, by reason",
            self.lost_events.clone(),
        );
        registry.register(
            "sidecar_writes",
            "Successful writes of Sidecars, by operation",
            self.sidecar_writes.clone(),
        );
        registry.register(
            "fence_writes",
            "Fences made and removed of their own accord, by operation",
            self.fence_writes.clone(),
        );
        registry.register(
            "creation_failures",
            "Failed creations, by object; each is repeated",
            self.creation_failures.clone(),
        );
        registry.register(
            "sidecar_refusals",
            "Sidecars that could not take effect, by reason",
            self.sidecar_refusals.clone(),
        );
        registry.register(
            "pod_lookup_failures",
            "Reports not answered because the API server did not say who the pod is",
            self.pod_lookup_failures.clone(),
        );
        registry.register(
            "damped_corrections",
            "Corrections put off because somebody keeps undoing them, by object",
            self.damped_corrections.clone(),
        );
        registry.register(
            "status_writes",
            "Successful patches of a fence's status",
            self.status_writes.clone(),
        );
        registry.register(
            "write_failures",
            "Failed writes, by object and reason; each is repeated",
            self.write_failures.clone(),
        );
        registry.register(
            "foreign_objects",
            "Times that somebody else's object was found in the place of ours and left there, by object",
            self.foreign_objects.clone(),
        );
        registry.register(
            "fences",
            "Fences, by the reason of their Ready condition",
            self.fences.clone(),
        );
        registry.register(
            "placeholder_ports",
            "Ports with a listener in every narrowed sidecar",
            self.placeholder_ports.clone(),
        );
        registry.register(
            "placeholder_left_out_ports",
            "HTTP ports that the placeholder does not carry, by reason",
            self.placeholder_left_out.clone(),
        );
        registry.register(
            "placeholder_writes",
            "Successful writes of the placeholder",
            self.placeholder_writes.clone(),
        );
        registry.register(
            "envoyfilter_writes",
            "Successful writes of replay EnvoyFilters",
            self.envoyfilter_writes.clone(),
        );
        registry.register_with_unit(
            "learning",
            "Time from the receipt of a report to the Sidecar that carries its host",
            Unit::Seconds,
            self.learning.clone(),
        );
        registry.register(
            "watch_errors",
            "Failed or broken watches, by kind",
            self.watch_errors.clone(),
        );
        registry.register(
            "unreadable_objects",
            "Events of objects that could not be read, by kind",
            self.unreadable_objects.clone(),
        );
        registry.register(
            "config_reloads",
            "Changes of the configuration file, by what came of them",
            self.config_reloads.clone(),
        );
    }

    /// Misses answered with `verdict` for `reason`.
    pub fn misses(&self, verdict: &'static str, reason: &'static str) -> Counter {
        self.misses
            .get_or_create_owned(&[("verdict", verdict), ("reason", reason)])
    }

    /// Answers about hosts of the mesh that say `decision` because of `reason`.
    pub fn first_requests(&self, decision: &'static str, reason: &'static str) -> Counter {
        self.first_requests
            .get_or_create_owned(&[("decision", decision), ("reason", reason)])
    }

    /// Hosts not learned for `reason`.
    pub fn dropped_hosts(&self, reason: &'static str) -> Counter {
        self.dropped_hosts
            .get_or_create_owned(&[("reason", reason)])
    }

    /// Hosts that went for `reason`.
    pub fn forgotten_hosts(&self, reason: &'static str) -> Counter {
        self.forgotten_hosts
            .get_or_create_owned(&[("reason", reason)])
    }

    /// Events not written for `reason`.
    pub fn lost_events(&self, reason: &'static str) -> Counter {
        self.lost_events.get_or_create_owned(&[("reason", reason)])
    }

    /// Sidecar writes of one operation.
    pub fn sidecar_writes(&self, operation: &'static str) -> Counter {
        self.sidecar_writes
            .get_or_create_owned(&[("operation", operation)])
    }

    /// Automatic fences made or removed, by operation.
    pub fn fence_writes(&self, operation: &'static str) -> Counter {
        self.fence_writes
            .get_or_create_owned(&[("operation", operation)])
    }

    /// Creations of `object` that failed.
    pub fn creation_failures(&self, object: &'static str) -> Counter {
        self.creation_failures
            .get_or_create_owned(&[("object", object)])
    }

    /// Sidecars that could not take effect for `reason`.
    pub fn sidecar_refusals(&self, reason: &'static str) -> Counter {
        self.sidecar_refusals
            .get_or_create_owned(&[("reason", reason)])
    }

    /// Corrections of `object` that were put off.
    pub fn damped_corrections(&self, object: &'static str) -> Counter {
        self.damped_corrections
            .get_or_create_owned(&[("object", object)])
    }

    /// Failed writes of `object` for `reason`.
    pub fn write_failures(&self, object: &'static str, reason: &'static str) -> Counter {
        self.write_failures
            .get_or_create_owned(&[("object", object), ("reason", reason)])
    }

    /// Times that somebody else's `object` was in the place of ours.
    pub fn foreign_objects(&self, object: &'static str) -> Counter {
        self.foreign_objects
            .get_or_create_owned(&[("object", object)])
    }

    /// HTTP ports that the placeholder does not carry for `reason`.
    pub fn placeholder_left_out(&self, reason: &'static str) -> Gauge {
        self.placeholder_left_out
            .get_or_create_owned(&[("reason", reason)])
    }

    /// Failures of the watch of `kind`.
    pub fn watch_errors(&self, kind: &'static str) -> Counter {
        self.watch_errors.get_or_create_owned(&[("kind", kind)])
    }

    /// Events of objects of `kind` that could not be read.
    pub fn unreadable_objects(&self, kind: &'static str) -> Counter {
        self.unreadable_objects
            .get_or_create_owned(&[("kind", kind)])
    }

    /// Changes of the configuration file of which this came.
    pub fn config_reloads(&self, result: &'static str) -> Counter {
        self.config_reloads
            .get_or_create_owned(&[("result", result)])
    }

    /// Says how a fence stands: the reason of its `Ready` condition, or `None` if it is gone. Returns whether that is new.
    pub fn set_fence(&self, fence: &ObjectRef, reason: Option<&'static str>) -> bool {
        let mut readiness = self.fence_readiness.lock();
        let before = match reason {
            Some(reason) => readiness.insert(fence.clone(), reason),
            None => readiness.remove(fence),
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

    /// Forgets how fences stand.
    pub fn forget_fences(&self) {
        self.fence_readiness.lock().clear();
        self.fences.clear();
    }
}

#[cfg(test)]
mod tests;
