//! Deciding about a report. Pure: the world and the proven workload in, one judgement per miss out.

mod find;
mod report;

use std::sync::Arc;

use lazyload_protocol::v1::{Miss, ReportRequest};

use super::Reason;
use crate::{
    api::ServiceFence,
    fence::{Labels, ObjectRef},
    first_request::{Need, PassThrough},
    index::World,
    replay::Installed,
    settings::{Mode, Replay, Settings},
};
use report::{Candidate, Report};

/// What the configuration says about reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Refuse senders whom the mesh did not prove.
    pub require_identity: bool,
    /// Trust domain whose certificates are believed.
    pub trust_domain: String,
    /// What first requests do, where fences say nothing.
    pub first_request: Mode,
    /// Which sidecars can send held requests anywhere.
    pub replay: Arc<Replay>,
}

impl Rules {
    /// The same under other settings.
    pub fn under(&self, settings: &Settings) -> Self {
        Self {
            cluster_domain: settings.cluster_domain.clone(),
            first_request: settings.first_request,
            replay: settings.replay.clone(),
            ..self.clone()
        }
    }
}

/// What was decided about one miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Why, and with it the verdict.
    pub reason: Reason,
    /// The canonical host, for a host in the mesh.
    pub host: String,
    /// The host that this one is only another name of; it is learned with it.
    pub alias_of: Option<String>,
    /// The fences that do not know the host, or what it is a name of, yet.
    pub learners: Vec<ObjectRef>,
    /// For a host in the mesh, whether to wait for its route.
    pub first_request: Result<Need, PassThrough>,
}

/// What was decided about a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// One judgement per miss, in order.
    pub misses: Vec<Judgement>,
    /// The most careful mode of the fences that select the workload, which is to let pass where nothing can be held; `None` if no
    /// fence does, or if what is needed for holding is merely not there yet.
    pub mode: Option<Mode>,
}

/// Judges every miss of `request`, in order. `labels` are those of the reporting pod, or why nothing of the report is
/// believed; `now` is in seconds since 1970-01-01 UTC.
pub fn judge(
    world: &World,
    request: &ReportRequest,
    labels: &Result<Labels, Reason>,
    rules: &Rules,
    now: i64,
) -> Judged {
    let namespace = request
        .workload
        .as_ref()
        .map_or("", |workload| workload.namespace.as_str());
    let fences = match labels {
        Ok(labels) => world.fences_selecting(namespace, labels),
        Err(_) => Vec::new(),
    };
    let fences: Vec<Candidate<'_>> = fences
        .iter()
        .map(|fence| Candidate::new(fence, world))
        .collect();
    let mode = fences
        .iter()
        .map(|candidate| mode_of(candidate.fence, rules))
        .max();
    let report = Report {
        world,
        namespace,
        fences: &fences,
        mode: mode.unwrap_or_default(),
        installed: rules.replay.installed(
            namespace,
            &world.settings().slime_namespace,
            |namespace| world.replay(namespace),
        ),
        rules,
        now,
    };
    let one = |miss: &Miss| match labels {
        Ok(_) => report.judge(miss),
        Err(reason) => Err(reason.clone()),
    };
    let misses = request.misses.iter().map(|miss| {
        one(miss).unwrap_or_else(|reason| Judgement {
            reason,
            host: String::new(),
            alias_of: None,
            learners: Vec::new(),
            first_request: Err(PassThrough::NotAbout),
        })
    });
    Judged {
        misses: misses.collect(),
        mode: match report.installed {
            _ if mode == Some(Mode::PassThrough) => mode,
            Installed::Yes => mode,
            // The filter must not stop to ask for what is there in a moment.
            Installed::Missing => None,
            Installed::NotConfigured | Installed::Foreign => mode.and(Some(Mode::PassThrough)),
        },
    }
}

/// What `fence` wishes for first requests. A wish that cannot be read is none; the fence says so (`SpecSupported`).
fn mode_of(fence: &ServiceFence, rules: &Rules) -> Mode {
    let wish = fence.spec.first_request.as_deref().and_then(Mode::named);
    wish.unwrap_or(rules.first_request)
}

#[cfg(test)]
mod tests;
