//! The walk-throughs of Slime's tutorials and the rules behind them, as events of a cluster: after each, only the fences that the
//! event concerns are looked at.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Service};
use serde_json::{Value, json};

use super::*;
use crate::{desired::desired, fence::Labels, index::Indexed, queue::Key, settings::Settings};

/// A cluster in which what is planned is done.
struct Cluster {
    world: World,
    concerned: Vec<Key>,
    version: u32,
}

impl Cluster {
    fn new(auto_fence: AutoFence) -> Self {
        let settings = Settings {
            auto_fence,
            ..Settings::default()
        };
        Self {
            world: World::new(Arc::new(settings)),
            concerned: Vec::new(),
            version: 0,
        }
    }

    fn upsert<K: Indexed>(&mut self, object: Value) {
        let object: K = serde_json::from_value(object).unwrap();
        object.upsert(&mut self.world, &mut self.concerned);
    }

    fn remove<K: Indexed>(&mut self, name: &str) {
        let name = ObjectRef::new("testns", name);
        K::remove(&name, None, &mut self.world, &mut self.concerned);
    }

    fn namespace(&mut self, labels: Value) {
        self.upsert::<Namespace>(json!({ "metadata": { "name": "testns", "labels": labels } }));
    }

    fn service(&mut self, name: &str, labels: Value) {
        self.upsert::<Service>(json!({
            "metadata": { "namespace": "testns", "name": name, "labels": labels },
            "spec": { "selector": { "app": name } },
        }));
    }

    fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::clone(self.world.settings());
        change(&mut settings);
        self.world
            .configure(Arc::new(settings), &mut self.concerned);
    }

    /// Does what is due until nothing is, and gives the names of the fences.
    fn settle(&mut self) -> Vec<String> {
        while let Some(key) = self.concerned.pop() {
            let Key::Fence(name) = key else {
                continue;
            };
            let existing = self.world.fence(&name);
            let revisions = &self.world.settings().revisions;
            let wanted = wanted(&name, &self.world);
            match plan_fence(&name, existing.as_deref(), wanted, revisions) {
                FenceAction::Keep => {}
                FenceAction::Create(mut made) => {
                    self.version += 1;
                    made.metadata.uid = Some(format!("u{}", self.version));
                    made.metadata.resource_version = Some(self.version.to_string());
                    made.upsert(&mut self.world, &mut self.concerned);
                }
                FenceAction::Delete { .. } => {
                    ServiceFence::remove(&name, None, &mut self.world, &mut self.concerned);
                }
            }
        }
        ServiceFence::names(&self.world)
            .into_iter()
            .map(|name| name.name)
            .collect()
    }
}

fn mk_auto(default_fence: bool) -> AutoFence {
    AutoFence {
        is_on: true,
        default_fence,
        ..AutoFence::default()
    }
}

/// The namespace `testns` with `svc1`, `svc2` and `svc3`.
fn mk_testns(auto_fence: AutoFence) -> Cluster {
    let mut cluster = Cluster::new(auto_fence);
    cluster.namespace(json!({}));
    for name in ["svc1", "svc2", "svc3"] {
        cluster.service(name, json!({}));
    }
    cluster
}

fn fenced(word: &str) -> Value {
    json!({ FENCED_LABEL: word })
}

#[test]
fn the_example_of_the_new_tutorial_goes_as_it_says() {
    let mut cluster = mk_testns(mk_auto(true));
    assert_eq!(cluster.settle(), ["svc1", "svc2", "svc3"]);
    cluster.namespace(fenced("false"));
    assert_eq!(cluster.settle(), [""; 0]);
    cluster.service("svc1", fenced("true"));
    assert_eq!(cluster.settle(), ["svc1"]);
    cluster.namespace(json!({}));
    cluster.service("svc1", json!({}));
    assert_eq!(cluster.settle(), ["svc1", "svc2", "svc3"]);
}

#[test]
fn the_example_of_the_old_tutorial_goes_as_it_says() {
    let mut cluster = mk_testns(mk_auto(false));
    assert_eq!(cluster.settle(), [""; 0]);
    cluster.namespace(fenced("true"));
    assert_eq!(cluster.settle(), ["svc1", "svc2", "svc3"]);
    cluster.service("svc2", fenced("false"));
    assert_eq!(cluster.settle(), ["svc1", "svc3"]);
    cluster.service("svc2", json!({}));
    assert_eq!(cluster.settle(), ["svc1", "svc2", "svc3"]);

    let name = ObjectRef::new("testns", "svc3");
    let mut mine = ServiceFence::clone(&cluster.world.fence(&name).unwrap());
    mine.metadata.labels = None;
    mine.metadata.resource_version = Some("90".to_owned());
    mine.upsert(&mut cluster.world, &mut cluster.concerned);
    cluster.namespace(json!({}));
    assert_eq!(cluster.settle(), ["svc3"]);
    cluster.remove::<Service>("svc3");
    assert_eq!(cluster.settle(), ["svc3"], "hand-made");
}

