//! What an application must never notice.

use super::world::{World, controller_admin, host, mesh};
use integration::until::until;
use integration::workload::Workload;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use std::time::Duration;

#[test]
fn stamps_on_a_miss_are_the_filters_own_whatever_the_application_sent() {
    let world = World::new("spoofed");
    world.fence();
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
    assert!(
        !seen.headers["slime-orig-dest"].contains("1.2.3.4"),
        "{:?}",
        seen.headers
    );
}

#[test]
fn a_hit_is_left_as_it_is() {
    let world = World::new("hit");
    let reply = world.get_with(
        "http://details.default:9080/",
        &[("slime-orig-dest", "the application's own")],
    );
    let seen = reply.body.unwrap();
    assert_eq!(seen.headers["slime-orig-dest"], "the application's own");
    assert!(!seen.headers.contains_key("slime-source-ns"));
    assert_eq!(world.stat("lazyload_misses"), 0);
}

#[test]
fn with_the_controller_stopped_traffic_flows_and_the_lost_report_is_repeated() {
    let world = World::alone("stopped");
    world.fence();
    world.get("http://details.default:9080/");
    world.await_route("details");

    let controller = mesh().workload("mesh-operator/lazyload").unwrap();
    scale_controller(0);
    await_gone(&controller);
    let hit = world.get("http://details.default:9080/").body.unwrap();
    assert!(hit.caller.is_some(), "what was learned stays");
    let miss = world.get("http://ratings.default:9080/");
    assert_eq!(miss.status, 200, "{miss:?}");
    assert_eq!(
        miss.body.unwrap().headers["slime-source-ns"],
        world.namespace,
        "passed through as ever"
    );

    scale_controller(1);
    let wait = [
        "wait",
        "deployment",
        "lazyload",
        "-n",
        "mesh-operator",
        "--for=condition=Available",
        "--timeout=60s",
    ];
    mesh().kubectl_output(&wait).unwrap();
    until("the miss to be reported again and learned", || {
        world.get("http://ratings.default:9080/");
        Ok(super::world::learned(Some(&world.fence_now("client")))
            .contains(&host("ratings"))
            .then_some(()))
    })
    .unwrap();
    assert_eq!(controller_admin("readyz").trim(), "ok");
}

fn scale_controller(replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    mesh()
        .kubectl_output(&[
            "scale",
            "deployment",
            "lazyload",
            "-n",
            "mesh-operator",
            &replicas,
        ])
        .unwrap();
}

fn await_gone(pod: &Workload) {
    let uid = mesh().kubectl_output(&[
        "get",
        "pod",
        &pod.name,
        "-n",
        &pod.namespace,
        "-o",
        "jsonpath={.metadata.uid}",
    ]);
    let uid = uid.unwrap_or_default();
    let gone = mesh().with_client(|client| async move {
        let pods: Api<Pod> = Api::namespaced(client, &pod.namespace);
        tokio::time::timeout(
            Duration::from_secs(60),
            await_condition(pods, &pod.name, is_deleted(&uid)),
        )
        .await
    });
    gone.unwrap().unwrap().unwrap();
}
