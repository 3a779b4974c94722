use serde_json::json;

use super::*;
use crate::{
    api::FENCE_API_VERSION,
    fence::{Labels, render},
};

fn mk_fence(uid: &str) -> ServiceFence {
    serde_json::from_value(json!({
        "apiVersion": FENCE_API_VERSION,
        "kind": FENCE_KIND,
        "metadata": { "name": "foo", "namespace": "default", "uid": uid },
        "spec": { "enable": true },
    }))
    .unwrap()
}

fn mk_desired(fence: &ServiceFence) -> Sidecar {
    let selector = Labels::from([("app".to_owned(), "foo".to_owned())]);
    render(fence, selector, ["istio-system/*".to_owned()].into()).unwrap()
}

/// What the API server holds after `desired` was written.
fn mk_existing(desired: &Sidecar) -> Sidecar {
    let mut existing = desired.clone();
    existing.metadata.uid = Some("s1".to_owned());
    existing.metadata.resource_version = Some("7".to_owned());
    existing
}

#[test]
fn a_missing_sidecar_is_created() {
    let fence = mk_fence("u1");
    let desired = mk_desired(&fence);
    assert_eq!(
        plan_sidecar(&fence, Some(desired.clone()), None),
        SidecarAction::Create(Box::new(desired))
    );
}

#[test]
fn an_equal_sidecar_is_left_alone_whatever_labels_others_put_on_it() {
    let fence = mk_fence("u1");
    let desired = mk_desired(&fence);
    let mut existing = mk_existing(&desired);
    existing
        .labels_mut()
        .insert("team".to_owned(), "web".to_owned());
    existing
        .annotations_mut()
        .insert("note".to_owned(), "kept".to_owned());
    assert_eq!(
        plan_sidecar(&fence, Some(desired), Some(&existing)),
        SidecarAction::Keep
    );
}

#[test]
fn an_edited_sidecar_is_put_right() {
    let fence = mk_fence("u1");
    let desired = mk_desired(&fence);
    let update = SidecarAction::Update {
        desired: Box::new(desired.clone()),
        uid: "s1".to_owned(),
        version: Some("7".to_owned()),
    };

    let mut fewer_hosts = mk_existing(&desired);
    fewer_hosts.spec.egress[0].hosts.pop();
    let mut added_field = mk_existing(&desired);
    added_field
        .spec
        .rest
        .insert("ingress".to_owned(), json!([]));
    let mut added_revision = mk_existing(&desired);
    added_revision
        .labels_mut()
        .insert(REVISION_LABEL.to_owned(), "canary".to_owned());
    for existing in [fewer_hosts, added_field, added_revision] {
        assert_eq!(
            plan_sidecar(&fence, Some(desired.clone()), Some(&existing)),
            update
        );
    }
}

#[test]
fn a_users_sidecar_of_the_same_name_is_foreign() {
    let fence = mk_fence("u1");
    let desired = mk_desired(&fence);
    let mut existing = mk_existing(&desired);
    existing.metadata.owner_references = None;
    let action = plan_sidecar(&fence, Some(desired), Some(&existing));
    assert!(
        matches!(action, SidecarAction::Foreign { .. }),
        "{action:?}"
    );
}

#[test]
fn a_sidecar_of_an_earlier_fence_of_the_same_name_is_foreign() {
    let desired = mk_desired(&mk_fence("u2"));
    let existing = mk_existing(&mk_desired(&mk_fence("u1")));
    let action = plan_sidecar(&mk_fence("u2"), Some(desired), Some(&existing));
    let SidecarAction::Foreign { owner } = action else {
        panic!("{action:?}")
    };
    assert!(owner.contains("earlier ServiceFence"), "{owner}");
    assert!(
        !is_foreign(&mk_fence("u2"), &existing),
        "it is about to go: first requests may wait for what comes after it"
    );
}

#[test]
fn a_disabled_fence_deletes_its_own_sidecar_and_no_other() {
    let fence = mk_fence("u1");
    let own = mk_existing(&mk_desired(&fence));
    let mut foreign = own.clone();
    foreign.metadata.owner_references = None;
    assert_eq!(
        plan_sidecar(&fence, None, Some(&own)),
        SidecarAction::Delete {
            uid: "s1".to_owned()
        }
    );
    assert_eq!(
        plan_sidecar(&fence, None, Some(&foreign)),
        SidecarAction::Keep
    );
    assert_eq!(plan_sidecar(&fence, None, None), SidecarAction::Keep);
}

#[test]
fn a_sidecar_that_is_being_deleted_is_waited_for() {
    let fence = mk_fence("u1");
    let desired = mk_desired(&fence);
    let mut existing = mk_existing(&desired);
    existing.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
    assert_eq!(
        plan_sidecar(&fence, Some(desired), Some(&existing)),
        SidecarAction::Wait
    );
}

#[test]
fn only_further_hosts_widen_a_sidecar() {
    let with = |hosts: &[&str]| {
        let mut sidecar = mk_desired(&mk_fence("u1"));
        sidecar.spec.egress[0].hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        sidecar
    };
    let existing = mk_existing(&with(&["*/a", "*/b"]));
    for (hosts, is_wider, shows_less) in [
        (&["*/a", "*/b", "*/c"][..], true, false),
        (&["*/a", "*/b"], false, false),
        (&["*/a"], false, true),
        (&["*/a", "*/c"], false, true),
    ] {
        let desired = with(hosts);
        assert_eq!(is_widened(&existing, &desired), is_wider, "{hosts:?}");
        assert_eq!(shows_more(&existing, &desired), shows_less, "{hosts:?}");
    }
    let mut other = with(&["*/a", "*/b", "*/c"]);
    other.spec.workload_selector = None;
    assert!(!is_widened(&existing, &other));
    let mut everything = existing.clone();
    everything.spec.egress.clear();
    assert!(!is_widened(&everything, &with(&["*/a"])), "it shows all");

    let both = united(&existing, &with(&["*/c", "*/a"]));
    assert_eq!(both.spec.egress[0].hosts, ["*/a", "*/b", "*/c"]);
}
