//! One report: what each of its misses means to the fences that select the workload.

use std::{collections::HashSet, sync::Arc};

use lazyload_protocol::{host::Authority, v1::Miss};

use super::{
    Judgement, Reason, Rules,
    find::{find, find_address, port_of},
};
use crate::{
    api::ServiceFence,
    fence::{NOT_OWNED, ObjectRef, has_room, is_expired, is_foreign, known_hosts, refusal},
    first_request::{Blocked, FirstRequest, Need, PassThrough, Target},
    index::{Found, World},
    replay::Installed,
    settings::Mode,
};

/// Route of the catch-all in a mesh that lets nothing out that it does not know.
const BLOCK_ALL: &str = "block_all";

/// A fence that selects the workload, with what it knows, looked up once for all misses of a report.
pub(super) struct Candidate<'a> {
    name: &'a ObjectRef,
    pub(super) fence: &'a ServiceFence,
    known: HashSet<&'a str>,
    /// Why its Sidecar does not take effect, if it does not.
    blocked: Option<&'static str>,
}

impl<'a> Candidate<'a> {
    pub(super) fn new((name, fence): &'a (ObjectRef, Arc<ServiceFence>), world: &World) -> Self {
        // Whose Sidecar it is shows at once; that it was refused, in the status alone.
        let sidecar = world.sidecar(name);
        let is_foreign = sidecar.is_some_and(|sidecar| is_foreign(fence, &sidecar));
        Self {
            name,
            fence,
            known: known_hosts(fence),
            blocked: is_foreign.then_some(NOT_OWNED).or_else(|| refusal(fence)),
        }
    }

    fn knows(&self, found: &Found) -> bool {
        let mut names = std::iter::once(&found.host).chain(&found.alias_of);
        names.all(|name| self.known.contains(name.as_str()))
    }
}

/// One report, and all that its misses are judged by.
pub(super) struct Report<'a> {
    pub(super) world: &'a World,
    pub(super) namespace: &'a str,
    pub(super) fences: &'a [Candidate<'a>],
    pub(super) mode: Mode,
    pub(super) installed: Installed,
    pub(super) rules: &'a Rules,
    pub(super) now: i64,
}

impl Report<'_> {
    /// Judges one of its misses, or says why not.
    pub(super) fn judge(&self, miss: &Miss) -> Result<Judgement, Reason> {
        let authority = Authority::parse(&miss.authority).map_err(Reason::AuthorityInvalid)?;
        let port = port_of(miss)?;
        if self.fences.is_empty() {
            return Err(Reason::NoFence {
                namespace: self.namespace.to_owned(),
            });
        }
        let found = match (authority.name(), authority.ip()) {
            (Some(name), _) => find(self.world, name, self.namespace, port, self.rules)?,
            (None, address) => find_address(self.world, address, self.namespace, port)?,
        };
        let open: Vec<_> = self
            .fences
            .iter()
            .filter(|candidate| !is_expired(&candidate.fence.spec, &found.host, self.now))
            .collect();
        if open.is_empty() {
            return Err(Reason::Expired { host: found.host });
        }
        let first_request = self.first_request(&open, &found, port, &miss.route);
        let (learners, full): (Vec<_>, Vec<_>) = open
            .into_iter()
            .filter(|candidate| !candidate.knows(&found))
            .partition(|candidate| has_room(candidate.fence, &found.host));
        let reason = full
            .first()
            .map_or(Reason::Known, |full| Reason::FenceFull {
                name: full.name.to_string(),
            });
        Ok(Judgement {
            reason,
            host: found.host,
            alias_of: found.alias_of,
            learners: learners
                .into_iter()
                .map(|candidate| candidate.name.clone())
                .collect(),
            first_request,
        })
    }

    /// Whether to hold, for a host that `open` fences make visible. A host that they know already is no reason not to: its route
    /// may be on its way, and where it never comes, the filter's own limit ends the wait.
    fn first_request(
        &self,
        open: &[&Candidate<'_>],
        found: &Found,
        port: Option<u16>,
        route: &str,
    ) -> Result<Need, PassThrough> {
        let in_force = open.iter().any(|candidate| candidate.blocked.is_none());
        let blocked = open.iter().find_map(|candidate| {
            Some(Blocked {
                fence: candidate.name.to_string(),
                reason: candidate.blocked?,
            })
        });
        let request = FirstRequest {
            mode: self.mode,
            installed: self.installed,
            blocked: blocked.filter(|_| !in_force),
            port,
            protocol: found.protocol,
            is_port_open: port
                .is_some_and(|port| self.world.placeholder_ports().open.contains(&port)),
        };
        request.decide(|| {
            let service = found.service.as_ref().and_then(|name| {
                let selector = &self.world.service(name)?.selector;
                Some((name.namespace.as_str(), selector))
            });
            let root = &self.rules.replay.root_namespace;
            let mut names = std::iter::once(&found.host).chain(&found.alias_of);
            names.find_map(|host| {
                let target = Target {
                    host,
                    from: self.namespace,
                    service,
                    entry: found.entry.as_ref(),
                };
                self.world.mesh().need(target, root, route == BLOCK_ALL)
            })
        })
    }
}
