//! What Istio takes as `spec.egress[].hosts` of a Sidecar: the rules of its validating webhook, written out from
//! `pkg/config/validation` of Istio 1.31 (`ValidateSidecar`, `ValidateNamespaceSlashWildcardHostname`). On purpose not with the
//! program's own functions, which decide on what is written.

/// Why Istio would refuse the whole Sidecar for one of these hosts.
pub fn refusal(hosts: &[String]) -> Option<String> {
    if hosts.is_empty() {
        return Some("egress listener must contain at least one host".to_owned());
    }
    let mut refusals = hosts.iter().filter_map(|entry| {
        let refused = refusal_of(entry).err()?;
        Some(format!("{entry:?}: {refused}"))
    });
    refusals.next()
}

fn refusal_of(entry: &str) -> Result<(), &'static str> {
    let Some((namespace, host)) = entry.split_once('/') else {
        return Err("host must be of form namespace/dnsName");
    };
    if namespace.is_empty() || host.is_empty() {
        return Err("config namespace and dnsName in host entry cannot be empty");
    }
    // Istio before 1.31 takes `~` only by itself.
    if !["*", ".", "~"].contains(&namespace) && !is_label(namespace) {
        return Err("invalid namespace value");
    }
    if host != "*" && !host.contains('.') {
        return Err("short names (non FQDN) are not allowed");
    }
    if host.len() > 255 {
        return Err("domain name too long (max 255)");
    }
    let (first, rest) = match host.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (host, None),
    };
    if !is_wildcard_label(first) {
        return Err("first label invalid");
    }
    if let Some(rest) = rest {
        check_labels(rest)?;
    }
    if host.contains('*') && host != "*" && !host.starts_with("*.") {
        return Err("partial wildcard not allowed");
    }
    Ok(())
}

fn check_labels(domain: &str) -> Result<(), &'static str> {
    let labels: Vec<&str> = domain.split('.').collect();
    let last = labels.len() - 1;
    if labels[last].parse::<i64>().is_ok() {
        return Err("top level domain cannot be all-numeric");
    }
    for (index, label) in labels.into_iter().enumerate() {
        // `istio.io.`
        if index == last && label.is_empty() {
            return Ok(());
        }
        if !is_label(label) {
            return Err("label invalid");
        }
    }
    Ok(())
}

/// `[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?` of at most 63.
fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    label.len() <= 63
        && ends
            .iter()
            .all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes
            .iter()
            .all(|byte| *byte == b'-' || byte.is_ascii_alphanumeric())
}

/// `\*|(\*|\*-)?LABEL` of at most 63.
fn is_wildcard_label(label: &str) -> bool {
    let rest = label.strip_prefix('*').unwrap_or(label);
    let rest = if rest.len() < label.len() {
        rest.strip_prefix('-').unwrap_or(rest)
    } else {
        rest
    };
    label == "*" || (label.len() <= 63 && is_label(rest))
}

#[test]
fn the_rules_are_istios() {
    let refused = |entry: &str| refusal(&[entry.to_owned()]).is_some();
    let long = format!("*/{}.b", "a".repeat(64));
    // Most of them from Istio's own tests of them.
    for taken in [
        "ns1/foo.com",
        "*/*",
        "*/foo.com",
        "./bar.com",
        "~/*",
        "ns/*.example.com",
        "ns/*.com",
        "*/Upper.example",
        "*/istio.io.",
    ] {
        assert!(!refused(taken), "{taken}");
    }
    for entry in [
        "",
        "foo.com",
        "ns1/",
        "/foo.com",
        "ns1/short",
        "ns1/*foo.example.com",
        "ns1/a.*.example.com",
        "ns1/foo..com",
        "ns1/foo.-com",
        "ns1/foo.123",
        "*/10.0.0.1",
        "a.b/foo.com",
        "*/foo bar.com",
        &long,
    ] {
        assert!(refused(entry), "{entry}");
    }
    assert!(refusal(&[]).is_some());
}
