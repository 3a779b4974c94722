//! Bringing a fence's Sidecar where it should be.

use std::time::Duration;

use kube::Api;
use tracing::{info, warn};

use super::{
    Writer,
    apply::{create, delete, update},
    error::{WriteError, call},
};
use crate::{
    api::{REVISION_LABEL, ServiceFence, Sidecar},
    fence::{ObjectRef, Readiness, SidecarAction, is_up_to_date, plan_sidecar},
    queue::Key,
};

/// How often one run looks again after somebody else's write came in between.
const LOOKS: usize = 4;

/// What became of the Sidecar.
#[derive(Debug, Default)]
pub struct Settled {
    /// Whether this run wrote it.
    pub written: bool,
    /// How the fence stands; `None` while that is not known: the old Sidecar is still on its way out, or the write waits.
    pub readiness: Option<Readiness>,
    /// How long the write has to wait, because somebody keeps undoing it.
    pub wait: Option<Duration>,
}

impl Writer {
    /// Writes, deletes or leaves the Sidecar of `fence`, so that it is as `desired`, or is not.
    pub(super) async fn settle_sidecar(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        desired: Result<Box<Sidecar>, Readiness>,
    ) -> Result<Settled, WriteError> {
        let goal = desired.as_ref().err().unwrap_or(&Readiness::Applied);
        let key = Key::Fence(name.clone());
        let wish = serde_json::to_string(&desired.as_ref().ok())?;
        let mut last = None;
        for _ in 0..LOOKS {
            let existing = self.index.read(|world| world.sidecar(name));
            let action = plan_sidecar(fence, desired.as_deref().ok().cloned(), existing.as_deref());
            let does_change = changes(&action);
            if does_change && let Some(wait) = self.undue("sidecar", &key, &wish) {
                return Ok(Settled {
                    wait: Some(wait),
                    ..Settled::default()
                });
            }
            let outcome = self.carry_out(name, action, goal).await;
            if does_change && matches!(outcome, Ok(_) | Err(WriteError::NotKept)) {
                self.corrections.written(&key, &wish);
            }
            match outcome {
                Ok(settled) => return Ok(settled),
                Err(error @ (WriteError::Conflict(_) | WriteError::Gone(_))) => {
                    self.look_again(name).await?;
                    last = Some(error);
                }
                // An object of another uid is refused as invalid; whether that was it shows in the object.
                Err(error @ WriteError::Refused(_)) => {
                    if !self.look_again(name).await? {
                        return Err(error);
                    }
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(WriteError::NotKept))
    }

    /// Makes the fence's own Sidecar, if it is there and nothing speaks against it, what is `desired`. Says whether it did. Never
    /// creates or deletes, and leaves every difficulty to [`Self::settle_sidecar`].
    pub(super) async fn update_sidecar(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        desired: Box<Sidecar>,
    ) -> bool {
        let key = Key::Fence(name.clone());
        let Ok(wish) = serde_json::to_string(&Some(&desired)) else {
            return false;
        };
        let existing = self.index.read(|world| world.sidecar(name));
        let action = plan_sidecar(fence, Some(*desired), existing.as_deref());
        if !matches!(action, SidecarAction::Update { .. })
            || self.undue("sidecar", &key, &wish).is_some()
        {
            return false;
        }
        let outcome = self.carry_out(name, action, &Readiness::Applied).await;
        if matches!(outcome, Ok(_) | Err(WriteError::NotKept)) {
            self.corrections.written(&key, &wish);
        }
        outcome.is_ok()
    }

    /// One step towards `goal`.
    async fn carry_out(
        &self,
        name: &ObjectRef,
        action: SidecarAction,
        goal: &Readiness,
    ) -> Result<Settled, WriteError> {
        let api: Api<Sidecar> = Api::namespaced(self.client.clone(), &name.namespace);
        let settled = |written| {
            Ok(Settled {
                written,
                readiness: Some(goal.clone()),
                wait: None,
            })
        };
        match action {
            SidecarAction::Keep => settled(false),
            SidecarAction::Wait => Ok(Settled::default()),
            SidecarAction::Foreign { owner } => Ok(Settled {
                readiness: Some(Readiness::NotOwned { owner }),
                ..Settled::default()
            }),
            SidecarAction::Create(desired) => {
                let failures = self.metrics.creation_failures("sidecar");
                let made = create(&api, &*desired).await;
                let made = made.inspect_err(|_| _ = failures.inc())?;
                self.metrics.sidecar_writes("create").inc();
                self.observe(made);
                settled(true)
            }
            SidecarAction::Update { desired, uid } => {
                let is_same = |found: &Sidecar| is_up_to_date(found, &desired);
                let written = update(&api, &*desired, &uid, &[REVISION_LABEL], is_same).await?;
                self.metrics.sidecar_writes("update").inc();
                self.observe(written);
                settled(true)
            }
            SidecarAction::Delete { uid } => {
                if delete(&api, &name.name, uid).await? {
                    self.metrics.sidecar_writes("delete").inc();
                    info!(sidecar = %name, reason = goal.reason(), "Sidecar deleted");
                }
                settled(false)
            }
        }
    }

    fn observe(&self, sidecar: Sidecar) {
        self.index
            .write(|world, _| world.observe_sidecar(trimmed(sidecar)));
    }

    /// Reads the Sidecar from the API server into the index; says whether that changed anything.
    async fn look_again(&self, name: &ObjectRef) -> Result<bool, WriteError> {
        let api: Api<Sidecar> = Api::namespaced(self.client.clone(), &name.namespace);
        let found = call(api.get_opt(&name.name)).await?.map(trimmed);
        let known = self.index.read(|world| world.sidecar(name));
        if known.as_deref() == found.as_ref() {
            return Ok(false);
        }
        warn!(sidecar = %name, "the Sidecar was changed by somebody else meanwhile; looking again");
        self.index.write(|world, _| match found {
            Some(found) => world.observe_sidecar(found),
            None => world.forget_sidecar(name),
        });
        Ok(true)
    }
}

/// Whether carrying this out changes the cluster.
fn changes(action: &SidecarAction) -> bool {
    use SidecarAction::{Create, Delete, Update};
    matches!(action, Create(_) | Update { .. } | Delete { .. })
}

/// As the index keeps it.
fn trimmed(mut sidecar: Sidecar) -> Sidecar {
    sidecar.metadata.managed_fields = None;
    sidecar
}
