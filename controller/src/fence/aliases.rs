//! Further names of hosts (`domainAliases`).

use regex::bytes::{Regex, RegexBuilder};

use super::is_host;
use crate::settings::Alias;

/// The rules that can be applied, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Aliases {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// Position in the configuration.
    index: usize,
    pattern: Regex,
    templates: Vec<String>,
}

impl Aliases {
    /// Reads `rules`, and says in words what is wrong with those that cannot be applied. Such a rule costs no other one anything;
    /// in Slime it costs all of them.
    pub fn compile(rules: &[Alias]) -> (Self, Vec<String>) {
        let (mut aliases, mut problems) = (Self::default(), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            // RE2's classes, such as \d, are of ASCII.
            let pattern = RegexBuilder::new(&rule.pattern).unicode(false).build();
            match pattern {
                _ if rule.templates.is_empty() => problems.push(format!(
                    "domainAliases[{index}] has no templates and does nothing; give it at least one"
                )),
                Ok(pattern) => aliases.rules.push(Rule {
                    index,
                    pattern,
                    templates: rule.templates.clone(),
                }),
                Err(error) => problems.push(format!(
                    "domainAliases[{index}] is left out: its pattern {:?} is no regular expression: {error}",
                    rule.pattern
                )),
            }
        }
        (aliases, problems)
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The further names of `host`: those of every rule whose pattern matches it exactly once. A name that is no host is left out,
    /// with a text in its place that says so.
    pub fn of(&self, host: &str) -> Vec<Result<String, String>> {
        let mut names = Vec::new();
        for rule in &self.rules {
            let mut matches = rule.pattern.captures_iter(host.as_bytes());
            let (Some(found), None) = (matches.next(), matches.next()) else {
                continue;
            };
            for template in &rule.templates {
                let mut name = Vec::new();
                found.expand(template.as_bytes(), &mut name);
                let name = String::from_utf8_lossy(&name).into_owned();
                names.push(if is_host(&name) {
                    Ok(name)
                } else {
                    Err(format!(
                        "domainAliases[{}]: template {template:?} makes {name:?} of {host}, which is no host name",
                        rule.index
                    ))
                });
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = r"(?P<service>[^\.]+)\.(?P<namespace>[^\.]+)\.svc\.cluster\.local$";

    fn mk_rule(pattern: &str, templates: &[&str]) -> Alias {
        Alias {
            pattern: pattern.to_owned(),
            templates: templates.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    fn names(pattern: &str, templates: &[&str], host: &str) -> Vec<String> {
        let (aliases, problems) = Aliases::compile(&[mk_rule(pattern, templates)]);
        assert_eq!(problems, [] as [String; 0]);
        aliases
            .of(host)
            .into_iter()
            .filter_map(Result::ok)
            .collect()
    }

    #[test]
    fn templates_name_groups_as_go_does() {
        let host = "details.default.svc.cluster.local";
        for (template, expected) in [
            ("$namespace.$service.mailsaas", "default.details.mailsaas"),
            ("${service}x.$2", "detailsx.default"),
            // `$1x` is the group "1x", which is none.
            ("a$1x.b", "a.b"),
        ] {
            assert_eq!(names(SERVICE, &[template], host), [expected], "{template}");
        }
    }

    #[test]
    fn a_pattern_has_to_match_exactly_once() {
        assert_eq!(names("a", &["x.b"], "a.c"), ["x.b"]);
        assert_eq!(names("a", &["x.b"], "a.a"), [] as [&str; 0]);
        assert_eq!(names("a", &["x.b"], "b.c"), [] as [&str; 0]);
        assert_eq!(names("(?i)^A", &["x.b"], "a.a"), ["x.b"]);
    }

    #[test]
    fn a_rule_that_cannot_be_applied_says_so_and_costs_the_others_nothing() {
        let (aliases, problems) = Aliases::compile(&[
            mk_rule("(", &["x.b"]),
            mk_rule("a", &[]),
            mk_rule("a", &["x.b"]),
        ]);
        assert!(problems[0].starts_with("domainAliases[0]"), "{problems:?}");
        assert!(problems[1].starts_with("domainAliases[1]"), "{problems:?}");
        assert_eq!(problems.len(), 2);
        assert_eq!(aliases.of("a"), [Ok("x.b".to_owned())]);
    }

    #[test]
    fn an_expansion_that_is_no_host_says_so_and_costs_the_others_nothing() {
        let (aliases, _) = Aliases::compile(&[mk_rule("^(a)", &["$1 b", "$none", "$1.b"])]);
        let found = aliases.of("a.c");
        assert_eq!(found[2], Ok("a.b".to_owned()));
        assert!(
            found[0].as_ref().unwrap_err().contains("\"a b\""),
            "{found:?}"
        );
        assert!(
            found[1].as_ref().unwrap_err().contains("domainAliases[0]"),
            "{found:?}"
        );
    }
}
