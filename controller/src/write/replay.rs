//! Keeping the replay EnvoyFilters.

use kube::Api;
use tracing::{info, warn};

use super::{
    Writer,
    apply::{create, delete, update},
    error::{WriteError, call},
};
use crate::{
    api::EnvoyFilter,
    dispatch::ordered,
    queue::{Key, Outcome},
    replay::{REPLAY_NAME, ReplayAction, plan},
};

impl Writer {
    /// Writes, deletes or leaves the EnvoyFilter of `namespace`, as the placeholder's ports and the configuration say.
    pub(super) async fn write_replay(&self, namespace: &str) -> Result<Outcome, WriteError> {
        let api: Api<EnvoyFilter> = Api::namespaced(self.client.clone(), namespace);
        let (existing, settings) = self
            .index
            .read(|world| (world.replay(namespace), world.settings().clone()));
        let (ports, wait) = self.carried();
        let ports = ports.open;
        let existing = existing.as_deref();
        match plan(namespace, &ports, &settings, existing) {
            ReplayAction::Keep => {}
            ReplayAction::Apply(desired) => {
                let key = Key::Replay(namespace.to_owned());
                let wish = serde_json::to_string(&desired.spec)?;
                if let Some(wait) = self.undue("envoyfilter", &key, &wish) {
                    return Ok(Outcome::Later(wait));
                }
                let uid = existing.and_then(|existing| existing.metadata.uid.clone());
                let outcome = match uid {
                    Some(uid) => {
                        let is_same = |found: &EnvoyFilter| found.spec == desired.spec;
                        update(&api, &*desired, &uid, &[], is_same).await
                    }
                    None => create(&api, &*desired).await,
                };
                if matches!(outcome, Ok(_) | Err(WriteError::NotKept)) {
                    self.corrections.written(&key, &wish);
                }
                match outcome {
                    Ok(mut written) => {
                        written.metadata.managed_fields = None;
                        self.index.write(|world, _| world.observe_replay(written));
                        self.metrics.envoyfilter_writes.inc();
                        info!(namespace, ?ports, "replay EnvoyFilter written");
                        for refused in ordered(&settings.dispatches).1 {
                            warn!(namespace, %refused, "part of a dispatch is left out; correct it");
                        }
                    }
                    Err(error @ WriteError::Conflict(_)) => {
                        self.look_at_replay(&api).await?;
                        return Err(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            ReplayAction::Delete { uid } => {
                if delete(&api, REPLAY_NAME, uid).await? {
                    info!(namespace, "replay EnvoyFilter deleted");
                }
            }
            ReplayAction::Foreign => {
                self.metrics.foreign_objects("envoyfilter").inc();
                warn!(
                    namespace,
                    envoy_filter = REPLAY_NAME,
                    "an EnvoyFilter of this name was not made by this controller and is left untouched; delete or rename it"
                );
            }
        }
        Ok(wait.map_or(Outcome::Done, Outcome::Later))
    }

    /// Reads the EnvoyFilter from the API server into the index, for the next try.
    async fn look_at_replay(&self, api: &Api<EnvoyFilter>) -> Result<(), WriteError> {
        if let Some(mut found) = call(api.get_opt(REPLAY_NAME)).await? {
            found.metadata.managed_fields = None;
            self.index.write(|world, _| world.observe_replay(found));
        }
        Ok(())
    }
}
