//! The filter's counters.

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
    /// Misses not reported because their authority is an address: no host can be learned from one.
    Address,
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
}

impl Metric {
    /// Every counter, in the order of their discriminants.
    pub const ALL: [Self; 12] = [
        Self::Misses,
        Self::Deduplicated,
        Self::Dropped,
        Self::InvalidAuthority,
        Self::Address,
        Self::ReportsSent,
        Self::ReportsFailed,
        Self::InMesh,
        Self::External,
        Self::Refused,
        Self::NoFence,
        Self::Unknown,
    ];

    /// The name under which the proxy knows the counter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Misses => "lazyload_misses",
            Self::Deduplicated => "lazyload_misses_deduplicated",
            Self::Dropped => "lazyload_misses_dropped",
            Self::InvalidAuthority => "lazyload_misses_invalid_authority",
            Self::Address => "lazyload_misses_address",
            Self::ReportsSent => "lazyload_reports_sent",
            Self::ReportsFailed => "lazyload_reports_failed",
            Self::InMesh => "lazyload_outcomes_in_mesh",
            Self::External => "lazyload_outcomes_external",
            Self::Refused => "lazyload_outcomes_refused",
            Self::NoFence => "lazyload_outcomes_no_fence",
            Self::Unknown => "lazyload_outcomes_unknown",
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
