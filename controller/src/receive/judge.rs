//! Deciding about a report. Pure: the world and the proven workload in, one judgement per miss out.

use std::{collections::HashSet, sync::Arc};

use lazyload_protocol::{
    host::{Authority, candidates},
    v1::{Miss, ReportRequest},
};

use super::Reason;
use crate::{
    api::ServiceFence,
    fence::{Labels, ObjectRef, is_expired, known_hosts, room},
    index::{Resolved, World},
};

/// What the configuration says about reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Label whose value is a fence's name, for fences that state no selector.
    pub workload_label: String,
    /// Refuse senders whom the mesh did not prove.
    pub require_identity: bool,
    /// Trust domain whose certificates are believed.
    pub trust_domain: String,
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

/// Judges every miss of `request`, in order. `labels` are those of the reporting pod, or why nothing of the report is
/// believed; `now` is in seconds since 1970-01-01 UTC.
pub fn judge(
    world: &World,
    request: &ReportRequest,
    labels: &Result<Labels, Reason>,
    rules: &Rules,
    now: i64,
) -> Vec<Judgement> {
    let namespace = request
        .workload
        .as_ref()
        .map_or("", |workload| workload.namespace.as_str());
    let fences = match labels {
        Ok(labels) => world.fences_selecting(namespace, labels, &rules.workload_label),
        Err(_) => Vec::new(),
    };
    let fences: Vec<Candidate<'_>> = fences.iter().map(Candidate::new).collect();
    let one = |miss: &Miss| match labels {
        Ok(_) => judge_miss(world, miss, namespace, &fences, rules, now),
        Err(reason) => Err(reason.clone()),
    };
    request
        .misses
        .iter()
        .map(|miss| {
            one(miss).unwrap_or_else(|reason| Judgement {
                reason,
                host: String::new(),
                learners: Vec::new(),
            })
        })
        .collect()
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
    let port = port_of(miss)?;
    if fences.is_empty() {
        return Err(Reason::NoFence {
            namespace: namespace.to_owned(),
        });
    }
    let name = authority.name().ok_or(Reason::Address)?;
    let host = find(world, name, namespace, port, rules)?;
    let open: Vec<_> = fences
        .iter()
        .filter(|candidate| !is_expired(&candidate.fence.spec, &host, now))
        .collect();
    if open.is_empty() {
        return Err(Reason::Expired { host });
    }
    let (learners, full): (Vec<_>, Vec<_>) = open
        .into_iter()
        .filter(|candidate| !candidate.known.contains(host.as_str()))
        .partition(|candidate| room(candidate.fence) > 0);
    let reason = full
        .first()
        .map_or(Reason::Known, |full| Reason::FenceFull {
            name: full.name.to_string(),
        });
    Ok(Judgement {
        reason,
        host,
        learners: learners
            .into_iter()
            .map(|candidate| candidate.name.clone())
            .collect(),
    })
}

/// The port that was called, if the report says so.
fn port_of(miss: &Miss) -> Result<Option<u16>, Reason> {
    match u16::try_from(miss.port) {
        Ok(0) => Ok(None),
        Ok(port) => Ok(Some(port)),
        Err(_) => Err(Reason::PortInvalid(miss.port)),
    }
}

/// The host of the mesh that a pod of `namespace` means by `name`.
fn find(
    world: &World,
    name: &str,
    namespace: &str,
    port: Option<u16>,
    rules: &Rules,
) -> Result<String, Reason> {
    let mut other_ports = None;
    for candidate in candidates(name, namespace, &rules.cluster_domain) {
        match world.resolve(&candidate, namespace, port) {
            Some(Resolved::Host(host)) => return Ok(host),
            Some(Resolved::OtherPorts { owner }) => _ = other_ports.get_or_insert(owner),
            None => {}
        }
    }
    Err(match (other_ports, port) {
        (Some(owner), Some(port)) => Reason::OtherPorts { owner, port },
        _ => Reason::External {
            host: name.to_owned(),
        },
    })
}

#[cfg(test)]
mod tests;
