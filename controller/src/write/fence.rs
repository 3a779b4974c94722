//! One run for one fence: learned hosts into its status, its Sidecar, then what became of it.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::{Resource, runtime::events::EventType};
use tracing::{info, warn};

use super::{
    WriteError, Writer,
    sidecar::Settled,
    status::{is_narrowed, new_hosts, planned, settled, without_learned},
};
use crate::{
    api::ServiceFence,
    desired::standing,
    fence::{ObjectRef, Readiness, ready},
    queue::{Learned, Outcome},
};

/// Longest sleep until a host ages: a clock that is set while it lasts costs no more than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

impl Writer {
    /// Brings a fence where it should be, with `learned` on top of what it knows.
    ///
    /// A replica that does not lead writes what was learned, into the status and ahead into the Sidecar, and what is to be cleared,
    /// since reports and resets come to all, and leaves the rest to the one that does, which sees the status change.
    pub(super) async fn fence(&self, name: &ObjectRef, mut learned: Learned) -> Outcome {
        let is_leading = self.is_leading();
        if is_leading && let Some(outcome) = self.auto_fence(name, &learned).await {
            return outcome;
        }
        let fence = self.index.read(|world| {
            let fence = world.fence(name)?;
            let is_there = fence.metadata.deletion_timestamp.is_none();
            // A namespace on its way out takes no new Sidecar. What still runs in it may learn for as long as it has the one it has.
            let namespace = world.namespace(&name.namespace);
            let is_over = namespace.is_some_and(|facts| facts.is_terminating)
                && world.sidecar(name).is_none();
            (is_there && !is_over && world.is_ours(&fence)).then_some(fence)
        });
        let Some(fence) = fence else {
            // Its Sidecar goes with it, by the owner reference.
            self.forget(name);
            self.drop_hosts("fence_gone", learned.len());
            return Outcome::Done;
        };
        if !is_leading && learned.is_empty() && self.resets.open(name).is_none() {
            return Outcome::Done;
        }
        match self
            .write_fence(name, &fence, &mut learned, is_leading)
            .await
        {
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

    /// Forgets a fence that is gone, or another controller's.
    pub(super) fn forget(&self, name: &ObjectRef) {
        self.metrics.set_fence(name, None);
        self.unkept.forget(name);
        self.explained.forget(name);
        if let Some(wish) = self.resets.open(name) {
            self.resets.close(name, wish);
        }
    }

    /// Leaves in `learned` what neither is in the status nor was dropped. Gives how long to wait until something is due: the Sidecar,
    /// or the next host that ages.
    async fn write_fence(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        learned: &mut Learned,
        is_leading: bool,
    ) -> Result<Option<Duration>, WriteError> {
        let now = Timestamp::now();
        let reset = self.resets.open(name);
        let held = fence;
        let (mut added, mut surplus) = (0, 0);
        let mut is_disabled = !held.spec.enable;
        let mut plan = None;
        // What a request waits for goes first, and what goes is unknown before it is out of sight: a miss in between would be taken
        // for one of a host whose route is on its way. The rest is written once, when all is known.
        let first = |fence: &ServiceFence| {
            // Somebody may have switched it off since: what came in between is looked at again after a conflict.
            is_disabled = !fence.spec.enable;
            let cleared = reset.map(|_| without_learned(fence));
            let fence = cleared.as_ref().unwrap_or(fence);
            let mut new = Vec::new();
            (added, surplus) = (0, 0);
            if !is_disabled {
                (new, surplus) = new_hosts(fence, learned.keys().map(String::as_str));
                added = new.len();
            }
            let settle = |world: &_| settled(fence, &new, None, world, now);
            let (status, desired) = self.index.read(settle);
            plan = Some(desired.sidecar);
            let is_first =
                added > 0 || reset.is_some() || is_leading && is_narrowed(fence, &status);
            is_first.then_some(status)
        };
        let ahead = self.sidecar_ahead(name, held, learned, now);
        let status = self.write_status(name, held.clone(), first);
        let (is_ahead, written) = tokio::join!(ahead, status);
        let fence = written?;
        self.drop_hosts("fence_full", surplus);
        if let Some(wish) = reset {
            self.metrics.resets.inc();
            info!(fence = %name, "what was learned is cleared");
            self.resets.close(name, wish);
        }
        if is_disabled {
            self.drop_hosts("fence_disabled", learned.len());
            learned.clear();
        }
        let learned = std::mem::take(learned);
        if !is_leading {
            if is_ahead {
                let ahead = Settled {
                    written: true,
                    readiness: Some(Readiness::Applied),
                    ..Settled::default()
                };
                self.report_applied(name, &ahead, &learned, true);
            }
            return Ok(None);
        }
        // What the status now says, even if the cluster has moved on: that is another run. Finds nothing to do where the Sidecar went
        // ahead, unless somebody has changed the fence meanwhile.
        let desired = plan.ok_or(WriteError::NotKept)?;
        let is_awaited = !learned.is_empty();
        let mut outcome = self.settle_sidecar(name, &fence, desired, is_awaited).await;
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
            self.report_readiness(name, &fence, readiness);
        }
        let fence = self
            .write_status(name, fence, |fence| {
                let settle = |world: &_| settled(fence, &[], readiness.as_ref(), world, now).0;
                Some(self.index.read(settle))
            })
            .await?;
        let wait = outcome?.wait;
        Ok([wait, self.until_aging(&fence, now)]
            .into_iter()
            .flatten()
            .min())
    }

    /// How long until the first host of `fence`, as it was looked at at `seen`, ages.
    fn until_aging(&self, fence: &ServiceFence, seen: Timestamp) -> Option<Duration> {
        let aging = |world: &_| standing(fence, world, seen.as_second());
        let next = self.index.read(aging).next?;
        // The answer is another one from the first moment of that second.
        let left = next
            .saturating_mul(1_000)
            .saturating_sub(Timestamp::now().as_millisecond());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1));
        Some(left.min(LONGEST_SLEEP))
    }

    /// Writes the Sidecar that `fence` is to have once `learned` is in its status, at the same time as the status: a request waits
    /// for it. Says whether it did; a failure shows again when the Sidecar is settled after the status.
    ///
    /// Only further hosts for the fence's own Sidecar go ahead, by uid and version: that cannot touch another fence's, nor take out
    /// what another replica has learned and this one does not know yet. If the status is not written after all, the run is repeated
    /// with the same hosts, and if they get lost with the process, the leader takes them out of the Sidecar: it is the status that
    /// counts.
    async fn sidecar_ahead(
        &self,
        name: &ObjectRef,
        fence: &ServiceFence,
        learned: &Learned,
        now: Timestamp,
    ) -> bool {
        if !fence.spec.enable || self.resets.open(name).is_some() {
            return false;
        }
        let (new, _) = new_hosts(fence, learned.keys().map(String::as_str));
        if new.is_empty() || self.index.read(|world| world.sidecar(name).is_none()) {
            return false;
        }
        let plan = |world: &_| planned(fence, &new, world, now);
        let (status, desired) = self.index.read(plan);
        // What is to go, perhaps only because of what has come, has to be unknown before it is out of sight.
        match desired.sidecar {
            Ok(sidecar) if !is_narrowed(fence, &status) => {
                self.widen_sidecar(name, fence, sidecar).await
            }
            _ => false,
        }
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

    /// Logs and counts a change of readiness, and tells the user; a state that lasts is not repeated, and one that lasts since before
    /// this process began is not told anew.
    fn report_readiness(&self, name: &ObjectRef, fence: &ServiceFence, readiness: &Readiness) {
        if !self.metrics.set_fence(name, Some(readiness.reason())) {
            return;
        }
        let told = fence.status.as_ref();
        let told = told.and_then(|status| ready(&status.conditions));
        if told.is_none_or(|(reason, _)| reason != readiness.reason()) {
            let type_ = match readiness {
                Readiness::Applied | Readiness::Disabled => EventType::Normal,
                _ => EventType::Warning,
            };
            let message = readiness.message(&name.name);
            let regarding = fence.object_ref(&());
            self.events
                .emit(regarding, type_, readiness.reason(), message);
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
