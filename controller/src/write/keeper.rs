//! Keeping single objects of a fixed name: what the placeholder and the replay EnvoyFilters have in common.

use std::time::Duration;

use kube::{
    Api, Resource, ResourceExt,
    core::{NamespaceResourceScope, object::HasSpec},
};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use tracing::warn;

use super::{
    Writer,
    apply::{Written, create, delete, update},
    error::{WriteError, call},
};
use crate::{
    api::REVISION_LABEL,
    index::World,
    kept::{Action, installation_of, is_same},
    metrics::Metrics,
    queue::Key,
};

/// A kind of which single objects are kept.
pub(super) trait Kept:
    Written + Resource<Scope = NamespaceResourceScope> + HasSpec<Spec: Serialize + PartialEq>
{
    /// What its objects are called in metrics and logs.
    const OBJECT: &'static str;
    /// The name of each of them.
    const NAME: &'static str;

    /// Counts writes.
    fn writes(metrics: &Metrics) -> &Counter;

    /// Takes in the object as a read or a write returned it.
    fn observe(self, world: &mut World);

    /// Takes out the object of `namespace`, which a read found missing.
    fn forget(world: &mut World, namespace: &str);
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There was nothing to do.
    Nothing,
    /// The object was written.
    Written,
    /// The object was deleted.
    Deleted,
    /// Somebody keeps undoing what is written: not before this time is over.
    Later(Duration),
    /// Somebody else's object is in its place, and is left there.
    Foreign,
}

impl Writer {
    /// Carries out `action`, which was planned for `existing`, the object of `key` in `namespace`. Where things are not as they were
    /// thought to be, the next try knows what is there.
    pub(super) async fn keep<K: Kept>(
        &self,
        namespace: &str,
        key: &Key,
        existing: Option<&K>,
        action: Action<K>,
    ) -> Result<Step, WriteError> {
        let api = &Api::<K>::namespaced(self.client.clone(), namespace);
        if !matches!(action, Action::Foreign) {
            self.foreign.forget(key);
        }
        match action {
            Action::Keep => Ok(Step::Nothing),
            Action::Apply(desired) => {
                let wish = serde_json::to_string(&(desired.spec(), desired.labels()))?;
                if let Some(wait) = self.undue(K::OBJECT, key, &wish) {
                    return Ok(Step::Later(wait));
                }
                let outcome = match existing.and_then(ResourceExt::uid) {
                    Some(uid) => {
                        let is_same = |found: &K| is_same(found, &desired);
                        update(api, &*desired, &uid, &[REVISION_LABEL], is_same).await
                    }
                    None => create(api, &*desired).await,
                };
                if matches!(outcome, Ok(_) | Err(WriteError::NotKept)) {
                    self.corrections.written(key, &wish);
                }
                // An object of another uid is refused as well.
                use WriteError::{Conflict, Gone, Refused};
                if let Err(Conflict(_) | Gone(_) | Refused(_)) = &outcome {
                    // Why it was not written says more than why it cannot be read either.
                    _ = self.look_at(api, namespace).await;
                }
                self.observe_kept(outcome?);
                K::writes(&self.metrics).inc();
                Ok(Step::Written)
            }
            Action::Delete { uid } => {
                let outcome = delete(api, K::NAME, uid).await;
                if let Ok(false) | Err(WriteError::Conflict(_)) = &outcome {
                    self.look_at(api, namespace).await?;
                }
                Ok(match outcome? {
                    true => Step::Deleted,
                    false => Step::Nothing,
                })
            }
            Action::Foreign => {
                self.metrics.foreign_objects(K::OBJECT).inc();
                if let Some(existing) = existing
                    && self.foreign.is_news(key, existing.uid())
                {
                    tell_foreign(existing);
                }
                Ok(Step::Foreign)
            }
        }
    }

    /// Reads the object from the API server into the index.
    async fn look_at<K: Kept>(&self, api: &Api<K>, namespace: &str) -> Result<(), WriteError> {
        match call(api.get_opt(K::NAME)).await? {
            Some(found) => self.observe_kept(found),
            None => self.index.write(|world, _| K::forget(world, namespace)),
        }
        Ok(())
    }

    fn observe_kept<K: Kept>(&self, mut object: K) {
        object.meta_mut().managed_fields = None;
        self.index.write(|world, _| object.observe(world));
    }
}

/// Says whose object is in the place of one of the controller's, and what to do about it.
fn tell_foreign<K: Kept>(found: &K) {
    let namespace = found.namespace().unwrap_or_default();
    match installation_of(found) {
        Some(installation) => warn!(
            object = K::OBJECT,
            namespace,
            name = K::NAME,
            installation,
            "another installation's controller has made the object of this name, which is left untouched: one namespace cannot have two; see replay.namespaces"
        ),
        None => warn!(
            object = K::OBJECT,
            namespace,
            name = K::NAME,
            "an object of this name was not made by this controller and is left untouched; delete or rename it"
        ),
    }
}
