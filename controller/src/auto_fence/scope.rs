//! Which namespaces take part.

use crate::{
    fence::Labels,
    settings::{AutoFence, LabelRequirement, LabelSelector, NamespaceScope, Operator},
};

/// Whether the namespace of this name and with these labels takes part in automatic fences: the list of names and the selectors,
/// where there are any, both have to say so.
pub fn is_in_scope(settings: &AutoFence, namespace: &str, labels: &Labels) -> bool {
    let is_named = match &settings.namespaces {
        NamespaceScope::All => true,
        NamespaceScope::AllBut(names) => !names.contains(namespace),
        NamespaceScope::Only(names) => names.contains(namespace),
    };
    let mut selectors = settings.management_selectors.iter();
    is_named
        && (settings.management_selectors.is_empty()
            || selectors.any(|selector| selects(selector, labels)))
}

/// Whether `labels` meet all that `selector` asks for. An empty one asks for nothing, as in Kubernetes.
pub fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let mut wanted = selector.match_labels.iter();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
        && selector
            .match_expressions
            .iter()
            .all(|requirement| meets(requirement, labels))
}

fn meets(requirement: &LabelRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    match &requirement.operator {
        Operator::In(values) => value.is_some_and(|value| values.contains(value)),
        Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
        Operator::Exists => value.is_some(),
        Operator::DoesNotExist => value.is_none(),
    }
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

    fn mk_expression(operator: Operator) -> LabelSelector {
        LabelSelector {
            match_expressions: vec![LabelRequirement {
                key: "env".to_owned(),
                operator,
            }],
            ..LabelSelector::default()
        }
    }

    fn mk_label(key: &str, value: &str) -> LabelSelector {
        LabelSelector {
            match_labels: mk_labels(&[(key, value)]),
            ..LabelSelector::default()
        }
    }

    #[test]
    fn every_operator_means_what_it_means_to_kubernetes() {
        let values = || ["a".to_owned(), "b".to_owned()].into();
        for (operator, [without, listed, other]) in [
            (Operator::In(values()), [false, true, false]),
            (Operator::NotIn(values()), [true, false, true]),
            (Operator::Exists, [false, true, true]),
            (Operator::DoesNotExist, [true, false, false]),
        ] {
            let selector = mk_expression(operator);
            let with = |pairs: &[_]| selects(&selector, &mk_labels(pairs));
            assert_eq!(
                [with(&[]), with(&[("env", "b")]), with(&[("env", "c")])],
                [without, listed, other],
                "{selector:?}"
            );
        }
    }

    #[test]
    fn a_selector_asks_for_all_of_its_requirements_and_an_empty_one_for_nothing() {
        let both = LabelSelector {
            match_labels: mk_labels(&[("team", "web")]),
            ..mk_expression(Operator::Exists)
        };
        assert!(selects(&both, &mk_labels(&[("team", "web"), ("env", "a")])));
        assert!(!selects(&both, &mk_labels(&[("team", "web")])));
        assert!(!selects(&both, &mk_labels(&[("env", "a")])));
        assert!(selects(&LabelSelector::default(), &Labels::new()));
    }

    #[test]
    fn a_namespace_is_in_scope_if_its_name_and_any_selector_say_so() {
        let names = || ["a".to_owned()].into();
        let mk = |namespaces, selectors: &[LabelSelector]| AutoFence {
            namespaces,
            management_selectors: selectors.to_vec(),
            ..AutoFence::default()
        };
        let web = [mk_label("team", "web"), mk_label("team", "shop")];
        for (settings, [a, b, b_of_web]) in [
            (mk(NamespaceScope::All, &[]), [true, true, true]),
            (
                mk(NamespaceScope::AllBut(names()), &[]),
                [false, true, true],
            ),
            (mk(NamespaceScope::Only(names()), &[]), [true, false, false]),
            (mk(NamespaceScope::All, &web), [false, false, true]),
            (
                mk(NamespaceScope::AllBut(names()), &web),
                [false, false, true],
            ),
            (
                mk(NamespaceScope::Only(names()), &web),
                [false, false, false],
            ),
        ] {
            let in_scope = |name, pairs: &[_]| is_in_scope(&settings, name, &mk_labels(pairs));
            assert_eq!(
                [
                    in_scope("a", &[]),
                    in_scope("b", &[]),
                    in_scope("b", &[("team", "shop")])
                ],
                [a, b, b_of_web],
                "{settings:?}"
            );
        }
    }
}
