//! Regular expressions that Envoy is to read.
//!
//! Envoy has RE2 and refuses a whole route table for one expression that RE2 does not take. RE2 is not here; its syntax is nearly
//! that of the crate `regex`, so that what both have is enough to be sure.

use regex::bytes::RegexBuilder;

/// As long as what istiod takes elsewhere.
const MAX_BYTES: usize = 1_024;
/// Largest automaton, in bytes; well below the 32768 instructions that Istio lets Envoy take.
const MAX_SIZE: usize = 1 << 18;
/// How often RE2 repeats anything at most, one repetition inside of another included.
const MAX_REPETITION: usize = 1_000;

/// Whether RE2 takes `expression`, too. What only one of them has is refused.
///
/// # Errors
/// In words, if it does not or if that is not sure.
pub fn check(expression: &str) -> Result<(), String> {
    if expression.is_empty() || expression.len() > MAX_BYTES || !expression.is_ascii() {
        return Err(format!("1 to {MAX_BYTES} ASCII characters are needed"));
    }
    let mut builder = RegexBuilder::new(expression);
    let compiled = builder.unicode(false).size_limit(MAX_SIZE).build();
    compiled.map_err(|error| error.to_string())?;
    if let Some(part) = not_in_both(expression) {
        return Err(format!(
            "{part:?} is not in RE2, or means something else there"
        ));
    }
    if repetitions(expression) > MAX_REPETITION {
        return Err(format!(
            "RE2 repeats nothing more than {MAX_REPETITION} times"
        ));
    }
    Ok(())
}

/// The first part that the two read in different ways.
fn not_in_both(expression: &str) -> Option<&str> {
    let mut rest = expression;
    let mut is_class = false;
    // RE2 takes one quantifier and a `?` behind it, the other any number of them.
    let mut may_be_repeated = true;
    while let Some(first) = rest.chars().next() {
        let (part, is_in_both) = if is_class {
            in_class(rest)
        } else {
            outside(rest)
        };
        if !is_in_both {
            return Some(part);
        }
        if matches!(first, '[' | ']') && part.len() == 1 {
            is_class = first == '[';
        }
        let is_quantifier = !is_class && matches!(first, '*' | '+' | '?' | '{');
        if is_quantifier && !may_be_repeated {
            return Some(part);
        }
        may_be_repeated = !is_quantifier;
        rest = rest.get(part.len()..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('?').filter(|_| is_quantifier) {
            rest = after;
        }
    }
    None
}

/// The first part of `rest`, which does not stand in a class, and whether both read it in the same way.
fn outside(rest: &str) -> (&str, bool) {
    let begin = |length: usize| rest.get(..length).unwrap_or(rest);
    if rest.starts_with('\\') {
        return escape(rest);
    }
    if rest.starts_with("(?") {
        let groups = ["(?:", "(?i)", "(?i:", "(?P<"];
        let known = groups.iter().find(|group| rest.starts_with(**group));
        return known.map_or((begin(4), false), |group| (begin(group.len()), true));
    }
    if rest.starts_with('{') {
        let end = rest.find('}').map_or(rest.len(), |end| end + 1);
        return (begin(end), !rest.starts_with("{,"));
    }
    // One that comes first in a class does not end it.
    let is_odd_class = rest.starts_with("[]") || rest.starts_with("[^]");
    (begin(1), !is_odd_class)
}

/// The same in a class.
fn in_class(rest: &str) -> (&str, bool) {
    let begin = |length: usize| rest.get(..length).unwrap_or(rest);
    if rest.starts_with('\\') {
        return escape(rest);
    }
    if rest.starts_with("[:") {
        return rest
            .find(":]")
            .map_or((rest, false), |end| (begin(end + 2), true));
    }
    // Classes in classes, and operators between them.
    let is_operator = ["[", "&", "~", "--"]
        .iter()
        .any(|operator| rest.starts_with(operator));
    (begin(1), !is_operator)
}

fn escape(rest: &str) -> (&str, bool) {
    let escaped = rest.chars().nth(1).unwrap_or_default();
    let is_in_both = "dDwWsSbB".contains(escaped)
        || (escaped.is_ascii_punctuation() && !matches!(escaped, '<' | '>'));
    (rest.get(..2).unwrap_or(rest), is_in_both)
}

/// At most how often something is repeated: all counts, one upon the other.
fn repetitions(expression: &str) -> usize {
    let counts = expression.split('{').skip(1).filter_map(|after| {
        let (inside, _) = after.split_once('}')?;
        inside
            .split(',')
            .filter_map(|count| count.trim().parse::<usize>().ok())
            .max()
    });
    counts.fold(1, |product, count| product.saturating_mul(count.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hosts_are_written_with_is_taken() {
        for expression in [
            r"(www\.)?163\.com",
            "[a-z0-9-]+[.]example[.](com|org)",
            "(?:a|b)+?c*",
            "(?i)A",
            "(?P<tenant>[^.]+)\\.example\\.com",
            "[[:alnum:]]{1,63}\\.internal",
            r"\d+\.\w+",
            "^a$|^b$",
            ".*",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn what_envoy_might_refuse_or_read_otherwise_is_refused() {
        for expression in [
            "",
            "(",
            "[a",
            "*a",
            "a(?=b)",
            "(?<name>a)",
            "(?x: a )",
            "[a&&b]",
            "[a[b]]",
            "[a--b]",
            "[[:alnum:]&&a]",
            r"\pN",
            r"a\<",
            r"\x{41}",
            "a**",
            "a{2}{3}",
            "a+*",
            "a*??",
            "a{,3}",
            "a{1001}",
            "(a{40}){40}",
            "é",
            &"a".repeat(1_025),
        ] {
            assert!(check(expression).is_err(), "{expression}");
        }
    }
}
