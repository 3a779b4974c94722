//! Who may use an object of the mesh.

use std::collections::BTreeSet;

/// Who may use an object: its `exportTo`, or what the mesh says where the object states none. [`Default`] is Istio's own
/// default: nothing is stated, and every namespace may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    // Nobody in particular means everybody.
    to: BTreeSet<String>,
    is_stated: bool,
}

impl Exported {
    /// From the list `namespaces`, which states nothing if it is empty.
    pub fn to<'a>(namespaces: impl IntoIterator<Item = &'a str>) -> Self {
        let to: BTreeSet<String> = namespaces
            .into_iter()
            .map(|namespace| namespace.trim().to_owned())
            .filter(|namespace| !namespace.is_empty())
            .collect();
        Self {
            is_stated: !to.is_empty(),
            to,
        }
    }

    /// Takes over the mesh's `default`, unless the object states something itself.
    pub fn follow(&mut self, default: &Self) {
        if !self.is_stated {
            self.to.clone_from(&default.to);
        }
    }

    /// Whether pods of the namespace `from` may use what lives in `own`.
    pub fn is_to(&self, from: &str, own: &str) -> bool {
        self.to.is_empty()
            || self
                .to
                .iter()
                .any(|to| to == "*" || to == from || (to == "." && own == from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn export_to_is_nobody_its_own_namespace_named_ones_or_all() {
        for (list, from_own, from_other) in [
            (&[][..], true, true),
            (&["*"], true, true),
            (&["."], true, false),
            (&["~"], false, false),
            (&[".", " other "], true, true),
            (&["third"], false, false),
        ] {
            let exported = Exported::to(list.iter().copied());
            assert_eq!(exported.is_to("own", "own"), from_own, "{list:?}");
            assert_eq!(exported.is_to("other", "own"), from_other, "{list:?}");
        }
    }

    #[test]
    fn only_what_states_nothing_follows_the_default_and_each_one_anew() {
        let mut unstated = Exported::to([" "]);
        let mut stated = Exported::to(["*"]);
        for (default, is_to_other) in [(&["."][..], false), (&["other"], true), (&[], true)] {
            let default = Exported::to(default.iter().copied());
            unstated.follow(&default);
            stated.follow(&default);
            assert_eq!(unstated.is_to("other", "own"), is_to_other, "{default:?}");
            assert!(stated.is_to("other", "own"), "{default:?}");
        }
    }
}
