//! What is in the mesh while istiod is measured.

use super::Size;
use crate::bulk::apply_all;
use crate::form::Form;
use crate::mesh::Mesh;
use crate::progress::step;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The Service that every Sidecar names.
pub const POPULAR: usize = 0;

/// The namespace of the Service or Sidecar of this number.
pub fn namespace_of(size: Size, number: usize) -> String {
    format!("bench-{}", number % size.namespaces)
}

/// The value of the label `app` by which a Sidecar selects its proxy, and the Sidecar's name.
pub fn workload(number: usize) -> String {
    format!("w{number}")
}

/// Namespace and host of a Service.
pub fn service(size: Size, number: usize) -> (String, String) {
    let number = number % size.services;
    let namespace = namespace_of(size, number);
    let host = format!("s{number}.{namespace}.svc.cluster.local");
    (namespace, host)
}

/// Creates everything but the Sidecars.
pub fn create(mesh: &Mesh, size: Size) -> Result<()> {
    step(format!(
        "creating {} Services in {} namespaces",
        size.services, size.namespaces
    ));
    mesh.with_client(async |client| {
        let namespaces = 0..size.namespaces;
        let namespaces = namespaces.map(|number| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(size, number)}})
        });
        apply_all(&client, namespaces.collect()).await?;
        let services = (0..size.services).map(|number| mk_service(size, number, 0));
        apply_all(&client, services.collect()).await?;
        // Every fifth Service has a route of its own, every fifth a rule.
        let routes = (0..size.services).step_by(5).map(|number| mk_route(size, number, 0));
        apply_all(&client, routes.collect()).await?;
        let rules = (0..size.services).step_by(5).map(|number| mk_rule(size, number));
        apply_all(&client, rules.collect()).await
    })?
}

/// Writes every Sidecar in this form, and returns how many bytes of JSON they are.
pub fn write_sidecars(mesh: &Mesh, size: Size, form: Form) -> Result<usize> {
    let sidecars = 0..size.sidecars;
    let sidecars: Vec<Value> = sidecars
        .map(|number| mk_sidecar(size, number, form, false))
        .collect();
    let bytes = sidecars
        .iter()
        .map(|sidecar| sidecar.to_string().len())
        .sum();
    mesh.with_client(async |client| apply_all(&client, sidecars).await)??;
    Ok(bytes)
}

/// A Sidecar; `more` gives it one more host.
pub fn mk_sidecar(size: Size, number: usize, form: Form, more: bool) -> Value {
    let wanted = size.hosts - 1 + usize::from(more);
    let hosts = (1..=wanted).map(|step| number * 13 + step * 131);
    // Two numbers may meet in one Service.
    let numbers: BTreeSet<usize> = hosts
        .map(|host| host % size.services)
        .chain([POPULAR])
        .collect();
    let services: Vec<_> = numbers
        .into_iter()
        .map(|host| service(size, host))
        .collect();
    json!({"apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": {"name": workload(number), "namespace": namespace_of(size, number)},
        "spec": {"workloadSelector": {"labels": {"app": workload(number)}},
            "egress": [{"hosts": form.hosts(&services)}]}})
}

/// A Service; an odd `edit` moves its second port.
pub fn mk_service(size: Size, number: usize, edit: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("s{number}"), "namespace": namespace_of(size, number), "labels": {
            // Nobody calls them, and rules for 2,000 Services would keep kube-proxy busy for minutes.
            "service.kubernetes.io/service-proxy-name": "none"}},
        "spec": {"selector": {"app": workload(number)}, "ports": [
            {"name": "http", "port": 8080}, {"name": "grpc-api", "port": 9090 + edit % 2}]}})
}

/// The VirtualService of a Service; each `edit` makes it another.
pub fn mk_route(size: Size, number: usize, edit: usize) -> Value {
    let (namespace, host) = service(size, number);
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": format!("s{number}"), "namespace": namespace},
        "spec": {"hosts": [host], "http": [{"timeout": format!("{}s", 10 + edit % 2), "route": [{"destination": {"host": host}}]}]}})
}

fn mk_rule(size: Size, number: usize) -> Value {
    let (namespace, host) = service(size, number);
    json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": format!("s{number}"), "namespace": namespace},
        "spec": {"host": host, "trafficPolicy": {"connectionPool": {"http": {"http2MaxRequests": 1000}}}}})
}

/// A patch of nothing, in the root namespace: each `edit` of it goes to every proxy.
pub fn mk_envoy_filter(edit: usize) -> Value {
    json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "bench", "namespace": "istio-system"},
        "spec": {"configPatches": [{"applyTo": "CLUSTER",
            "match": {"context": "SIDECAR_OUTBOUND", "cluster": {"name": "there-is-none"}},
            "patch": {"operation": "MERGE", "value": {"connect_timeout": format!("{}s", 1 + edit % 2)}}}]}})
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        sidecars: 10,
        services: 2000,
        namespaces: 20,
        hosts: 15,
    };

    fn hosts(sidecar: &Value) -> usize {
        sidecar["spec"]["egress"][0]["hosts"]
            .as_array()
            .unwrap()
            .len()
    }

    #[test]
    fn both_forms_name_as_many_hosts_and_an_edit_adds_one() {
        for form in Form::BOTH {
            let (before, after) = [false, true]
                .map(|more| hosts(&mk_sidecar(SIZE, 7, form, more)))
                .into();
            assert_eq!((before, after), (17, 18), "{form:?}");
        }
    }
}
