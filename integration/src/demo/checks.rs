//! What must have been seen for the demo to have shown anything.

use super::facts::{Call, Facts};
use serde_json::{Value, json};

/// How names of headers begin that are the filter's.
const MARKS: [&str; 2] = ["slime-", "x-lazyload-"];
/// What an empty fence leaves visible.
pub const EMPTY: [&str; 2] = [
    "mesh-operator/lazyload.mesh-operator.svc.cluster.local",
    "mesh-operator/placeholder.lazyload.internal",
];
/// Who productpage is.
const PRODUCTPAGE: &str = "spiffe://cluster.local/ns/default/sa/bookinfo-productpage";

/// One thing that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What must hold.
    pub statement: &'static str,
    /// Whether it did.
    pub holds: bool,
}

/// Every check, in the order of the story.
pub fn check(facts: &Facts) -> Vec<Check> {
    let host = format!("{}.default.svc.cluster.local", facts.first.upstream.service);
    let dependency = format!("default/{host}");
    let learned = format!("{{destination_service=\"{host}\"}}");
    let config = &facts.config;
    [
        (
            "the empty fence leaves only the controller and its placeholder visible",
            hosts(&facts.sidecar.before) == &json!(EMPTY),
        ),
        (
            "the fence made the sidecar's configuration smaller",
            config.fenced.clusters < config.unfenced.clusters && config.fenced.bytes < config.unfenced.bytes,
        ),
        (
            "the first call was held and then answered, through the replay listener",
            facts.first.status == 200
                && facts.first.cluster == "lazyload-replay-9080"
                && facts.first.route == "lazyload-replay",
        ),
        (
            "the first call arrived with productpage's own identity",
            facts.first.upstream.caller.as_deref() == Some(PRODUCTPAGE),
        ),
        (
            "the first call arrived at the subset that the VirtualService names",
            facts.first.upstream.version == "v3",
        ),
        (
            "the upstream saw the same headers, by name, of the first call as of the second, and none of the filter's",
            facts.first.upstream.headers.keys().eq(facts.second.upstream.headers.keys()) && !is_marked(&facts.first),
        ),
        (
            "the miss was reported for productpage's fence",
            facts.report.fence == "default/productpage" && facts.report.hosts.contains(&host),
        ),
        (
            "the fence's status holds what was learned",
            facts.fence["status"]["metricStatus"].get(&learned).is_some()
                && facts.fence["status"]["domains"].get(&host).is_some(),
        ),
        (
            "the Sidecar belongs to the fence and carries the learned host",
            facts.sidecar.after["metadata"]["ownerReferences"][0]["uid"] == facts.fence["metadata"]["uid"]
                && hosts(&facts.sidecar.after).as_array().is_some_and(|hosts| hosts.contains(&json!(dependency))),
        ),
        (
            "the second call went directly to the service",
            facts.second.status == 200 && facts.second.cluster == format!("outbound|9080|v3|{host}"),
        ),
        (
            "the second call arrived with productpage's own identity",
            facts.second.upstream.caller.as_deref() == Some(PRODUCTPAGE),
        ),
        (
            "the sidecar's configuration grew by what was learned and stayed smaller than without a fence",
            config.fenced.clusters < config.learned.clusters && config.learned.clusters < config.unfenced.clusters,
        ),
    ]
    .into_iter()
    .map(|(statement, holds)| Check { statement, holds })
    .collect()
}

fn hosts(sidecar: &Value) -> &Value {
    &sidecar["spec"]["egress"][0]["hosts"]
}

fn is_marked(call: &Call) -> bool {
    let mut names = call.upstream.headers.keys();
    names.any(|name| MARKS.iter().any(|mark| name.starts_with(mark)))
}
