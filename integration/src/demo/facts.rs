//! What the demo saw, in the shape that `--json` writes.

use super::timing::Timing;
use crate::envoy::ConfigSize;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything seen in one run.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// The call that missed.
    pub first: Call,
    /// The same call, once its host was learned.
    pub second: Call,
    /// The ServiceFence after the first call.
    pub fence: Value,
    /// productpage's Sidecar.
    pub sidecar: Sidecars,
    /// The size of productpage's sidecar configuration.
    pub config: Config,
    /// The report of the first call, as the controller logged it.
    pub report: Report,
    /// How long first calls took, under each setting of istiod.
    pub timing: Vec<Timing>,
}

/// One call from productpage to the called service.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// HTTP status.
    pub status: u16,
    /// The Envoy cluster that it left through.
    pub cluster: String,
    /// The route that it took.
    pub route: String,
    /// The service that answered, and what it saw.
    pub upstream: Upstream,
    /// As the application measured it.
    pub milliseconds: f64,
}

/// The service that answered a call.
#[derive(Clone, Debug, Serialize)]
pub struct Upstream {
    /// Its name.
    pub service: String,
    /// Its version.
    pub version: String,
    /// The caller's SPIFFE identity; none without mTLS.
    pub caller: Option<String>,
    /// The request's headers as it saw them.
    pub headers: BTreeMap<String, String>,
}

/// The Sidecar around the first call.
#[derive(Clone, Debug, Serialize)]
pub struct Sidecars {
    /// Before it.
    pub before: Value,
    /// After it.
    pub after: Value,
}

/// Sizes of one sidecar's configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// Without any Sidecar.
    pub unfenced: ConfigSize,
    /// With the empty fence.
    pub fenced: ConfigSize,
    /// With what was learned.
    pub learned: ConfigSize,
}

/// The report of a miss, out of the controller's log.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When the controller had it, RFC 3339.
    pub received_at: String,
    /// The fence that learned.
    pub fence: String,
    /// The hosts in it.
    pub hosts: Vec<String>,
    /// From then until the widened Sidecar was applied.
    pub milliseconds_to_sidecar: f64,
}

impl Report {
    /// The first report of `host` in a piece of the controller's log, once the Sidecar that came of it is applied too.
    pub fn find(log: &str, host: &str) -> Option<Self> {
        let lines: Vec<Value> = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let hosts = |line: &Value| -> Vec<String> {
            line["hosts"]
                .as_str()
                .unwrap_or_default()
                .split(',')
                .map(str::to_owned)
                .collect()
        };
        let with = |message: &str| {
            lines.iter().find(|line| {
                line["message"] == message && hosts(line).iter().any(|learned| learned == host)
            })
        };
        let (received, applied) = (with("report received")?, with("Sidecar applied")?);
        Some(Self {
            received_at: received["received_at"].as_str()?.to_owned(),
            fence: received["fence"].as_str()?.to_owned(),
            hosts: hosts(received),
            milliseconds_to_sidecar: applied["milliseconds"].as_f64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_found_once_its_sidecar_is_applied() {
        let received = r#"{"message":"report received","received_at":"2026-01-01T00:00:00Z","fence":"n/f","hosts":"a.n,b.n"}"#;
        assert!(Report::find(received, "b.n").is_none());
        let applied =
            r#"{"message":"Sidecar applied","fence":"n/f","hosts":"a.n,b.n","milliseconds":12.5}"#;
        let report = Report::find(&format!("{received}\n{applied}\n"), "b.n").unwrap();
        assert_eq!(
            (report.hosts.len(), report.milliseconds_to_sidecar),
            (2, 12.5)
        );
    }
}
