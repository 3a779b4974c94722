//! Differences that have to be. Each row names a cause in Envoy or Istio; a row that no longer explains anything is told as
//! stale. Nothing stands here that this project could do better.

use super::case::Case;
use serde::Serialize;
use std::collections::BTreeSet;

/// Which call of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Which {
    /// The first, before the lazily loaded sidecar has the route.
    First,
    /// The second, after it has.
    Second,
    /// In a row: either.
    Both,
}

/// One documented difference.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The case, or the beginning of its name and `*`.
    pub case: &'static str,
    /// The call.
    pub which: Which,
    /// The facts, or the beginnings of their names and `*`.
    pub facts: &'static [&'static str],
    /// Why it has to be.
    pub cause: &'static str,
    /// Where that can be seen.
    pub source: &'static str,
    /// Whether it shows in every run. One that a fast machine may not show is never stale.
    pub always: bool,
}

impl Row {
    /// Whether the row explains a difference.
    pub fn applies(&self, case: &str, which: Which, fact: &str) -> bool {
        matches(self.case, case)
            && (self.which == Which::Both || self.which == which)
            && self.facts.iter().any(|pattern| matches(pattern, fact))
    }

    /// Whether the row is about this case at all.
    fn is_about(&self, case: &str) -> bool {
        matches(self.case, case)
    }
}

/// The rows of the list that nothing needed, of those about no case but these.
pub fn stale(list: &[Row], used: &BTreeSet<usize>, all: &[Case], run: &[Case]) -> Vec<Row> {
    let has_run = |name: &str| run.iter().any(|case| case.name == name);
    let unused = list
        .iter()
        .enumerate()
        .filter(|(index, row)| row.always && !used.contains(index));
    let mut rows = unused.map(|(_, row)| *row).collect::<Vec<_>>();
    rows.retain(|row| {
        let mut about = all.iter().filter(|case| row.is_about(&case.name));
        about.all(|case| has_run(&case.name))
    });
    rows
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// The list.
pub const LIST: &[Row] = &[
    Row {
        case: "http10",
        which: Which::Both,
        facts: &["route afterwards"],
        cause: "Envoy refuses HTTP/1.0 with 426 before any filter runs, so nobody hears of the host",
        source: "Envoy http1 codec, `accept_http_10`; Istio sets it with PILOT_HTTP10 only",
        always: true,
    },
    Row {
        case: "port-undeclared",
        which: Which::Both,
        facts: &[
            "route afterwards",
            "response header server",
            "response header x-envoy-*",
            "upstream header x-envoy-*",
            "upstream log *",
        ],
        cause: "for a port without a protocol Istio makes a listener on the Service's own address, with a route table of its own: \
            without the Service there is no HTTP listener that could see the miss",
        source: "Istio pilot/pkg/networking/core/listener.go, buildSidecarOutboundListener; RDS `<host>:<port>`",
        always: true,
    },
    Row {
        case: "port-tcp-strict",
        which: Which::Both,
        facts: &["*"],
        cause: "a TCP connection names no host: what the Sidecar does not know is passed through in plaintext, which a server \
            that takes mTLS only refuses",
        source: "Istio makes a TCP listener on the Service's own address; Envoy's TCP proxy knows addresses alone",
        always: true,
    },
    Row {
        case: "app-reserved-headers",
        which: Which::First,
        facts: &["upstream header x-lazyload-*"],
        cause: "the filter is off on hits, where it would cost every request, so only a miss has the reserved headers removed",
        source: "Envoy `typed_per_filter_config`: enabled on the catch-all virtual host alone",
        always: true,
    },
    Row {
        case: "vs-*",
        which: Which::First,
        facts: &["response header x-envoy-upstream-service-time"],
        cause: "Envoy's router adds the header to whatever an upstream answers, and to the outer listener the inner one is an \
            upstream, also where that one answers by itself",
        source: "Envoy source/common/router/router.cc, onUpstreamHeaders",
        always: true,
    },
    Row {
        case: "istiod-restarted",
        which: Which::First,
        facts: &["time"],
        cause: "a route comes from istiod, and there is none until istiod is back",
        source: "Istio: RDS has no other source",
        always: false,
    },
    Row {
        case: "controller-stopped",
        which: Which::Both,
        facts: PASSED_THROUGH,
        cause: "without the controller nobody widens the Sidecar, and Istio passes what a Sidecar does not know through, in plaintext",
        source: "Istio `outboundTrafficPolicy`: the catch-all virtual host leads to PassthroughCluster",
        always: true,
    },
    Row {
        case: "controller-stopped-strict",
        which: Which::Both,
        facts: &["*"],
        cause: "as above, and a server that takes mTLS only refuses plaintext",
        source: "Istio PeerAuthentication STRICT",
        always: true,
    },
];

/// What shows of a request that went the way of an unknown host.
const PASSED_THROUGH: &[&str] = &[
    "route afterwards",
    "upstream identity",
    "upstream header x-forwarded-client-cert",
    "upstream header slime-*",
    "upstream log downstream_peer",
    "upstream log requested_server_name",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::cases;

    #[test]
    fn a_row_is_stale_only_if_every_case_of_it_has_run() {
        let row = Row {
            case: "vs-*",
            which: Which::First,
            facts: &["status"],
            cause: "because",
            source: "Envoy",
            always: true,
        };
        let all = [Case::new("get"), Case::new("vs-a"), Case::new("vs-b")];
        let number = |used: &BTreeSet<usize>, run: &[Case]| stale(&[row], used, &all, run).len();
        assert_eq!(number(&BTreeSet::new(), &all), 1);
        assert_eq!(number(&BTreeSet::new(), &all[..2]), 0);
        assert_eq!(number(&BTreeSet::from([0]), &all), 0);
    }

    #[test]
    fn every_row_is_about_a_case_and_names_its_cause() {
        let cases = cases::all();
        for row in LIST {
            assert!(
                cases.iter().any(|case| row.is_about(&case.name)),
                "{}",
                row.case
            );
            assert!(!row.cause.is_empty() && !row.source.is_empty() && !row.facts.is_empty());
        }
    }
}
