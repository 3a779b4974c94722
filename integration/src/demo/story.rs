//! The facts, told to a person.

use super::checks::Check;
use super::facts::{Call, Facts};
use super::timing::median;
use serde_json::Value;

/// The whole story as text.
pub fn tell(facts: &Facts, checks: &[Check]) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(String::new());
    line(
        "1. An empty fence: productpage's Sidecar makes only the controller and its placeholder visible"
            .into(),
    );
    line(hosts(&facts.sidecar.before));
    line("2. The first call from productpage misses, and is held until its route is there".into());
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
    line("6. How long a first call takes, beside the time from applying a Sidecar by hand until its route works".into());
    line("   debounce  first call        floor     ratio".into());
    for timing in &facts.timing {
        line(format!(
            "   {:8}  {:7.1} ms  {:8.1} ms  {:6.2}     medians of {}",
            timing.debounce,
            median(&timing.first_calls),
            median(&timing.floors),
            timing.ratio,
            timing.floors.len()
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
    format!(
        "   {} -> {} in {:.1} ms, answered by {} {}\n   cluster {}, route {}\n   caller as the upstream saw it: {}",
        "productpage",
        call.status,
        call.milliseconds,
        call.upstream.service,
        call.upstream.version,
        call.cluster,
        call.route,
        call.upstream.caller.as_deref().unwrap_or("none (no mTLS)"),
    )
}

fn hosts(sidecar: &Value) -> String {
    let hosts = sidecar["spec"]["egress"][0]["hosts"]
        .as_array()
        .into_iter()
        .flatten();
    let hosts: Vec<&str> = hosts.filter_map(Value::as_str).collect();
    format!("   egress hosts: {}", hosts.join(", "))
}
