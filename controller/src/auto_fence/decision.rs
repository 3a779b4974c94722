//! What the labels say.

use super::FENCED_LABEL;
use crate::fence::Labels;

/// Whether a Service (or a pod) with the labels `own` in a namespace with the labels `namespace` is fenced of its own accord:
/// its own word counts before its namespace's, and that before `default`. Any value but `true` and `false` says nothing.
pub fn is_fenced(own: &Labels, namespace: &Labels, default: bool) -> bool {
    let word = |labels: &Labels| match labels.get(FENCED_LABEL).map(String::as_str) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    word(own).or(word(namespace)).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_labels(word: Option<&str>) -> Labels {
        word.iter()
            .map(|word| (FENCED_LABEL.to_owned(), (*word).to_owned()))
            .collect()
    }

    #[test]
    fn the_service_counts_before_the_namespace_and_that_before_the_default() {
        let (yes, no, odd) = (Some("true"), Some("false"), Some("True"));
        for (service, namespace, [without_default, with_default]) in [
            (None, None, [false, true]),
            (odd, None, [false, true]),
            (None, odd, [false, true]),
            (odd, odd, [false, true]),
            (None, yes, [true, true]),
            (odd, yes, [true, true]),
            (None, no, [false, false]),
            (odd, no, [false, false]),
            (yes, None, [true, true]),
            (yes, yes, [true, true]),
            (yes, no, [true, true]),
            (yes, odd, [true, true]),
            (no, None, [false, false]),
            (no, yes, [false, false]),
            (no, no, [false, false]),
            (no, odd, [false, false]),
        ] {
            let fenced = |default| is_fenced(&mk_labels(service), &mk_labels(namespace), default);
            assert_eq!(
                [fenced(false), fenced(true)],
                [without_default, with_default],
                "{service:?} {namespace:?}"
            );
        }
    }
}
