//! What fences of pods without a Service are called.

/// What the names of workload fences end with. No Service can have such a name: it has no dots.
pub const WORKLOAD_SUFFIX: &str = ".workload.identity";

/// Longest name of an object.
const MAX_NAME: usize = 253;

/// The name of the fence of the pods whose label has this value, or `None` if an object cannot be called so: a label may hold
/// capitals and underscores.
pub fn workload_fence_name(alias: &str, value: &str) -> Option<String> {
    let name = format!("{alias}-{value}{WORKLOAD_SUFFIX}");
    is_object_name(&name).then_some(name)
}

/// The value whose pods the fence called `name` is for.
pub fn workload_value<'a>(alias: &str, name: &'a str) -> Option<&'a str> {
    name.strip_suffix(WORKLOAD_SUFFIX)?
        .strip_prefix(alias)?
        .strip_prefix('-')
}

/// Whether Kubernetes takes `name`: a DNS subdomain.
fn is_object_name(name: &str) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= MAX_NAME
        && name.split('.').map(str::as_bytes).all(|part| {
            part.first().is_some_and(is_end)
                && part.last().is_some_and(is_end)
                && part.iter().all(|byte| is_end(byte) || *byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_fence_is_called_after_alias_and_value_and_is_found_by_it() {
        for value in ["web", "web-2", "web.shop", "2"] {
            let name = workload_fence_name("my-app", value);
            let name = name.unwrap_or_else(|| panic!("{value}"));
            assert_eq!(name, format!("my-app-{value}.workload.identity"));
            assert_eq!(workload_value("my-app", &name), Some(value));
            assert_eq!(workload_value("other", &name), None);
        }
        assert_eq!(workload_value("app", "app-web"), None);
    }

    #[test]
    fn a_value_that_no_object_can_be_called_by_makes_no_name() {
        for value in ["", "Web", "a_b", "a..b", "a-.b", "web-", &"a".repeat(250)] {
            assert_eq!(workload_fence_name("app", value), None, "{value}");
        }
    }
}
