//! The metrics of Slime's lazyload under its own names, so that dashboards and alerts stay.
//!
//! Slime counts without the suffix `_total`, which OpenMetrics asks of a counter; these are therefore of no stated type, which
//! `rate()` does not mind. They show what the controller's own metrics count; nothing is counted twice.

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder},
    metrics::MetricType,
    registry::Registry,
};

use super::Metrics;
use crate::write::WriteError;

/// What Slime calls resources of the module: the placeholder and the replay EnvoyFilters are their successors.
const EXTRA_OBJECTS: [&str; 2] = ["placeholder", "envoyfilter"];

/// A count that another metric keeps.
struct Mirrored {
    metrics: Arc<Metrics>,
    read: fn(&Metrics) -> u64,
}

impl fmt::Debug for Mirrored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mirrored")
            .field(&(self.read)(&self.metrics))
            .finish()
    }
}

impl EncodeMetric for Mirrored {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&(self.read)(&self.metrics))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Unknown
    }
}

/// Name, help and source of each.
type Row = (&'static str, &'static str, fn(&Metrics) -> u64);

const ROWS: [Row; 8] = [
    ("sidecar_creations", "Sidecars created", |metrics| {
        metrics.sidecar_writes("create").get()
    }),
    (
        "sidecar_failed_creations",
        "Failed creations of Sidecars",
        |metrics| metrics.creation_failures("sidecar").get(),
    ),
    ("sidecar_refreshes", "Sidecars updated", |metrics| {
        metrics.sidecar_writes("update").get()
    }),
    (
        "servicefence_creations",
        "ServiceFences created of their own accord",
        |metrics| metrics.fence_writes("create").get(),
    ),
    (
        "servicefence_failed_creations",
        "Failed creations of ServiceFences",
        |metrics| metrics.creation_failures("fence").get(),
    ),
    (
        "servicefence_refreshes",
        "Statuses of ServiceFences written",
        |metrics| metrics.status_writes.get(),
    ),
    (
        "servicefence_deletions",
        "ServiceFences deleted of their own accord",
        |metrics| metrics.fence_writes("delete").get(),
    ),
    (
        "update_extra_resource_failed",
        "Failed writes of the placeholder and of replay EnvoyFilters",
        Metrics::extra_failures,
    ),
];

impl Metrics {
    /// Adds Slime's metrics to `registry`.
    pub(super) fn register_as_slime(self: &Arc<Self>, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("slime_lazyload");
        for (name, help, read) in ROWS {
            let metrics = self.clone();
            registry.register(name, help, Mirrored { metrics, read });
        }
        // The name is Slime's, its slip included.
        registry.register(
            "servicefenc_loads",
            "ServiceFences found when the controller has come up",
            self.loaded_fences.clone(),
        );
    }

    fn extra_failures(&self) -> u64 {
        let labels = EXTRA_OBJECTS.into_iter().flat_map(|object| {
            WriteError::LABELS.map(|reason| [("object", object), ("reason", reason)])
        });
        labels
            .filter_map(|labels| Some(self.write_failures.get(&labels)?.get()))
            .sum()
    }
}
