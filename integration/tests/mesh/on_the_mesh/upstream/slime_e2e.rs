//! Slime's e2e: productpage is fenced, called thirty times, and has learned what it needs.

use super::configured::Configured;
use super::productpage::Productpage;
use crate::on_the_mesh::corner::Turn;
use crate::on_the_mesh::world::host;
use lazyload_controller::api::Sidecar;
use serde_json::json;

/// What the e2e asks for, for a fence with this revision.
fn assert_that_thirty_calls_succeed_and_the_fence_learns(page: &Productpage, revision: &str) {
    let labels = match revision {
        "" => String::new(),
        revision => format!("istio.io/rev: {revision}"),
    };
    page.fence(&labels);
    for kind in ["servicefence", "sidecar"] {
        let label = page.shown(kind)["metadata"]["labels"]["istio.io/rev"].clone();
        assert_eq!(label.as_str().unwrap_or_default(), revision, "{kind}");
    }
    for call in 0..30 {
        page.curl(&format!("{revision}{call}"));
    }
    let sidecar = page.await_object(
        "productpage",
        "the Sidecar to learn",
        |sidecar: Option<&Sidecar>| {
            sidecar.is_some_and(|sidecar| sidecar.spec.egress[0].hosts.len() == 4)
        },
    );
    let hosts = sidecar.unwrap().spec.egress[0].hosts.join(" ");
    for service in ["details", "reviews"] {
        assert!(hosts.contains(&host(service)), "{hosts}");
        let last = page.cluster_of(&format!("{revision}29"), service);
        assert_eq!(last, format!("outbound|9080||{}", host(service)));
    }
}

/// Slime's e2e, `strictRev=true`: a fence of the revision in scope gets a Sidecar of that revision; one without a revision is not
/// this controller's.
#[test]
fn with_strict_revisions_thirty_calls_succeed_and_fence_and_sidecar_carry_the_revision() {
    let _turn = Turn::alone();
    let page = Productpage::take();
    let revisions = json!({"global": {"istioRev": "e2e,other", "strictRev": true}});
    let _configured = Configured::new(revisions);
    page.apply(
        "apiVersion: microservice.slime.io/v1alpha1\nkind: ServiceFence\n\
        metadata: {name: unrevised, namespace: NAMESPACE}\nspec: {enable: true}\n",
    );
    assert_that_thirty_calls_succeed_and_the_fence_learns(&page, "e2e");
    let unrevised = [
        "get",
        "sidecar",
        "unrevised",
        "--ignore-not-found",
        "-o",
        "name",
    ];
    assert_eq!(page.kubectl(&unrevised), "", "not in scope");
    page.kubectl(&["delete", "servicefence", "unrevised"]);
}

/// Slime's e2e, `strictRev=false`, and "clean resources": with the fence goes all that it has made.
#[test]
fn without_revisions_thirty_calls_succeed_and_nothing_is_left_afterwards() {
    let _turn = Turn::shared();
    let page = Productpage::take();
    assert_that_thirty_calls_succeed_and_the_fence_learns(&page, "");
    page.kubectl(&["delete", "servicefence", "productpage"]);
    page.await_object(
        "productpage",
        "the Sidecar to go",
        |sidecar: Option<&Sidecar>| sidecar.is_none(),
    );
    page.await_knowledge(true);
}
