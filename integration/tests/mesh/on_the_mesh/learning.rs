//! From a miss to a direct call.

use super::world::{World, destination, host, learned, mesh, mk_fence};
use integration::until::until;
use lazyload_controller::api::{ServiceFence, Sidecar};
use std::collections::BTreeSet;

#[test]
fn a_miss_is_learned_and_the_next_call_goes_directly_as_the_caller() {
    let world = World::new("miss");
    world.fence_passing_through();

    let first = world.get("http://details.default:9080/").body.unwrap();
    assert_eq!(first.caller, None, "passed through without mTLS");
    assert_eq!(first.headers["slime-source-ns"], world.namespace);
    assert_eq!(first.headers["slime-orig-dest"], destination("details"));

    world.await_learned("client", &[host("details")]);
    world.await_route("details");
    let second = world.get("http://details.default:9080/").body.unwrap();
    let own = format!("spiffe://cluster.local/ns/{}/sa/client", world.namespace);
    assert_eq!(second.caller, Some(own));
    assert!(
        !second.headers.keys().any(|name| name.starts_with("slime-")),
        "{:?}",
        second.headers
    );
}

#[test]
fn every_spelling_of_a_host_is_learned_as_its_one_canonical_name() {
    let world = World::new("spelling");
    world.fence();
    for spelled in [
        "details.default",
        "DETAILS.default",
        "ratings.default.svc",
        "reviews.default.svc.cluster.local",
    ] {
        assert_eq!(
            world.get(&format!("http://{spelled}:9080/")).status,
            200,
            "{spelled}"
        );
    }
    let expected: BTreeSet<String> = ["details", "ratings", "reviews"].map(host).into();
    let all = world.await_learned("client", &expected.iter().cloned().collect::<Vec<_>>());
    assert_eq!(all, expected);
    let sidecar = world.await_object(
        "client",
        "the Sidecar to carry all",
        |sidecar: Option<&Sidecar>| {
            sidecar.is_some_and(|sidecar| sidecar.spec.egress[0].hosts.len() == 2 + expected.len())
        },
    );
    let hosts = &sidecar.unwrap().spec.egress[0].hosts;
    let mut sorted = hosts.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(*hosts, sorted, "sorted, and none twice");
}

#[test]
fn every_fence_that_selects_the_workload_learns_and_no_other() {
    let world = World::new("fences");
    world.fence();
    world.apply(&mk_fence(
        "also",
        "enable: true, workloadSelector: {labels: {app: client}}",
    ));
    world.apply(&mk_fence(
        "other",
        "enable: true, workloadSelector: {labels: {app: other}}",
    ));
    world.apply(&mk_fence(
        "disabled",
        "enable: false, workloadSelector: {labels: {app: client}}",
    ));
    for fence in ["also", "other"] {
        let applied = |fence: Option<&ServiceFence>| {
            fence.and_then(super::world::ready_reason) == Some("SidecarApplied")
        };
        world.await_object(fence, "the fence to be ready", applied);
    }
    world.get("http://details.default:9080/");
    for fence in ["client", "also"] {
        world.await_learned(fence, &[host("details")]);
    }
    for fence in ["other", "disabled"] {
        assert_eq!(
            learned(Some(&world.fence_now(fence))),
            BTreeSet::new(),
            "{fence}"
        );
    }
}

#[test]
fn an_external_host_is_passed_through_and_not_learned() {
    let world = World::new("external");
    world.fence();
    let reply = world.get_with(
        "http://details.default:9080/",
        &[("host", "api.example.com")],
    );
    assert_eq!(
        reply.status, 200,
        "sent where it was going, whatever its name"
    );
    until("the controller's answer", || {
        Ok((world.stat("lazyload_outcomes_external") > 0).then_some(()))
    })
    .unwrap();
    assert_eq!(learned(Some(&world.fence_now("client"))), BTreeSet::new());
}

#[test]
fn a_host_behind_a_wildcard_service_entry_is_learned_as_the_wildcard() {
    let world = World::new("wildcard");
    world.apply(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: wild, namespace: NAMESPACE}\n\
        spec: {hosts: ['*.wild.example'], location: MESH_EXTERNAL, resolution: NONE, \
        ports: [{number: 9080, name: http, protocol: HTTP}]}\n",
    );
    world.fence();
    let call = |host| world.get_with("http://details.default:9080/", &[("host", host)]);
    let first = call("a.wild.example").body.unwrap();
    assert!(
        !first.headers.contains_key("slime-orig-dest"),
        "held: {:?}",
        first.headers
    );
    let learned = world.await_learned("client", &["*.wild.example".to_owned()]);
    assert_eq!(learned.len(), 1, "{learned:?}");
    until("a route to the wildcard", || {
        Ok(mesh()
            .knows(&world.client, "*.wild.example", 9080)?
            .then_some(()))
    })
    .unwrap();
    for host in ["a.wild.example", "b.wild.example"] {
        let seen = call(host).body.unwrap();
        assert!(
            !seen.headers.contains_key("slime-orig-dest"),
            "{host} hits: {:?}",
            seen.headers
        );
    }
}

#[test]
fn a_port_that_the_service_does_not_have_is_not_learned() {
    let world = World::new("wrong-port");
    world.fence();
    let reply = world.get_with(
        "http://details.default:9080/",
        &[("host", "lazyload.mesh-operator.svc:9080")],
    );
    assert_eq!(reply.status, 200, "sent where it was going");
    until("the controller's answer", || {
        Ok((world.stat("lazyload_outcomes_external") > 0).then_some(()))
    })
    .unwrap();
    assert_eq!(learned(Some(&world.fence_now("client"))), BTreeSet::new());
}

#[test]
fn many_calls_that_miss_at_once_are_reported_once() {
    let world = World::new("burst");
    world.fence();
    let replies: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| world.get("http://details.default:9080/")))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(
        replies.iter().all(|reply| reply.status == 200),
        "{replies:?}"
    );
    world.await_learned("client", &[host("details")]);
    let (misses, spared) = (
        world.stat("lazyload_misses"),
        world.stat("lazyload_misses_deduplicated"),
    );
    assert_eq!(
        misses - spared,
        1,
        "{misses} misses, of which {spared} were known to be reported"
    );
}
