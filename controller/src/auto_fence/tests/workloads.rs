//! Fences of pods by a label.

use std::collections::BTreeSet;

use kube::api::ObjectMeta;

use super::*;

fn mk_rule(key: &str, alias: &str) -> Option<WorkloadFences> {
    Some(WorkloadFences {
        key: key.to_owned(),
        alias: alias.to_owned(),
    })
}

/// The namespace `testns`, with workload fences by the label `job`.
fn mk_jobs(default_fence: bool) -> Cluster {
    let mut cluster = Cluster::new(AutoFence {
        workloads: mk_rule("job", "app"),
        ..mk_auto(default_fence)
    });
    cluster.namespace(json!({}));
    cluster
}

impl Cluster {
    fn pod(&mut self, name: &str, labels: Value) {
        let pod: ObjectMeta = serde_json::from_value(json!({
            "namespace": "testns", "name": name, "labels": labels,
        }))
        .unwrap();
        self.world.upsert_pod(pod, &mut self.concerned);
    }

    fn pod_is_gone(&mut self, name: &str) {
        let name = ObjectRef::new("testns", name);
        self.world.remove_pod(&name, &mut self.concerned);
    }

    fn listed(&mut self, key: &str, names: &[&str]) {
        let names: BTreeSet<_> = names
            .iter()
            .map(|name| ObjectRef::new("testns", *name))
            .collect();
        self.world.pods_listed(key, &names, &mut self.concerned);
    }
}

const A: &str = "app-a.workload.identity";
const B: &str = "app-b.workload.identity";

#[test]
fn there_is_one_workload_fence_per_value_as_long_as_a_pod_has_it() {
    let mut cluster = mk_jobs(true);
    cluster.listed("job", &[]);
    cluster.pod("p1", json!({ "job": "a" }));
    cluster.pod("p2", json!({ "job": "a" }));
    cluster.pod("p3", json!({ "job": "b" }));
    cluster.pod("p4", json!({ "other": "c" }));
    assert_eq!(cluster.settle(), [A, B]);
    let fence = cluster.world.fence(&ObjectRef::new("testns", A)).unwrap();
    assert_eq!(
        serde_json::to_value(&fence.spec).unwrap(),
        json!({ "enable": true, "workloadSelector": { "fromService": false, "labels": { "job": "a" } } })
    );
    assert!(is_automatic(&fence));

    cluster.pod_is_gone("p1");
    assert_eq!(cluster.settle(), [A, B]);
    cluster.pod("p2", json!({ "job": "b" }));
    assert_eq!(cluster.settle(), [B]);
    cluster.pod_is_gone("p2");
    cluster.pod_is_gone("p3");
    assert_eq!(cluster.settle(), [""; 0]);
}

#[test]
fn a_pod_on_its_way_out_does_not_count() {
    let mut cluster = mk_jobs(true);
    cluster.listed("job", &[]);
    cluster.pod("p1", json!({ "job": "a" }));
    assert_eq!(cluster.settle(), [A]);
    let going: ObjectMeta = serde_json::from_value(json!({
        "namespace": "testns", "name": "p1", "labels": { "job": "a" },
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }))
    .unwrap();
    cluster.world.upsert_pod(going, &mut cluster.concerned);
    assert_eq!(cluster.settle(), [""; 0]);
}

#[test]
fn no_workload_fence_is_taken_away_before_the_pods_have_been_listed() {
    let mut cluster = mk_jobs(true);
    for name in [A, B] {
        cluster.upsert::<ServiceFence>(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": {
                "namespace": "testns", "name": name, "uid": name, "labels": { CREATED_BY_LABEL: CREATED_BY },
            },
            "spec": { "enable": true, "workloadSelector": { "labels": { "job": "a" } } },
        }));
    }
    cluster.pod("p1", json!({ "job": "a" }));
    assert_eq!(cluster.settle(), [A, B]);
    cluster.listed("job", &["p1"]);
    assert_eq!(cluster.settle(), [A]);
    cluster.listed("job", &[]);
    assert_eq!(
        cluster.settle(),
        [""; 0],
        "the pod went while the watch was broken"
    );
}

