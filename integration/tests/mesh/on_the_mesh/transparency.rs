//! What an application must never notice.

use super::controller::{start_controller, stop_controller};
use super::world::{World, controller_admin, destination, host, mesh};
use integration::until::until;

/// Upstream, added case: spoofed inbound `Slime-*` headers.
#[test]
fn stamps_on_a_miss_are_the_filters_own_whatever_the_application_sent() {
    let world = World::new("spoofed");
    world.fence_passing_through();
    let spoofed = [
        ("slime-orig-dest", "1.2.3.4:5"),
        ("slime-source-ns", "kube-system"),
        ("Slime-Source-Ns", "again"),
    ];
    let seen = world
        .get_with("http://details.default:9080/", &spoofed)
        .body
        .unwrap();
    assert_eq!(seen.headers["slime-source-ns"], world.namespace);
    assert_eq!(seen.headers["slime-orig-dest"], destination("details"));
}

/// Upstream, added case: header leak on hits. Slime's headers were on all requests of a port (its issue 410).
#[test]
fn a_hit_is_left_as_it_is() {
    let world = World::new("hit");
    world.get_with(
        "http://details.default:9080/",
        &[("host", "api.example.com")],
    );
    assert_eq!(world.stat("lazyload_misses"), 1, "the filter is at work");
    let reply = world.get_with(
        "http://details.default:9080/",
        &[("slime-orig-dest", "the application's own")],
    );
    let seen = reply.body.unwrap();
    assert_eq!(seen.headers["slime-orig-dest"], "the application's own");
    assert!(!seen.headers.contains_key("slime-source-ns"));
    assert_eq!(world.stat("lazyload_misses"), 1);
}

/// Upstream, added case: controller down (fail-open).
#[test]
fn with_the_controller_stopped_traffic_flows_and_the_lost_report_is_repeated() {
    let world = World::alone("stopped");
    world.fence();
    world.get("http://details.default:9080/");
    world.await_route("details");

    let controller = mesh().workload("mesh-operator/lazyload").unwrap();
    let _back = Back;
    stop_controller(&controller);
    let hit = world.get("http://details.default:9080/").body.unwrap();
    assert!(hit.caller.is_some(), "what was learned stays");
    let miss = world.get("http://ratings.default:9080/");
    assert_eq!(miss.status, 200, "{miss:?}");
    assert_eq!(
        miss.body.unwrap().headers["slime-source-ns"],
        world.namespace,
        "passed through as ever"
    );

    start_controller().unwrap();
    until("the miss to be reported again and learned", || {
        world.get("http://ratings.default:9080/");
        Ok(super::world::learned(Some(&world.fence_now("client")))
            .contains(&host("ratings"))
            .then_some(()))
    })
    .unwrap();
    assert_eq!(controller_admin("readyz").trim(), "ok");
}

/// Whatever becomes of the test, those after it have a controller.
struct Back;

impl Drop for Back {
    fn drop(&mut self) {
        let started = start_controller();
        assert!(started.is_ok() || std::thread::panicking(), "{started:?}");
    }
}
