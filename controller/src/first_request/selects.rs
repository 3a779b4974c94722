//! Whether a policy's selector picks the pods behind a Service, of which only the Service's selector is known.

use crate::fence::Labels;

/// Whether some of the pods may have all labels of `policy`: the Service does not ask for another value of any.
pub fn may_select(policy: &Labels, service: &Labels) -> bool {
    policy
        .iter()
        .all(|(key, value)| service.get(key).is_none_or(|wanted| wanted == value))
}

/// Whether all of the pods have all labels of `policy`.
pub fn surely_selects(policy: &Labels, service: &Labels) -> bool {
    policy
        .iter()
        .all(|(key, value)| service.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_selector_may_apply_unless_it_contradicts_and_surely_does_if_it_says_no_more() {
        let service = mk_labels(&[("app", "a"), ("tier", "web")]);
        for (policy, may, surely) in [
            (&[][..], true, true),
            (&[("app", "a")], true, true),
            (&[("app", "b")], false, false),
            (&[("version", "v1")], true, false),
            (&[("app", "a"), ("version", "v1")], true, false),
        ] {
            let policy = mk_labels(policy);
            assert_eq!(may_select(&policy, &service), may, "{policy:?}");
            assert_eq!(surely_selects(&policy, &service), surely, "{policy:?}");
        }
    }
}
