//! The first request, held until its route is there.

use super::world::{World, controller_metric, host, learned, mesh, mk_fence};
use integration::http::Reply;
use integration::until::until;
use integration::workload::Workload;
use nix::sys::signal::Signal;

/// A subset of reviews that only the caller's own sidecar can choose.
const VERSION_3: &str = "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: NAMESPACE}
spec: {host: reviews.default.svc.cluster.local, exportTo: ['.'], subsets: [{name: v3, labels: {version: v3}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: NAMESPACE}
spec:
  hosts: [reviews.default.svc.cluster.local]
  exportTo: ['.']
  http: [{route: [{destination: {host: reviews.default.svc.cluster.local, subset: v3}}]}]
";

fn own_identity(world: &World) -> Option<String> {
    Some(format!(
        "spiffe://cluster.local/ns/{}/sa/client",
        world.namespace
    ))
}

fn at_once(world: &World, count: usize, url: &str) -> Vec<Reply> {
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..count).map(|_| scope.spawn(|| world.get(url))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

#[test]
fn the_first_call_arrives_as_the_caller_at_the_subset_that_its_virtual_service_names() {
    let world = World::new("hold");
    world.apply(VERSION_3);
    world.fence();
    let first = world.get("http://reviews.default:9080/").body.unwrap();
    let second = world.get("http://reviews.default:9080/").body.unwrap();
    for seen in [&first, &second] {
        assert_eq!(
            (&*seen.version, &seen.caller),
            ("v3", &own_identity(&world))
        );
    }
    let names = |headers: &std::collections::BTreeMap<String, String>| {
        headers.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        names(&first.headers),
        names(&second.headers),
        "the upstream cannot tell which was the first"
    );
    assert_eq!(
        (
            world.stat("lazyload_requests_held"),
            world.stat("lazyload_requests_replayed")
        ),
        (1, 1)
    );
}

#[test]
fn fifty_first_calls_at_once_make_one_report_one_status_write_and_one_sidecar_write() {
    let world = World::alone("fifty");
    world.fence();
    let written = || {
        [
            "lazyload_status_writes_total",
            "lazyload_sidecar_writes_total",
        ]
        .map(controller_metric)
    };
    let before = written();
    let replies = at_once(&world, 50, "http://details.default:9080/");
    for reply in &replies {
        let caller = reply.body.as_ref().and_then(|served| served.caller.clone());
        assert_eq!(caller, own_identity(&world), "{reply:?}");
    }
    let after = written();
    assert_eq!([after[0] - before[0], after[1] - before[1]], [1.0, 1.0]);
    assert_eq!(world.stat("lazyload_reports_sent"), 1);
    // A call that came after the route is a hit.
    assert!(world.stat("lazyload_requests_replayed") > 1);
}

#[test]
fn killing_the_controller_during_a_hold_loses_no_request() {
    let world = World::alone("killed");
    world.fence();
    let controller = mesh().workload("mesh-operator/lazyload").unwrap();
    // It takes the report and never answers, which a busy one could do too.
    mesh()
        .signal(&controller, "lazyload", Signal::SIGSTOP)
        .unwrap();
    let _moving = Moving(&controller);
    let replies = std::thread::scope(|scope| {
        let calls = scope.spawn(|| at_once(&world, 5, "http://details.default:9080/"));
        until("the calls to be held", || {
            Ok((world.stat("lazyload_requests_held") == 5).then_some(()))
        })
        .unwrap();
        mesh()
            .signal(&controller, "lazyload", Signal::SIGKILL)
            .unwrap();
        calls.join().unwrap()
    });
    for reply in &replies {
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let passed = replies.iter().filter(|reply| {
        reply
            .body
            .as_ref()
            .is_some_and(|served| served.caller.is_none())
    });
    assert_eq!(passed.count(), 5, "passed through, as without us");
    assert_eq!(world.stat("lazyload_requests_replayed"), 0);
    until("the controller to be back", || {
        world.get("http://details.default:9080/");
        Ok(learned(Some(&world.fence_now("client")))
            .contains(&host("details"))
            .then_some(()))
    })
    .unwrap();
}

/// Whatever becomes of the test, those after it have a controller that moves.
struct Moving<'a>(&'a Workload);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        let _ = mesh().signal(self.0, "lazyload", Signal::SIGCONT);
    }
}

#[test]
fn a_fence_that_passes_through_holds_nothing_but_for_its_first_verdict() {
    let world = World::new("passthrough");
    world.fence_passing_through();
    for service in ["details", "reviews", "ratings"] {
        let seen = world
            .get(&format!("http://{service}.default:9080/"))
            .body
            .unwrap();
        assert_eq!(seen.caller, None, "{service}");
        assert_eq!(seen.headers["slime-source-ns"], world.namespace);
    }
    assert_eq!(
        (
            world.stat("lazyload_requests_held"),
            world.stat("lazyload_requests_replayed")
        ),
        (1, 0)
    );
    world.await_learned("client", &["details", "reviews", "ratings"].map(host));
}

#[test]
fn an_adaptive_fence_holds_only_what_needs_the_mesh() {
    let world = World::new("adaptive");
    world.apply(VERSION_3);
    world.fence_with("enable: true, firstRequest: adaptive");
    let plain = world.get("http://details.default:9080/").body.unwrap();
    assert_eq!(
        plain.caller, None,
        "nothing in the mesh is said about details"
    );
    let routed = world.get("http://reviews.default:9080/").body.unwrap();
    assert_eq!(
        (&*routed.version, &routed.caller),
        ("v3", &own_identity(&world))
    );
}

#[test]
fn a_host_that_is_forgotten_and_missed_again_is_learned_again() {
    let world = World::new("again");
    for _ in 0..2 {
        world.fence();
        let seen = world.get("http://details.default:9080/").body.unwrap();
        assert_eq!(seen.caller, own_identity(&world));
        world.kubectl(&["delete", "servicefence", "client"]);
        std::thread::sleep(std::time::Duration::from_millis(1_200));
    }
    world.apply(&mk_fence("client", "enable: true"));
}

#[test]
fn internal_headers_of_an_application_lead_nowhere() {
    let world = World::new("headers");
    world.fence_passing_through();
    for (name, value) in [
        ("x-lazyload-replay", "lazyload-replay-9080"),
        ("x-lazyload-replay", "prometheus_stats"),
        ("x-lazyload-probe", "1"),
    ] {
        let headers = [("host", "api.example.com"), (name, value)];
        let reply = world.get_with("http://details.default:9080/", &headers);
        let seen = reply
            .body
            .unwrap_or_else(|| panic!("{name}: {value} went elsewhere"));
        assert!(!seen.headers.contains_key(name), "{:?}", seen.headers);
        assert!(
            seen.headers.contains_key("slime-orig-dest"),
            "passed through"
        );
    }
}
