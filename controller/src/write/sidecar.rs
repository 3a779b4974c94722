//! Bringing a fence's Sidecar where it should be.

use std::time::Duration;

use kube::Api;
use tracing::info;

use super::{
    Writer,
    apply::{create, delete, update_as_seen},
    error::{WriteError, call},
};
use crate::{
    api::{REVISION_LABEL, ServiceFence, Sidecar},
    fence::{
        ObjectRef, Readiness, SidecarAction, is_up_to_date, is_widened, plan_sidecar, shows_more,
        united,
    },
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
    /// How long the write, or what it takes out, has to wait: somebody keeps undoing it, or the status that speaks for what is in
    /// the Sidecar may be on its way.
    pub wait: Option<Duration>,
    /// The version of the Sidecar that is as it should be.
    pub version: Option<String>,
}

impl Writer {
    /// Writes, deletes or leaves the Sidecar of `fence`, so that it is as `desired`, or is not. What a request waits for
    /// (`is_awaited`) goes in even while it is too early to take anything out.
    pub(super) async fn settle_sidecar(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        desired: Result<Box<Sidecar>, Readiness>,
        is_awaited: bool,
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
            let wait = existing
                .as_deref()
                .and_then(|existing| self.too_early(name, existing, &action));
            let action = match (wait, &existing) {
                (Some(_), Some(existing)) if is_awaited => patient(action, existing),
                (Some(_), _) => SidecarAction::Wait,
                _ => action,
            };
            let outcome = self
                .carry_out(name, action, existing.as_deref(), goal)
                .await;
            if wait.is_none() && does_change && matches!(outcome, Ok(_) | Err(WriteError::NotKept))
            {
                self.corrections.written(&key, &wish);
            }
            match outcome {
                Ok(mut settled) => {
                    let version = settled.version.take();
                    if wait.is_none() {
                        self.explained.explained(name, version);
                    }
                    settled.wait = wait;
                    return Ok(settled);
                }
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

    /// Adds to the fence's own Sidecar, if it is there and nothing speaks against it, what of `desired` it lacks. Says whether it
    /// did. Never creates, deletes or takes anything out, and leaves every difficulty to [`Self::settle_sidecar`].
    pub(super) async fn widen_sidecar(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        desired: Box<Sidecar>,
    ) -> bool {
        let key = Key::Fence(name.clone());
        let Ok(wish) = serde_json::to_string(&Some(&desired)) else {
            return false;
        };
        let Some(existing) = self.index.read(|world| world.sidecar(name)) else {
            return false;
        };
        let is_addition = is_widened(&existing, &desired);
        let action = plan_sidecar(fence, Some(*desired), Some(&existing));
        if !is_addition
            || !matches!(action, SidecarAction::Update { .. })
            || self.undue("sidecar", &key, &wish).is_some()
        {
            return false;
        }
        let applied = &Readiness::Applied;
        let outcome = self.carry_out(name, action, Some(&existing), applied).await;
        if matches!(outcome, Ok(_) | Err(WriteError::NotKept)) {
            self.corrections.written(&key, &wish);
        }
        let Ok(settled) = outcome else {
            return false;
        };
        self.explained.explained(name, settled.version);
        true
    }

    /// How long to wait with `action` on `existing`, because it takes something out that another replica may just have learned.
    fn too_early(
        &self,
        name: &ObjectRef,
        existing: &Sidecar,
        action: &SidecarAction,
    ) -> Option<Duration> {
        let SidecarAction::Update { desired, .. } = action else {
            return None;
        };
        if shows_more(existing, desired) {
            let version = existing.metadata.resource_version.as_deref();
            return self.explained.wait(name, version);
        }
        // Whatever becomes of the write, what shows up after this is news.
        self.explained.explained(name, version(existing));
        None
    }

    /// One step towards `goal`.
    async fn carry_out(
        &self,
        name: &ObjectRef,
        action: SidecarAction,
        existing: Option<&Sidecar>,
        goal: &Readiness,
    ) -> Result<Settled, WriteError> {
        let api: Api<Sidecar> = Api::namespaced(self.client.clone(), &name.namespace);
        let settled = |written, version| {
            Ok(Settled {
                written,
                readiness: Some(goal.clone()),
                wait: None,
                version,
            })
        };
        match action {
            SidecarAction::Keep => settled(false, existing.and_then(version)),
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
                let version = version(&made);
                self.observe(made);
                settled(true, version)
            }
            SidecarAction::Update {
                desired,
                uid,
                version: found_at,
            } => {
                let is_same = |found: &Sidecar| is_up_to_date(found, &desired);
                let labels = &[REVISION_LABEL];
                let written =
                    update_as_seen(&api, &*desired, &uid, found_at, labels, is_same).await?;
                self.metrics.sidecar_writes("update").inc();
                let version = version(&written);
                self.observe(written);
                settled(true, version)
            }
            SidecarAction::Delete { uid } => {
                if delete(&api, &name.name, uid).await? {
                    self.metrics.sidecar_writes("delete").inc();
                    info!(sidecar = %name, reason = goal.reason(), "Sidecar deleted");
                }
                settled(false, None)
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
        info!(sidecar = %name, "the Sidecar was changed by somebody else meanwhile; looking again");
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

/// What of `action` can be done to `existing` without taking anything out.
fn patient(action: SidecarAction, existing: &Sidecar) -> SidecarAction {
    let SidecarAction::Update {
        desired,
        uid,
        version,
    } = action
    else {
        return action;
    };
    let desired = Box::new(united(existing, &desired));
    match is_widened(existing, &desired) {
        true => SidecarAction::Update {
            desired,
            uid,
            version,
        },
        false => SidecarAction::Wait,
    }
}

fn version(sidecar: &Sidecar) -> Option<String> {
    sidecar.metadata.resource_version.clone()
}

/// As the index keeps it.
fn trimmed(mut sidecar: Sidecar) -> Sidecar {
    sidecar.metadata.managed_fields = None;
    sidecar
}
