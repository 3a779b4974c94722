use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::{DestinationRule, DomainStatus, ServiceEntry, VirtualService},
    fence::metric_key,
    index::Indexed,
    settings::Settings,
};

const NOW: i64 = 1_000;

fn mk_world() -> World {
    World::new(Arc::default())
}

fn add<K: Indexed>(world: &mut World, object: Value) -> Vec<crate::queue::Key> {
    let mut concerned = Vec::new();
    serde_json::from_value::<K>(object)
        .unwrap()
        .upsert(world, &mut concerned);
    concerned
}

fn mk_service(name: &str, namespace: &str, labels: Value) -> Value {
    json!({
        "metadata": { "namespace": namespace, "name": name, "labels": labels }, "spec": {},
    })
}

fn add_services(world: &mut World, names: &[&str]) {
    for name in names {
        let (name, namespace) = name.split_once('.').unwrap();
        add::<Service>(world, mk_service(name, namespace, json!({ "app": name })));
    }
}

fn mk_object(kind: &str, at: &str, spec: Value) -> Value {
    let (namespace, name) = at.split_once('/').unwrap();
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": kind,
        "metadata": { "namespace": namespace, "name": name }, "spec": spec,
    })
}

fn add_routes(world: &mut World, at: &str, spec: Value) {
    add::<VirtualService>(world, mk_object("VirtualService", at, spec));
}

fn add_entry(world: &mut World, at: &str, spec: Value) {
    add::<ServiceEntry>(world, mk_object("ServiceEntry", at, spec));
}

fn add_rule(world: &mut World, at: &str, host: &str) {
    let spec = json!({ "host": host });
    add::<DestinationRule>(world, mk_object("DestinationRule", at, spec));
}

/// The fence `default/<name>` with `learned` hosts.
fn mk_fence(name: &str, mut spec: Value, learned: &[&str]) -> ServiceFence {
    let keys: BTreeMap<String, &str> = learned.iter().map(|host| (metric_key(host), "1")).collect();
    spec["enable"] = json!(true);
    serde_json::from_value(json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "default", "name": name, "uid": "u1" },
        "spec": spec, "status": { "metricStatus": keys },
    }))
    .unwrap()
}

/// The hosts of the Sidecar.
fn rendered(desired: &Desired) -> Vec<String> {
    let sidecar = desired.sidecar.as_ref().unwrap();
    sidecar.spec.egress[0].hosts.clone()
}

fn hosts_in(world: &World, spec: Value, learned: &[&str]) -> Vec<String> {
    rendered(&desired(&mk_fence("foo", spec, learned), world, NOW))
}

/// As Slime writes `hosts`, with what is always there.
fn mk_hosts(hosts: &[&str]) -> Vec<String> {
    let always = ["istio-system/*", "mesh-operator/*"];
    let all: BTreeSet<String> = hosts
        .iter()
        .chain(&always)
        .map(|&host| host.to_owned())
        .collect();
    all.into_iter().collect()
}

/// A spec that names one static host.
fn only(host: &str) -> Value {
    json!({ "host": { host: {} } })
}

/// Routes to one host.
fn to(host: &str) -> Value {
    json!([{ "destination": { "host": host } }])
}

mod concerned;
mod expansion;
mod golden;
mod properties;
mod scope;
mod selection;
