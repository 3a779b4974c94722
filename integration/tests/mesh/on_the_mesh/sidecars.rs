//! Who owns a Sidecar, and what becomes of it.

use super::world::{World, controller_metric, mesh, mk_fence, ready_reason};
use integration::progress::step;
use kube::ResourceExt;
use lazyload_controller::api::{ServiceFence, Sidecar};
use std::time::Instant;

const USERS_SIDECAR: &str = "\
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: client, namespace: NAMESPACE, labels: {owner: a-user}}
spec: {workloadSelector: {labels: {app: client}}, egress: [{hosts: [./*]}]}
";

#[test]
fn a_sidecar_deleted_by_hand_comes_back() {
    let world = World::new("deleted");
    world.fence();
    let deleted = world.sidecar_now("client").uid();
    let start = Instant::now();
    world.kubectl(&["delete", "sidecar", "client", "--wait=false"]);
    let back = |sidecar: Option<&Sidecar>| sidecar.is_some_and(|sidecar| sidecar.uid() != deleted);
    world.await_object("client", "the Sidecar to come back", back);
    step(format!(
        "a Sidecar deleted by hand was back {} ms after kubectl started",
        start.elapsed().as_millis()
    ));
}

#[test]
fn a_sidecar_edited_by_hand_is_put_right() {
    let world = World::new("edited");
    world.fence();
    let right = world.sidecar_now("client").spec;
    let wrong = r#"{"spec":{"egress":[{"hosts":["*/*"]}]}}"#;
    world.kubectl(&["patch", "sidecar", "client", "--type=merge", "-p", wrong]);
    let put_right =
        |sidecar: Option<&Sidecar>| sidecar.is_some_and(|sidecar| sidecar.spec == right);
    world.await_object("client", "the Sidecar to be put right", put_right);
}

/// Upstream, added case: user Sidecar with same name. Slime overwrites it, and deletes it with the fence.
#[test]
fn a_users_sidecar_of_the_same_name_is_never_touched() {
    let world = World::new("users");
    world.apply(USERS_SIDECAR);
    let before = world.sidecar_now("client");
    world.apply(&mk_fence("client", "enable: true"));
    let refused =
        |fence: Option<&ServiceFence>| fence.and_then(ready_reason) == Some("SidecarNotOwned");
    let fence = world
        .await_object("client", "the fence to say so", refused)
        .unwrap();
    let message = &fence.status.unwrap().conditions[0].message;
    assert!(message.contains("Delete or rename"), "{message}");
    assert!(controller_metric("lazyload_sidecar_refusals_total{reason=\"not_owned\"}") >= 1.0);
    assert_eq!(
        world.sidecar_now("client").metadata,
        before.metadata,
        "not even its resource version"
    );

    // The user gives way, and the fence takes effect without being touched.
    world.kubectl(&["delete", "sidecar", "client"]);
    world.await_object(
        "client",
        "the fence's own Sidecar",
        |sidecar: Option<&Sidecar>| {
            sidecar.is_some_and(|sidecar| {
                sidecar
                    .owner_references()
                    .iter()
                    .any(|owner| Some(&owner.uid) == fence.metadata.uid.as_ref())
            })
        },
    );
}

#[test]
fn deleting_a_fence_removes_its_sidecar_through_the_owner_reference() {
    let world = World::new("orphan");
    world.fence();
    let fence = world.fence_now("client").uid();
    let owners: Vec<_> = world
        .sidecar_now("client")
        .owner_references()
        .iter()
        .map(|owner| Some(owner.uid.clone()))
        .collect();
    assert_eq!(owners, [fence]);
    world.kubectl(&["delete", "servicefence", "client"]);
    world.await_object(
        "client",
        "the Sidecar to go",
        |sidecar: Option<&Sidecar>| sidecar.is_none(),
    );
    let managers = mesh()
        .kubectl_output(&["get", "sidecar", "-n", &world.namespace, "-o", "name"])
        .unwrap();
    assert_eq!(managers, "", "and it does not come back");
}

/// Upstream, added case: SF enable→false. Slime leaves the Sidecar where it is.
#[test]
fn disabling_a_fence_removes_its_sidecar_and_enabling_it_brings_it_back() {
    let world = World::new("disabled");
    world.fence();
    world.apply(&mk_fence("client", "enable: false"));
    world.await_object(
        "client",
        "the Sidecar to go",
        |sidecar: Option<&Sidecar>| sidecar.is_none(),
    );
    world.apply(&mk_fence("client", "enable: true"));
    world.await_object(
        "client",
        "the Sidecar to come back",
        |sidecar: Option<&Sidecar>| sidecar.is_some(),
    );
}

#[test]
fn a_fence_from_its_service_follows_the_services_selector() {
    let world = World::new("service");
    world.apply(&mk_fence(
        "web",
        "enable: true, workloadSelector: {fromService: true}",
    ));
    let waiting = |fence: Option<&ServiceFence>| fence.and_then(ready_reason) == Some("NoWorkload");
    world.await_object("web", "the fence to ask for its Service", waiting);
    world.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: NAMESPACE}\n\
        spec: {selector: {app: client}, ports: [{name: http, port: 9080}]}\n",
    );
    world.await_object(
        "web",
        "the Sidecar of the Service's pods",
        |sidecar: Option<&Sidecar>| {
            let selector = sidecar.and_then(|sidecar| sidecar.spec.workload_selector.as_ref());
            selector.is_some_and(|selector| {
                selector
                    .labels
                    .get("app")
                    .is_some_and(|app| app == "client")
            })
        },
    );
}
