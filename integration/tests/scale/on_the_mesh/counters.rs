//! What the API server counts of writes.

use anyhow::Result;
use integration::mesh::Mesh;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The resources that the controller writes.
const RESOURCES: [&str; 6] = [
    "servicefences",
    "sidecars",
    "serviceentries",
    "envoyfilters",
    "events",
    LEASES,
];
/// A holder renews its Lease for as long as it lives.
const LEASES: &str = "leases";
/// How the controller does it; its Role allows no other way.
const RENEW: &str = "PATCH";
/// How programs of Kubernetes and Istio do, which have Leases as well.
const RENEW_OTHERS: &str = "PUT";
/// What does not write.
const READS: [&str; 4] = ["GET", "LIST", "WATCH", "CONNECT"];
/// How long the counters must stand still.
const STILL: Duration = Duration::from_secs(5);

/// Requests that may have written, refused ones included: resource, subresource, verb, status code → how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes(BTreeMap<[String; 4], u64>);

impl Writes {
    /// As the API server has them now.
    pub fn read(mesh: &Mesh) -> Result<Self> {
        let metrics = mesh.kubectl_output(&["get", "--raw", "/metrics"])?;
        Ok(Self::parse(&metrics))
    }

    /// As they are once nobody has written for a while, but for renewals.
    pub fn when_still(mesh: &Mesh) -> Result<Self> {
        let mut last = Self::read(mesh)?;
        loop {
            std::thread::sleep(STILL);
            let now = Self::read(mesh)?;
            if now.but_renewals() == last.but_renewals() {
                return Ok(now);
            }
            last = now;
        }
    }

    fn parse(metrics: &str) -> Self {
        let mut writes = Self::default();
        for line in metrics.lines() {
            let Some(sample) = line.strip_prefix("apiserver_request_total{") else {
                continue;
            };
            let Some((labels, value)) = sample.rsplit_once("} ") else {
                continue;
            };
            let key = ["resource", "subresource", "verb", "code"].map(|name| label(labels, name));
            let is_write =
                RESOURCES.contains(&key[0].as_str()) && !READS.contains(&key[2].as_str());
            if let (true, Ok(value)) = (is_write, value.trim().parse::<f64>()) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let count = value as u64;
                *writes.0.entry(key).or_default() += count;
            }
        }
        writes
    }

    /// What has been written since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let grown = self.0.iter().filter_map(|(key, count)| {
            let more = count - before.0.get(key).copied().unwrap_or_default();
            (more > 0).then(|| (key.clone(), more))
        });
        Self(grown.collect())
    }

    /// How many of this resource and subresource, by this verb or, where it is empty, by any.
    pub fn of(&self, resource: &str, subresource: &str, verb: &str) -> u64 {
        let wanted = self
            .0
            .iter()
            .filter(|([its_resource, its_subresource, its_verb, _], _)| {
                its_resource == resource
                    && its_subresource == subresource
                    && (verb.is_empty() || verb == its_verb)
            });
        wanted.map(|(_, count)| count).sum()
    }

    /// How often the controller has renewed its Lease.
    pub fn renewals(&self) -> u64 {
        self.of(LEASES, "", RENEW)
    }

    /// Everything but the renewals of Leases that were taken. A Lease that is made, deleted, given away or refused stays.
    pub fn but_renewals(&self) -> Self {
        let mut others = self.clone();
        others.0.retain(|[resource, _, verb, code], _| {
            let is_renewal = [RENEW, RENEW_OTHERS].contains(&verb.as_str()) && code == "200";
            !(resource == LEASES && is_renewal)
        });
        others
    }

    /// Whether nobody has written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let mut separator = "";
        for ([resource, subresource, verb, code], count) in &self.0 {
            let slash = if subresource.is_empty() { "" } else { "/" };
            write!(
                f,
                "{separator}{count} {verb} {resource}{slash}{subresource} ({code})"
            )?;
            separator = ", ";
        }
        Ok(())
    }
}

/// The value of one label.
fn label(labels: &str, name: &str) -> String {
    let parts = labels.split("\",");
    let values = parts.filter_map(|part| part.split_once("=\""));
    let found = values
        .filter(|(label, _)| *label == name)
        .map(|(_, value)| value.trim_end_matches('"').to_owned())
        .next();
    found.unwrap_or_default()
}

#[test]
fn writes_are_told_from_reads_and_added_up() {
    let metrics = r#"
apiserver_request_total{code="200",resource="sidecars",subresource="",verb="LIST"} 7
apiserver_request_total{code="201",group="networking.istio.io",resource="sidecars",subresource="",verb="POST",version="v1"} 3
apiserver_request_total{code="409",group="networking.istio.io",resource="sidecars",subresource="",verb="POST",version="v1"} 1
apiserver_request_total{code="200",resource="servicefences",subresource="status",verb="PATCH"} 2
apiserver_request_total{code="201",resource="services",subresource="",verb="POST"} 9
"#;
    let writes = Writes::parse(metrics);
    assert_eq!(writes.of("sidecars", "", ""), 4);
    assert_eq!(writes.of("servicefences", "status", "PATCH"), 2);
    assert_eq!(writes.of("servicefences", "", ""), 0);
    assert_eq!(writes.of("services", "", ""), 0);
    assert!(writes.since(&writes).is_empty());
    assert_eq!(writes.since(&Writes::default()), writes);
}

#[test]
fn renewals_of_a_lease_are_told_from_everything_else_that_becomes_of_one() {
    let metrics = r#"
apiserver_request_total{code="200",group="coordination.k8s.io",resource="leases",subresource="",verb="PATCH"} 60
apiserver_request_total{code="200",group="coordination.k8s.io",resource="leases",subresource="",verb="PUT"} 30
"#;
    let renewals = Writes::parse(metrics);
    assert_eq!(renewals.renewals(), 60);
    assert!(renewals.but_renewals().is_empty());
    for other in [
        r#"code="201",resource="leases",subresource="",verb="POST""#,
        r#"code="200",resource="leases",subresource="",verb="APPLY""#,
        r#"code="200",resource="leases",subresource="",verb="DELETE""#,
        r#"code="409",resource="leases",subresource="",verb="PATCH""#,
        r#"code="200",resource="sidecars",subresource="",verb="PATCH""#,
    ] {
        let line = format!("apiserver_request_total{{{other}}} 1\n");
        assert!(!Writes::parse(&line).but_renewals().is_empty(), "{other}");
    }
}