#[test]
fn the_sidecar_of_an_automatic_fence_is_the_one_that_slimes_own_test_expects() {
    let mut cluster = Cluster::new(mk_auto(true));
    cluster.upsert::<Namespace>(json!({ "metadata": { "name": "lazyload" } }));
    cluster.upsert::<Service>(json!({
        "metadata": { "namespace": "lazyload", "name": "foo" },
        "spec": { "selector": { "app": "foo" } },
    }));
    assert_eq!(cluster.settle(), ["foo"]);
    let fence = cluster.world.fence(&ObjectRef::new("lazyload", "foo"));
    let sidecar = desired(&fence.unwrap(), &cluster.world, 1_000).sidecar;
    let sidecar = sidecar.unwrap();
    assert_eq!(
        sidecar.spec.egress[0].hosts,
        ["istio-system/*", "mesh-operator/*"]
    );
    assert_eq!(sidecar.spec.egress.len(), 1);
    let selector = sidecar.spec.workload_selector.as_ref().unwrap();
    let app_foo = Labels::from([("app".to_owned(), "foo".to_owned())]);
    assert_eq!(selector.labels, app_foo);
    assert_eq!(sidecar.metadata.name.as_deref(), Some("foo"));
    assert!(sidecar.labels().is_empty() && sidecar.annotations().is_empty());
}

#[test]
fn a_service_that_selects_no_pods_or_is_only_a_name_is_never_fenced() {
    let mut cluster = Cluster::new(mk_auto(true));
    cluster.namespace(fenced("true"));
    for (name, spec) in [
        ("without", json!({})),
        ("empty", json!({ "selector": {} })),
        (
            "alias",
            json!({ "type": "ExternalName", "externalName": "example.com", "selector": { "app": "alias" } }),
        ),
    ] {
        cluster.upsert::<Service>(json!({
            "metadata": { "namespace": "testns", "name": name, "labels": fenced("true") }, "spec": spec,
        }));
    }
    assert_eq!(cluster.settle(), [""; 0]);
    cluster.service("without", json!({}));
    assert_eq!(cluster.settle(), ["without"], "it has a selector now");
}

#[test]
fn switching_auto_fence_off_takes_away_what_it_made_and_nothing_comes_back() {
    let mut cluster = mk_testns(mk_auto(true));
    cluster.upsert::<ServiceFence>(json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "testns", "name": "mine", "uid": "m" }, "spec": { "enable": true },
    }));
    assert_eq!(cluster.settle(), ["mine", "svc1", "svc2", "svc3"]);
    cluster.configure(|settings| settings.auto_fence.is_on = false);
    assert_eq!(cluster.settle(), ["mine"]);
    cluster.namespace(fenced("true"));
    cluster.service("svc1", fenced("true"));
    cluster.remove::<ServiceFence>("svc1");
    assert_eq!(cluster.settle(), ["mine"]);
    cluster.configure(|settings| settings.auto_fence.is_on = true);
    assert_eq!(cluster.settle(), ["mine", "svc1", "svc2", "svc3"]);
}

#[test]
fn a_fence_that_is_wanted_comes_back_and_one_whose_service_goes_goes_too() {
    let mut cluster = mk_testns(mk_auto(true));
    cluster.settle();
    cluster.remove::<ServiceFence>("svc1");
    assert_eq!(cluster.settle(), ["svc1", "svc2", "svc3"]);
    cluster.remove::<Service>("svc1");
    cluster.upsert::<Service>(json!({
        "metadata": { "namespace": "testns", "name": "svc2", "deletionTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "selector": { "app": "svc2" } },
    }));
    assert_eq!(cluster.settle(), ["svc3"]);
}

#[test]
fn what_a_user_has_changed_in_an_automatic_fence_stays() {
    let mut cluster = mk_testns(mk_auto(true));
    cluster.settle();
    let name = ObjectRef::new("testns", "svc1");
    let mut changed = ServiceFence::clone(&cluster.world.fence(&name).unwrap());
    changed.spec.enable = false;
    changed.metadata.resource_version = Some("90".to_owned());
    changed.upsert(&mut cluster.world, &mut cluster.concerned);
    cluster.namespace(fenced("true"));
    cluster.settle();
    assert!(!cluster.world.fence(&name).unwrap().spec.enable);
}

#[test]
fn nothing_is_decided_in_a_namespace_that_is_unknown_or_on_its_way_out() {
    let mut cluster = Cluster::new(mk_auto(true));
    cluster.service("svc1", fenced("true"));
    assert_eq!(cluster.settle(), [""; 0]);
    cluster.namespace(json!({}));
    assert_eq!(cluster.settle(), ["svc1"], "the namespace came last");

    cluster.upsert::<Namespace>(json!({
        "metadata": { "name": "testns" }, "status": { "phase": "Terminating" },
    }));
    cluster.service("svc2", json!({}));
    cluster.remove::<Service>("svc1");
    assert_eq!(cluster.settle(), ["svc1"], "it goes with its namespace");
}

mod scope;
mod workloads;
