//! The placeholder: one ServiceEntry that keeps an HTTP listener open on the HTTP ports of the cluster.
//!
//! A narrowed sidecar has no listener for a port that no visible service uses, so a request there would reach no HTTP
//! filter and no miss would be seen. The placeholder is visible to every Sidecar (it lives in the controller's namespace)
//! and declares no protocol, so that Envoy sniffs: HTTP is routed, and other bytes go where they were going. Pure, like
//! [`fence`](crate::fence).

mod ports;
mod quiet;

pub use ports::{
    PlaceholderPorts, Protocol, ServicePort, entry_protocol, placeholder_ports, protocol_of,
};
pub use quiet::CarriedPorts;

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ObjectMeta;

use crate::{
    api::{ServiceEntry, ServiceEntryPort, ServiceEntrySpec},
    fence::ObjectRef,
    kept::{self, Action, is_ours},
    settings::Settings,
};

/// Name of the placeholder ServiceEntry.
pub const PLACEHOLDER_NAME: &str = "lazyload-placeholder";
/// Its host: nobody calls it, and reports never resolve to it.
pub const PLACEHOLDER_HOST: &str = "placeholder.lazyload.internal";

/// The one step that brings the placeholder where it should be: deleted when no port is left.
pub type PlaceholderAction = Action<ServiceEntry>;

/// Where the placeholder stands.
pub fn place(settings: &Settings) -> ObjectRef {
    ObjectRef::new(settings.slime_namespace.as_str(), PLACEHOLDER_NAME)
}

/// The placeholder for `ports`.
///
/// No address, no resolution by name and no declared protocol make istiod build `0.0.0.0_<port>` with protocol sniffing;
/// the default location, outside of the mesh, keeps mTLS off the bytes that pass through.
pub fn render(ports: &PlaceholderPorts, settings: &Settings) -> ServiceEntry {
    ServiceEntry {
        metadata: ObjectMeta {
            name: Some(PLACEHOLDER_NAME.to_owned()),
            namespace: Some(settings.slime_namespace.clone()),
            labels: Some(kept::labels(settings)),
            ..ObjectMeta::default()
        },
        spec: ServiceEntrySpec {
            hosts: vec![PLACEHOLDER_HOST.to_owned()],
            ports: ports
                .open
                .iter()
                .map(|&number| ServiceEntryPort {
                    number,
                    name: format!("port-{number}"),
                    rest: BTreeMap::new(),
                })
                .collect(),
            resolution: Some("NONE".to_owned()),
            // Whatever the mesh's `defaultServiceExportTo` is.
            export_to: vec!["*".to_owned()],
            rest: BTreeMap::new(),
        },
    }
}

/// The ports of `existing`, if it is ours: those that sidecars have.
pub fn ports_of(existing: Option<&ServiceEntry>, settings: &Settings) -> BTreeSet<u16> {
    let ours = existing.filter(|entry| is_ours(*entry, &settings.slime_namespace));
    let ports = ours.into_iter().flat_map(|entry| &entry.spec.ports);
    ports.map(|port| port.number).collect()
}

/// Compares the placeholder that should be with the one that is.
pub fn plan(
    ports: &PlaceholderPorts,
    settings: &Settings,
    existing: Option<&ServiceEntry>,
) -> PlaceholderAction {
    let desired = (!ports.open.is_empty()).then(|| render(ports, settings));
    kept::plan(desired, existing, settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mk_ports(open: &[u16]) -> PlaceholderPorts {
        PlaceholderPorts {
            open: open.iter().copied().collect(),
            ..PlaceholderPorts::default()
        }
    }

    fn mk_settings() -> Settings {
        let mut settings = Settings::default();
        settings.revisions.own = Some("canary".to_owned());
        settings
    }

    fn mk_existing(open: &[u16]) -> ServiceEntry {
        let mut existing = render(&mk_ports(open), &mk_settings());
        existing.metadata.uid = Some("e1".to_owned());
        existing
    }

    #[test]
    fn ports_are_declared_without_protocol_and_in_order() {
        assert_eq!(
            serde_json::to_value(render(&mk_ports(&[9080, 80]), &mk_settings())).unwrap(),
            json!({
                "apiVersion": "networking.istio.io/v1",
                "kind": "ServiceEntry",
                "metadata": {
                    "name": "lazyload-placeholder",
                    "namespace": "mesh-operator",
                    "labels": {
                        "app.kubernetes.io/managed-by": "lazyload",
                        "lazyload.internal/installation": "mesh-operator",
                        "istio.io/rev": "canary"
                    }
                },
                "spec": {
                    "hosts": ["placeholder.lazyload.internal"],
                    "ports": [{ "number": 80, "name": "port-80" }, { "number": 9080, "name": "port-9080" }],
                    "resolution": "NONE",
                    "exportTo": ["*"]
                }
            })
        );
    }

    #[test]
    fn it_is_written_only_when_the_ports_change() {
        fn plan_for(ports: &[u16], existing: Option<&ServiceEntry>) -> PlaceholderAction {
            plan(&mk_ports(ports), &mk_settings(), existing)
        }
        assert!(matches!(plan_for(&[80], None), PlaceholderAction::Apply(_)));
        assert_eq!(
            plan_for(&[80], Some(&mk_existing(&[80]))),
            PlaceholderAction::Keep
        );
        assert!(matches!(
            plan_for(&[80, 81], Some(&mk_existing(&[80]))),
            PlaceholderAction::Apply(_)
        ));
    }

    #[test]
    fn without_ports_there_is_none() {
        assert_eq!(
            plan(&mk_ports(&[]), &mk_settings(), None),
            PlaceholderAction::Keep
        );
        assert_eq!(
            plan(&mk_ports(&[]), &mk_settings(), Some(&mk_existing(&[80]))),
            PlaceholderAction::Delete {
                uid: "e1".to_owned()
            }
        );
    }

    #[test]
    fn somebody_elses_service_entry_of_the_same_name_is_left_alone() {
        let mut existing = mk_existing(&[80]);
        assert_eq!(
            ports_of(Some(&existing), &mk_settings()),
            BTreeSet::from([80])
        );
        existing.metadata.labels = None;
        assert_eq!(ports_of(Some(&existing), &mk_settings()), BTreeSet::new());
        assert_eq!(
            plan(&mk_ports(&[81]), &mk_settings(), Some(&existing)),
            PlaceholderAction::Foreign
        );
    }
}
