//! Which fences make themselves: from the configuration, Services, Namespaces and pods to "there should be a fence of this name",
//! and from there to the one step that makes it so. Pure.
//!
//! The rules are Slime's: a fence of its own accord carries the label [`CREATED_BY_LABEL`], and only such a fence is ever taken
//! away. A hand-made one is never touched, whatever any label says, and one that a user has taken the label from is hand-made.

mod decision;
mod plan;
mod scope;
mod workloads;

pub use decision::is_fenced;
pub use plan::{FenceAction, plan_fence};
pub use scope::{is_in_scope, selects};
pub use workloads::{WORKLOAD_SUFFIX, workload_fence_name, workload_value};

use kube::ResourceExt;

use crate::{
    api::{ServiceFence, WorkloadSelector},
    fence::{Labels, ObjectRef, matches},
    index::{NamespaceFacts, ServiceFacts, World},
    settings::{AutoFence, WorkloadFences},
};

/// Label of a Service, a Namespace or a pod that says whether it is fenced of its own accord: `true` or `false`.
pub const FENCED_LABEL: &str = "slime.io/serviceFenced";
/// Label that tells a fence of its own accord from a hand-made one.
pub const CREATED_BY_LABEL: &str = "app.kubernetes.io/created-by";
/// Its value.
pub const CREATED_BY: &str = "fence-controller";

/// Whether there should be an automatic fence of some name.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// Yes, for these pods.
    Yes(WorkloadSelector),
    /// No, and why, in words that complete "deleted because …".
    No(&'static str),
    /// Nobody can say (yet): what there is stays as it is.
    Unknown,
}

/// Whether `fence` was made of its own accord.
pub fn is_automatic(fence: &ServiceFence) -> bool {
    let label = fence.labels().get(CREATED_BY_LABEL);
    label.is_some_and(|by| by == CREATED_BY)
}

/// Whether there should be an automatic fence called `name` in `world`.
pub fn wanted(name: &ObjectRef, world: &World) -> Wanted {
    let settings = &world.settings().auto_fence;
    let namespace = match world.namespace(&name.namespace) {
        // What a namespace on its way out still has goes with it, and it takes nothing new.
        Some(namespace) if !namespace.is_terminating => namespace,
        _ => return Wanted::Unknown,
    };
    if !settings.is_on {
        return Wanted::No("autoFence is off");
    }
    if !is_in_scope(settings, &name.namespace, &namespace.labels) {
        return Wanted::No("its namespace is not in scope");
    }
    if name.name.ends_with(WORKLOAD_SUFFIX) {
        let Some(rule) = &settings.workloads else {
            return Wanted::No("fenceLabelKeyAlias is not set");
        };
        return for_workloads(name, rule, settings, namespace, world);
    }
    for_service(world.service(name), settings, namespace)
}

fn for_service(
    service: Option<&ServiceFacts>,
    settings: &AutoFence,
    namespace: &NamespaceFacts,
) -> Wanted {
    match service {
        Some(service) if !service.is_terminating => {
            if service.selector.is_empty() || service.alias_of.is_some() {
                Wanted::No("its Service selects no pods")
            } else if is_fenced(&service.labels, &namespace.labels, settings.default_fence) {
                Wanted::Yes(WorkloadSelector {
                    from_service: true,
                    ..WorkloadSelector::default()
                })
            } else {
                Wanted::No("its Service is not to be fenced")
            }
        }
        _ => Wanted::No("its Service is gone"),
    }
}

fn for_workloads(
    name: &ObjectRef,
    rule: &WorkloadFences,
    settings: &AutoFence,
    namespace: &NamespaceFacts,
    world: &World,
) -> Wanted {
    let Some(value) = workload_value(&rule.alias, &name.name) else {
        return Wanted::No("fenceLabelKeyAlias has another alias");
    };
    let Some(pods) = world.workload_pods(&name.namespace, value) else {
        return Wanted::Unknown;
    };
    let mut pods = pods.peekable();
    if pods.peek().is_none() {
        return Wanted::No("no pod has its label any more");
    }
    let covering = covering_selectors(&name.namespace, world);
    let is_uncovered = pods.any(|labels| {
        is_fenced(labels, &namespace.labels, settings.default_fence)
            && !covering.iter().any(|selector| matches(selector, labels))
    });
    if is_uncovered {
        Wanted::Yes(WorkloadSelector {
            from_service: false,
            labels: [(rule.key.clone(), value.to_owned())].into(),
        })
    } else {
        Wanted::No("its pods are not to be fenced, or other fences have them all")
    }
}

/// What the other fences of `namespace` select, those that are about to be made included: two Sidecars for one pod would leave it to
/// chance which of them counts.
fn covering_selectors(namespace: &str, world: &World) -> Vec<Labels> {
    let is_own = |name: &ObjectRef, fence: &ServiceFence| {
        name.name.ends_with(WORKLOAD_SUFFIX) && is_automatic(fence)
    };
    let present = world
        .fences_of(namespace)
        .filter(|(name, fence)| fence.spec.enable && world.is_ours(fence) && !is_own(name, fence))
        .filter_map(|(_, fence)| world.selector(fence));
    let coming = world
        .services_of(namespace)
        .filter(|(name, _)| world.fence(name).is_none())
        .filter(|(name, _)| matches!(wanted(name, world), Wanted::Yes(_)))
        .map(|(_, service)| service.selector.clone());
    present.chain(coming).collect()
}

#[cfg(test)]
mod tests;
