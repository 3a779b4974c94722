//! Names and help texts.

use std::sync::Arc;

use prometheus_client::registry::{Registry, Unit};

use super::Metrics;

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
}
