//! Names of Services, as a cluster's DNS would answer them: one hosts file for each namespace, with the short names of that
//! namespace and the qualified names of all.

mod listed;

use crate::supervisor::run_path;
use anyhow::Result;
use futures::TryStreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use listed::{Key, Listed};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Mutex;

/// The end of every name.
const DOMAIN: &str = "svc.cluster.local";
/// How an EndpointSlice says whose it is.
const OWNER: &str = "kubernetes.io/service-name";

/// What a Service's name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// Its ClusterIP.
    Address(String),
    /// The pods of a headless Service.
    Pods,
    /// The Service whose name an ExternalName is.
    Alias(Key),
}

/// Ready addresses in a slice of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slice {
    service: Key,
    addresses: BTreeSet<String>,
}

/// The known names and the files that carry them.
#[derive(Default)]
pub struct Names {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    services: Listed<Target>,
    slices: Listed<Slice>,
    namespaces: BTreeSet<String>,
}

impl Names {
    /// The hosts file for pods of `namespace`; kept up to date from now on.
    pub fn file(&self, namespace: &str) -> Result<PathBuf> {
        let mut state = self.lock();
        state.namespaces.insert(namespace.to_owned());
        write(namespace, &state)?;
        Ok(path(namespace))
    }

    /// Follows Services and their endpoints until a watch fails for good.
    pub async fn follow(&self, client: Client) -> Result<()> {
        tokio::try_join!(
            self.follow_kind(client.clone(), |state, event| state
                .services
                .apply(event, target)),
            self.follow_kind(client, |state, event| state.slices.apply(event, slice)),
        )
        .map(drop)
    }

    async fn follow_kind<K>(
        &self,
        client: Client,
        learn: impl Fn(&mut State, watcher::Event<K>),
    ) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let mut events = std::pin::pin!(
            watcher(Api::<K>::all(client), watcher::Config::default()).default_backoff()
        );
        loop {
            // After an error the watcher has already waited and looks again by itself.
            let Ok(Some(event)) = events.try_next().await else {
                continue;
            };
            let mut state = self.lock();
            learn(&mut state, event);
            for namespace in &state.namespaces {
                write(namespace, &state)?;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    /// The addresses behind a Service's name. A name outside of the cluster has none here.
    fn addresses(&self, service: &Key) -> BTreeSet<String> {
        match self.services.get(service) {
            Some(Target::Address(address)) => BTreeSet::from([address.clone()]),
            Some(Target::Pods) => self.pods(service),
            Some(Target::Alias(of)) => match self.services.get(of) {
                Some(Target::Address(address)) => BTreeSet::from([address.clone()]),
                Some(Target::Pods) => self.pods(of),
                // An alias of an alias is not followed.
                _ => BTreeSet::new(),
            },
            None => BTreeSet::new(),
        }
    }

    fn pods(&self, service: &Key) -> BTreeSet<String> {
        let slices = self
            .slices
            .values()
            .filter(|slice| slice.service == *service);
        slices.flat_map(|slice| slice.addresses.clone()).collect()
    }
}

fn target(service: &Service) -> Option<Target> {
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        let name = spec.external_name.as_deref()?.trim_end_matches('.');
        let (name, namespace) = name
            .strip_suffix(DOMAIN)?
            .strip_suffix('.')?
            .split_once('.')?;
        return Some(Target::Alias((namespace.to_owned(), name.to_owned())));
    }
    match spec.cluster_ip.as_deref() {
        Some("None") => Some(Target::Pods),
        None | Some("") => None,
        Some(address) => Some(Target::Address(address.to_owned())),
    }
}

fn slice(slice: &EndpointSlice) -> Option<Slice> {
    let name = slice.labels().get(OWNER)?.clone();
    let ready = slice.endpoints.iter().flatten().filter(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.and_then(|conditions| conditions.ready) != Some(false)
    });
    Some(Slice {
        service: (slice.namespace().unwrap_or_default(), name),
        addresses: ready
            .flat_map(|endpoint| endpoint.addresses.clone())
            .collect(),
    })
}

