//! What the mesh's own configuration says: which hosts it needs in every sidecar (tracing, access logs, external authorization
//! and the like), and who may use what does not say so itself.

mod exports;

pub use exports::ExportDefaults;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, core::DeserializeGuard, runtime::watcher};
use lazyload_protocol::host::candidates;
use serde_json::Value;
use tracing::warn;

use super::{Entry, Indexed, World, world::object_ref};
use crate::{
    fence::{ObjectRef, is_host, is_namespace},
    queue::Key,
    settings::Settings,
};

/// The key of the ConfigMap that holds the mesh configuration.
const MESH_KEY: &str = "mesh";

/// A host that the mesh configuration names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeshHost {
    /// The namespace that it says the host is in, if it says so.
    pub namespace: Option<String>,
    /// Host name, not always a full one.
    pub host: String,
}

impl Indexed for ConfigMap {
    const PLURAL: &'static str = "configmaps";
    const IS_OPTIONAL: bool = true;

    /// Istio's own alone, which is all that the controller may see.
    fn api(client: Client, settings: &Settings) -> Api<DeserializeGuard<Self>> {
        Api::namespaced(client, &settings.istio_namespace)
    }

    fn watched(settings: &Settings) -> watcher::Config {
        let selector = format!("metadata.name={}", config_name(settings));
        watcher::Config::default().fields(&selector)
    }

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        if name.namespace != world.settings.istio_namespace {
            return;
        }
        let text = self.data.as_ref().and_then(|data| data.get(MESH_KEY));
        match read(text.map_or("", String::as_str)) {
            Ok(config) => {
                // Another revision's may say the same.
                world.mesh_config = Some(name);
                world.follow_export_defaults(ExportDefaults::of(&config), concerned);
                let hosts = mesh_hosts(&config);
                if world.mesh_hosts.as_ref() != Some(&hosts) {
                    world.mesh_hosts = Some(hosts);
                    world.concern_all_exact(concerned);
                }
            }
            Err(error) => warn!(
                object = %name,
                key = MESH_KEY,
                error,
                "the mesh configuration cannot be read: what it last said stays"
            ),
        }
    }

    fn remove(name: &ObjectRef, _: Option<&str>, world: &mut World, concerned: &mut Vec<Key>) {
        if world.mesh_config.as_ref() == Some(name) {
            world.mesh_config = None;
            world.mesh_hosts = None;
            world.follow_export_defaults(ExportDefaults::default(), concerned);
            world.concern_all_exact(concerned);
        }
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.mesh_config.iter().cloned().collect()
    }
}

impl World {
    /// What every Sidecar of the namespace `from` has to name for the mesh configuration's sake; `None` if nobody knows.
    pub fn mesh_entries(&self, from: &str) -> Option<BTreeSet<Entry>> {
        let entries = self.mesh_hosts.as_ref()?.iter().flat_map(|needed| {
            if let Some(namespace) = &needed.namespace {
                let mut entries = self.rules_about(&needed.host, from);
                entries.insert((namespace.clone(), needed.host.clone()));
                return entries;
            }
            if !needed.host.contains('.') {
                return self.entries_with(&needed.host, from);
            }
            let names = self.mesh_names(needed).into_iter();
            let mut entries = names.map(|name| self.entries_of(&name, from));
            entries.find(|found| !found.is_empty()).unwrap_or_default()
        });
        Some(entries.collect())
    }

    /// The names that a host of the mesh configuration may stand for, completed as istiod's own namespace completes them.
    fn mesh_names(&self, needed: &MeshHost) -> Vec<String> {
        let settings = &self.settings;
        candidates(
            &needed.host,
            &settings.istio_namespace,
            &settings.cluster_domain,
        )
    }

    /// The hosts, in lower case, that are in every Sidecar.
    pub(super) fn always(&self) -> Vec<String> {
        let settings = &self.settings;
        let stable = settings.stable_hosts.iter().cloned();
        let needed = self.mesh_hosts.iter().flatten();
        let needed = needed.flat_map(|needed| {
            let named = std::iter::once(needed.host.clone());
            named.chain(self.mesh_names(needed))
        });
        stable
            .chain(settings.dispatched_hosts())
            .chain(needed)
            .chain([settings.own_host()])
            .map(|host| host.to_ascii_lowercase())
            .collect()
    }
}

/// `istio`, or `istio-<revision>` where the controller's objects are of a revision.
fn config_name(settings: &Settings) -> String {
    match settings.revisions.own.as_deref() {
        None | Some("" | "default") => "istio".to_owned(),
        Some(revision) => format!("istio-{revision}"),
    }
}

/// Reads the mesh configuration.
///
/// # Errors
/// In words, if it is no YAML map.
fn read(text: &str) -> Result<Value, String> {
    let config: Value = serde_norway::from_str(text).map_err(|error| error.to_string())?;
    if config.is_object() || config.is_null() {
        Ok(config)
    } else {
        Err("it is no map".to_owned())
    }
}

