//! Namespaces and revisions that are not this controller's.

use super::*;
use crate::settings::{LabelRequirement, LabelSelector, NamespaceScope, Operator};

#[test]
fn a_namespace_that_leaves_the_scope_loses_its_automatic_fences() {
    let names = || ["testns".to_owned()].into();
    for (scope, expected) in [
        (NamespaceScope::AllBut(names()), 0),
        (NamespaceScope::Only(["other".to_owned()].into()), 0),
        (NamespaceScope::Only(names()), 3),
    ] {
        let mut cluster = mk_testns(mk_auto(true));
        assert_eq!(cluster.settle().len(), 3);
        cluster.configure(|settings| settings.auto_fence.namespaces = scope.clone());
        assert_eq!(cluster.settle().len(), expected, "{scope:?}");
    }
}

#[test]
fn a_namespace_comes_into_and_leaves_the_scope_by_its_labels() {
    let managed = LabelSelector {
        match_expressions: vec![LabelRequirement {
            key: "env".to_owned(),
            operator: Operator::In(["dev".to_owned(), "test".to_owned()].into()),
        }],
        ..LabelSelector::default()
    };
    let mut cluster = mk_testns(AutoFence {
        management_selectors: vec![managed],
        ..mk_auto(true)
    });
    assert_eq!(cluster.settle(), [""; 0]);
    cluster.namespace(json!({ "env": "test" }));
    assert_eq!(cluster.settle().len(), 3);
    cluster.namespace(json!({ "env": "prod" }));
    cluster.service("svc1", fenced("true"));
    assert_eq!(cluster.settle(), [""; 0], "no label overrules the scope");
}

#[test]
fn fences_of_another_revision_are_neither_deleted_nor_acted_on() {
    let mut cluster = mk_testns(mk_auto(true));
    cluster.configure(|settings| settings.revisions.own = Some("a".to_owned()));
    assert_eq!(cluster.settle().len(), 3);
    let name = ObjectRef::new("testns", "svc1");
    let fence = cluster.world.fence(&name).unwrap();
    assert_eq!(fence.labels()["istio.io/rev"], "a");
    let pod = Labels::from([("app".to_owned(), "svc1".to_owned())]);
    assert_eq!(cluster.world.fences_selecting("testns", &pod).len(), 1);

    cluster.configure(|settings| {
        settings.revisions.in_scope = ["b".to_owned()].into();
        settings.auto_fence.is_on = false;
    });
    assert_eq!(cluster.settle().len(), 3);
    assert!(!cluster.world.is_ours(&fence));
    assert_eq!(cluster.world.fences_selecting("testns", &pod).len(), 0);
}
