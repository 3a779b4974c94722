//! The facts, told to a person.

use super::checks::Check;
use super::facts::{Call, Facts};
use serde_json::Value;
use std::fmt::Write;

/// The whole story as text.
pub fn tell(facts: &Facts, checks: &[Check]) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(String::new());
    line(
        "1. An empty fence: productpage's Sidecar makes only the mesh's own namespaces visible"
            .into(),
    );
    line(hosts(&facts.sidecar.before));
    line("2. The first call from productpage misses".into());
    line(call(&facts.first));
    line("3. Its sidecar reports the miss, the fence learns, the Sidecar is widened".into());
    line(format!(
        "   report received  {} for fence {}: {}",
        facts.report.received_at,
        facts.report.fence,
        facts.report.hosts.join(", ")
    ));
    line(format!(
        "   Sidecar applied  {:.1} ms later",
        facts.report.milliseconds_to_sidecar
    ));
    line("   fence status".into());
    for (key, count) in facts.fence["status"]["metricStatus"]
        .as_object()
        .into_iter()
        .flatten()
    {
        line(format!("     metricStatus   {key}: {count}"));
    }
    for domain in facts.fence["status"]["domains"]
        .as_object()
        .into_iter()
        .flat_map(|domains| domains.keys())
    {
        line(format!("     domains        {domain}"));
    }
    line(hosts(&facts.sidecar.after));
    line("4. The second call goes directly".into());
    line(call(&facts.second));
    line("5. What productpage's sidecar carries".into());
    line("                bytes  clusters  endpoints".into());
    let config = &facts.config;
    for (name, size) in [
        ("unfenced", config.unfenced),
        ("fenced", config.fenced),
        ("learned", config.learned),
    ] {
        line(format!(
            "   {name:9} {:8}  {:8}  {:9}",
            size.bytes, size.clusters, size.endpoints
        ));
    }
    line(String::new());
    for check in checks {
        line(format!(
            "{} {}",
            if check.holds { "seen    " } else { "NOT SEEN" },
            check.statement
        ));
    }
    text
}

fn call(call: &Call) -> String {
    let mut text = format!(
        "   {} -> {} in {:.1} ms, answered by {} {}\n   cluster {}, route {}\n   caller as the upstream saw it: {}",
        "productpage",
        call.status,
        call.milliseconds,
        call.upstream.service,
        call.upstream.version,
        call.cluster,
        call.route,
        call.upstream.caller.as_deref().unwrap_or("none (no mTLS)"),
    );
    let stamps = call
        .upstream
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("slime-"));
    for (name, value) in stamps {
        let _ = write!(text, "\n   {name}: {value}");
    }
    text
}

fn hosts(sidecar: &Value) -> String {
    let hosts = sidecar["spec"]["egress"][0]["hosts"]
        .as_array()
        .into_iter()
        .flatten();
    let hosts: Vec<&str> = hosts.filter_map(Value::as_str).collect();
    format!("   egress hosts: {}", hosts.join(", "))
}
