//! What to do about a fence's Sidecar.

use std::collections::BTreeSet;

use kube::ResourceExt;

use crate::api::{FENCE_KIND, REVISION_LABEL, ServiceFence, Sidecar};

/// The one step that brings a fence's Sidecar where it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum SidecarAction {
    /// Everything is as it should be.
    Keep,
    /// There is none, and there should be.
    Create(Box<Sidecar>),
    /// The fence's own Sidecar differs.
    Update {
        /// What it should be.
        desired: Box<Sidecar>,
        /// Uid of the object that may be changed.
        uid: String,
        /// The version at which it was found.
        version: Option<String>,
    },
    /// The fence's own Sidecar should not be.
    Delete {
        /// Uid of the object that may be deleted.
        uid: String,
    },
    /// A Sidecar of this name belongs to somebody else.
    Foreign {
        /// Who, in words.
        owner: String,
    },
    /// The Sidecar is on its way out; its end is an event of its own.
    Wait,
}

/// Compares what should be with what is.
///
/// Unlike Slime, which overwrites any Sidecar of the fence's name, a Sidecar counts as the fence's own only if the
/// fence (by uid) is its controlling owner. A Sidecar that Slime made for the same fence therefore is taken over as it is.
pub fn plan_sidecar(
    fence: &ServiceFence,
    desired: Option<Sidecar>,
    existing: Option<&Sidecar>,
) -> SidecarAction {
    let Some(existing) = existing else {
        return desired.map_or(SidecarAction::Keep, |desired| {
            SidecarAction::Create(Box::new(desired))
        });
    };
    if let Some(owner) = foreign_owner(fence, existing) {
        // Without a wish of our own there is no conflict.
        return desired.map_or(SidecarAction::Keep, |_| SidecarAction::Foreign { owner });
    }
    if existing.metadata.deletion_timestamp.is_some() {
        return SidecarAction::Wait;
    }
    let uid = existing.metadata.uid.clone().unwrap_or_default();
    match desired {
        None => SidecarAction::Delete { uid },
        Some(desired) if is_up_to_date(existing, &desired) => SidecarAction::Keep,
        Some(desired) => SidecarAction::Update {
            desired: Box::new(desired),
            uid,
            version: existing.metadata.resource_version.clone(),
        },
    }
}

/// Whether `existing` says all that `desired` says and nothing else that a fence decides. Foreign labels and annotations
/// are their owners' business; the revision label is not.
pub fn is_up_to_date(existing: &Sidecar, desired: &Sidecar) -> bool {
    let revision = |sidecar: &Sidecar| sidecar.labels().get(REVISION_LABEL).cloned();
    existing.spec == desired.spec
        && revision(existing) == revision(desired)
        && desired
            .owner_references()
            .iter()
            .all(|owner| existing.owner_references().contains(owner))
}

/// Whether `existing` shows something that `desired` does not.
pub fn shows_more(existing: &Sidecar, desired: &Sidecar) -> bool {
    let desired: BTreeSet<&String> = hosts(desired).collect();
    hosts(existing).any(|host| !desired.contains(host))
}

/// Whether `desired` is `existing` with further hosts and nothing else.
pub fn is_widened(existing: &Sidecar, desired: &Sidecar) -> bool {
    let mut before = desired.clone();
    let listeners = before.spec.egress.iter_mut().zip(&existing.spec.egress);
    for (listener, existing) in listeners {
        listener.hosts.clone_from(&existing.hosts);
    }
    existing.spec != desired.spec
        && is_up_to_date(existing, &before)
        && !shows_more(existing, desired)
}

/// `desired` with what `existing` shows besides.
pub fn united(existing: &Sidecar, desired: &Sidecar) -> Sidecar {
    let mut united = desired.clone();
    for listener in &mut united.spec.egress {
        let all: BTreeSet<&String> = listener.hosts.iter().chain(hosts(existing)).collect();
        listener.hosts = all.into_iter().cloned().collect();
    }
    united
}

fn hosts(sidecar: &Sidecar) -> impl Iterator<Item = &String> {
    let listeners = sidecar.spec.egress.iter();
    listeners.flat_map(|listener| &listener.hosts)
}

/// Who controls a Sidecar that has a fence's name.
enum Owner {
    /// The fence.
    Itself,
    /// A fence of the same name that is gone.
    Earlier,
    /// Somebody else, in words.
    Other(String),
}

impl Owner {
    fn of(existing: &Sidecar, fence: &ServiceFence) -> Self {
        let controller = existing
            .owner_references()
            .iter()
            .find(|owner| owner.controller == Some(true));
        match controller {
            None => Self::Other(
                "no ServiceFence: somebody made it by hand or with another tool".to_owned(),
            ),
            Some(owner) if Some(&owner.uid) == fence.metadata.uid.as_ref() => Self::Itself,
            Some(owner) if owner.kind == FENCE_KIND && owner.name == fence.name_any() => {
                Self::Earlier
            }
            Some(owner) => Self::Other(format!("{} {}", owner.kind, owner.name)),
        }
    }
}

/// Whether `existing`, which has the fence's name, stands in its way for good. One that an earlier fence has left does not.
pub fn is_foreign(fence: &ServiceFence, existing: &Sidecar) -> bool {
    matches!(Owner::of(existing, fence), Owner::Other(_))
}

/// Who owns `existing`, in words, unless `fence` does.
fn foreign_owner(fence: &ServiceFence, existing: &Sidecar) -> Option<String> {
    match Owner::of(existing, fence) {
        Owner::Itself => None,
        Owner::Earlier => Some(
            "an earlier ServiceFence of this name; garbage collection is about to remove it"
                .to_owned(),
        ),
        Owner::Other(owner) => Some(owner),
    }
}

#[cfg(test)]
mod tests;
