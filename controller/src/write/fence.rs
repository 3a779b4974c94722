//! One run for one fence: learned hosts into its status, its Sidecar, then what became of it.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
};
use tracing::{info, warn};

use super::{
    FIELD_MANAGER, WriteError, Writer,
    error::call,
    sidecar::Settled,
    status::{new_hosts, patch, settled, with_hosts},
};
use crate::{
    api::{ServiceFence, ServiceFenceStatus},
    fence::{ObjectRef, Readiness},
    queue::{Learned, Outcome},
};

/// How often one run looks again after somebody else's write came in between.
const LOOKS: usize = 4;

impl Writer {
    /// Brings a fence where it should be, with `learned` on top of what it knows.
    pub(super) async fn fence(&self, name: &ObjectRef, mut learned: Learned) -> Outcome {
        if let Some(outcome) = self.auto_fence(name, &learned).await {
            return outcome;
        }
        let fence = self.index.read(|world| world.fence(name));
        let Some(fence) = fence.filter(|fence| fence.metadata.deletion_timestamp.is_none()) else {
            // Its Sidecar goes with it, by the owner reference.
            self.metrics.set_fence(name, None);
            self.drop_hosts("fence_gone", learned.len());
            return Outcome::Done;
        };
        match self.write_fence(name, &fence, &mut learned).await {
            Ok(None) => Outcome::Done,
            Ok(Some(wait)) => Outcome::Later(wait),
            Err(WriteError::Replaced) => {
                // The new one has an event of its own.
                self.drop_hosts("fence_gone", learned.len());
                Outcome::Done
            }
            Err(WriteError::Gone(_)) if self.is_gone(name, &fence) => {
                self.drop_hosts("fence_gone", learned.len());
                Outcome::Done
            }
            Err(error) => {
                self.failed("fence", name, &error);
                Outcome::Retry(learned)
            }
        }
    }

    /// Leaves in `learned` what neither is in the status nor was dropped. Gives how long to wait if the Sidecar is not due.
    async fn write_fence(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        learned: &mut Learned,
    ) -> Result<Option<Duration>, WriteError> {
        let now = Timestamp::now();
        let held = fence;
        let mut fence = held.clone();
        let (mut added, mut surplus, mut is_ahead) = (0, 0, false);
        let mut is_disabled = !fence.spec.enable;
        if !is_disabled {
            let with_learned = |fence: &ServiceFence| {
                // Somebody may have switched it off since: what came in between is looked at again after a conflict.
                is_disabled = !fence.spec.enable;
                if is_disabled {
                    (added, surplus) = (0, 0);
                    return None;
                }
                let new;
                (new, surplus) = new_hosts(fence, learned.keys().map(String::as_str));
                added = new.len();
                (added > 0).then(|| self.index.read(|world| with_hosts(fence, &new, world, now)))
            };
            let ahead = self.sidecar_ahead(name, held, learned, now);
            let status = self.write_status(name, fence, with_learned);
            let written;
            (is_ahead, written) = tokio::join!(ahead, status);
            fence = written?;
            self.metrics.learned_hosts.inc_by(added as u64);
            self.drop_hosts("fence_full", surplus);
        }
        if is_disabled {
            self.drop_hosts("fence_disabled", learned.len());
            learned.clear();
        }
        let learned = std::mem::take(learned);
        // Finds nothing to do where the Sidecar went ahead, unless somebody has changed the fence meanwhile.
        let mut outcome = self.settle_sidecar(name, &fence, now.as_second()).await;
        if let Ok(settled) = &mut outcome {
            settled.written |= is_ahead;
        }
        let readiness = match &outcome {
            Ok(settled) => settled.readiness.clone(),
            Err(WriteError::Refused(status)) => Some(Readiness::Rejected {
                message: status.message.clone(),
            }),
            Err(_) => None,
        };
        if let Ok(settled) = &outcome {
            self.report_applied(name, settled, &learned, added > 0);
        }
        if let Some(readiness) = &readiness {
            self.report_readiness(name, readiness);
        }
        self.write_status(name, fence, |fence| {
            let settle = |world: &_| settled(fence, readiness.as_ref(), world, now);
            Some(self.index.read(settle))
        })
        .await?;
        outcome.map(|settled| settled.wait)
    }

    /// Writes the Sidecar that `fence` is to have once `learned` is in its status, at the same time as the status: a request waits
    /// for it. Says whether it did; a failure shows again when the Sidecar is settled after the status.
    ///
    /// Only an update of the fence's own Sidecar, by uid, goes ahead, which cannot touch another fence's. If the status is not
    /// written after all, the run is repeated with the same hosts, and if they get lost with the process, the next run takes them
    /// out of the Sidecar: it is the status that counts.
    async fn sidecar_ahead(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        learned: &Learned,
        now: Timestamp,
    ) -> bool {
        let (new, _) = new_hosts(fence, learned.keys().map(String::as_str));
        let is_there = self.index.read(|world| world.sidecar(name)).is_some();
        if new.is_empty() || !is_there {
            return false;
        }
        let mut assumed = fence.clone();
        assumed.status = Some(self.index.read(|world| with_hosts(fence, &new, world, now)));
        self.update_sidecar(name, &assumed, now.as_second()).await
    }

