//! Keeping the placeholder.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Writer,
    error::WriteError,
    keeper::{Kept, Step},
};
use crate::{
    api::ServiceEntry,
    index::World,
    metrics::Metrics,
    placeholder::{PLACEHOLDER_NAME, PlaceholderPorts, plan, ports_of},
    queue::{Key, Outcome},
};

impl Kept for ServiceEntry {
    const OBJECT: &'static str = "placeholder";
    const NAME: &'static str = PLACEHOLDER_NAME;

    fn writes(metrics: &Metrics) -> &Counter {
        &metrics.placeholder_writes
    }

    fn observe(self, world: &mut World) {
        world.observe_placeholder(self);
    }

    fn forget(world: &mut World, _: &str) {
        world.forget_placeholder();
    }
}

impl Writer {
    /// Writes, deletes or leaves the placeholder, as the Services in the index say.
    pub(super) async fn write_placeholder(&self) -> Result<Outcome, WriteError> {
        let (existing, settings) = self
            .index
            .read(|world| (world.placeholder(), world.settings().clone()));
        let namespace = &settings.slime_namespace;
        let (ports, wait) = self.carried();
        let existing = existing.as_deref();
        let action = plan(&ports, &settings, existing);
        let step = self.keep(namespace, &Key::Placeholder, existing, action);
        match step.await? {
            Step::Nothing | Step::Foreign => {}
            Step::Later(wait) => return Ok(Outcome::Later(wait)),
            Step::Written | Step::Deleted => report(&ports),
        }
        if self.ports.lock().leaves_out_others(&ports) {
            report_left_out(&ports);
        }
        self.metrics
            .set_ports(ports.open.len(), ports.conflicts.len(), ports.surplus.len());
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
        let before = || ports_of(existing.as_deref(), &settings);
        let mut memory = self.ports.lock();
        let (open, wait) = memory.settle(&ports, before, &settings.ports, Instant::now());
        ports.open = open;
        (ports, wait)
    }
}

fn report(ports: &PlaceholderPorts) {
    if ports.open.is_empty() {
        info!(
            "placeholder deleted: no port is left to carry (configuration keys wormholePort and autoPort)"
        );
    } else {
        info!(ports = ?ports.open, "placeholder written");
    }
}

fn report_left_out(ports: &PlaceholderPorts) {
    for (port, service) in &ports.conflicts {
        warn!(port, service = %service, "HTTP port left out of the placeholder: this Service or ServiceEntry declares TCP on it");
    }
    if !ports.surplus.is_empty() {
        warn!(ports = ?ports.surplus, "HTTP ports left out of the placeholder: one ServiceEntry cannot carry more");
    }
}
