//! Fences that the labels of Services and namespaces make.

use super::configured::Configured;
use crate::on_the_mesh::corner::Corner;
use crate::on_the_mesh::world::mk_fence;
use integration::until::until;
use serde_json::{Value, json};

/// Makes Services of these names, each of which selects pods of its own.
pub fn services(corner: &Corner, names: &[&str]) {
    let service = |name: &&str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: NAMESPACE}}\n\
            spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 9080}}]}}\n"
        )
    };
    let manifests: Vec<String> = names.iter().map(service).collect();
    corner.apply(&manifests.join("---\n"));
}

/// Fences made of themselves in the corner, and nowhere else.
pub fn automatic(corner: &Corner, default_fence: bool) -> Value {
    json!({"general": {
        "autoFence": true, "defaultFence": default_fence, "whiteNamespaceList": corner.namespace,
    }})
}

/// Sets the label, or with "" takes it away.
fn label(corner: &Corner, kind: &str, name: &str, value: &str) {
    let label = match value {
        "" => "slime.io/serviceFenced-".to_owned(),
        value => format!("slime.io/serviceFenced={value}"),
    };
    corner.kubectl(&["label", kind, name, "--overwrite", &label]);
}

/// Waits until the corner has just these fences.
pub fn await_fences(corner: &Corner, after: &str, expected: &[&str]) {
    let names = "jsonpath={.items[*].metadata.name}";
    let mut seen = String::new();
    let awaited = until(after, || {
        seen = corner.kubectl(&["get", "servicefence", "-o", names]);
        Ok(seen
            .split_whitespace()
            .eq(expected.iter().copied())
            .then_some(()))
    });
    assert!(
        awaited.is_ok(),
        "after {after}: {seen:?} in place of {expected:?}"
    );
}

/// The newer tutorial's example in "自动模式": `testns` with `svc1`, `svc2` and `svc3`, fenced by default.
#[test]
fn the_label_matrix_of_the_newer_tutorial_gives_its_fences() {
    let corner = Corner::alone("labels-new");
    services(&corner, &["svc1", "svc2", "svc3"]);
    let configured = Configured::new(automatic(&corner, true));
    let all = ["svc1", "svc2", "svc3"];
    let namespace = &corner.namespace;
    await_fences(&corner, "autoFence and defaultFence", &all);
    label(&corner, "namespace", namespace, "false");
    await_fences(&corner, "the namespace's label false", &[]);
    label(&corner, "service", "svc1", "true");
    await_fences(&corner, "svc1's label true", &["svc1"]);
    label(&corner, "namespace", namespace, "");
    label(&corner, "service", "svc1", "");
    await_fences(&corner, "no label any more", &all);
    // Slime leaves them where they are (its issue 517).
    drop(configured);
    await_fences(&corner, "autoFence off", &[]);
}

/// The older tutorial's example in "基于namespace/service label自动生成ServiceFence", not fenced by default; "manual fence survives
/// label changes" is its last step, and a fence that was made by hand from the beginning.
#[test]
fn the_label_matrix_of_the_older_tutorial_gives_its_fences_and_spares_those_made_by_hand() {
    let corner = Corner::alone("labels-old");
    services(&corner, &["byhand", "svc1", "svc2", "svc3"]);
    corner.apply(&mk_fence("byhand", "enable: false"));
    let by_hand = corner.fence_now("byhand").metadata;
    let _configured = Configured::new(automatic(&corner, false));
    let namespace = &corner.namespace;
    let all = ["byhand", "svc1", "svc2", "svc3"];
    label(&corner, "namespace", namespace, "true");
    await_fences(&corner, "the namespace's label true", &all);
    label(&corner, "service", "svc2", "false");
    label(&corner, "service", "byhand", "false");
    await_fences(&corner, "svc2's label false", &["byhand", "svc1", "svc3"]);
    label(&corner, "service", "svc2", "");
    await_fences(&corner, "svc2 without a label", &all);
    let not_ours = "app.kubernetes.io/created-by-";
    corner.kubectl(&["label", "servicefence", "svc3", not_ours]);
    label(&corner, "namespace", namespace, "");
    await_fences(
        &corner,
        "svc3 taken over, and no label",
        &["byhand", "svc3"],
    );
    let now = corner.fence_now("byhand").metadata;
    assert_eq!((now.uid, now.labels), (by_hand.uid, by_hand.labels));
    assert!(
        !corner.fence_now("byhand").spec.enable,
        "nor was its spec touched"
    );
}

