//! Values as they are compared: what is random or measured is replaced by what it is.

use crate::oracle::wire::ID;

/// A value as it is compared: what is random or measured is replaced by what it is.
pub fn normal(name: &str, value: &str) -> String {
    match name {
        ID => "<id>".into(),
        "date" => "<date>".into(),
        "x-envoy-upstream-service-time" if value.parse::<u64>().is_ok() => "<milliseconds>".into(),
        "x-forwarded-client-cert" => value
            .split(',')
            .map(certificate)
            .collect::<Vec<_>>()
            .join(","),
        "x-request-id" | "traceparent" => shape(value),
        _ if name.starts_with("x-b3-") => shape(value),
        _ => value.to_owned(),
    }
}

fn certificate(element: &str) -> String {
    let pairs = element
        .split(';')
        .map(|pair| match pair.strip_prefix("Hash=") {
            Some(hash) => format!("Hash={}", shape(hash)),
            None => pair.to_owned(),
        });
    pairs.collect::<Vec<_>>().join(";")
}

/// Runs of hexadecimal digits by their lengths; a value that holds anything else is itself.
fn shape(value: &str) -> String {
    let is_random = |c: char| c.is_ascii_hexdigit() || c == '-';
    if !value.chars().all(is_random) {
        return value.to_owned();
    }
    let runs = value.split('-').map(|run| format!("<{} hex>", run.len()));
    runs.collect::<Vec<_>>().join("-")
}

/// How long something took, in classes that a busy machine does not blur.
pub fn time_class(milliseconds: f64) -> &'static str {
    match milliseconds {
        ..1000.0 => "below 1 s",
        ..3000.0 => "1 to 3 s",
        _ => "above 3 s",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_values_are_compared_by_shape() {
        assert_eq!(
            normal("x-request-id", "0c1f2e3d-aaaa-4bbb-8ccc-0123456789ab"),
            "<8 hex>-<4 hex>-<4 hex>-<4 hex>-<12 hex>"
        );
        assert_eq!(normal("x-request-id", "application"), "application");
        assert_eq!(
            normal(
                "x-forwarded-client-cert",
                "By=spiffe://s;Hash=00ff;URI=spiffe://c"
            ),
            "By=spiffe://s;Hash=<4 hex>;URI=spiffe://c"
        );
        assert_eq!(normal("x-envoy-attempt-count", "2"), "2");
    }
}
