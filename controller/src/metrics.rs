//! Everything that `/metrics` shows.

mod leading;
mod registration;
mod slime;

use parking_lot::Mutex;
use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
};

use leading::Leading;

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
    leading: Mutex<Leading>,
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
            leading: Mutex::default(),
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
}

#[cfg(test)]
mod tests;
