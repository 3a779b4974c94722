//! Whether a workload takes nothing but mTLS.

use super::selects::{may_select, surely_selects};
use crate::fence::{Labels, ObjectRef};

/// What a PeerAuthentication says about one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MtlsMode {
    /// Nothing: what is wider counts.
    #[default]
    Unset,
    /// Plain text is taken too, or alone.
    Loose,
    /// mTLS alone.
    Strict,
}

impl MtlsMode {
    /// The mode of this name, as Istio writes it. A name that Istio does not know counts as strict, because holding in vain costs
    /// less than a request that fails.
    pub fn named(name: Option<&str>) -> Self {
        match name {
            None | Some("UNSET" | "") => Self::Unset,
            Some("DISABLE" | "PERMISSIVE") => Self::Loose,
            Some(_) => Self::Strict,
        }
    }
}

/// The part of a PeerAuthentication that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    /// `spec.selector.matchLabels`; empty: the whole namespace, or in the root namespace the whole mesh.
    pub selector: Labels,
    /// `spec.mtls.mode`.
    pub mode: MtlsMode,
    /// Whether some entry of `spec.portLevelMtls` is strict. Those are the pods' ports, which a Service may call by name, so
    /// that which one is meant is not known.
    pub has_strict_port: bool,
}

/// Whether some pod that a Service of `namespace` with the selector `service` selects may refuse plain text.
///
/// Istio's precedence: policies with a selector, then the namespace's, then the mesh's in `root`; one that says nothing inherits.
/// Where Istio takes the oldest of several, the strictest counts here. Policies of the root namespace with a selector have no
/// effect in Istio.
pub fn is_strict<'a>(
    policies: impl Iterator<Item = (&'a ObjectRef, &'a PeerPolicy)> + Clone,
    root: &str,
    namespace: &str,
    service: &Labels,
) -> bool {
    let whole = |of: &str| {
        policies
            .clone()
            .filter(|(name, policy)| name.namespace == of && policy.selector.is_empty())
            .map(|(_, policy)| policy.mode)
            .fold(MtlsMode::Unset, strictest)
    };
    let inherited = match whole(namespace) {
        MtlsMode::Unset => whole(root),
        said => said,
    };
    let own = policies.filter(|(name, policy)| {
        name.namespace == namespace
            && namespace != root
            && !policy.selector.is_empty()
            && may_select(&policy.selector, service)
    });
    let mut is_loosened = false;
    for (_, policy) in own {
        if policy.mode == MtlsMode::Strict || policy.has_strict_port {
            return true;
        }
        is_loosened |= policy.mode == MtlsMode::Loose && surely_selects(&policy.selector, service);
    }
    inherited == MtlsMode::Strict && !is_loosened
}

fn strictest(one: MtlsMode, other: MtlsMode) -> MtlsMode {
    use MtlsMode::{Loose, Strict, Unset};
    match (one, other) {
        (Strict, _) | (_, Strict) => Strict,
        (Loose, _) | (_, Loose) => Loose,
        (Unset, Unset) => Unset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MtlsMode::{Loose, Strict, Unset};

    fn mk_policy(at: &str, selector: &[(&str, &str)], mode: MtlsMode) -> (ObjectRef, PeerPolicy) {
        let policy = PeerPolicy {
            selector: selector
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            mode,
            has_strict_port: false,
        };
        (ObjectRef::new(at, "policy"), policy)
    }

    /// Of the pods of a Service in `default` that selects `app: a`.
    fn strict(policies: &[(ObjectRef, PeerPolicy)]) -> bool {
        let service = Labels::from([("app".to_owned(), "a".to_owned())]);
        let policies = policies.iter().map(|(name, policy)| (name, policy));
        is_strict(policies, "istio-system", "default", &service)
    }

    #[test]
    fn without_policies_plain_text_is_taken() {
        assert!(!strict(&[]));
        assert!(!strict(&[mk_policy("other", &[], Strict)]));
    }

    #[test]
    fn the_narrower_policy_counts_and_one_that_says_nothing_inherits() {
        let mesh = mk_policy("istio-system", &[], Strict);
        for (policy, expected) in [
            (mk_policy("default", &[], Unset), true),
            (mk_policy("default", &[], Loose), false),
            (mk_policy("default", &[("app", "a")], Unset), true),
            (mk_policy("default", &[("app", "a")], Loose), false),
            (mk_policy("default", &[("app", "b")], Loose), true),
            (mk_policy("default", &[("version", "v1")], Loose), true),
        ] {
            assert_eq!(
                strict(&[mesh.clone(), policy.clone()]),
                expected,
                "{policy:?}"
            );
        }
        let loose = mk_policy("default", &[], Loose);
        for (selector, expected) in [
            (("app", "a"), true),
            (("version", "v1"), true),
            (("app", "b"), false),
        ] {
            let policy = mk_policy("default", &[selector], Strict);
            assert_eq!(strict(&[loose.clone(), policy]), expected, "{selector:?}");
        }
    }

    #[test]
    fn a_strict_port_counts_as_strict() {
        let mut policy = mk_policy("default", &[("app", "a")], Loose);
        policy.1.has_strict_port = true;
        assert!(strict(&[policy]));
    }

    #[test]
    fn a_selector_in_the_root_namespace_has_no_effect() {
        assert!(!strict(&[mk_policy(
            "istio-system",
            &[("app", "a")],
            Strict
        )]));
    }

    #[test]
    fn names_are_istios_and_unknown_ones_are_taken_seriously() {
        for (name, mode) in [
            (None, Unset),
            (Some("UNSET"), Unset),
            (Some("PERMISSIVE"), Loose),
            (Some("DISABLE"), Loose),
            (Some("STRICT"), Strict),
            (Some("STRICTER"), Strict),
        ] {
            assert_eq!(MtlsMode::named(name), mode, "{name:?}");
        }
    }
}
