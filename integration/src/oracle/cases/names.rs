//! How a name is written, and what kind of thing it names.

use crate::oracle::NAMESPACE;
use crate::oracle::case::{
    CLUSTER_ADDRESS, Case, HTTP_PORT, PLAIN_ADDRESS, PORT, STRICT_PORT, V1_ADDRESS,
};
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    let mut cases = spellings();
    cases.extend(kinds());
    cases
}

fn spellings() -> Vec<Case> {
    // STRICT, where only the right route leads to an answer at all.
    let named = |name: &str, authority: &str| {
        let authority = authority.replace("NAME", name);
        Case::new(name)
            .port(STRICT_PORT)
            .authority(&format!("{authority}:{STRICT_PORT}"))
    };
    vec![
        named("name-short", "NAME"),
        named("name-qualified", &format!("NAME.{NAMESPACE}")),
        named("name-svc", &format!("NAME.{NAMESPACE}.svc")),
        named("name-full", &format!("NAME.{NAMESPACE}.svc.cluster.local")),
        named(
            "name-trailing-dot",
            &format!("NAME.{NAMESPACE}.svc.cluster.local."),
        ),
        named("name-upper-case", "NAME").upper_case(),
        Case::new("name-without-port").port(HTTP_PORT),
        Case::new("name-with-port-80")
            .port(HTTP_PORT)
            .authority("name-with-port-80:80"),
        Case::new("name-port-left-out").authority("name-port-left-out"),
        Case::new("name-other-port").authority("name-other-port:9999"),
        Case::new("name-address").authority(&format!("{CLUSTER_ADDRESS}:{PORT}")),
        Case::new("name-pod-address")
            .without_host()
            .authority(&format!("{V1_ADDRESS}:{PORT}")),
        Case::new("name-unknown")
            .without_service()
            .without_host()
            .authority(&format!("nowhere.example.test:{PORT}"))
            .address(PLAIN_ADDRESS),
    ]
}

fn kinds() -> Vec<Case> {
    let entry = |name: &str, spec: Value| {
        let host = format!("{name}.example.test");
        let mut spec = spec;
        spec["hosts"] = json!([host]);
        Case::new(name)
            .without_service()
            .host(&host)
            .authority(&format!("{host}:{PORT}"))
            .address(V1_ADDRESS)
            .object("networking.istio.io/v1", "ServiceEntry", spec)
    };
    let ports = json!([{"number": PORT, "name": "http", "protocol": "HTTP"}]);
    vec![
        Case::new("headless").service(json!({"clusterIP": "None"})),
        Case::new("headless-strict")
            .port(STRICT_PORT)
            .service(json!({"clusterIP": "None"})),
        Case::new("headless-pod-strict")
            .port(STRICT_PORT)
            .service(json!({"clusterIP": "None"}))
            .authority(&format!("server-0.headless-pod-strict:{STRICT_PORT}"))
            .address(V1_ADDRESS),
        external_name(),
        entry(
            "entry-dns",
            json!({
                "ports": ports, "location": "MESH_EXTERNAL", "resolution": "DNS",
                "endpoints": [{"address": format!("server.{NAMESPACE}.svc.cluster.local")}],
            }),
        ),
        entry(
            "entry-static",
            json!({
                "ports": ports, "location": "MESH_EXTERNAL", "resolution": "STATIC", "endpoints": [{"address": V1_ADDRESS}],
            }),
        ),
        entry(
            "entry-none",
            json!({"ports": ports, "location": "MESH_EXTERNAL", "resolution": "NONE"}),
        ),
    ]
}

/// Istio gives the name to the route of the Service that it stands for.
fn external_name() -> Case {
    let target = Case::new("external-name-target");
    let host = target.host.clone().unwrap_or_default();
    let mut case = Case::new("external-name").host(&host).service(json!({
        "type": "ExternalName", "externalName": host, "selector": null,
    }));
    case.objects.extend(target.all_objects().cloned());
    case
}