#[test]
fn labels_of_pods_and_namespaces_say_who_gets_a_workload_fence() {
    let mut cluster = mk_jobs(false);
    cluster.listed("job", &[]);
    cluster.pod("p1", json!({ "job": "a" }));
    cluster.pod("p2", json!({ "job": "b", FENCED_LABEL: "false" }));
    assert_eq!(cluster.settle(), [""; 0]);
    cluster.namespace(fenced("true"));
    assert_eq!(cluster.settle(), [A]);
    cluster.namespace(fenced("false"));
    cluster.pod("p2", json!({ "job": "b", FENCED_LABEL: "true" }));
    assert_eq!(cluster.settle(), [B]);
}

#[test]
fn pods_that_a_service_fence_has_get_no_second_fence() {
    let mut cluster = mk_jobs(true);
    cluster.listed("job", &[]);
    cluster.service("svc1", json!({}));
    cluster.pod("p1", json!({ "job": "a", "app": "svc1" }));
    assert_eq!(cluster.settle(), ["svc1"]);
    cluster.pod("p2", json!({ "job": "a" }));
    assert_eq!(cluster.settle(), [A, "svc1"], "the Service has one of two");
    cluster.pod("p2", json!({ "job": "a", "app": "svc1" }));
    assert_eq!(cluster.settle(), ["svc1"]);
    cluster.service("svc1", fenced("false"));
    assert_eq!(cluster.settle(), [A]);
    cluster.upsert::<ServiceFence>(json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "testns", "name": "svc1", "uid": "m" }, "spec": { "enable": true },
    }));
    assert_eq!(
        cluster.settle(),
        ["svc1"],
        "a hand-made fence counts as well"
    );
}

#[test]
fn another_label_or_alias_takes_the_fences_of_the_former_one_away() {
    let mut cluster = mk_jobs(true);
    cluster.listed("job", &[]);
    cluster.pod("p1", json!({ "job": "a" }));
    assert_eq!(cluster.settle(), [A]);
    cluster.configure(|settings| settings.auto_fence.workloads = mk_rule("job", "job"));
    assert_eq!(cluster.settle(), ["job-a.workload.identity"]);

    let mut keys = cluster.world.workload_key();
    assert_eq!(keys.borrow_and_update().as_deref(), Some("job"));
    cluster.configure(|settings| settings.auto_fence.workloads = mk_rule("task", "job"));
    assert!(keys.has_changed().unwrap());
    assert_eq!(keys.borrow_and_update().as_deref(), Some("task"));
    assert_eq!(cluster.settle(), ["job-a.workload.identity"], "not listed");
    cluster.listed("job", &["p1"]);
    assert_eq!(cluster.settle(), ["job-a.workload.identity"], "too late");
    cluster.listed("task", &[]);
    assert_eq!(cluster.settle(), [""; 0]);

    cluster.configure(|settings| settings.auto_fence.workloads = None);
    assert_eq!(*keys.borrow(), None);
}

#[test]
fn a_value_that_makes_no_name_costs_the_others_nothing() {
    let mut cluster = mk_jobs(true);
    cluster.listed("job", &[]);
    cluster.pod("p1", json!({ "job": "Not_a_name" }));
    cluster.pod("p2", json!({ "job": "a" }));
    assert_eq!(cluster.settle(), [A]);
}

#[test]
fn pods_that_a_service_fence_is_about_to_have_get_no_second_fence_meanwhile() {
    let mut cluster = mk_jobs(true);
    cluster.listed("job", &[]);
    cluster.service("svc1", json!({}));
    cluster.pod("p1", json!({ "job": "a", "app": "svc1" }));
    let workloads = Key::Fence(ObjectRef::new("testns", A));
    cluster.concerned.retain(|key| *key == workloads);
    assert_eq!(cluster.settle(), [""; 0], "the other fence is not made yet");
    cluster.remove::<Service>("svc1");
    assert_eq!(cluster.settle(), [A]);
}
