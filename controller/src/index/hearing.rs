//! Whether anybody hears reports: without that, what is dropped is never learned back.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client, core::DeserializeGuard, runtime::watcher};

use super::{Indexed, World, world::object_ref};
use crate::{fence::ObjectRef, queue::Key, settings::Settings};

/// The EndpointSlices of the Service to which sidecars report, whichever replica answers there.
const OF_REPORT_SERVICE: &str = "kubernetes.io/service-name=lazyload";

impl Indexed for EndpointSlice {
    const PLURAL: &'static str = "endpointslices";
    const IS_OPTIONAL: bool = true;
    const UNSEEN: Option<&'static str> =
        Some("nobody knows whether reports are heard, so nothing that was learned is dropped");

    fn watched(_: &Settings) -> watcher::Config {
        watcher::Config::default().labels(OF_REPORT_SERVICE)
    }

    fn api(client: Client, settings: &Settings) -> Api<DeserializeGuard<Self>> {
        Api::namespaced(client, &settings.slime_namespace)
    }

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let before = world.hears();
        world.hearers.insert(object_ref(&self), is_served(&self));
        wake_up(before, world, concerned);
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, concerned: &mut Vec<Key>) {
        let before = world.hears();
        world.hearers.remove(name);
        wake_up(before, world, concerned);
    }

    fn is_held(_: &ObjectRef, _: Option<&str>, _: &World) -> bool {
        false
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.hearers.keys().cloned().collect()
    }
}

impl World {
    /// Whether some replica of the controller is known to hear reports.
    pub fn hears(&self) -> bool {
        self.hearers.values().any(|is_served| *is_served)
    }
}

/// Where nothing is said, an endpoint is ready.
fn is_served(slice: &EndpointSlice) -> bool {
    slice.endpoints.iter().flatten().any(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.and_then(|conditions| conditions.ready) != Some(false)
    })
}

/// What was held back meanwhile is due now.
fn wake_up(before: bool, world: &World, concerned: &mut Vec<Key>) {
    if !before && world.hears() {
        let enabled = world.fences.iter().filter(|(_, fence)| fence.spec.enable);
        concerned.extend(enabled.map(|(name, _)| Key::Fence(name.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ServiceFence;
    use serde_json::{Value, json};

    fn mk_slice(name: &str, endpoints: Value) -> EndpointSlice {
        serde_json::from_value(json!({
            "metadata": { "namespace": "mesh-operator", "name": name },
            "addressType": "IPv4", "endpoints": endpoints, "ports": [],
        }))
        .unwrap()
    }

    fn mk_fence(name: &str, enable: bool) -> ServiceFence {
        serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": { "namespace": "default", "name": name }, "spec": { "enable": enable },
        }))
        .unwrap()
    }

    #[test]
    fn reports_are_heard_while_one_endpoint_is_ready() {
        let mut world = World::default();
        assert!(!world.hears(), "nothing is known");
        let ready =
            |ready: Value| json!([{ "addresses": ["10.0.0.1"], "conditions": { "ready": ready } }]);
        for (endpoints, expected) in [
            (json!([]), false),
            (ready(json!(false)), false),
            (ready(json!(true)), true),
            (ready(json!(null)), true),
            (json!([{ "addresses": ["10.0.0.1"] }]), true),
        ] {
            mk_slice("a", endpoints.clone()).upsert(&mut world, &mut Vec::new());
            assert_eq!(world.hears(), expected, "{endpoints}");
        }
        mk_slice("b", ready(json!(true))).upsert(&mut world, &mut Vec::new());
        let remove = |name: &str, world: &mut World| {
            let name = ObjectRef::new("mesh-operator", name);
            EndpointSlice::remove(&name, None, world, &mut Vec::new());
        };
        remove("a", &mut world);
        assert!(world.hears());
        remove("b", &mut world);
        assert!(!world.hears());
    }

    #[test]
    fn enabled_fences_are_looked_at_when_reports_are_heard_again_and_not_at_every_change() {
        let mut world = World::default();
        mk_fence("on", true).upsert(&mut world, &mut Vec::new());
        mk_fence("off", false).upsert(&mut world, &mut Vec::new());
        let mut changed = |endpoints: Value| {
            let mut concerned = Vec::new();
            mk_slice("a", endpoints).upsert(&mut world, &mut concerned);
            concerned
        };
        let one = json!({ "addresses": ["10.0.0.1"] });
        assert_eq!(
            changed(json!([one])),
            [Key::Fence(ObjectRef::new("default", "on"))]
        );
        assert_eq!(changed(json!([one, one])), []);
        assert_eq!(changed(json!([])), []);
        assert_eq!(changed(json!([one])).len(), 1);
    }
}
