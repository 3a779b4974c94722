//! The lists of `general`: dispatches, aliases and selectors, as they are written and as they are meant.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{error::Problem, scalar::Scalar};
use crate::{
    dispatch::{check_expression, is_cluster, is_domain},
    settings::{Alias, LabelRequirement, LabelSelector, Operator},
};

/// What Slime calls its forwarder in a dispatch.
pub(super) const GLOBAL_SIDECAR: &str = "_GLOBAL_SIDECAR";

/// An item of `dispatches`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DispatchKeys {
    name: Option<Scalar>,
    domains: Option<Vec<String>>,
    domain_regex: Option<String>,
    cluster: Option<String>,
}

/// A checked item of `dispatches`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DispatchRule {
    pub name: String,
    pub domains: Vec<String>,
    pub domain_regex: Option<String>,
    /// A cluster of Envoy's, or [`GLOBAL_SIDECAR`].
    pub cluster: String,
}

pub(super) fn dispatches(items: Vec<DispatchKeys>) -> Result<Vec<DispatchRule>, Problem> {
    let mut rules: Vec<DispatchRule> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let at = format!("general.dispatches[{index}]");
        let rule = dispatch(&at, item)?;
        if rules.iter().any(|other| other.name == rule.name) {
            return Err(Problem::new(
                &format!("{at}.name"),
                format!("{:?} is the name of an earlier dispatch", rule.name),
            ));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn dispatch(at: &str, item: DispatchKeys) -> Result<DispatchRule, Problem> {
    let problem = |key: &str, text: String| Problem::new(&format!("{at}.{key}"), text);
    let stated = |text: Option<String>| text.filter(|text| !text.is_empty());
    let Some(name) = stated(item.name.map(|Scalar(name)| name)) else {
        return Err(problem("name", "a name is needed".to_owned()));
    };
    let Some(cluster) = stated(item.cluster) else {
        return Err(problem(
            "cluster",
            format!(
                "where to? A cluster such as PassthroughCluster or outbound|80||host, or {GLOBAL_SIDECAR}, is needed"
            ),
        ));
    };
    if cluster.contains("{{") {
        return Err(problem(
            "cluster",
            format!("{cluster:?}: Helm templates are not evaluated, write what comes of it"),
        ));
    }
    if !is_cluster(&cluster) {
        return Err(problem(
            "cluster",
            format!(
                "{cluster:?} is no name of a cluster: it has blanks, braces or other odd characters"
            ),
        ));
    }
    let domains = item.domains.unwrap_or_default();
    for (index, domain) in domains.iter().enumerate() {
        if !is_domain(domain) {
            return Err(problem(
                &format!("domains[{index}]"),
                format!(
                    "{domain:?} is no host, *.<suffix>, <prefix>.* or *; expressions go into domainRegex"
                ),
            ));
        }
    }
    let domain_regex = stated(item.domain_regex);
    if let Some(regex) = &domain_regex
        && let Err(error) = check_expression(regex)
    {
        return Err(problem(
            "domainRegex",
            format!("{regex:?} cannot be used as a regular expression (RE2): {error}"),
        ));
    }
    if domains.is_empty() && domain_regex.is_none() {
        return Err(Problem::new(
            at,
            "which hosts? `domains` or `domainRegex` is needed",
        ));
    }
    Ok(DispatchRule {
        name,
        domains,
        domain_regex,
        cluster,
    })
}

/// An item of `domainAliases`. Whether the pattern can be used is found out where it is, so that one bad rule costs only itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasKeys {
    pattern: Option<String>,
    templates: Option<Vec<String>>,
}

impl From<AliasKeys> for Alias {
    fn from(keys: AliasKeys) -> Self {
        Self {
            pattern: keys.pattern.unwrap_or_default(),
            templates: keys.templates.unwrap_or_default(),
        }
    }
}

/// A Kubernetes label selector.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SelectorKeys {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<RequirementKeys>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequirementKeys {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
}

pub(super) fn selectors(items: Vec<SelectorKeys>) -> Result<Vec<LabelSelector>, Problem> {
    let mut selectors = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let expressions = item.match_expressions.unwrap_or_default().into_iter();
        let requirements = expressions.enumerate().map(|(position, requirement)| {
            let at = format!("general.managementSelectors[{index}].matchExpressions[{position}]");
            self::requirement(&at, requirement)
        });
        selectors.push(LabelSelector {
            match_labels: item.match_labels.unwrap_or_default().into_iter().collect(),
            match_expressions: requirements.collect::<Result<_, _>>()?,
        });
    }
    Ok(selectors)
}

fn requirement(at: &str, keys: RequirementKeys) -> Result<LabelRequirement, Problem> {
    let values = keys.values.unwrap_or_default();
    let has_values = !values.is_empty();
    let values = values.into_iter().collect();
    let operator = match (keys.operator.as_str(), has_values) {
        ("In", true) => Operator::In(values),
        ("NotIn", true) => Operator::NotIn(values),
        ("Exists", false) => Operator::Exists,
        ("DoesNotExist", false) => Operator::DoesNotExist,
        (other, _) => {
            return Err(Problem::new(
                &format!("{at}.operator"),
                format!(
                    "{other:?}: In and NotIn (with values), Exists and DoesNotExist (without) are the operators"
                ),
            ));
        }
    };
    Ok(LabelRequirement {
        key: keys.key,
        operator,
    })
}

#[cfg(test)]
mod tests {
    use super::is_domain;

    #[test]
    fn domains_are_those_of_envoys_virtual_hosts() {
        for domain in [
            "*",
            "www.163.com",
            "*.baidu.com",
            "baidu.*",
            "*-a.b",
            "a:80",
            "A_b",
        ] {
            assert!(is_domain(domain), "{domain}");
        }
        for domain in ["", "a.*.b", "*.a.*", "http://a", "a b", "**"] {
            assert!(!is_domain(domain), "{domain}");
        }
    }
}
