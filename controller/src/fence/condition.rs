//! Telling users whether their fence is in force.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::domains::refused_hosts;
use crate::{
    api::{RecyclingStrategy, ServiceFence, ServiceFenceSpec},
    first_request::Mode,
};

const READY: &str = "Ready";
const REJECTED: &str = "SidecarRejected";
/// Reason of `Ready` where somebody else's Sidecar has the fence's name.
pub const NOT_OWNED: &str = "SidecarNotOwned";
const SPEC_SUPPORTED: &str = "SpecSupported";

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

    fn message(&self, name: &str) -> String {
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

/// The conditions of `fence`: `Ready` always, and `SpecSupported` (false) while the spec asks for something that is not
/// acted on. Conditions of other types are kept.
///
/// Equal to the present ones unless something changed, and `lastTransitionTime` moves only with the status, so that a
/// write can be left out by comparing.
pub fn conditions(fence: &ServiceFence, readiness: &Readiness, now: Time) -> Vec<Condition> {
    let present = fence
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let name = fence.metadata.name.as_deref().unwrap_or_default();
    let mut wanted = vec![Wanted {
        type_: READY,
        status: *readiness == Readiness::Applied,
        reason: readiness.reason(),
        message: readiness.message(name),
    }];
    let unsupported = unsupported(&fence.spec);
    if !unsupported.is_empty() {
        wanted.push(Wanted {
            type_: SPEC_SUPPORTED,
            status: false,
            reason: "FieldsNotActedOn",
            message: format!("not acted on: {}", unsupported.join("; ")),
        });
    }
    let kept = present
        .iter()
        .filter(|condition| ![READY, SPEC_SUPPORTED].contains(&condition.type_.as_str()))
        .cloned();
    let ours = wanted.into_iter().map(|wanted| {
        let before = present
            .iter()
            .find(|condition| condition.type_ == wanted.type_);
        wanted.into_condition(before, fence.metadata.generation, &now)
    });
    kept.chain(ours).collect()
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

/// What the spec asks for in vain, in words.
fn unsupported(spec: &ServiceFenceSpec) -> Vec<String> {
    let mut found = Vec::new();
    if !spec.label_selector.is_empty() {
        found.push("spec.labelSelector".to_owned());
    }
    if !spec.namespace_selector.is_empty() {
        found.push("spec.namespaceSelector (use a spec.host key <namespace>/* instead)".to_owned());
    }
    let strategies = |wanted: fn(&RecyclingStrategy) -> bool| {
        spec.host
            .iter()
            .filter(move |(_, strategy)| {
                strategy
                    .as_ref()
                    .is_some_and(|s| s.stable.is_none() && wanted(s))
            })
            .map(|(host, _)| host.as_str())
            .collect::<Vec<_>>()
    };
    let deadlines = strategies(|strategy| strategy.deadline.is_some());
    if !deadlines.is_empty() {
        found.push(format!(
            "spec.host deadline of {} takes effect when the fence is next looked at (a change of it, its Sidecar or its hosts), not at its time",
            deadlines.join(", ")
        ));
    }
    let autos = strategies(|strategy| strategy.deadline.is_none() && strategy.auto.is_some());
    if !autos.is_empty() {
        found.push(format!(
            "spec.host auto of {} (the host stays for ever)",
            autos.join(", ")
        ));
    }
    let refused = refused_hosts(spec);
    if !refused.is_empty() {
        found.push(format!(
            "spec.host keys that are neither a host name nor <namespace>/*: {}",
            refused
                .iter()
                .map(|host| format!("{host:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    let mode = spec.first_request.as_deref();
    if let Some(mode) = mode.filter(|mode| Mode::named(mode).is_none()) {
        found.push(format!(
            "spec.firstRequest {mode:?} (not one of {})",
            Mode::NAMES.join(", ")
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ServiceFenceStatus;
    use serde_json::json;

    fn mk_fence(spec: serde_json::Value) -> ServiceFence {
        let mut fence = ServiceFence::new("foo", serde_json::from_value(spec).unwrap());
        fence.metadata.generation = Some(3);
        fence
    }

    fn mk_time(second: u32) -> Time {
        serde_json::from_value(json!(format!("2026-01-01T00:00:{second:02}Z"))).unwrap()
    }

    /// `fence` as it is after `conditions` was written.
    fn written(mut fence: ServiceFence, conditions: Vec<Condition>) -> ServiceFence {
        fence.status = Some(ServiceFenceStatus {
            conditions,
            ..ServiceFenceStatus::default()
        });
        fence
    }

    #[test]
    fn nothing_changes_while_nothing_changes() {
        let fence = mk_fence(json!({ "labelSelector": [{ "selector": { "a": "b" } }] }));
        let first = conditions(&fence, &Readiness::Applied, mk_time(1));
        let fence = written(fence, first.clone());
        assert_eq!(conditions(&fence, &Readiness::Applied, mk_time(2)), first);
    }

    #[test]
    fn the_transition_time_moves_with_the_status_alone() {
        let fence = mk_fence(json!({}));
        let disabled = conditions(&fence, &Readiness::Disabled, mk_time(1));
        let fence = written(fence, disabled);

        let other_reason = conditions(&fence, &Readiness::NoWorkload, mk_time(2));
        assert_eq!(other_reason[0].reason, "NoWorkload");
        assert_eq!(other_reason[0].last_transition_time, mk_time(1));

        let ready = conditions(&fence, &Readiness::Applied, mk_time(3));
        assert_eq!(
            (ready[0].status.as_str(), &ready[0].last_transition_time),
            ("True", &mk_time(3))
        );
    }

    #[test]
    fn fields_that_are_not_acted_on_are_named() {
        let fence = mk_fence(json!({
            "namespaceSelector": ["a"],
            "firstRequest": "sometimes",
            "host": {
                "b.c": { "deadline": { "expire": { "seconds": 9 } } },
                "d.e": { "auto": { "duration": { "seconds": 9 } } },
                "f g": {},
            },
        }));
        let found = conditions(&fence, &Readiness::Applied, mk_time(1));
        assert_eq!(found[1].type_, "SpecSupported");
        assert_eq!(found[1].status, "False");
        for part in [
            "namespaceSelector",
            "b.c",
            "d.e",
            "\"f g\"",
            "\"sometimes\"",
        ] {
            assert!(
                found[1].message.contains(part),
                "{part} in {}",
                found[1].message
            );
        }
    }

    #[test]
    fn conditions_of_others_are_kept() {
        let mut other = conditions(&mk_fence(json!({})), &Readiness::Applied, mk_time(1));
        other[0].type_ = "Theirs".to_owned();
        let fence = written(mk_fence(json!({})), other);
        let types: Vec<String> = conditions(&fence, &Readiness::Applied, mk_time(2))
            .into_iter()
            .map(|c| c.type_)
            .collect();
        assert_eq!(types, ["Theirs", "Ready"]);
    }
}
