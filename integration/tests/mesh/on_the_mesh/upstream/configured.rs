//! The controller's configuration, changed for a test that runs alone.

use super::labels::{automatic, await_fences, services};
use crate::on_the_mesh::corner::Corner;
use crate::on_the_mesh::world::{controller_metric, mesh};
use integration::until::until;
use serde_json::{Value, json};

/// Where the controller is.
const PLACE: [&str; 2] = ["-n", "mesh-operator"];
/// Configurations that came after the first one and are in force.
const APPLIED: &str = "lazyload_config_reloads_total{result=\"applied\"}";
/// The same, refused.
const REJECTED: &str = "lazyload_config_reloads_total{result=\"rejected\"}";

/// A changed configuration. Dropped, it is as it was.
pub struct Configured {
    map: String,
    key: String,
    before: String,
}

impl Configured {
    /// Merges `change` into the configuration, and waits until the controller has it.
    pub fn new(change: Value) -> Self {
        let volume = "jsonpath={.spec.template.spec.volumes[?(@.name=='config')].configMap.name}";
        let map = kubectl(&["get", "deployment", "lazyload", "-o", volume]);
        let data = kubectl(&["get", "configmap", &map, "-o", "jsonpath={.data}"]);
        let data: Value = serde_json::from_str(&data).unwrap();
        let (key, before) = data.as_object().unwrap().iter().next().unwrap();
        let configured = Self {
            map,
            key: key.clone(),
            before: before.as_str().unwrap().to_owned(),
        };
        configured.change(change);
        configured
    }

    /// The same once more; what was changed before is as it was.
    pub fn change(&self, change: Value) {
        let mut document: Value = serde_norway::from_str(&self.before).unwrap();
        merge(&mut document, change);
        self.put(&document.to_string());
    }

    /// Writes a text that is no configuration, and waits until the controller has refused it.
    pub fn spoil(&self, text: &str) {
        let before = controller_metric(REJECTED);
        self.write(text);
        until("the configuration to be refused", || {
            Ok((controller_metric(REJECTED) > before).then_some(()))
        })
        .unwrap();
    }

    fn put(&self, text: &str) {
        let counted = || [APPLIED, REJECTED].map(controller_metric);
        let before = counted();
        self.write(text);
        until("the configuration to be in force", || {
            let now = counted();
            assert!(
                now[1] <= before[1],
                "refused; see the controller's log: {text}"
            );
            Ok((now[0] > before[0]).then_some(()))
        })
        .unwrap();
    }

    fn write(&self, text: &str) {
        let patch = json!({"data": {&self.key: text}}).to_string();
        kubectl(&[
            "patch",
            "configmap",
            &self.map,
            "--type=merge",
            "-p",
            &patch,
        ]);
    }
}

/// Wishes with which Sidecars come out as Slime writes them.
pub fn as_slime(mut wishes: Value) -> Value {
    merge(
        &mut wishes,
        json!({"general": {"sidecarHosts": "compatible"}}),
    );
    wishes
}

impl Drop for Configured {
    fn drop(&mut self) {
        // A second panic would hide the first.
        let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.put(&self.before)));
        assert!(
            put.is_ok() || std::thread::panicking(),
            "the configuration could not be put back"
        );
    }
}

fn kubectl(arguments: &[&str]) -> String {
    mesh()
        .kubectl_output(&[arguments, &PLACE].concat())
        .unwrap()
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

/// A change of the configuration that is wrong costs nothing: what was in force stays so, and the log says what is wrong with it.
#[test]
fn a_configuration_that_makes_no_sense_leaves_the_one_before_in_force() {
    let corner = Corner::alone("spoiled");
    let configured = Configured::new(automatic(&corner, true));
    configured.spoil("general:\n  autoFence: false\n  defaultFense: true\n");
    services(&corner, &["late"]);
    await_fences(&corner, "a Service that came later", &["late"]);
    let controller = mesh().workload("mesh-operator/lazyload").unwrap();
    let log = mesh().log(&controller, "lazyload").unwrap();
    let told = |line: &&str| line.contains("defaultFense") && line.contains("line 3");
    assert!(
        log.lines().any(|line| told(&line)),
        "key and line are named"
    );
}
