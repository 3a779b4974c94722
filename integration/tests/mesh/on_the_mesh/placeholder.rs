//! The placeholder that keeps a listener for every HTTP port.

use super::world::{World, mesh};
use integration::until::until;
use serde_json::Value;

fn ports() -> Vec<u64> {
    let text = mesh().kubectl_output(&[
        "get",
        "serviceentry",
        "lazyload-placeholder",
        "-n",
        "mesh-operator",
        "-o",
        "json",
    ]);
    let entry: Value = serde_json::from_str(&text.unwrap()).unwrap();
    entry["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|port| port["number"].as_u64())
        .collect()
}

fn mk_service(name: &str, port_name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: NAMESPACE}}\n\
        spec: {{ports: [{{name: {port_name}, port: {port}}}]}}\n"
    )
}

#[test]
fn the_http_port_of_a_new_service_gets_a_listener_in_narrow_sidecars() {
    let world = World::new("port");
    world.fence();
    world.apply(&mk_service("web", "http-web", 7070));
    until("the placeholder to carry the port", || {
        Ok(ports().contains(&7070).then_some(()))
    })
    .unwrap();
    until("the sidecar to listen", || {
        Ok(mesh()
            .admin(&world.client, "listeners")?
            .contains("0.0.0.0_7070")
            .then_some(()))
    })
    .unwrap();
    world.kubectl(&["delete", "service", "web"]);
    until("the port to go with its last Service", || {
        Ok((!ports().contains(&7070)).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_port_that_some_service_uses_for_tcp_is_left_out() {
    let world = World::new("tcp");
    world.apply(&mk_service("web", "http", 7171));
    until("the placeholder to carry the port", || {
        Ok(ports().contains(&7171).then_some(()))
    })
    .unwrap();
    world.apply(&mk_service("database", "mysql", 7171));
    until("the port to be left out", || {
        Ok((!ports().contains(&7171)).then_some(()))
    })
    .unwrap();
}
