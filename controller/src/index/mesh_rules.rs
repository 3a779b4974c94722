//! How events of the kinds that say what a host needs change the world. Reports ask for all of them; fences depend on VirtualServices
//! and DestinationRules alone.

use super::{Exported, Indexed, RouteFacts, World, routes::MESH, world::object_ref};
use crate::{
    api::{AuthorizationPolicy, DestinationRule, PeerAuthentication, PodSelector, VirtualService},
    fence::{Labels, ObjectRef},
    first_request::{MtlsMode, PeerPolicy},
    queue::Key,
};

impl Indexed for VirtualService {
    const PLURAL: &'static str = "virtualservices";
    const IS_OPTIONAL: bool = true;
    const IS_RULE: bool = true;

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        let before = world.route_views(&name);
        let spec = &self.spec;
        let is_for_sidecars =
            spec.gateways.is_empty() || spec.gateways.iter().any(|gateway| gateway == MESH);
        let hosts = if is_for_sidecars {
            let hosts = spec.hosts.iter();
            hosts
                .map(|host| world.full_name(host, &name.namespace))
                .collect()
        } else {
            Vec::new()
        };
        let mut facts = RouteFacts::new(spec, &name.namespace, |host| {
            world.full_name(host, &name.namespace)
        });
        let default = &world.export_defaults.virtual_services;
        facts.exported.follow(default);
        let exported = facts.exported.clone();
        world.routes.insert(&name, facts);
        let after = world.route_views(&name);
        world.concern_routes(&before, &after, concerned);
        world.mesh.virtual_services.insert(name, hosts, exported);
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, concerned: &mut Vec<Key>) {
        let before = world.route_views(name);
        world.routes.remove(name);
        let after = world.route_views(name);
        world.concern_routes(&before, &after, concerned);
        world.mesh.virtual_services.remove(name);
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.mesh.virtual_services.names().cloned().collect()
    }
}

impl Indexed for DestinationRule {
    const PLURAL: &'static str = "destinationrules";
    const IS_OPTIONAL: bool = true;
    const IS_RULE: bool = true;

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        let host = world.full_name(&self.spec.host, &name.namespace);
        let mut exported = Exported::to(self.spec.export_to.iter().map(String::as_str));
        exported.follow(&world.export_defaults.destination_rules);
        let before = world.rule(&name);
        let after = (host, exported);
        world.concern_rule(&name.namespace, before.as_ref(), Some(&after), concerned);
        let rules = &mut world.mesh.destination_rules;
        rules.insert(name, vec![after.0], after.1);
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, concerned: &mut Vec<Key>) {
        let before = world.rule(name);
        world.concern_rule(&name.namespace, before.as_ref(), None, concerned);
        world.mesh.destination_rules.remove(name);
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.mesh.destination_rules.names().cloned().collect()
    }
}

impl Indexed for PeerAuthentication {
    const PLURAL: &'static str = "peerauthentications";
    const IS_OPTIONAL: bool = true;
    const IS_RULE: bool = true;

    fn upsert(self, world: &mut World, _: &mut Vec<Key>) {
        let name = object_ref(&self);
        let mode = |mode: &Option<String>| MtlsMode::named(mode.as_deref());
        let mut ports = self.spec.port_level_mtls.values();
        let policy = PeerPolicy {
            mode: self
                .spec
                .mtls
                .as_ref()
                .map(|mtls| mode(&mtls.mode))
                .unwrap_or_default(),
            has_strict_port: ports.any(|mtls| mode(&mtls.mode) == MtlsMode::Strict),
            selector: labels_of(self.spec.selector),
        };
        world.mesh.peer_policies.insert(name, policy);
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, _: &mut Vec<Key>) {
        world.mesh.peer_policies.remove(name);
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.mesh.peer_policies.keys().cloned().collect()
    }
}

impl Indexed for AuthorizationPolicy {
    const PLURAL: &'static str = "authorizationpolicies";
    const IS_OPTIONAL: bool = true;
    const IS_RULE: bool = true;

    fn upsert(self, world: &mut World, _: &mut Vec<Key>) {
        let name = object_ref(&self);
        let selector = labels_of(self.spec.selector);
        world.mesh.authorization_policies.insert(name, selector);
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, _: &mut Vec<Key>) {
        world.mesh.authorization_policies.remove(name);
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.mesh.authorization_policies.keys().cloned().collect()
    }
}

