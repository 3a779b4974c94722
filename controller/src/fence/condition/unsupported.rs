//! What a spec asks for in vain.

use crate::{
    api::ServiceFenceSpec,
    fence::{domains::refused_hosts, forgetting::forgetting_of},
    settings::Forgetting,
    settings::Mode,
};

/// What the spec asks for in vain, in words.
pub(super) fn unsupported(spec: &ServiceFenceSpec) -> Vec<String> {
    let mut found = Vec::new();
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
    let (_, slips) = forgetting_of(spec, &Forgetting::default());
    found.extend(slips);
    found
}
