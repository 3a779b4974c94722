//! Single objects of a fixed name that the controller keeps as they should be: the placeholder and the replay EnvoyFilters. Pure.

use kube::{Resource, ResourceExt, core::object::HasSpec};

use crate::{api::REVISION_LABEL, fence::Labels, settings::Settings};

/// Label by which controllers of this kind know what one of them has made.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "lazyload");
/// Label that says which of them: the `slimeNamespace` of its installation. Not `app.kubernetes.io/instance`, by which Argo CD tells
/// what belongs to an application, and removes what that application does not have.
pub const INSTALLATION_LABEL: &str = "lazyload.internal/installation";
/// The labels that the controller keeps.
const KEPT_LABELS: [&str; 3] = [MANAGED_BY.0, INSTALLATION_LABEL, REVISION_LABEL];

/// The one step that brings an object where it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<K> {
    /// Everything is as it should be.
    Keep,
    /// Write it.
    Apply(Box<K>),
    /// It should not be: remove the object of this uid.
    Delete {
        /// Uid of the object that may be deleted.
        uid: String,
    },
    /// An object of its name exists that this installation did not make.
    Foreign,
}

/// Compares the object that should be, if one should, with the one that is.
pub fn plan<K>(desired: Option<K>, existing: Option<&K>, settings: &Settings) -> Action<K>
where
    K: Resource + HasSpec<Spec: PartialEq>,
{
    let is_ours = |object: &K| is_ours(object, &settings.slime_namespace);
    match (desired, existing) {
        (Some(_), Some(existing)) if !is_ours(existing) => Action::Foreign,
        (Some(desired), Some(existing)) if is_same(existing, &desired) => Action::Keep,
        (Some(desired), _) => Action::Apply(Box::new(desired)),
        // Without a wish of our own there is no conflict.
        (None, Some(existing)) if is_ours(existing) => Action::Delete {
            uid: existing.meta().uid.clone().unwrap_or_default(),
        },
        (None, _) => Action::Keep,
    }
}

/// The labels of what the controller makes: whose it is and, where a revision of one's own is configured, which istiod it is for.
pub fn labels(settings: &Settings) -> Labels {
    let own = settings.revisions.own.as_deref();
    let revision = own.filter(|own| !own.is_empty());
    let revision = revision.map(|revision| (REVISION_LABEL, revision));
    let whose = [
        MANAGED_BY,
        (INSTALLATION_LABEL, settings.slime_namespace.as_str()),
    ];
    let labels = whose.into_iter().chain(revision);
    labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Whether `found` says what `desired` says. Labels of others' are no difference.
pub fn is_same<K: Resource + HasSpec<Spec: PartialEq>>(found: &K, desired: &K) -> bool {
    let is_same = |label| found.labels().get(label) == desired.labels().get(label);
    found.spec() == desired.spec() && KEPT_LABELS.into_iter().all(is_same)
}

/// Whether the installation of this `slimeNamespace` made `object`. One that does not say which did is of a version that knew of
/// none but itself.
pub fn is_ours(object: &impl Resource, slime_namespace: &str) -> bool {
    is_managed(object) && installation_of(object).is_none_or(|made_by| made_by == slime_namespace)
}

/// The installation that made `object`, if one did and says so.
pub fn installation_of(object: &impl Resource) -> Option<&str> {
    let installation = object.labels().get(INSTALLATION_LABEL);
    installation
        .map(String::as_str)
        .filter(|_| is_managed(object))
}

fn is_managed(object: &impl Resource) -> bool {
    object.labels().get(MANAGED_BY.0).map(String::as_str) == Some(MANAGED_BY.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EnvoyFilter;

    fn mk_settings(namespace: &str, revision: Option<&str>) -> Settings {
        let mut settings = Settings {
            slime_namespace: namespace.to_owned(),
            ..Settings::default()
        };
        settings.revisions.own = revision.map(str::to_owned);
        settings
    }

    fn mk_filter(labels: Labels) -> EnvoyFilter {
        let mut filter = EnvoyFilter::new("any", Default::default());
        filter.metadata.labels = Some(labels);
        filter.metadata.uid = Some("u1".to_owned());
        filter
    }

    #[test]
    fn what_another_installation_made_is_neither_changed_nor_deleted() {
        let (ours, theirs) = (mk_settings("a", None), mk_settings("b", None));
        let mut filter = mk_filter(labels(&theirs));
        let wanted = || Some(mk_filter(labels(&ours)));
        assert_eq!(plan(wanted(), Some(&filter), &ours), Action::Foreign);
        assert_eq!(plan(None, Some(&filter), &ours), Action::Keep);
        assert_eq!(installation_of(&filter), Some("b"));
        filter.labels_mut().remove(MANAGED_BY.0);
        assert_eq!(plan(None, Some(&filter), &theirs), Action::Keep);
        assert_eq!(installation_of(&filter), None, "somebody else's");
    }

    #[test]
    fn what_does_not_say_which_installation_made_it_is_ours_and_gets_to_say_it() {
        let settings = mk_settings("a", None);
        let mut filter = mk_filter(labels(&settings));
        filter.labels_mut().remove(INSTALLATION_LABEL);
        let wanted = mk_filter(labels(&settings));
        let applied = Action::Apply(Box::new(wanted.clone()));
        assert_eq!(plan(Some(wanted), Some(&filter), &settings), applied);
        let uid = "u1".to_owned();
        assert_eq!(plan(None, Some(&filter), &settings), Action::Delete { uid });
    }

    #[test]
    fn the_revision_is_followed_when_it_changes_and_others_labels_are_not_minded() {
        for (before, after, is_kept) in [
            (None, None, true),
            (Some(""), None, true),
            (Some("x"), Some("x"), true),
            (None, Some("x"), false),
            (Some("x"), Some("y"), false),
            (Some("x"), None, false),
        ] {
            let settings = mk_settings("a", after);
            let wanted = mk_filter(labels(&settings));
            let mut existing = mk_filter(labels(&mk_settings("a", before)));
            let team = ("team".to_owned(), "web".to_owned());
            existing.labels_mut().extend([team]);
            let action = plan(Some(wanted), Some(&existing), &settings);
            assert_eq!(action == Action::Keep, is_kept, "{before:?} {after:?}");
        }
    }
}
