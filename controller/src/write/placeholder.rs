//! Keeping the placeholder.

use std::time::Duration;

use kube::Api;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Writer,
    apply::{create, delete, update},
    error::{WriteError, call},
};
use crate::{
    api::ServiceEntry,
    placeholder::{PlaceholderAction, PlaceholderPorts, plan, ports_of},
    queue::{Key, Outcome},
};

impl Writer {
    /// Writes, deletes or leaves the placeholder, as the Services in the index say.
    pub(super) async fn write_placeholder(&self) -> Result<Outcome, WriteError> {
        let settings = self.index.read(|world| world.settings().clone());
        let namespace = &settings.slime_namespace;
        let api: Api<ServiceEntry> = Api::namespaced(self.client.clone(), namespace);
        let existing = self.index.read(|world| world.placeholder());
        let (ports, wait) = self.carried();
        match plan(namespace, &ports, existing.as_deref()) {
            PlaceholderAction::Keep => {}
            PlaceholderAction::Apply(desired) => {
                let wish = serde_json::to_string(&desired.spec)?;
                if let Some(wait) = self.undue("placeholder", &Key::Placeholder, &wish) {
                    return Ok(Outcome::Later(wait));
                }
                let uid = existing
                    .as_deref()
                    .and_then(|existing| existing.metadata.uid.clone());
                let outcome = match uid {
                    Some(uid) => {
                        let is_same = |found: &ServiceEntry| found.spec == desired.spec;
                        update(&api, &*desired, &uid, &[], is_same).await
                    }
                    None => create(&api, &*desired).await,
                };
                if matches!(outcome, Ok(_) | Err(WriteError::NotKept)) {
                    self.corrections.written(&Key::Placeholder, &wish);
                }
                match outcome {
                    Ok(written) => {
                        self.index
                            .write(|world, _| world.observe_placeholder(written));
                        self.metrics.placeholder_writes.inc();
                        self.report(&ports);
                    }
                    Err(error @ WriteError::Conflict(_)) => {
                        self.look_at_placeholder(&api).await?;
                        return Err(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            PlaceholderAction::Delete { uid } => {
                if delete(&api, crate::placeholder::PLACEHOLDER_NAME, uid).await? {
                    self.report(&ports);
                }
            }
            PlaceholderAction::Foreign => {
                self.metrics.foreign_objects("placeholder").inc();
                warn!(
                    service_entry = crate::placeholder::PLACEHOLDER_NAME,
                    "a ServiceEntry of this name was not made by this controller and is left untouched; delete or rename it"
                );
            }
        }
        self.metrics.placeholder_ports.set(length(ports.open.len()));
        self.metrics
            .placeholder_left_out("tcp_conflict")
            .set(length(ports.conflicts.len()));
        self.metrics
            .placeholder_left_out("surplus")
            .set(length(ports.surplus.len()));
        Ok(wait.map_or(Outcome::Done, Outcome::Later))
    }

    /// The placeholder's ports as sidecars are to have them, and how long until that has to be looked at again.
    pub(super) fn carried(&self) -> (PlaceholderPorts, Option<Duration>) {
        let (mut ports, existing, settings) = self.index.read(|world| {
            (
                world.placeholder_ports().clone(),
                world.placeholder(),
                world.settings().clone(),
            )
        });
        let before = || ports_of(existing.as_deref());
        let mut memory = self.ports.lock();
        let (open, wait) = memory.settle(&ports, before, &settings.ports, Instant::now());
        ports.open = open;
        (ports, wait)
    }

    /// Reads the placeholder from the API server into the index, for the next try.
    async fn look_at_placeholder(&self, api: &Api<ServiceEntry>) -> Result<(), WriteError> {
        let name = crate::placeholder::PLACEHOLDER_NAME;
        if let Some(mut found) = call(api.get_opt(name)).await? {
            found.metadata.managed_fields = None;
            self.index
                .write(|world, _| world.observe_placeholder(found));
        }
        Ok(())
    }

    fn report(&self, ports: &PlaceholderPorts) {
        if ports.open.is_empty() {
            info!(
                "placeholder deleted: no port is left to carry (configuration keys wormholePort and autoPort)"
            );
        } else {
            info!(ports = ?ports.open, "placeholder written");
        }
        for (port, service) in &ports.conflicts {
            warn!(port, service = %service, "HTTP port left out of the placeholder: this Service or ServiceEntry declares TCP on it");
        }
        if !ports.surplus.is_empty() {
            warn!(ports = ?ports.surplus, "HTTP ports left out of the placeholder: one ServiceEntry cannot carry more");
        }
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
