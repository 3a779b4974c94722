//! One run for one fence: learned hosts into its status, its Sidecar, then what became of it.

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api,
    api::{Patch, PatchParams},
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

impl Writer {
    /// Brings a fence where it should be, with `learned` on top of what it knows.
    pub(super) async fn fence(&self, name: &ObjectRef, learned: Learned) -> Outcome {
        let fence = self.index.read(|world| world.fence(name));
        let Some(fence) = fence.filter(|fence| fence.metadata.deletion_timestamp.is_none()) else {
            // Its Sidecar goes with it, by the owner reference.
            self.metrics.set_fence(name, None);
            self.drop_hosts(learned.len());
            return Outcome::Done;
        };
        match self.write_fence(name, (*fence).clone(), &learned).await {
            Ok(()) => Outcome::Done,
            Err(WriteError::Gone(_)) if self.is_gone(name, &fence) => {
                self.drop_hosts(learned.len());
                Outcome::Done
            }
            Err(error) => {
                self.failed("fence", name, &error);
                Outcome::Retry(learned)
            }
        }
    }

    async fn write_fence(
        &self,
        name: &ObjectRef,
        fence: ServiceFence,
        learned: &Learned,
    ) -> Result<(), WriteError> {
        let now = Timestamp::now();
        let uid = fence.metadata.uid.clone();
        let mut added = Vec::new();
        let mut fence = fence;
        if fence.spec.enable {
            added = new_hosts(&fence, learned.keys().map(String::as_str));
            if !added.is_empty() {
                let status = with_hosts(&fence, &added, now);
                fence = self.write_status(name, fence, &status).await?;
                self.metrics.learned_hosts.inc_by(added.len() as u64);
            }
        } else {
            self.drop_hosts(learned.len());
        }
        if fence.metadata.uid != uid {
            // Deleted and made anew meanwhile: the new one has an event of its own.
            return Ok(());
        }
        let outcome = self.settle_sidecar(name, &fence, now.as_second()).await;
        let readiness = match &outcome {
            Ok(settled) => settled.readiness.clone(),
            Err(WriteError::Refused(status)) => Some(Readiness::Rejected {
                message: status.message.clone(),
            }),
            Err(_) => None,
        };
        if let Ok(settled) = &outcome {
            self.report_applied(name, settled, learned, !added.is_empty());
        }
        if let Some(readiness) = &readiness {
            self.report_readiness(name, readiness);
        }
        let status = settled(&fence, readiness.as_ref(), now);
        self.write_status(name, fence, &status).await?;
        outcome.map(|_| ())
    }

    /// Patches the status if it differs, and returns the fence as it is then.
    async fn write_status(
        &self,
        name: &ObjectRef,
        fence: ServiceFence,
        status: &ServiceFenceStatus,
    ) -> Result<ServiceFence, WriteError> {
        let Some(body) = patch(&fence, status)? else {
            return Ok(fence);
        };
        let api: Api<ServiceFence> = Api::namespaced(self.client.clone(), &name.namespace);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let mut written = call(api.patch_status(&name.name, &params, &Patch::Merge(&body))).await?;
        written.metadata.managed_fields = None;
        self.metrics.status_writes.inc();
        self.index
            .write(|world, _| world.observe_fence(written.clone()));
        Ok(written)
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

    fn drop_hosts(&self, count: usize) {
        if count > 0 {
            self.metrics
                .dropped_hosts("fence_gone")
                .inc_by(count as u64);
        }
    }
}
