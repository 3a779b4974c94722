//! Making and removing the fences that make themselves.

use kube::{Api, core::DeserializeGuard};
use tracing::{info, warn};

use super::{
    WriteError, Writer,
    apply::{create, delete_as_seen},
    error::call,
};
use crate::{
    api::ServiceFence,
    auto_fence::{FenceAction, Wanted, plan_fence, wanted},
    fence::ObjectRef,
    queue::{Key, Learned, Outcome},
};

/// What was written last, to see whether somebody keeps undoing it.
const CREATE: &str = "create";
/// Our own deletion undoes nothing: a label that is set to and fro is followed at once.
const DELETE: &str = "delete";

impl Writer {
    /// Makes or removes the automatic fence called `name`, where that is due. `None`: nothing was; what there is of a fence is to be
    /// brought where it should be.
    ///
    /// A fence of another controller's revision is no concern of this one at all.
    pub(super) async fn auto_fence(&self, name: &ObjectRef, learned: &Learned) -> Option<Outcome> {
        let (is_theirs, action) = self.index.read(|world| {
            let existing = world.fence(name);
            let is_theirs = existing.as_ref().is_some_and(|fence| !world.is_ours(fence));
            let wanted = if is_theirs {
                Wanted::Unknown
            } else {
                wanted(name, world)
            };
            let revisions = &world.settings().revisions;
            (
                is_theirs,
                plan_fence(name, existing.as_deref(), wanted, revisions),
            )
        });
        let outcome = match action {
            FenceAction::Keep if is_theirs => {
                self.forget(name);
                Ok(Outcome::Done)
            }
            FenceAction::Keep => return None,
            FenceAction::Create(fence) => self.create_fence(name, &fence).await,
            FenceAction::Delete {
                uid,
                version,
                reason,
            } => match self.delete_fence(name, uid, version, reason).await {
                Err(error @ WriteError::Refused(_)) => {
                    // It goes on to learn: its workloads must not suffer from what the controller may not do.
                    self.failed("fence", name, &error);
                    return None;
                }
                outcome => outcome,
            },
        };
        match outcome {
            Ok(outcome) => {
                if !learned.is_empty() {
                    let dropped = self.metrics.dropped_hosts("fence_gone");
                    dropped.inc_by(learned.len() as u64);
                }
                Some(outcome)
            }
            Err(error) => {
                self.failed("fence", name, &error);
                Some(Outcome::Retry(learned.clone()))
            }
        }
    }

    async fn create_fence(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
    ) -> Result<Outcome, WriteError> {
        let key = Key::Fence(name.clone());
        if let Some(undue) = self.fence_corrections.undue(&key, &CREATE) {
            if undue.is_new {
                self.metrics.damped_corrections("fence").inc();
                warn!(
                    fence = %name,
                    corrections = undue.repeated,
                    milliseconds = undue.wait.as_millis() as u64,
                    "somebody keeps deleting this automatic fence; label its Service slime.io/serviceFenced=false instead"
                );
            }
            return Ok(Outcome::Later(undue.wait));
        }
        let api: Api<ServiceFence> = Api::namespaced(self.client.clone(), &name.namespace);
        match create(&api, fence).await {
            Ok(_) => {
                self.fence_corrections.written(&key, &CREATE);
                self.metrics.fence_writes("create").inc();
                info!(fence = %name, "automatic fence created");
                Ok(Outcome::Done)
            }
            Err(error) => {
                self.metrics.creation_failures("fence").inc();
                match error {
                    WriteError::Conflict(_) => self.look_for_fence(name, error).await,
                    error => Err(error),
                }
            }
        }
    }

    /// Looks at what stands where a fence was to be made. Whatever it is, it is somebody's and stays; if the index does not know it
    /// yet, its event is on the way, and if it cannot be read, nobody else can make one either.
    async fn look_for_fence(
        &self,
        name: &ObjectRef,
        error: WriteError,
    ) -> Result<Outcome, WriteError> {
        let api: Api<DeserializeGuard<ServiceFence>> =
            Api::namespaced(self.client.clone(), &name.namespace);
        match call(api.get_opt(&name.name)).await? {
            Some(_) => {
                info!(fence = %name, "somebody has made this fence meanwhile; it stays as it is");
                Ok(Outcome::Done)
            }
            None => Err(error),
        }
    }

    async fn delete_fence(
        &self,
        name: &ObjectRef,
        uid: String,
        version: Option<String>,
        reason: &'static str,
    ) -> Result<Outcome, WriteError> {
        let api: Api<ServiceFence> = Api::namespaced(self.client.clone(), &name.namespace);
        if delete_as_seen(&api, &name.name, uid, version).await? {
            let key = Key::Fence(name.clone());
            self.fence_corrections.written(&key, &DELETE);
            self.metrics.fence_writes("delete").inc();
            info!(fence = %name, reason, "automatic fence deleted");
        }
        Ok(Outcome::Done)
    }
}
