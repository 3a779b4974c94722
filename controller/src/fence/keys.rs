//! What can be a key of a fence: of `spec.host` and `status.domains`, and of `status.metricStatus`.

const METRIC_LABELS: [&str; 2] = ["destination_service", "request_host"];

/// The key under which Slime stores a learned host in `status.metricStatus`.
pub fn metric_key(host: &str) -> String {
    format!("{{destination_service=\"{host}\"}}")
}

/// The host that a key of `status.metricStatus` names, in either of Slime's forms: `{destination_service="…"}` (learned
/// from access logs or here) and `{request_host="…"}` (Prometheus). `None` for keys that name no usable host.
pub fn host_of_metric_key(key: &str) -> Option<&str> {
    let inner = key.strip_prefix('{')?.strip_suffix('}')?;
    METRIC_LABELS
        .iter()
        .find_map(|label| inner.strip_prefix(label)?.strip_prefix("=\""))
        .and_then(|rest| rest.split('"').next())
        .filter(|host| is_host(host))
}

/// Whether `key` can be a key of `spec.host`: a host name or `<namespace>/*`.
pub fn is_domain(key: &str) -> bool {
    match key.strip_suffix("/*") {
        Some(namespace) => matches!(namespace, "*" | "." | "~") || is_namespace(namespace),
        None => is_host(key),
    }
}

/// Whether `name` can be the name of a namespace.
pub fn is_namespace(name: &str) -> bool {
    is_label(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// What Istio takes as a host of a Sidecar: a DNS name of more than one label, of which the first may be `*` and the last is not a
/// number, as that of an address is. For one host that is none Istio's webhook refuses the whole Sidecar.
pub fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let ends_in_name = host
        .rsplit_once('.')
        .is_some_and(|(_, last)| !last.bytes().all(|byte| byte.is_ascii_digit()));
    host.len() <= 253 && ends_in_name && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_metric_keys_name_their_host() {
        assert_eq!(
            host_of_metric_key(&metric_key("a.b.svc.cluster.local")),
            Some("a.b.svc.cluster.local")
        );
        assert_eq!(
            host_of_metric_key("{request_host=\"example.com\"}"),
            Some("example.com")
        );
        assert_eq!(
            host_of_metric_key("{destination_service=\"a.b\", reporter=\"source\"}"),
            Some("a.b")
        );
    }

    #[test]
    fn keys_without_a_usable_host_are_passed_over() {
        for key in [
            "",
            "a.b",
            "{other=\"a\"}",
            "{destination_service=\"\"}",
            "{destination_service=\"a:80\"}",
        ] {
            assert_eq!(host_of_metric_key(key), None, "{key}");
        }
    }

    #[test]
    fn names_that_merely_contain_slimes_filter_words_are_hosts() {
        assert_eq!(
            host_of_metric_key("{destination_service=\"global-sidecar-unknown.b\"}"),
            Some("global-sidecar-unknown.b")
        );
    }
}
