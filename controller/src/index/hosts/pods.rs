//! Pods of headless Services, which DNS knows by names of their own.

use super::{ROUTED_PORT, Resolved};
use crate::index::World;

impl World {
    /// What the pod `host` of the headless Service below which `wild`, `*.<service host>`, stands is to a pod of the namespace
    /// `from`: that Service, to whose route Istio gives all names below each of its own.
    pub(super) fn pod_on(
        &self,
        host: &str,
        wild: &str,
        from: &str,
        port: Option<u16>,
    ) -> Option<Resolved> {
        let service = wild.strip_prefix("*.")?;
        let facts = self.services.get(&self.service_named(service)?)?;
        // A route of exactly this name comes before one of all names below another.
        let is_routed = || {
            port.is_none_or(|port| port == ROUTED_PORT) && self.routes.routes_exactly(host, from)
        };
        if !facts.is_headless || is_routed() {
            return None;
        }
        self.service_on(service, from, port, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{ServiceEntry, VirtualService},
        index::{Indexed, hosts::Found},
    };
    use k8s_openapi::api::core::v1::Service;
    use serde_json::{Value, json};

    const DB: &str = "db.shop.svc.cluster.local";
    const POD: &str = "db-0.db.shop.svc.cluster.local";

    fn add<K: Indexed>(world: &mut World, version: &str, kind: &str, name: &str, spec: Value) {
        let object = json!({
            "apiVersion": version, "kind": kind,
            "metadata": { "namespace": "shop", "name": name }, "spec": spec,
        });
        let object: K = serde_json::from_value(object).unwrap();
        object.upsert(world, &mut Vec::new());
    }

    fn add_service(world: &mut World, name: &str, cluster_ip: &str) {
        let spec = json!({ "clusterIP": cluster_ip, "ports": [{ "name": "http", "port": 80 }] });
        add::<Service>(world, "v1", "Service", name, spec);
    }

    /// A headless Service shop/db.
    fn mk_world() -> World {
        let mut world = World::new(std::sync::Arc::default());
        add_service(&mut world, "db", "None");
        world
    }

    fn found(world: &World, host: &str, port: Option<u16>) -> Option<String> {
        match world.resolve(host, "default", port)? {
            Resolved::Host(Found { host, .. }) => Some(host),
            Resolved::OtherPorts { owner } => Some(owner),
        }
    }

    #[test]
    fn a_pod_stands_for_its_headless_service_and_has_its_ports() {
        let world = mk_world();
        assert_eq!(found(&world, POD, Some(80)).as_deref(), Some(DB));
        assert_eq!(found(&world, POD, None).as_deref(), Some(DB));
        let other = found(&world, POD, Some(81));
        assert_eq!(other, Some(format!("Service {DB}")));
    }

    #[test]
    fn nothing_stands_below_a_service_with_an_address_of_its_own() {
        let mut world = mk_world();
        add_service(&mut world, "db", "10.0.0.7");
        assert_eq!(found(&world, POD, None), None);
        add_service(&mut world, "db", "None");
        assert_eq!(found(&world, POD, None).as_deref(), Some(DB));
        for host in ["db-0.cache.shop.svc.cluster.local", "db-0.db.shop.example"] {
            assert_eq!(found(&world, host, None), None, "{host}");
        }
    }

    #[test]
    fn what_is_not_exported_to_the_caller_is_not_there_by_the_names_of_its_pods_either() {
        let mut world = World::new(std::sync::Arc::default());
        let service = json!({
            "metadata": {
                "namespace": "shop", "name": "db",
                "annotations": { "networking.istio.io/exportTo": "." },
            },
            "spec": { "clusterIP": "None" },
        });
        let service: Service = serde_json::from_value(service).unwrap();
        service.upsert(&mut world, &mut Vec::new());
        assert_eq!(world.resolve(POD, "default", None), None);
        assert!(world.resolve(POD, "shop", None).is_some());
    }

    #[test]
    fn a_host_of_exactly_the_pods_name_comes_before_it_and_a_shorter_wildcard_after_it() {
        let istio = "networking.istio.io/v1";
        let mut world = mk_world();
        let wide = json!({ "hosts": ["*.shop.svc.cluster.local"] });
        add::<ServiceEntry>(&mut world, istio, "ServiceEntry", "wide", wide);
        let http = json!([{ "route": [{ "destination": { "host": "db" } }] }]);
        let wide = json!({ "hosts": ["*.shop.svc.cluster.local"], "http": http });
        add::<VirtualService>(&mut world, istio, "VirtualService", "wide", wide);
        assert_eq!(found(&world, POD, Some(80)).as_deref(), Some(DB));

        let mut routed = mk_world();
        let exact = json!({ "hosts": [POD], "http": http });
        add::<VirtualService>(&mut routed, istio, "VirtualService", "exact", exact);
        assert_eq!(found(&routed, POD, Some(80)).as_deref(), Some(POD));

        let exact = json!({ "hosts": [POD] });
        add::<ServiceEntry>(&mut world, istio, "ServiceEntry", "exact", exact);
        assert_eq!(found(&world, POD, Some(80)).as_deref(), Some(POD));
    }

    #[test]
    fn no_sidecar_names_a_namespace_that_is_part_of_a_pods_name() {
        assert!(mk_world().entries_of(POD, "default").is_empty());
    }
}
