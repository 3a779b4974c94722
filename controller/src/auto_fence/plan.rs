//! What to do about an automatic fence.

use kube::{ResourceExt, api::ObjectMeta};

use super::{CREATED_BY, CREATED_BY_LABEL, Wanted, is_automatic};
use crate::{
    api::{REVISION_LABEL, ServiceFence, ServiceFenceSpec, WorkloadSelector},
    fence::{Labels, ObjectRef},
    settings::Revisions,
};

/// The one step that makes an automatic fence be or not be.
#[derive(Clone, Debug, PartialEq)]
pub enum FenceAction {
    /// Everything is as it should be, or nothing of ours.
    Keep,
    /// There is none, and there should be.
    Create(Box<ServiceFence>),
    /// There is one of ours, and there should not be.
    Delete {
        /// Uid of the object that may be deleted.
        uid: String,
        /// The version in which it still was ours.
        version: Option<String>,
        /// Why, in words.
        reason: &'static str,
    },
}

/// Compares what should be with what is: `existing`, the fence called `name`, whoever made it.
///
/// What a user has changed in an automatic fence stays. Only one that carries the label and is in scope of `revisions` is ever
/// deleted, and none is made that would not be in scope.
pub fn plan_fence(
    name: &ObjectRef,
    existing: Option<&ServiceFence>,
    wanted: Wanted,
    revisions: &Revisions,
) -> FenceAction {
    let Some(existing) = existing else {
        return match wanted {
            Wanted::Yes(selector) if revisions.includes(own_revision(revisions)) => {
                FenceAction::Create(Box::new(automatic_fence(name, selector, revisions)))
            }
            _ => FenceAction::Keep,
        };
    };
    let revision = existing.labels().get(REVISION_LABEL).map(String::as_str);
    let is_ours = is_automatic(existing)
        && existing.metadata.deletion_timestamp.is_none()
        && revisions.includes(revision);
    match wanted {
        Wanted::No(reason) if is_ours => FenceAction::Delete {
            uid: existing.metadata.uid.clone().unwrap_or_default(),
            version: existing.metadata.resource_version.clone(),
            reason,
        },
        _ => FenceAction::Keep,
    }
}

/// The revision that automatic fences carry: the configured one, or, where an object without the label would be out of our own
/// scope, the first that is in it.
fn own_revision(revisions: &Revisions) -> Option<&str> {
    let own = revisions.own.as_deref().filter(|own| !own.is_empty());
    own.or_else(|| {
        let first = revisions.in_scope.first().map(String::as_str);
        first.filter(|_| revisions.is_strict)
    })
}

/// What Slime creates, to the letter.
fn automatic_fence(
    name: &ObjectRef,
    selector: WorkloadSelector,
    revisions: &Revisions,
) -> ServiceFence {
    let mut labels = Labels::from([(CREATED_BY_LABEL.to_owned(), CREATED_BY.to_owned())]);
    if let Some(own) = own_revision(revisions) {
        labels.insert(REVISION_LABEL.to_owned(), own.to_owned());
    }
    ServiceFence {
        metadata: ObjectMeta {
            namespace: Some(name.namespace.clone()),
            name: Some(name.name.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: ServiceFenceSpec {
            enable: true,
            workload_selector: Some(selector),
            ..ServiceFenceSpec::default()
        },
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn web() -> ObjectRef {
        ObjectRef::new("default", "web")
    }

    fn mk_fence(labels: serde_json::Value) -> ServiceFence {
        serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": {
                "namespace": "default", "name": "web", "uid": "u1", "resourceVersion": "7", "labels": labels,
            },
            "spec": { "enable": true },
        }))
        .unwrap()
    }

    fn mk_revisions(in_scope: &[&str], is_strict: bool, own: Option<&str>) -> Revisions {
        Revisions {
            in_scope: in_scope.iter().map(|&name| name.to_owned()).collect(),
            is_strict,
            own: own.map(str::to_owned),
        }
    }

    fn yes() -> Wanted {
        Wanted::Yes(WorkloadSelector {
            from_service: true,
            ..WorkloadSelector::default()
        })
    }

    fn plan(existing: Option<&ServiceFence>, wanted: Wanted) -> FenceAction {
        plan_fence(&web(), existing, wanted, &Revisions::default())
    }

    #[test]
    fn a_fence_that_is_wanted_is_made_as_slime_makes_it() {
        let FenceAction::Create(made) = plan(None, yes()) else {
            panic!("not made");
        };
        assert_eq!(
            serde_json::to_value(&*made).unwrap(),
            json!({
                "apiVersion": "microservice.slime.io/v1alpha1", "kind": "ServiceFence",
                "metadata": {
                    "namespace": "default", "name": "web",
                    "labels": { "app.kubernetes.io/created-by": "fence-controller" },
                },
                "spec": { "enable": true, "workloadSelector": { "fromService": true } },
            })
        );
    }

    #[test]
    fn only_what_still_carries_the_label_is_deleted() {
        let gone = || Wanted::No("its Service is gone");
        let ours = mk_fence(json!({ "app.kubernetes.io/created-by": "fence-controller" }));
        assert_eq!(
            plan(Some(&ours), gone()),
            FenceAction::Delete {
                uid: "u1".to_owned(),
                version: Some("7".to_owned()),
                reason: "its Service is gone",
            }
        );
        for labels in [json!(null), json!({ "app.kubernetes.io/created-by": "me" })] {
            let theirs = mk_fence(labels);
            assert_eq!(plan(Some(&theirs), gone()), FenceAction::Keep);
        }
        let mut going = ours;
        going.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
                k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
            ));
        assert_eq!(plan(Some(&going), gone()), FenceAction::Keep);
    }

    #[test]
    fn what_is_there_and_wanted_and_what_nobody_can_say_stays() {
        let ours = mk_fence(json!({ "app.kubernetes.io/created-by": "fence-controller" }));
        for wanted in [yes(), Wanted::Unknown] {
            assert_eq!(plan(Some(&ours), wanted), FenceAction::Keep);
        }
        for wanted in [Wanted::Unknown, Wanted::No("")] {
            assert_eq!(plan(None, wanted), FenceAction::Keep);
        }
    }

    #[test]
    fn a_fence_of_another_revision_is_not_deleted() {
        let theirs = mk_fence(json!({
            "app.kubernetes.io/created-by": "fence-controller", "istio.io/rev": "b",
        }));
        let revisions = mk_revisions(&["a"], false, None);
        assert_eq!(
            plan_fence(&web(), Some(&theirs), Wanted::No(""), &revisions),
            FenceAction::Keep
        );
    }

    #[test]
    fn a_made_fence_carries_a_revision_that_keeps_it_in_our_scope() {
        for (revisions, expected) in [
            (mk_revisions(&[], false, None), Some(None)),
            (mk_revisions(&[], true, Some("x")), Some(Some("x"))),
            (mk_revisions(&["a"], false, None), Some(None)),
            (mk_revisions(&["a", "b"], true, None), Some(Some("a"))),
            (mk_revisions(&["a", "b"], true, Some("b")), Some(Some("b"))),
            (mk_revisions(&["a"], true, Some("b")), None),
        ] {
            let made = match plan_fence(&web(), None, yes(), &revisions) {
                FenceAction::Create(made) => Some(made.labels().get(REVISION_LABEL).cloned()),
                _ => None,
            };
            let expected = expected.map(|revision| revision.map(str::to_owned));
            assert_eq!(made, expected, "{revisions:?}");
        }
    }
}
