//! Names of Services, as a cluster's DNS would answer them: one hosts file for each namespace, with the short names of that
//! namespace and the qualified names of all.

use crate::supervisor::run_path;
use anyhow::Result;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Mutex;

/// (namespace, name) → ClusterIP.
type Services = BTreeMap<(String, String), String>;

/// The known names and the files that carry them.
#[derive(Default)]
pub struct Names {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    services: Services,
    listed: BTreeSet<(String, String)>,
    namespaces: BTreeSet<String>,
}

impl Names {
    /// The hosts file for pods of `namespace`; kept up to date from now on.
    pub fn file(&self, namespace: &str) -> Result<PathBuf> {
        let mut state = self.lock();
        state.namespaces.insert(namespace.to_owned());
        write(namespace, &state.services)?;
        Ok(path(namespace))
    }

    /// Follows the Services until the watch fails for good.
    pub async fn follow(&self, client: Client) -> Result<()> {
        let mut events = std::pin::pin!(
            watcher(Api::<Service>::all(client), watcher::Config::default()).default_backoff()
        );
        loop {
            // After an error the watcher has already waited and looks again by itself.
            let Ok(Some(event)) = events.try_next().await else {
                continue;
            };
            self.apply(event)?;
        }
    }

    fn apply(&self, event: watcher::Event<Service>) -> Result<()> {
        let mut state = self.lock();
        match event {
            watcher::Event::InitApply(service) => {
                state.listed.insert(key(&service));
                state.learn(&service);
            }
            watcher::Event::Apply(service) => state.learn(&service),
            watcher::Event::Delete(service) => {
                state.services.remove(&key(&service));
            }
            // What was listed before holds until the new list is through.
            watcher::Event::Init => state.listed.clear(),
            watcher::Event::InitDone => {
                let listed = std::mem::take(&mut state.listed);
                state.services.retain(|name, _| listed.contains(name));
            }
        }
        state
            .namespaces
            .iter()
            .try_for_each(|namespace| write(namespace, &state.services))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    /// A headless Service has no address of its own and no name here.
    fn learn(&mut self, service: &Service) {
        let address = service
            .spec
            .as_ref()
            .and_then(|spec| spec.cluster_ip.clone());
        if let Some(address) = address.filter(|address| address != "None" && !address.is_empty()) {
            self.services.insert(key(service), address);
        }
    }
}

fn key(service: &Service) -> (String, String) {
    (service.namespace().unwrap_or_default(), service.name_any())
}

fn path(namespace: &str) -> PathBuf {
    run_path("hosts").join(namespace)
}

/// Writes in place: containers see this very file through a mount.
fn write(namespace: &str, services: &Services) -> Result<()> {
    let text = hosts(namespace, services);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path(namespace))?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)?;
    Ok(())
}

fn hosts(namespace: &str, services: &Services) -> String {
    let mut text = String::from("127.0.0.1 localhost\n");
    for ((its_namespace, name), address) in services {
        let _ = write!(text, "{address}");
        if its_namespace == namespace {
            let _ = write!(text, " {name}");
        }
        for suffix in ["", ".svc", ".svc.cluster.local"] {
            let _ = write!(text, " {name}.{its_namespace}{suffix}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_resolve_in_their_own_namespace_only() {
        let services = Services::from([(("a".into(), "web".into()), "10.96.0.7".into())]);
        assert!(
            hosts("a", &services)
                .contains("10.96.0.7 web web.a web.a.svc web.a.svc.cluster.local\n")
        );
        assert!(
            hosts("b", &services).contains("10.96.0.7 web.a web.a.svc web.a.svc.cluster.local\n")
        );
    }
}
