//! Telling users whether their fence is in force.

mod hosts;
mod unsupported;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::ServiceFence;
pub use hosts::{Findings, some};
use unsupported::unsupported;

const READY: &str = "Ready";
const REJECTED: &str = "SidecarRejected";
/// Reason of `Ready` where somebody else's Sidecar has the fence's name.
pub const NOT_OWNED: &str = "SidecarNotOwned";
const HOSTS_RESOLVED: &str = "HostsResolved";
const EXPIRING: &str = "Expiring";
const SPEC_SUPPORTED: &str = "SpecSupported";
/// The types that are the controller's own; conditions of other types are kept.
const OWN: [&str; 4] = [READY, HOSTS_RESOLVED, EXPIRING, SPEC_SUPPORTED];

/// Whether a fence is in force, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The Sidecar is what the fence says.
    Applied,
    /// `spec.enable` is not true.
    Disabled,
    /// The workload selector comes from a Service that is missing or selects nothing.
    NoWorkload,
    /// A Sidecar of the fence's name belongs to somebody else.
    NotOwned {
        /// Who, in words.
        owner: String,
    },
    /// The API server or Istio's validation refused the Sidecar.
    Rejected {
        /// The refusal, in the server's words.
        message: String,
    },
}

impl Readiness {
    /// The condition's reason, which is also the metric's label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Applied => "SidecarApplied",
            Self::Disabled => "Disabled",
            Self::NoWorkload => "NoWorkload",
            Self::NotOwned { .. } => NOT_OWNED,
            Self::Rejected { .. } => REJECTED,
        }
    }

    /// What it means, in words, for the fence called `name`.
    pub fn message(&self, name: &str) -> String {
        match self {
            Self::Applied => "the Sidecar of the same name carries every visible host".to_owned(),
            Self::Disabled => "spec.enable is not true: this fence narrows nothing".to_owned(),
            Self::NoWorkload => format!(
                "spec.workloadSelector.fromService: there is no Service {name} with a selector in this namespace"
            ),
            Self::NotOwned { owner } => format!(
                "a Sidecar {name} exists in this namespace and its owner is {owner}; it is left untouched. Delete or \
                 rename it to let this fence take effect"
            ),
            Self::Rejected { message } => format!("the Sidecar was refused: {message}"),
        }
    }
}

/// The reason of the `Ready` condition of `fence`, if it says that the Sidecar was refused: more hosts in it would change nothing.
pub fn refusal(fence: &ServiceFence) -> Option<&'static str> {
    let conditions = &fence.status.as_ref()?.conditions;
    let is_refused = conditions
        .iter()
        .any(|condition| condition.type_ == READY && condition.reason == REJECTED);
    is_refused.then_some(REJECTED)
}

/// The reason and the message of the `Ready` condition among `conditions`.
pub fn ready(conditions: &[Condition]) -> Option<(&str, &str)> {
    let ready = conditions
        .iter()
        .find(|condition| condition.type_ == READY)?;
    Some((&ready.reason, &ready.message))
}

/// The conditions of `fence`: `Ready` and `HostsResolved` always, `Expiring` (true) while some host is about to go, and
/// `SpecSupported` (false) while the spec asks for something that is not acted on. Conditions of other types are kept, and without
/// `readiness` so is `Ready`.
///
/// Equal to the present ones unless something changed, and `lastTransitionTime` moves only with the status, so that a
/// write can be left out by comparing.
pub fn conditions(
    fence: &ServiceFence,
    readiness: Option<&Readiness>,
    findings: &Findings<'_>,
    now: Time,
) -> Vec<Condition> {
    let present = fence
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let name = fence.metadata.name.as_deref().unwrap_or_default();
    let ready = readiness.map(|readiness| Wanted {
        type_: READY,
        status: *readiness == Readiness::Applied,
        reason: readiness.reason(),
        message: readiness.message(name),
    });
    let unsupported = unsupported(&fence.spec);
    let unsupported = (!unsupported.is_empty()).then(|| Wanted {
        type_: SPEC_SUPPORTED,
        status: false,
        reason: "FieldsNotActedOn",
        message: format!("not acted on: {}", unsupported.join("; ")),
    });
    let others = [
        Some(findings.resolved()),
        findings.expiring(fence.spec.enable),
        unsupported,
    ];
    let kept = present.iter().filter(|condition| {
        let type_ = condition.type_.as_str();
        !OWN.contains(&type_) || (type_ == READY && readiness.is_none())
    });
    let ours = ready.into_iter().chain(others.into_iter().flatten());
    let ours = ours.map(|wanted| {
        let before = present
            .iter()
            .find(|condition| condition.type_ == wanted.type_);
        wanted.into_condition(before, fence.metadata.generation, &now)
    });
    kept.cloned().chain(ours).collect()
}

struct Wanted {
    type_: &'static str,
    status: bool,
    reason: &'static str,
    message: String,
}

impl Wanted {
    fn into_condition(
        self,
        before: Option<&Condition>,
        generation: Option<i64>,
        now: &Time,
    ) -> Condition {
        let status = if self.status { "True" } else { "False" };
        let since = before
            .filter(|before| before.status == status)
            .map_or_else(|| now.clone(), |before| before.last_transition_time.clone());
        Condition {
            type_: self.type_.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message,
            observed_generation: generation,
            last_transition_time: since,
        }
    }
}

#[cfg(test)]
mod tests;
