//! What the large world is made of.

use super::{FENCES, LATE_FENCES, NAMESPACES, SERVICES};
use kube::ResourceExt;
use lazyload_controller::api::ServiceFence;
use serde_json::{Value, json};

/// A moment that no test lives to see: in the year 2100.
const FAR: u64 = 4_102_444_800;

/// The namespace of the Service and the fence of this number.
pub fn namespace_of(number: usize) -> String {
    format!("team-{}", number % NAMESPACES)
}

/// The name of the fence of this number.
pub fn fence_name(number: usize) -> String {
    format!("w{number}")
}

/// The host of the Service of this number.
pub fn host_of(service: usize) -> String {
    let service = service % SERVICES;
    format!("s{service}.{}.svc.cluster.local", namespace_of(service))
}

pub fn mk_namespace(name: String) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

pub fn mk_service(number: usize) -> Value {
    let labels = json!({
        "app": format!("w{number}"), "tier": format!("t{}", number % 100),
        // Nobody calls them, and rules for 2,000 Services would keep kube-proxy busy for minutes.
        "service.kubernetes.io/service-proxy-name": "none",
    });
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("s{number}"), "namespace": namespace_of(number), "labels": labels},
        "spec": {"selector": {"app": format!("w{number}")}, "ports": [
            {"name": "http", "port": 8080}, {"name": "grpc-api", "port": 9090}, {"name": "tcp-raw", "port": 7000}]}})
}

/// In each namespace: one Service's requests go to another one.
pub fn mk_virtual_service(number: usize) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "elsewhere", "namespace": namespace_of(number)},
        "spec": {"hosts": [host_of(number)], "http": [{"route": [{"destination": {"host": host_of(number + 20)}}]}]}})
}

pub fn mk_fence(number: usize) -> Value {
    let mut hosts = json!({
        host_of(number): {}, host_of(number * 7 + 1): {"stable": {}},
        host_of(number * 3 + 2): {"deadline": {"expire": {"seconds": FAR}}},
    });
    if number.is_multiple_of(50) {
        hosts[format!("{}/*", namespace_of(number + 1))] = json!({});
    }
    let mut spec = json!({"enable": true, "host": hosts});
    if number.is_multiple_of(5) {
        spec["labelSelector"] = json!([{"selector": {"tier": format!("t{}", number % 100)}}]);
    }
    if number.is_multiple_of(3) {
        spec["workloadSelector"] = json!({"labels": {"app": fence_name(number)}});
    }
    json!({"apiVersion": "microservice.slime.io/v1alpha1", "kind": "ServiceFence",
        "metadata": {"name": fence_name(number), "namespace": namespace_of(number)}, "spec": spec})
}

/// What Slime would have learned.
pub fn mk_status(number: usize) -> Value {
    let learned: Vec<String> = (1..=10).map(|step| host_of(number + step * 11)).collect();
    let metrics = learned
        .iter()
        .map(|host| (format!("{{destination_service=\"{host}\"}}"), json!("3")));
    let domains = learned
        .iter()
        .map(|host| (host.clone(), json!({"hosts": [host], "status": "ACTIVE"})));
    let mut fence = mk_fence(number);
    fence["status"] = json!({
        "metricStatus": metrics.collect::<serde_json::Map<_, _>>(),
        "domains": domains.collect::<serde_json::Map<_, _>>(),
    });
    fence
}

#[test]
fn fences_name_services_that_exist() {
    let fence: ServiceFence = serde_json::from_value(mk_fence(FENCES + LATE_FENCES - 1)).unwrap();
    let exists = |host: &str| (0..SERVICES).any(|number| host_of(number) == host);
    assert!(
        fence.spec.host.keys().all(|host| exists(host)),
        "{:?}",
        fence.name_any()
    );
}
