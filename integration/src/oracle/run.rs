//! Runs the cases: first and second call of each caller, then everything that was observed of them, compared.

use super::caller::Caller;
use super::case::{CALL_ID, Case, Phase};
use super::cases;
use super::compare::Compared;
use super::documented::{LIST, Which, stale};
use super::facts::{Chance, Observed, facts};
use super::observe::{logs, records};
use super::played::{Made, Played};
use super::stage::Stage;
use super::wire::Call;
use crate::form::Form;
use crate::mesh::Mesh;
use crate::progress::step;
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long a route may take to come after the first call.
const ROUTE_LIMIT: Duration = Duration::from_secs(3);
/// Between two looks for it.
const LOOK: Duration = Duration::from_millis(20);
/// After this, istiod has been ended.
const ENDED: Duration = Duration::from_millis(50);

/// A case that was run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The case's name.
    pub case: String,
    /// Both calls.
    pub calls: Vec<Compared>,
}

/// Everything that came of a run under one form of Sidecars.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How Sidecars named hosts.
    pub sidecar_hosts: Form,
    /// Each case.
    pub outcomes: Vec<Outcome>,
    /// Documented differences that did not occur, by case and cause.
    pub stale: Vec<(String, String)>,
}

/// Runs these cases, those of each phase under each form in turn: after the last phase, in which reports fail, the filter holds
/// nothing until one succeeds again.
pub fn run(mesh: &Mesh, cases: &[Case], forms: &[Form]) -> Result<Vec<Report>> {
    let mut stage = Stage::set(mesh, cases)?;
    let mut played: BTreeMap<Form, Vec<_>> = BTreeMap::new();
    let phases: BTreeSet<Phase> = cases.iter().map(|case| case.phase).collect();
    for phase in phases {
        let cases: Vec<&Case> = cases.iter().filter(|case| case.phase == phase).collect();
        for form in forms {
            stage.use_form(*form)?;
            let calls = play_phase(&mut stage, phase, &cases, *form)?;
            played.entry(*form).or_default().extend(calls);
        }
    }
    step("reading what the servers have seen");
    let evidence = Evidence::gather(&stage)?;
    let reports = played.into_iter().map(|(form, played)| {
        let mut used = BTreeSet::new();
        let outcomes = played
            .into_iter()
            .map(|(case, calls)| outcome(&stage, &evidence, case, calls, &mut used))
            .collect();
        let stale = stale(LIST, &used, &cases::all(), cases);
        let named = stale
            .iter()
            .map(|row| (row.case.to_owned(), row.cause.to_owned()));
        Report {
            sidecar_hosts: form,
            outcomes,
            stale: named.collect(),
        }
    });
    Ok(reports.collect())
}

/// Plays these cases in their phase.
fn play_phase<'c>(
    stage: &mut Stage<'_>,
    phase: Phase,
    cases: &[&'c Case],
    form: Form,
) -> Result<Vec<(&'c Case, Vec<Played>)>> {
    phase.begin(stage)?;
    let mut played = Vec::new();
    for case in cases {
        let run = format!("{}~{}", case.name, form.name());
        let about = || format!("case {} with {} hosts in Sidecars", case.name, form.name());
        let mut plays = vec![play(stage, case, &run).with_context(about)?];
        if plays[0].took_differently(&case.name, LIST) {
            step(format!("{run}: one caller waited longer; once more"));
            plays.push(play(stage, case, &format!("{run}~again")).with_context(about)?);
        }
        played.push((*case, plays));
    }
    phase.end(stage)?;
    Ok(played)
}

fn outcome(
    stage: &Stage<'_>,
    evidence: &Evidence,
    case: &Case,
    plays: Vec<Played>,
    used: &mut BTreeSet<usize>,
) -> Outcome {
    let mut compare = |which, [full, lazy]: [Made; 2]| {
        let chance = Chance {
            spread: case.spread,
            sticky: case.sticky,
        };
        let full = facts(&evidence.of(full), &stage.full.identity, chance);
        let lazy = facts(&evidence.of(lazy), &stage.lazy.identity, chance);
        Compared::new(&case.name, which, full, lazy, LIST, used)
    };
    let compared = plays.into_iter().map(|calls| {
        [
            compare(Which::First, calls.first),
            compare(Which::Second, calls.second),
        ]
    });
    let calls = compared.reduce(|[first, second], [first_again, second_again]| {
        [first.and_again(first_again), second.and_again(second_again)]
    });
    Outcome {
        case: case.name.clone(),
        calls: calls.into_iter().flatten().collect(),
    }
}