fn path(namespace: &str) -> PathBuf {
    run_path("hosts").join(namespace)
}

/// Writes in place: containers see this very file through a mount.
fn write(namespace: &str, state: &State) -> Result<()> {
    let text = hosts(namespace, state);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path(namespace))?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)?;
    Ok(())
}

fn hosts(namespace: &str, state: &State) -> String {
    let mut text = String::from("127.0.0.1 localhost\n");
    for service in state.services.keys() {
        let (its_namespace, name) = service;
        for address in state.addresses(service) {
            let _ = write!(text, "{address}");
            if its_namespace == namespace {
                let _ = write!(text, " {name}");
            }
            for suffix in ["", ".svc", ".svc.cluster.local"] {
                let _ = write!(text, " {name}.{its_namespace}{suffix}");
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn mk_service(name: &str, spec: Value) -> Service {
        let metadata = json!({"name": name, "namespace": "a"});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn mk_state(services: &[Service], slices: &[EndpointSlice]) -> State {
        let mut state = State::default();
        for service in services {
            state
                .services
                .apply(watcher::Event::Apply(service.clone()), target);
        }
        for one in slices {
            state
                .slices
                .apply(watcher::Event::Apply(one.clone()), slice);
        }
        state
    }

    fn mk_slice(service: &str, endpoints: Value) -> EndpointSlice {
        let metadata =
            json!({"name": format!("{service}-1"), "namespace": "a", "labels": {OWNER: service}});
        serde_json::from_value(
            json!({"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints}),
        )
        .unwrap()
    }

    #[test]
    fn short_names_resolve_in_their_own_namespace_only() {
        let state = mk_state(&[mk_service("web", json!({"clusterIP": "10.96.0.7"}))], &[]);
        assert!(
            hosts("a", &state).contains("10.96.0.7 web web.a web.a.svc web.a.svc.cluster.local\n")
        );
        assert!(hosts("b", &state).contains("10.96.0.7 web.a web.a.svc web.a.svc.cluster.local\n"));
    }

    #[test]
    fn a_headless_service_is_its_ready_pods() {
        let endpoints = json!([
            {"addresses": ["10.244.0.9"], "conditions": {"ready": true}},
            {"addresses": ["10.244.0.8"], "conditions": {"ready": true}},
            {"addresses": ["10.244.0.7"], "conditions": {"ready": false}},
        ]);
        let state = mk_state(
            &[mk_service("web", json!({"clusterIP": "None"}))],
            &[
                mk_slice("web", endpoints.clone()),
                mk_slice("other", endpoints),
            ],
        );
        let text = hosts("b", &state);
        let addresses: Vec<_> = text
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(addresses, ["127.0.0.1", "10.244.0.8", "10.244.0.9"]);
    }

    #[test]
    fn an_external_name_is_the_service_that_it_names() {
        let alias =
            |to: &str| mk_service("alias", json!({"type": "ExternalName", "externalName": to}));
        let web = mk_service("web", json!({"clusterIP": "10.96.0.7"}));
        let state = mk_state(&[web.clone(), alias("web.a.svc.cluster.local")], &[]);
        assert!(hosts("a", &state).contains("10.96.0.7 alias alias.a "));
        let state = mk_state(&[web, alias("shop.example")], &[]);
        assert!(!hosts("a", &state).contains("alias"));
    }

    #[test]
    fn a_name_that_leads_nowhere_any_more_is_gone() {
        let mut state = mk_state(&[mk_service("web", json!({"clusterIP": "10.96.0.7"}))], &[]);
        let alias = mk_service(
            "web",
            json!({"type": "ExternalName", "externalName": "shop.example"}),
        );
        state.services.apply(watcher::Event::Apply(alias), target);
        assert!(!hosts("a", &state).contains("web"));
    }
}