    /// Patches the status to what `status` makes of the fence, if that differs, and returns the fence as it is then. Somebody
    /// else's write in between is read, and `status` asked again.
    async fn write_status(
        &self,
        name: &ObjectRef,
        mut fence: ServiceFence,
        mut status: impl FnMut(&ServiceFence) -> Option<ServiceFenceStatus>,
    ) -> Result<ServiceFence, WriteError> {
        let api: Api<DeserializeGuard<ServiceFence>> =
            Api::namespaced(self.client.clone(), &name.namespace);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let mut last = WriteError::NotKept;
        for _ in 0..LOOKS {
            let Some(wanted) = status(&fence) else {
                return Ok(fence);
            };
            let Some(body) = patch(&fence, &wanted)? else {
                return Ok(fence);
            };
            match call(api.patch_status(&name.name, &params, &Patch::Merge(&body))).await {
                Ok(answer) => {
                    self.metrics.status_writes.inc();
                    let written = readable(answer, &fence, Some(wanted));
                    self.index
                        .write(|world, _| world.observe_fence(written.clone()));
                    return Ok(written);
                }
                Err(error @ WriteError::Conflict(_)) => last = error,
                Err(error) => return Err(error),
            }
            let found = call(api.get(&name.name)).await?;
            if found.meta().uid != fence.metadata.uid {
                return Err(WriteError::Replaced);
            }
            fence = readable(found, &fence, None);
            self.index
                .write(|world, _| world.observe_fence(fence.clone()));
        }
        Err(last)
    }

    /// Says how long learning took, once the Sidecar carries what was learned.
    fn report_applied(&self, name: &ObjectRef, settled: &Settled, learned: &Learned, added: bool) {
        if settled.readiness != Some(Readiness::Applied) || !(settled.written || added) {
            return;
        }
        let Some(first) = learned.values().min() else {
            info!(fence = %name, sidecar = %name, "Sidecar applied");
            return;
        };
        for received in learned.values() {
            self.metrics
                .learning
                .observe(received.elapsed().as_secs_f64());
        }
        info!(
            fence = %name,
            sidecar = %name,
            hosts = learned.keys().map(String::as_str).collect::<Vec<_>>().join(","),
            milliseconds = first.elapsed().as_secs_f64() * 1_000.0,
            "Sidecar applied"
        );
    }

    /// Logs and counts a change of readiness; a state that lasts is not repeated.
    fn report_readiness(&self, name: &ObjectRef, readiness: &Readiness) {
        if !self.metrics.set_fence(name, Some(readiness.reason())) {
            return;
        }
        match readiness {
            Readiness::NotOwned { owner } => {
                self.metrics.sidecar_refusals("not_owned").inc();
                warn!(fence = %name, owner, "a Sidecar of this name belongs to somebody else and is left untouched");
            }
            Readiness::Rejected { message } => {
                self.metrics.sidecar_refusals("rejected").inc();
                warn!(fence = %name, message, "the Sidecar was refused");
            }
            Readiness::Applied | Readiness::Disabled | Readiness::NoWorkload => {
                info!(fence = %name, reason = readiness.reason(), "fence settled");
            }
        }
    }

    /// Whether the index has learned meanwhile that `fence` is no more; a namespace on its way out answers the same way.
    fn is_gone(&self, name: &ObjectRef, fence: &ServiceFence) -> bool {
        let present = self.index.read(|world| world.fence(name));
        present.is_none_or(|present| present.metadata.uid != fence.metadata.uid)
    }

    fn drop_hosts(&self, reason: &'static str, count: usize) {
        if count > 0 {
            self.metrics.dropped_hosts(reason).inc_by(count as u64);
        }
    }
}

/// The fence in `answer`. One that cannot be read stays as it is `held`, with `status` if that was just written.
fn readable(
    DeserializeGuard(answer): DeserializeGuard<ServiceFence>,
    held: &ServiceFence,
    status: Option<ServiceFenceStatus>,
) -> ServiceFence {
    match answer {
        Ok(mut fence) => {
            fence.metadata.managed_fields = None;
            fence
        }
        Err(invalid) => {
            let mut fence = held.clone();
            fence.metadata.resource_version = invalid.metadata.resource_version;
            fence.status = status.or(fence.status);
            fence
        }
    }
}
