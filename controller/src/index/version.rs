//! Which of two views of one object is newer.

/// Whether an object at `incoming` may replace one at `present`.
///
/// Resource versions are compared as numbers, which Kubernetes promises since 1.35 and every etcd-backed API server did
/// before. Where one is not a number, the later to arrive wins.
pub fn may_replace(present: Option<&str>, incoming: Option<&str>) -> bool {
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u128>().ok());
    match (number(present), number(incoming)) {
        (Some(present), Some(incoming)) => incoming >= present,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(may_replace(Some("9"), Some("10")));
        assert!(may_replace(Some("10"), Some("10")));
        assert!(!may_replace(Some("10"), Some("9")));
    }

    #[test]
    fn without_numbers_the_later_to_arrive_wins() {
        assert!(may_replace(None, Some("1")));
        assert!(may_replace(Some("b"), Some("a")));
    }
}
