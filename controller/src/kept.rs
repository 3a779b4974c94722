//! Single objects of a fixed name that the controller keeps as they should be: the placeholder and the replay EnvoyFilters. Pure.

use kube::{Resource, ResourceExt, core::object::HasSpec};

/// Label by which the controller knows what it has made.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "lazyload");

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
    /// An object of its name exists that the controller did not make.
    Foreign,
}

/// Compares the object that should be, if one should, with the one that is.
pub fn plan<K>(desired: Option<K>, existing: Option<&K>) -> Action<K>
where
    K: Resource + HasSpec<Spec: PartialEq>,
{
    match (desired, existing) {
        (Some(_), Some(existing)) if !is_ours(existing) => Action::Foreign,
        (Some(desired), Some(existing)) if desired.spec() == existing.spec() => Action::Keep,
        (Some(desired), _) => Action::Apply(Box::new(desired)),
        // Without a wish of our own there is no conflict.
        (None, Some(existing)) if is_ours(existing) => Action::Delete {
            uid: existing.meta().uid.clone().unwrap_or_default(),
        },
        (None, _) => Action::Keep,
    }
}

/// Whether the controller made `object`.
pub fn is_ours(object: &impl Resource) -> bool {
    object.labels().get(MANAGED_BY.0).map(String::as_str) == Some(MANAGED_BY.1)
}