/// Every label of a Service with every label of its namespace and every default: Service > namespace > `defaultFence`.
#[test]
fn every_combination_of_labels_and_default_gives_what_slime_gives() {
    let corner = Corner::alone("labels-all");
    services(&corner, &["odd", "plain", "unfenced", "willing"]);
    for (service, value) in [("unfenced", "false"), ("odd", "maybe"), ("willing", "true")] {
        label(&corner, "service", service, value);
    }
    let configured = Configured::new(automatic(&corner, false));
    // Each step changes what should be, so that none is right by accident.
    let steps = [
        (false, ["true", "", "true", "maybe", "true", "false"]),
        (true, ["false", "", "false", "maybe", "false", "true"]),
    ];
    for (default_fence, of_namespace) in steps {
        if default_fence {
            configured.change(automatic(&corner, true));
        }
        for label_of_namespace in of_namespace {
            label(&corner, "namespace", &corner.namespace, label_of_namespace);
            let fenced = match label_of_namespace {
                "true" => true,
                "false" => false,
                _ => default_fence,
            };
            let after = format!("namespace {label_of_namespace:?}, defaultFence {default_fence}");
            let expected: &[&str] = match fenced {
                true => &["odd", "plain", "willing"],
                false => &["willing"],
            };
            await_fences(&corner, &after, expected);
        }
    }
}

/// Workload fences, `fenceLabelKeyAlias` (Slime's pull request 291): pods that no Service has, by the value of a label.
#[test]
fn pods_without_a_service_are_fenced_by_the_label_that_the_configuration_names() {
    let corner = Corner::alone("workloads");
    let mut wishes = automatic(&corner, true);
    wishes["general"]["fenceLabelKeyAlias"] = json!("identity:batch");
    let _configured = Configured::new(wishes);
    for pod in ["one", "two"] {
        // Nothing plays its image: that it is there is enough.
        corner.kubectl(&["run", pod, "--image=nothing:1", "--labels=identity=report"]);
    }
    let name = "batch-report.workload.identity";
    await_fences(&corner, "two pods of one value", &[name]);
    let labels = corner
        .fence_now(name)
        .spec
        .workload_selector
        .unwrap()
        .labels;
    assert_eq!(
        labels,
        [("identity".to_owned(), "report".to_owned())].into()
    );
    corner.kubectl(&["delete", "pod", "one", "--force", "--grace-period=0"]);
    corner.kubectl(&["delete", "pod", "two", "--force", "--grace-period=0"]);
    await_fences(&corner, "the last pod's end", &[]);
}

/// lazyxds' e2e: "ExternalName type service should always disable lazyxds" and "Service without selector should always disable
/// lazyxds".
#[test]
fn external_name_and_selector_less_services_are_never_fenced() {
    let corner = Corner::alone("unfit");
    corner.apply(UNFIT);
    let _configured = Configured::new(automatic(&corner, true));
    services(&corner, &["fit"]);
    await_fences(&corner, "the one that can be", &["fit"]);
    // All are looked at again.
    label(&corner, "namespace", &corner.namespace, "false");
    await_fences(&corner, "the namespace's label false", &[]);
    label(&corner, "namespace", &corner.namespace, "true");
    await_fences(&corner, "the namespace's label true", &["fit"]);
}

const UNFIT: &str = "\
apiVersion: v1
kind: Service
metadata: {name: external-without-selector, namespace: NAMESPACE}
spec: {type: ExternalName, externalName: details.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: external-with-selector, namespace: NAMESPACE}
spec: {type: ExternalName, externalName: details.default.svc.cluster.local, selector: {app: any}}
---
apiVersion: v1
kind: Service
metadata: {name: selector-less, namespace: NAMESPACE}
spec: {ports: [{name: http, port: 9080}]}
";
