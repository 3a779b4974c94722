//! The controller's process, ended and started by tests that run alone.

use super::world::mesh;
use integration::until::LIMIT;
use integration::workload::Workload;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::wait::{await_condition, conditions::is_deleted};

/// Starts it and waits until it is available.
pub fn start_controller() -> anyhow::Result<()> {
    let deployment = ["deployment", "lazyload", "-n", "mesh-operator"];
    let scale = [&["scale"], deployment.as_slice(), &["--replicas=1"]].concat();
    let wait = ["--for=condition=Available", "--timeout=60s"];
    let wait = [&["wait"], deployment.as_slice(), &wait].concat();
    for command in [scale, wait] {
        mesh().kubectl_output(&command)?;
    }
    Ok(())
}

/// Ends it and waits until its pod is gone.
pub fn stop_controller(pod: &Workload) {
    let named = ["pod", &pod.name, "-n", &pod.namespace];
    let uid = [
        &["get"],
        named.as_slice(),
        &["-o", "jsonpath={.metadata.uid}"],
    ]
    .concat();
    let uid = mesh().kubectl_output(&uid).unwrap();
    let scale = [
        "scale",
        "deployment",
        "lazyload",
        "-n",
        "mesh-operator",
        "--replicas=0",
    ];
    mesh().kubectl_output(&scale).unwrap();
    let gone = mesh().with_client(|client| async move {
        let pods: Api<Pod> = Api::namespaced(client, &pod.namespace);
        tokio::time::timeout(LIMIT, await_condition(pods, &pod.name, is_deleted(&uid))).await
    });
    gone.unwrap().unwrap().unwrap();
}
