//! Deciding about a report. Pure: the world and the proven identity in, one judgement per miss out.

use std::{collections::HashSet, sync::Arc};

use lazyload_protocol::{
    host::{Authority, candidates},
    v1::{Miss, ReportRequest, Workload},
};

use super::{Identity, IdentityError, Reason};
use crate::{
    api::ServiceFence,
    fence::{ObjectRef, is_expired, known_hosts},
    index::World,
};

/// Most misses of one report that are looked at; the filter sends far fewer.
pub const MAX_MISSES: usize = 1_000;

/// What the configuration says about reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Label whose value is a fence's name, for fences that state no selector.
    pub workload_label: String,
    /// Refuse senders whom the mesh did not prove.
    pub require_identity: bool,
}

/// What was decided about one miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Why, and with it the verdict.
    pub reason: Reason,
    /// The canonical host, for a host in the mesh.
    pub host: String,
    /// The fences that do not know the host yet.
    pub learners: Vec<ObjectRef>,
}

/// A fence that selects the workload, with what it knows, looked up once for all misses of a report.
struct Candidate<'a> {
    name: &'a ObjectRef,
    fence: &'a ServiceFence,
    known: HashSet<&'a str>,
}

impl<'a> Candidate<'a> {
    fn new((name, fence): &'a (ObjectRef, Arc<ServiceFence>)) -> Self {
        Self {
            name,
            fence,
            known: known_hosts(fence),
        }
    }
}

/// Judges every miss of `request`, in order. `now` is in seconds since 1970-01-01 UTC.
pub fn judge(
    world: &World,
    request: &ReportRequest,
    identity: &Result<Option<Identity>, IdentityError>,
    rules: &Rules,
    now: i64,
) -> Vec<Judgement> {
    let workload = request.workload.clone().unwrap_or_default();
    let sender = check_sender(world, &workload, identity, rules);
    let fences = match sender {
        Ok(()) => {
            world.fences_selecting(&workload.namespace, &workload.labels, &rules.workload_label)
        }
        Err(_) => Vec::new(),
    };
    let fences: Vec<Candidate<'_>> = fences.iter().map(Candidate::new).collect();
    let one = |(position, miss): (usize, &Miss)| {
        if position >= MAX_MISSES {
            return Err(Reason::TooMany);
        }
        sender.clone()?;
        judge_miss(world, miss, &workload.namespace, &fences, rules, now)
    };
    request
        .misses
        .iter()
        .enumerate()
        .map(|miss| {
            one(miss).unwrap_or_else(|reason| Judgement {
                reason,
                host: String::new(),
                learners: Vec::new(),
            })
        })
        .collect()
}

/// Whether the sender is who the report says, and somebody whom a fence can select at all.
fn check_sender(
    world: &World,
    workload: &Workload,
    identity: &Result<Option<Identity>, IdentityError>,
    rules: &Rules,
) -> Result<(), Reason> {
    let proven = match identity {
        Ok(proven) => proven.as_ref(),
        Err(error) => return Err(Reason::IdentityInvalid(error.clone())),
    };
    if proven.is_none() && rules.require_identity {
        return Err(Reason::IdentityMissing);
    }
    if !world.has_namespace(&workload.namespace) {
        return Err(Reason::NamespaceUnknown(workload.namespace.clone()));
    }
    if let Some(proven) = proven {
        for (field, claimed, proven) in [
            ("namespace", &workload.namespace, &proven.namespace),
            (
                "service account",
                &workload.service_account,
                &proven.service_account,
            ),
        ] {
            if claimed != proven {
                return Err(Reason::IdentityMismatch {
                    field,
                    claimed: claimed.clone(),
                    proven: proven.clone(),
                });
            }
        }
    }
    if workload.labels.is_empty() {
        return Err(Reason::LabelsEmpty);
    }
    Ok(())
}

fn judge_miss(
    world: &World,
    miss: &Miss,
    namespace: &str,
    fences: &[Candidate<'_>],
    rules: &Rules,
    now: i64,
) -> Result<Judgement, Reason> {
    let authority = Authority::parse(&miss.authority).map_err(Reason::AuthorityInvalid)?;
    if fences.is_empty() {
        return Err(Reason::NoFence {
            namespace: namespace.to_owned(),
        });
    }
    let name = authority.name().ok_or(Reason::Address)?;
    let host = candidates(name, namespace, &rules.cluster_domain)
        .into_iter()
        .find(|candidate| world.has_host(candidate))
        .ok_or_else(|| Reason::External {
            host: name.to_owned(),
        })?;
    let open: Vec<_> = fences
        .iter()
        .filter(|candidate| !is_expired(&candidate.fence.spec, &host, now))
        .collect();
    if open.is_empty() {
        return Err(Reason::Expired { host });
    }
    let learners = open
        .into_iter()
        .filter(|candidate| !candidate.known.contains(host.as_str()))
        .map(|candidate| candidate.name.clone())
        .collect();
    Ok(Judgement {
        reason: Reason::Known,
        host,
        learners,
    })
}

#[cfg(test)]
mod tests;