/// The hosts that the mesh configuration makes sidecars call.
fn mesh_hosts(config: &Value) -> BTreeSet<MeshHost> {
    let providers = config["extensionProviders"].as_array();
    let services = providers
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(serde_json::Map::values)
        .filter_map(|provider| provider["service"].as_str());
    let defaults = &config["defaultConfig"];
    let tracers = defaults["tracing"].as_object();
    let addresses = tracers
        .into_iter()
        .flat_map(serde_json::Map::values)
        .chain([
            &defaults["envoyAccessLogService"],
            &defaults["envoyMetricsService"],
        ])
        .filter_map(|called| called["address"].as_str())
        .chain(defaults["zipkinAddress"].as_str());
    // Providers are looked up by the very host, which may be a ServiceEntry's of one label.
    let label = |service: &&str| is_namespace(service);
    let labels = services.clone().filter(label).map(|host| MeshHost {
        namespace: None,
        host: host.to_owned(),
    });
    let hosts = services.chain(addresses).filter_map(mesh_host);
    hosts.chain(labels).collect()
}

/// Reads `[<namespace>/]<host>[:<port>]`. Addresses, and names that only the sidecar knows, such as `$(HOST_IP)`, are not looked
/// for in the mesh.
fn mesh_host(text: &str) -> Option<MeshHost> {
    let (namespace, host) = match text.split_once('/') {
        Some((namespace, host)) => (Some(namespace).filter(|name| is_namespace(name)), host),
        None => (None, text),
    };
    let host = host
        .split(':')
        .next()?
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    (is_host(&host) && !is_address).then(|| MeshHost {
        namespace: namespace.map(str::to_owned),
        host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_config(text: &str) -> ConfigMap {
        serde_json::from_value(serde_json::json!({
            "metadata": { "namespace": "istio-system", "name": "istio" }, "data": { "mesh": text },
        }))
        .unwrap()
    }

    fn hosts(text: &str) -> Vec<String> {
        let hosts = mesh_hosts(&read(text).unwrap()).into_iter();
        hosts
            .map(|found| match found.namespace {
                Some(namespace) => format!("{namespace}/{}", found.host),
                None => found.host,
            })
            .collect()
    }

    #[test]
    fn providers_and_default_addresses_are_what_sidecars_call() {
        let text = "
            extensionProviders:
            - name: otel
              opentelemetry: { service: otel.observability.svc.cluster.local, port: 4317 }
            - name: authz
              envoyExtAuthzGrpc: { service: security/authz.example.com, port: 9000 }
            - name: file
              envoyFileAccessLog: { path: /dev/stdout }
            defaultConfig:
              tracing:
                sampling: 1
                zipkin: { address: 'zipkin.istio-system:9411' }
                datadog: { address: '$(HOST_IP):8126' }
              envoyMetricsService: { address: '10.0.0.1:15000' }
              envoyAccessLogService: { address: 'als.logs:9000' }
        ";
        assert_eq!(
            hosts(text),
            [
                "als.logs",
                "otel.observability.svc.cluster.local",
                "zipkin.istio-system",
                "security/authz.example.com"
            ]
        );
        assert_eq!(hosts(""), [] as [&str; 0]);
    }

    #[tokio::test]
    async fn only_istios_own_of_the_revision_is_asked_for() {
        for (revision, name) in [
            (None, "istio"),
            (Some("default"), "istio"),
            (Some("canary"), "istio-canary"),
        ] {
            let mut settings = Settings {
                istio_namespace: "mesh".to_owned(),
                ..Settings::default()
            };
            settings.revisions.own = revision.map(str::to_owned);
            let client = Client::new(axum::Router::new(), "default");
            let api = ConfigMap::api(client, &settings);
            let watched = ConfigMap::watched(&settings);
            assert_eq!(api.resource_url(), "/api/v1/namespaces/mesh/configmaps");
            let selector = format!("metadata.name={name}");
            assert_eq!(watched.field_selector, Some(selector));
        }
    }

    #[test]
    fn a_configuration_that_cannot_be_read_leaves_what_was_known_and_one_that_goes_does_not() {
        let mut world = World::new(std::sync::Arc::default());
        let upsert = |world: &mut World, text| mk_config(text).upsert(world, &mut Vec::new());
        upsert(&mut world, "defaultConfig: { zipkinAddress: 'a.b:1' }");
        let known = world.mesh_hosts.clone();
        assert_eq!(known.as_ref().map(BTreeSet::len), Some(1));
        for text in ["{", "- 1"] {
            upsert(&mut world, text);
            assert_eq!(world.mesh_hosts, known, "{text}");
        }
        let [name] = &ConfigMap::names(&world)[..] else {
            panic!("one ConfigMap is known");
        };
        ConfigMap::remove(name, None, &mut world, &mut Vec::new());
        assert_eq!(world.mesh_hosts, None);
    }
}
