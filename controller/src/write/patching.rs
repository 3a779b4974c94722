//! Writing a fence's status, and telling what that changes.

use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::events::EventType,
};

use tracing::info;

use super::{
    FIELD_MANAGER, WriteError, Writer,
    changes::{Changes, changes},
    error::call,
    status::patch,
};
use crate::{
    api::{ServiceFence, ServiceFenceStatus},
    fence::{ObjectRef, some},
};

/// How often one run looks again after somebody else's write came in between.
const LOOKS: usize = 4;

impl Writer {
    /// Patches the status to what `status` makes of the fence, if that differs, and returns the fence as it is then. Somebody
    /// else's write in between is read, and `status` asked again, unless the fence is on its way out then, or another controller's.
    /// What the API server did not keep last time is not written again.
    pub(super) async fn write_status(
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
            let uid = fence.metadata.uid.as_deref();
            if self.unkept.is_vain(name, uid, &body) {
                return Ok(fence);
            }
            match call(api.patch_status(&name.name, &params, &Patch::Merge(&body))).await {
                Ok(answer) => {
                    self.metrics.status_writes.inc();
                    self.report_changes(name, &fence, &wanted);
                    let written = readable(answer, &fence, Some(&wanted));
                    let rest = patch(&written, &wanted)?;
                    self.unkept.written(name, uid, rest.as_ref());
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
            let is_ours = self.index.read(|world| world.is_ours(&fence));
            if !is_ours || fence.metadata.deletion_timestamp.is_some() {
                return Err(WriteError::Replaced);
            }
        }
        Err(last)
    }

    /// Counts what a patch has changed, and tells the user.
    fn report_changes(&self, name: &ObjectRef, before: &ServiceFence, after: &ServiceFenceStatus) {
        let changes = changes(before, after);
        let is_reset = self.resets.open(name).is_some();
        let count = |reason, hosts: &[String]| {
            let hosts = hosts.len() as u64;
            self.metrics.forgotten_hosts(reason).inc_by(hosts);
        };
        let learned = changes.learned.len() + changes.relearned.len();
        self.metrics.learned_hosts.inc_by(learned as u64);
        self.metrics
            .relearned_hosts
            .inc_by(changes.relearned.len() as u64);
        count("dropped", &changes.dropped);
        count("expired", &changes.expired);
        let reason = if is_reset { "reset" } else { "forgotten" };
        count(reason, &changes.forgotten);
        if !changes.dropped.is_empty() {
            let hosts = changes.dropped.join(",");
            info!(fence = %name, hosts, "dropped until missed again");
        }
        for (reason, message) in events_of(&changes, is_reset) {
            let regarding = before.object_ref(&());
            self.events
                .emit(regarding, EventType::Normal, reason, message);
        }
    }
}

/// What to tell the user of `changes`: what happened, in a word and in more.
fn events_of(changes: &Changes, is_reset: bool) -> Vec<(&'static str, String)> {
    let list = |hosts: &[String]| some(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
    let mut events = Vec::new();
    let mut tell = |reason: &'static str, hosts: &[String], words: &str| {
        if !hosts.is_empty() {
            let message = words.replacen("{}", &list(hosts), 1);
            events.push((reason, message));
        }
    };
    tell("Learned", &changes.learned, "learned {}");
    let relearned: Vec<String> = changes
        .relearned
        .iter()
        .map(|(host, times)| format!("{host} (for the {times}. time)"))
        .collect();
    tell(
        "LearnedAgain",
        &relearned,
        "missed again and learned back: {}",
    );
    let dropped = "not needed for a while, as far as is known: {}. A miss brings back what is needed after all";
    tell("Dropped", &changes.dropped, dropped);
    tell("Expired", &changes.expired, "the deadline has passed of {}");
    match is_reset {
        true => tell("Reset", &changes.forgotten, "cleared on demand: {}"),
        false => tell(
            "Forgotten",
            &changes.forgotten,
            "not missed since they were dropped: {}",
        ),
    }
    events
}

/// The fence in `answer`. One that cannot be read stays as it is `held`, with `status` if that was just written.
fn readable(
    DeserializeGuard(answer): DeserializeGuard<ServiceFence>,
    held: &ServiceFence,
    status: Option<&ServiceFenceStatus>,
) -> ServiceFence {
    match answer {
        Ok(mut fence) => {
            fence.metadata.managed_fields = None;
            fence
        }
        Err(invalid) => {
            let mut fence = held.clone();
            fence.metadata.resource_version = invalid.metadata.resource_version;
            fence.status = status.cloned().or(fence.status);
            fence
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_of_every_change_once() {
        let hosts = |hosts: &[&str]| {
            hosts
                .iter()
                .map(|&host| host.to_owned())
                .collect::<Vec<_>>()
        };
        let changes = Changes {
            learned: hosts(&["a", "b", "c", "d", "e", "f", "g"]),
            relearned: vec![("h".to_owned(), 3)],
            dropped: hosts(&["i"]),
            expired: hosts(&["j"]),
            forgotten: hosts(&["k"]),
        };
        let events = events_of(&changes, false);
        let told: Vec<_> = events
            .iter()
            .map(|(reason, message)| (*reason, message.as_str()))
            .collect();
        assert_eq!(told[0], ("Learned", "learned a, b, c, d, e and 2 more"));
        let again = "missed again and learned back: h (for the 3. time)";
        assert_eq!(told[1], ("LearnedAgain", again));
        let reasons: Vec<_> = told[2..].iter().map(|(reason, _)| *reason).collect();
        assert_eq!(reasons, ["Dropped", "Expired", "Forgotten"]);
        assert_eq!(events_of(&changes, true)[4].0, "Reset");
        assert!(events_of(&Changes::default(), false).is_empty());
    }
}
