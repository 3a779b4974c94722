//! Which fences make themselves, and which objects are this controller's.

use std::collections::BTreeSet;

use crate::fence::Labels;

/// Which Services and workloads get a fence of their own accord.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoFence {
    /// Whether any do (`autoFence`).
    pub is_on: bool,
    /// Whether those do of which neither the Service nor its namespace says so (`defaultFence`).
    pub default_fence: bool,
    /// Which namespaces take part (`blackNamespaceList`, `whiteNamespaceList`).
    pub namespaces: NamespaceScope,
    /// Which namespaces take part, by their labels: any of these, or all if there is none (`managementSelectors`).
    pub management_selectors: Vec<LabelSelector>,
    /// Fences of pods without a Service (`fenceLabelKeyAlias`).
    pub workloads: Option<WorkloadFences>,
}

/// Namespaces by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceScope {
    /// Every namespace.
    #[default]
    All,
    /// Every namespace but these.
    AllBut(BTreeSet<String>),
    /// These alone.
    Only(BTreeSet<String>),
}

/// A Kubernetes label selector: all of its requirements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// `matchLabels`.
    pub match_labels: Labels,
    /// `matchExpressions`.
    pub match_expressions: Vec<LabelRequirement>,
}

/// An entry of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRequirement {
    /// Label key.
    pub key: String,
    /// What its value has to be.
    pub operator: Operator,
}

/// The operator of a [`LabelRequirement`], with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// One of these.
    In(BTreeSet<String>),
    /// None of these, or no such label.
    NotIn(BTreeSet<String>),
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// Fences of pods by a label: one per namespace and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadFences {
    /// The label key.
    pub key: String,
    /// What the names of the fences begin with: `<alias>-<value>.workload.identity`.
    pub alias: String,
}

/// Which objects are this controller's, by the label `istio.io/rev`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    /// Revisions in scope; empty means all (`global.istioRev`, a comma list).
    pub in_scope: BTreeSet<String>,
    /// Whether objects without the label are out of scope (`global.strictRev`).
    pub is_strict: bool,
    /// The revision that objects made by the controller carry (`global.selfResourceRev`).
    pub own: Option<String>,
}

impl Revisions {
    /// Whether an object with this value of the label `istio.io/rev`, if it has one, is this controller's (Slime's `RevInScope`).
    pub fn includes(&self, revision: Option<&str>) -> bool {
        match revision.filter(|revision| !revision.is_empty()) {
            _ if self.in_scope.is_empty() => true,
            Some(revision) => self.in_scope.contains(revision),
            None => !self.is_strict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_revisions_everything_is_in_scope_and_strictness_is_about_what_has_none() {
        let mk = |in_scope: &[&str], is_strict| Revisions {
            in_scope: in_scope
                .iter()
                .map(|&revision| revision.to_owned())
                .collect(),
            is_strict,
            own: None,
        };
        for (revisions, revision, expected) in [
            (mk(&[], true), None, true),
            (mk(&[], false), Some("a"), true),
            (mk(&["a"], false), None, true),
            (mk(&["a"], false), Some(""), true),
            (mk(&["a"], true), None, false),
            (mk(&["a"], true), Some("a"), true),
            (mk(&["a"], false), Some("b"), false),
        ] {
            assert_eq!(
                revisions.includes(revision),
                expected,
                "{revisions:?} {revision:?}"
            );
        }
    }
}
