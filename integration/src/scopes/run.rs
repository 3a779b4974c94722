//! The benchmark: both forms in turn, the same edits under each.

use super::client::Proxies;
use super::edits::Edit;
use super::measure::{cost, cpu, when_quiet};
use super::{Size, world};
use crate::form::Form;
use crate::mesh::Mesh;
use crate::progress::step;
use anyhow::{Result, bail, ensure};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long all proxies may take to have their configuration.
const CONNECT_LIMIT: Duration = Duration::from_secs(300);
/// istiod lets a few proxies connect in a second, so that those of a whole cluster do not come at once; here they may.
const CONNECTIONS: (&str, &str) = ("PILOT_MAX_REQUESTS_PER_SECOND", "10000");
/// How long istiod is watched doing nothing.
const IDLE: Duration = Duration::from_secs(10);

/// What one edit cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sample {
    /// Which form the Sidecars had.
    pub form: Form,
    /// What was edited.
    pub edit: Edit,
    /// istiod's processor time.
    pub milliseconds: f64,
    /// Responses that the proxies got of it.
    pub responses: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// All Sidecars written in one form.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Switch {
    /// The form that they have now.
    pub form: Form,
    /// istiod's processor time, in seconds.
    pub seconds: f64,
    /// Bytes of all Sidecars as JSON.
    pub bytes: usize,
}

/// Everything measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How large the world was.
    pub size: Size,
    /// Milliseconds of processor time in a second in which nothing happens.
    pub idle_milliseconds: f64,
    /// istiod's resident memory at the end, in bytes.
    pub resident: u64,
    /// The edits.
    pub samples: Vec<Sample>,
    /// The changes of form between them.
    pub switches: Vec<Switch>,
}

/// Measures `rounds` turns of each form, each with every edit `repeats` times.
pub fn run(mesh: &Mesh, size: Size, rounds: usize, repeats: usize) -> Result<Report> {
    world::create(mesh, size)?;
    step(format!("writing {} Sidecars", size.sidecars));
    // The first turn changes the form, as every other does.
    world::write_sidecars(mesh, size, Form::BOTH[1])?;
    step(format!("connecting {} proxies", size.sidecars));
    mesh.restart_istiod(&[CONNECTIONS])?;
    let mut proxies = Proxies::connect(mesh, size)?;
    await_complete(&mut proxies, size)?;
    let (mut samples, mut switches) = (Vec::new(), Vec::new());
    let idle_milliseconds = idle(mesh, &proxies)?;
    let mut number = 0;
    for round in 1..=rounds {
        for form in Form::BOTH {
            step(format!("round {round} of {rounds}: {} hosts", form.name()));
            let mut bytes = 0;
            let spent = cost(mesh, &proxies.received, || {
                bytes = world::write_sidecars(mesh, size, form)?;
                Ok(())
            })?;
            switches.push(Switch {
                form,
                seconds: spent.as_secs_f64(),
                bytes,
            });
            for edit in Edit::ALL {
                for repeat in 0..repeats * 2 {
                    let before = proxies.received.so_far();
                    let spent = cost(mesh, &proxies.received, || {
                        edit.make(mesh, size, form, number + repeat)
                    })?;
                    proxies.check()?;
                    let after = proxies.received.so_far();
                    let responses = after.0 - before.0;
                    ensure!(responses > 0, "{} reached no proxy", edit.name());
                    samples.push(Sample {
                        form,
                        edit,
                        milliseconds: spent.as_secs_f64() * 1e3,
                        responses,
                        bytes: after.1 - before.1,
                    });
                }
            }
        }
        // Both forms of a turn see the same edits.
        number += repeats * 2;
    }
    Ok(Report {
        size,
        idle_milliseconds,
        resident: mesh.usage("pilot-discovery")?.resident,
        samples,
        switches,
    })
}

fn await_complete(proxies: &mut Proxies, size: Size) -> Result<()> {
    let start = Instant::now();
    loop {
        proxies.check()?;
        let complete = proxies.received.complete();
        if complete == size.sidecars as u64 {
            let (responses, bytes) = proxies.received.so_far();
            step(format!(
                "all are connected; {responses} responses, {bytes} bytes"
            ));
            return Ok(());
        }
        if start.elapsed() > CONNECT_LIMIT {
            bail!(
                "only {complete} proxies have routes after {} s",
                CONNECT_LIMIT.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn idle(mesh: &Mesh, proxies: &Proxies) -> Result<f64> {
    when_quiet(mesh, &proxies.received)?;
    let before = cpu(mesh)?;
    std::thread::sleep(IDLE);
    Ok((cpu(mesh)? - before).as_secs_f64() * 1e3 / IDLE.as_secs_f64())
}