/// Both calls of both callers; `run` begins their ids.
fn play(stage: &mut Stage<'_>, case: &Case, run: &str) -> Result<Played> {
    if case.phase != Phase::ControllerStopped {
        stage.empty_fence()?;
    }
    stage.await_unknown(case)?;
    let [full, lazy, full_again, lazy_again] =
        ["full-1", "lazy-1", "full-2", "lazy-2"].map(|which| format!("{run}~{which}"));
    let full = mk_call(stage, case, &full)?;
    let lazy = mk_call(stage, case, &lazy)?;
    let first_full = make(stage.mesh, &mut stage.full, case, &full)?;
    let first_lazy = if case.phase == Phase::IstiodRestarted {
        let (mesh, caller) = (stage.mesh, &mut stage.lazy);
        std::thread::scope(|scope| {
            let restart = scope.spawn(|| mesh.restart_istiod(&[]));
            std::thread::sleep(ENDED);
            let made = make(mesh, caller, case, &lazy);
            restart
                .join()
                .map_err(|_| anyhow::anyhow!("restarting istiod panicked"))??;
            made
        })?
    } else {
        make(stage.mesh, &mut stage.lazy, case, &lazy)?
    };
    let full_again = mk_call(stage, case, &full_again)?;
    let lazy_again = mk_call(stage, case, &lazy_again)?;
    Ok(Played {
        first: [first_full, first_lazy],
        second: [
            make(stage.mesh, &mut stage.full, case, &full_again)?,
            make(stage.mesh, &mut stage.lazy, case, &lazy_again)?,
        ],
    })
}

fn mk_call(stage: &Stage<'_>, case: &Case, id: &str) -> Result<Call> {
    let mut call = case.call.clone();
    call.id = id.to_owned();
    call.authority = stage.with_addresses(case, &call.authority)?;
    call.address = call
        .address
        .map(|address| stage.with_addresses(case, &address))
        .transpose()?;
    for (_, value) in &mut call.headers {
        *value = value.replace(CALL_ID, id);
    }
    Ok(call)
}

fn make(mesh: &Mesh, caller: &mut Caller, case: &Case, call: &Call) -> Result<Made> {
    let replies = caller.call(call)?;
    Ok(Made {
        id: call.id.clone(),
        replies,
        has_route: await_route(mesh, caller, case)?,
    })
}

/// Waits until the caller's sidecar has a usable route to the case's host, but not for ever: some never have one.
fn await_route(mesh: &Mesh, caller: &Caller, case: &Case) -> Result<bool> {
    let Some(host) = &case.host else {
        return Ok(false);
    };
    let limit = match case.phase {
        Phase::ControllerStopped => Duration::ZERO,
        _ => ROUTE_LIMIT,
    };
    let start = Instant::now();
    loop {
        if mesh.has_virtual_host(&caller.pod, host)? && !mesh.is_warming(&caller.pod)? {
            return Ok(true);
        }
        if start.elapsed() >= limit {
            return Ok(false);
        }
        std::thread::sleep(LOOK);
    }
}

/// What the servers have to say, by the ids of calls and of requests.
struct Evidence {
    seen: BTreeMap<String, Vec<super::wire::Seen>>,
    logged: BTreeMap<String, Vec<crate::access_log::Entry>>,
}

impl Evidence {
    fn gather(stage: &Stage<'_>) -> Result<Self> {
        let mut seen: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for record in records(stage.mesh, &stage.servers)? {
            // The requests of one call have its id, and a number behind it.
            let id = record.id.split('.').next().unwrap_or_default().to_owned();
            seen.entry(id).or_default().push(record);
        }
        let through_sidecars = seen
            .values()
            .flatten()
            .filter(|seen| seen.version != "plain");
        let wanted = through_sidecars.filter_map(request_id).collect();
        let logged = logs(stage.mesh, &stage.servers, &wanted)?;
        Ok(Self { seen, logged })
    }

    fn of(&self, made: Made) -> Observed {
        let seen = self.seen.get(&made.id).cloned().unwrap_or_default();
        let requests: BTreeSet<String> = seen.iter().filter_map(request_id).collect();
        let logged = requests
            .iter()
            .filter_map(|id| self.logged.get(id))
            .flatten()
            .cloned();
        Observed {
            id: made.id,
            replies: made.replies,
            logged: logged.collect(),
            seen,
            has_route: made.has_route,
        }
    }
}

fn request_id(seen: &super::wire::Seen) -> Option<String> {
    let (_, id) = seen
        .headers
        .iter()
        .find(|(name, _)| name == "x-request-id")?;
    Some(id.clone())
}
