use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::*;
use crate::fence::ObjectRef;

fn text(metrics: &Arc<Metrics>) -> String {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[test]
fn names_are_as_documented() {
    let metrics = Arc::new(Metrics::default());
    metrics.misses("refused", "authority_invalid").inc();
    metrics.learning.observe(0.01);
    let text = text(&metrics);
    for line in [
        "lazyload_misses_total{verdict=\"refused\",reason=\"authority_invalid\"} 1",
        "lazyload_learning_seconds_count 1",
        "lazyload_learned_hosts_total 0",
        "lazyload_placeholder_ports 0",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn a_fence_is_counted_under_one_reason_at_a_time() {
    let metrics = Arc::new(Metrics::default());
    let fence = ObjectRef::new("default", "a");
    assert!(metrics.set_fence(&fence, Some("Disabled")));
    assert!(metrics.set_fence(&fence, Some("SidecarApplied")));
    assert!(!metrics.set_fence(&fence, Some("SidecarApplied")));
    let shown = text(&metrics);
    assert!(
        shown.contains("lazyload_fences{reason=\"Disabled\"} 0"),
        "{shown}"
    );
    assert!(
        shown.contains("lazyload_fences{reason=\"SidecarApplied\"} 1"),
        "{shown}"
    );
    assert!(metrics.set_fence(&fence, None));
    assert!(text(&metrics).contains("lazyload_fences{reason=\"SidecarApplied\"} 0"));
}

#[test]
fn slimes_metrics_have_slimes_names_and_show_what_is_counted_anyway() {
    let metrics = Arc::new(Metrics::default());
    metrics.sidecar_writes("create").inc_by(2);
    metrics.creation_failures("sidecar").inc_by(3);
    metrics.sidecar_writes("update").inc_by(4);
    metrics.fence_writes("create").inc_by(5);
    metrics.creation_failures("fence").inc_by(6);
    metrics.status_writes.inc_by(7);
    metrics.fence_writes("delete").inc_by(8);
    metrics.write_failures("placeholder", "timeout").inc_by(4);
    metrics.write_failures("envoyfilter", "refused").inc_by(5);
    metrics.write_failures("fence", "timeout").inc();
    metrics.loaded_fences.observe(12.0);
    let shown = text(&metrics);
    let lines: Vec<_> = shown.lines().collect();
    for line in [
        "slime_lazyload_sidecar_creations 2",
        "slime_lazyload_sidecar_failed_creations 3",
        "slime_lazyload_sidecar_refreshes 4",
        "slime_lazyload_servicefence_creations 5",
        "slime_lazyload_servicefence_failed_creations 6",
        "slime_lazyload_servicefence_refreshes 7",
        "slime_lazyload_servicefence_deletions 8",
        "slime_lazyload_update_extra_resource_failed 9",
        "# TYPE slime_lazyload_servicefenc_loads histogram",
        "slime_lazyload_servicefenc_loads_sum 12.0",
        "slime_lazyload_servicefenc_loads_count 1",
        "slime_lazyload_servicefenc_loads_bucket{le=\"100.0\"} 1",
    ] {
        assert!(lines.contains(&line), "{line} in\n{shown}");
    }
}

#[test]
fn fences_that_are_forgotten_are_not_shown_and_count_anew() {
    let metrics = Arc::new(Metrics::default());
    let fence = ObjectRef::new("default", "a");
    metrics.set_fence(&fence, Some("SidecarApplied"));
    metrics.stop_leading();
    assert!(!text(&metrics).contains("lazyload_fences{"));
    metrics.start_leading();
    assert!(metrics.set_fence(&fence, Some("SidecarApplied")));
    let line = "lazyload_fences{reason=\"SidecarApplied\"} 1";
    assert!(text(&metrics).contains(line), "{}", text(&metrics));
}
