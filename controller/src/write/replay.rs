//! Keeping the replay EnvoyFilters.

use prometheus_client::metrics::counter::Counter;
use tracing::{info, warn};

use super::{
    Writer,
    error::WriteError,
    keeper::{Kept, Step},
};
use crate::{
    api::EnvoyFilter,
    dispatch::ordered,
    index::World,
    metrics::Metrics,
    queue::{Key, Outcome},
    replay::{REPLAY_NAME, plan},
};

impl Kept for EnvoyFilter {
    const OBJECT: &'static str = "envoyfilter";
    const NAME: &'static str = REPLAY_NAME;

    fn writes(metrics: &Metrics) -> &Counter {
        &metrics.envoyfilter_writes
    }

    fn observe(self, world: &mut World) {
        world.observe_replay(self);
    }

    fn forget(world: &mut World, namespace: &str) {
        world.forget_replay(namespace);
    }
}

impl Writer {
    /// Writes, deletes or leaves the EnvoyFilter of `namespace`, as the placeholder's ports and the configuration say.
    pub(super) async fn write_replay(&self, namespace: &str) -> Result<Outcome, WriteError> {
        let (existing, settings) = self
            .index
            .read(|world| (world.replay(namespace), world.settings().clone()));
        let (ports, wait) = self.carried();
        let ports = ports.open;
        let existing = existing.as_deref();
        let action = plan(namespace, &ports, &settings, existing);
        let key = Key::Replay(namespace.to_owned());
        match self.keep(namespace, &key, existing, action).await? {
            Step::Nothing | Step::Foreign => {}
            Step::Later(wait) => return Ok(Outcome::Later(wait)),
            Step::Written => {
                info!(namespace, ?ports, "replay EnvoyFilter written");
                for refused in ordered(&settings.dispatches).1 {
                    warn!(namespace, %refused, "part of a dispatch is left out; correct it");
                }
            }
            Step::Deleted => info!(namespace, "replay EnvoyFilter deleted"),
        }
        Ok(wait.map_or(Outcome::Done, Outcome::Later))
    }
}
