//! The rig itself: pods behave as a cluster's do, and nothing of them is seen outside.

use super::world::{World, mesh};
use integration::until::until;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::path::Path;

#[test]
fn deployments_scale_and_roll_and_their_endpoints_follow() {
    let world = World::new("scale");
    world.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: client, namespace: NAMESPACE}\n\
        spec: {selector: {app: client}, ports: [{name: http, port: 9080}]}\n",
    );
    world.kubectl(&["scale", "deployment", "client", "--replicas=2"]);
    await_endpoints(&world, 2);
    world.kubectl(&["scale", "deployment", "client", "--replicas=1"]);
    await_endpoints(&world, 1);
    world.kubectl(&["rollout", "restart", "deployment", "client"]);
    world.kubectl(&["rollout", "status", "deployment", "client", "--timeout=60s"]);
    await_endpoints(&world, 1);
}

fn await_endpoints(world: &World, count: usize) {
    let addresses = "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}";
    until(&format!("{count} ready endpoints"), || {
        let text = world.kubectl(&[
            "get",
            "endpointslice",
            "-l",
            "kubernetes.io/service-name=client",
            "-o",
            addresses,
        ]);
        Ok((text.split_whitespace().count() == count).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_deleted_pod_is_made_anew() {
    let world = World::new("anew");
    world.kubectl(&["delete", "pod", &world.client.name, "--wait=false"]);
    let gone = world.client.name.clone();
    world.await_object::<Pod>(&gone, "the pod to go", |pod| pod.is_none());
    world.kubectl(&[
        "wait",
        "deployment",
        "client",
        "--for=condition=Available",
        "--timeout=60s",
    ]);
    let now = mesh()
        .workload(&format!("{}/client", world.namespace))
        .unwrap();
    assert_ne!(now.name, gone);
}

#[test]
fn a_pod_deleted_by_force_stops_running() {
    let world = World::new("force");
    let network = mesh().pod_network(&world.client);
    world.kubectl(&[
        "delete",
        "pod",
        &world.client.name,
        "--force",
        "--grace-period=0",
    ]);
    until(
        "its network to go",
        || Ok((!network.exists()).then_some(())),
    )
    .unwrap();
}

#[test]
fn a_pod_waits_for_its_config_map() {
    let world = World::new("late");
    world.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: waits, namespace: NAMESPACE}\nspec:\n  \
        volumes: [{name: config, configMap: {name: late}}]\n  \
        containers: [{name: c, image: examples-bookinfo-ratings-v1, ports: [{containerPort: 9080}], \
        volumeMounts: [{name: config, mountPath: /etc/late}]}]\n",
    );
    world.await_object::<Pod>("waits", "the reason", |pod| {
        pod.is_some_and(|pod| format!("{:?}", pod.status).contains("ConfigMap late is not there"))
    });
    world.kubectl(&["create", "configmap", "late", "--from-literal=key=value"]);
    world.kubectl(&[
        "wait",
        "pod",
        "waits",
        "--for=condition=Ready",
        "--timeout=60s",
    ]);
}

#[test]
fn a_pod_whose_image_nothing_plays_says_so() {
    let world = World::new("image");
    world.kubectl(&["run", "unknown", "--image=nginx:1"]);
    let told = world.await_object::<Pod>("unknown", "the reason", |pod| {
        pod.is_some_and(|pod| {
            format!("{:?}", pod.status).contains("the rig has no program for image nginx:1")
        })
    });
    assert_eq!(told.unwrap().name_any(), "unknown");
}

#[test]
fn nothing_of_the_mesh_is_seen_outside() {
    let world = World::new("outside");
    assert!(
        mesh().pod_network(&world.client).exists(),
        "inside it is there"
    );
    assert!(
        !Path::new("/run/netns")
            .join(world.client.sandbox())
            .exists()
    );
    assert!(!Path::new("/run/mesh").exists());
    assert!(!Path::new("/etc/lazyload").exists());
    let home = std::env::var("HOME").unwrap();
    assert!(
        !Path::new(&home)
            .join(".kube/cache/discovery/10.0.0.1_6443")
            .exists()
    );
    assert!(!Path::new("/var/lib/lazyload").exists());
}