fn labels_of(selector: Option<PodSelector>) -> Labels {
    selector.unwrap_or_default().match_labels
}

impl World {
    /// The host of a DestinationRule, and to whom it is exported.
    fn rule(&self, name: &ObjectRef) -> Option<(String, Exported)> {
        let (hosts, exported) = self.mesh.destination_rules.get(name)?;
        Some((hosts.first()?.clone(), exported.clone()))
    }

    /// `host` as an object of `namespace` means it: a name without a dot is a Service of the same namespace.
    fn full_name(&self, host: &str, namespace: &str) -> String {
        let host = host.to_ascii_lowercase();
        if host.contains('.') || host.starts_with('*') {
            host
        } else {
            format!("{host}.{namespace}{}", self.service_suffix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_request::{Need, Target};
    use serde_json::{Value, json};

    const HOST: &str = "a.default.svc.cluster.local";

    fn mk_world() -> World {
        World::new(std::sync::Arc::default())
    }

    fn add<K: Indexed>(world: &mut World, version: &str, kind: &str, spec: Value) {
        let object = json!({
            "apiVersion": version, "kind": kind,
            "metadata": { "namespace": "default", "name": "rule" }, "spec": spec,
        });
        let object: K = serde_json::from_value(object).unwrap();
        object.upsert(world, &mut Vec::new());
    }

    fn add_routes(world: &mut World, spec: Value) {
        add::<VirtualService>(world, "networking.istio.io/v1", "VirtualService", spec);
    }

    fn need(world: &World) -> Option<&'static str> {
        let selector = Labels::from([("app".to_owned(), "a".to_owned())]);
        let target = Target {
            host: HOST,
            from: "default",
            service: Some(("default", &selector)),
            entry: None,
        };
        let need = world.mesh.need(target, "istio-system", false);
        need.as_ref().map(Need::metric_label)
    }

    #[test]
    fn a_short_host_is_a_service_of_the_rules_own_namespace() {
        let mut world = mk_world();
        add_routes(
            &mut world,
            json!({ "hosts": ["A"], "http": [{ "route": [] }] }),
        );
        assert_eq!(need(&world), Some("virtual_service"));
        add_routes(&mut world, json!({ "hosts": ["b"] }));
        assert_eq!(need(&world), None);
        let spec = json!({ "host": "a", "exportTo": ["."], "subsets": null });
        add::<DestinationRule>(
            &mut world,
            "networking.istio.io/v1",
            "DestinationRule",
            spec,
        );
        assert_eq!(need(&world), Some("destination_rule"));
    }

    #[test]
    fn routes_of_gateways_alone_do_not_concern_sidecars() {
        let mut world = mk_world();
        for (gateways, expected) in [
            (json!(["edge"]), None),
            (json!(["edge", "mesh"]), Some("virtual_service")),
            (json!(null), Some("virtual_service")),
        ] {
            add_routes(&mut world, json!({ "hosts": [HOST], "gateways": gateways }));
            assert_eq!(need(&world), expected);
        }
    }

    #[test]
    fn policies_are_read_with_whatever_is_left_out_of_them() {
        let mut world = mk_world();
        for (spec, expected) in [
            (json!({}), None),
            (json!({ "mtls": {}, "selector": null }), None),
            (json!({ "mtls": { "mode": "STRICT" } }), Some("strict_mtls")),
            (json!({ "mtls": { "mode": "PERMISSIVE" } }), None),
            (
                json!({
                    "selector": { "matchLabels": { "app": "a" } },
                    "portLevelMtls": { "8080": { "mode": "STRICT" } },
                }),
                Some("strict_mtls"),
            ),
        ] {
            let kind = "PeerAuthentication";
            add::<PeerAuthentication>(&mut world, "security.istio.io/v1", kind, spec);
            assert_eq!(need(&world), expected);
        }
        PeerAuthentication::remove(
            &ObjectRef::new("default", "rule"),
            None,
            &mut world,
            &mut Vec::new(),
        );
        assert_eq!(need(&world), None);
        for (spec, expected) in [
            (
                json!({ "selector": { "matchLabels": { "app": "b" } } }),
                None,
            ),
            (json!({ "action": "DENY" }), Some("authorization_policy")),
        ] {
            let kind = "AuthorizationPolicy";
            add::<AuthorizationPolicy>(&mut world, "security.istio.io/v1", kind, spec);
            assert_eq!(need(&world), expected);
        }
    }
}
