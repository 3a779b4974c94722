//! The filter's counters and its histogram.

/// The histogram of how long replayed requests were held, in milliseconds.
pub const HOLD_MILLISECONDS: &str = "lazyload_hold_milliseconds";

/// A counter of the filter; Envoy shows it with the prefix `wasmcustom.`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(usize)]
pub enum Metric {
    /// Requests that no real route matched.
    Misses,
    /// Misses not reported because the same host was reported within its interval, or is about to be.
    Deduplicated,
    /// Misses not reported because the queue was full.
    Dropped,
    /// Misses not reported because their authority cannot be a host.
    InvalidAuthority,
    /// Report calls started.
    ReportsSent,
    /// Report calls that were not started, failed, or were answered with what is no answer.
    ReportsFailed,
    /// Outcomes: the host is in the mesh and was recorded.
    InMesh,
    /// Outcomes: no such host in the mesh.
    External,
    /// Outcomes: the controller refused the entry.
    Refused,
    /// Outcomes: no fence selects this workload.
    NoFence,
    /// Outcomes of a kind that this filter does not know.
    Unknown,
    /// Requests held. Each ends as one of the following.
    Held,
    /// Held requests sent on through their new route.
    Replayed,
    /// Held requests that the client gave up.
    Reset,
    /// Requests passed through because no verdict came in time.
    PassedVerdictTimeout,
    /// Requests passed through because no route came in time.
    PassedHoldTimeout,
    /// Requests passed through because as many as may be are held already.
    PassedStreamLimit,
    /// Requests passed through because their body might not fit beside those held already.
    PassedByteLimit,
    /// Requests passed through because there is no replay listener.
    PassedNotInstalled,
    /// Requests passed through because their report failed.
    PassedReportFailed,
    /// Requests passed through because the controller said so, because others waited in vain for the same route lately,
    /// or because the filter is configured anew.
    PassedVerdict,
    /// Probes sent.
    ProbesSent,
}

impl Metric {
    /// Every counter, in the order of their discriminants.
    pub const ALL: [Self; 22] = [
        Self::Misses,
        Self::Deduplicated,
        Self::Dropped,
        Self::InvalidAuthority,
        Self::ReportsSent,
        Self::ReportsFailed,
        Self::InMesh,
        Self::External,
        Self::Refused,
        Self::NoFence,
        Self::Unknown,
        Self::Held,
        Self::Replayed,
        Self::Reset,
        Self::PassedVerdictTimeout,
        Self::PassedHoldTimeout,
        Self::PassedStreamLimit,
        Self::PassedByteLimit,
        Self::PassedNotInstalled,
        Self::PassedReportFailed,
        Self::PassedVerdict,
        Self::ProbesSent,
    ];

    /// The name under which the proxy knows the counter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Misses => "lazyload_misses",
            Self::Deduplicated => "lazyload_misses_deduplicated",
            Self::Dropped => "lazyload_misses_dropped",
            Self::InvalidAuthority => "lazyload_misses_invalid_authority",
            Self::ReportsSent => "lazyload_reports_sent",
            Self::ReportsFailed => "lazyload_reports_failed",
            Self::InMesh => "lazyload_outcomes_in_mesh",
            Self::External => "lazyload_outcomes_external",
            Self::Refused => "lazyload_outcomes_refused",
            Self::NoFence => "lazyload_outcomes_no_fence",
            Self::Unknown => "lazyload_outcomes_unknown",
            Self::Held => "lazyload_requests_held",
            Self::Replayed => "lazyload_requests_replayed",
            Self::Reset => "lazyload_requests_reset",
            Self::PassedVerdictTimeout => "lazyload_passed_verdict_timeout",
            Self::PassedHoldTimeout => "lazyload_passed_hold_timeout",
            Self::PassedStreamLimit => "lazyload_passed_stream_limit",
            Self::PassedByteLimit => "lazyload_passed_byte_limit",
            Self::PassedNotInstalled => "lazyload_passed_not_installed",
            Self::PassedReportFailed => "lazyload_passed_report_failed",
            Self::PassedVerdict => "lazyload_passed_verdict",
            Self::ProbesSent => "lazyload_probes_sent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn every_counter_stands_at_its_own_index() {
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, index, "{metric:?}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn names_differ_and_carry_the_prefix() {
        let names: std::collections::BTreeSet<_> = Metric::ALL.map(Metric::name).into();
        assert_eq!(names.len(), Metric::ALL.len());
        assert!(names.iter().all(|name| name.starts_with("lazyload_")));
    }
}
