//! Keeping the placeholder.

use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};
use tracing::{info, warn};

use super::{
    Writer,
    apply::{Created, create, update},
    error::{WriteError, call},
};
use crate::{
    api::ServiceEntry,
    placeholder::{PlaceholderAction, PlaceholderPorts, plan},
};

impl Writer {
    /// Writes, deletes or leaves the placeholder, as the Services in the index say.
    pub(super) async fn write_placeholder(&self) -> Result<(), WriteError> {
        let namespace = &self.common.slime_namespace;
        let api: Api<ServiceEntry> = Api::namespaced(self.client.clone(), namespace);
        let (ports, existing) = self
            .index
            .read(|world| (world.placeholder_ports(), world.placeholder()));
        match plan(namespace, &ports, existing.as_deref()) {
            PlaceholderAction::Keep => {}
            PlaceholderAction::Apply(desired) => {
                let written = match existing
                    .as_deref()
                    .and_then(|existing| existing.metadata.uid.clone())
                {
                    Some(uid) => {
                        let is_same = |found: &ServiceEntry| found.spec == desired.spec;
                        update(&api, &*desired, &uid, &[], is_same).await?
                    }
                    None => match create(&api, &*desired).await? {
                        Created::New(made) => made,
                        // The watch is about to deliver it, and wakes this again.
                        Created::Found(_) => return Ok(()),
                    },
                };
                self.index
                    .write(|world, _| world.observe_placeholder(written));
                self.metrics.placeholder_writes.inc();
                self.report(&ports);
            }
            PlaceholderAction::Delete { uid } => {
                let preconditions = Preconditions {
                    uid: Some(uid),
                    resource_version: None,
                };
                let params = DeleteParams::default().preconditions(preconditions);
                match call(api.delete(crate::placeholder::PLACEHOLDER_NAME, &params)).await {
                    Ok(_) => self.report(&ports),
                    Err(WriteError::Gone(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            PlaceholderAction::Foreign => warn!(
                service_entry = crate::placeholder::PLACEHOLDER_NAME,
                "a ServiceEntry of this name was not made by this controller and is left untouched; delete or rename it"
            ),
        }
        self.metrics.placeholder_ports.set(length(ports.open.len()));
        self.metrics
            .placeholder_left_out("tcp_conflict")
            .set(length(ports.conflicts.len()));
        self.metrics
            .placeholder_left_out("surplus")
            .set(length(ports.surplus.len()));
        Ok(())
    }

    fn report(&self, ports: &PlaceholderPorts) {
        info!(ports = ?ports.open, "placeholder written");
        for (port, service) in &ports.conflicts {
            warn!(port, service = %service, "HTTP port left out of the placeholder: this Service declares TCP on it");
        }
        if !ports.surplus.is_empty() {
            warn!(ports = ?ports.surplus, "HTTP ports left out of the placeholder: one ServiceEntry cannot carry more");
        }
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
