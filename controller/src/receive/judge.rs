//! Deciding about a report. Pure: the world and the proven workload in, one judgement per miss out.

use std::{collections::HashSet, net::IpAddr, sync::Arc};

use lazyload_protocol::{
    host::{Authority, candidates},
    v1::{Miss, ReportRequest},
};

use super::Reason;
use crate::{
    api::ServiceFence,
    fence::{Labels, NOT_OWNED, ObjectRef, has_room, is_expired, is_foreign, known_hosts, refusal},
    first_request::{Blocked, FirstRequest, Need, PassThrough, Target},
    index::{Found, Resolved, World},
    replay::Installed,
    settings::{Mode, Replay, Settings},
};

/// Route of the catch-all in a mesh that lets nothing out that it does not know.
const BLOCK_ALL: &str = "block_all";

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

/// A fence that selects the workload, with what it knows, looked up once for all misses of a report.
struct Candidate<'a> {
    name: &'a ObjectRef,
    fence: &'a ServiceFence,
    known: HashSet<&'a str>,
    /// Why its Sidecar does not take effect, if it does not.
    blocked: Option<&'static str>,
}

impl<'a> Candidate<'a> {
    fn new((name, fence): &'a (ObjectRef, Arc<ServiceFence>), world: &World) -> Self {
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

/// One report, and all that its misses are judged by.
struct Report<'a> {
    world: &'a World,
    namespace: &'a str,
    fences: &'a [Candidate<'a>],
    mode: Mode,
    installed: Installed,
    rules: &'a Rules,
    now: i64,
}

impl Report<'_> {
    fn judge(&self, miss: &Miss) -> Result<Judgement, Reason> {
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

/// The port that was called, if the report says so.
fn port_of(miss: &Miss) -> Result<Option<u16>, Reason> {
    match u16::try_from(miss.port) {
        Ok(0) => Ok(None),
        Ok(port) => Ok(Some(port)),
        Err(_) => Err(Reason::PortInvalid(miss.port)),
    }
}

/// The Service that a pod of `namespace` means by its address.
fn find_address(
    world: &World,
    address: Option<IpAddr>,
    namespace: &str,
    port: Option<u16>,
) -> Result<Found, Reason> {
    let found = address.and_then(|address| world.resolve_address(address, namespace, port));
    match (found, port) {
        (Some(Resolved::Host(found)), _) => Ok(found),
        (Some(Resolved::OtherPorts { owner }), Some(port)) => {
            Err(Reason::OtherPorts { owner, port })
        }
        _ => Err(Reason::Address),
    }
}

/// The host of the mesh that a pod of `namespace` means by `name`.
fn find(
    world: &World,
    name: &str,
    namespace: &str,
    port: Option<u16>,
    rules: &Rules,
) -> Result<Found, Reason> {
    let mut other_ports = None;
    for candidate in candidates(name, namespace, &rules.cluster_domain) {
        match world.resolve(&candidate, namespace, port) {
            Some(Resolved::Host(found)) => return Ok(found),
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
