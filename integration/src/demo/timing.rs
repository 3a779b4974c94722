//! How long a first call is held, beside the least that it could be: the time from applying a Sidecar by hand until its route
//! works. Both are taken in turn on the same mesh, so that a slow machine slows both.

use super::checks::EMPTY;
use super::{CALLED, FENCE, Pods, fenced};
use crate::mesh::Mesh;
use crate::progress::step;
use crate::supervisor::inside;
use crate::until::until;
use crate::workload::Workload;
use anyhow::{Context, Result, bail};
use kube::api::{Api, Patch, PatchParams};
use lazyload_controller::api::Sidecar;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Pairs per setting of istiod.
const ROUNDS: usize = 5;
/// For this long the filter takes a host for reported; a fence that is made anew meanwhile would not hear of it.
const FORGOTTEN: Duration = Duration::from_millis(1_200);
/// The Sidecar that is applied by hand.
const BY_HAND: &str = "by-hand";

/// First calls and floors under one setting of istiod.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// istiod's `PILOT_DEBOUNCE_AFTER`.
    pub debounce: String,
    /// Milliseconds of first calls, as the application measured them.
    pub first_calls: Vec<f64>,
    /// Milliseconds from applying a Sidecar by hand until its route works.
    pub floors: Vec<f64>,
    /// Median of the first calls by that of the floors.
    pub ratio: f64,
}

impl Timing {
    /// Takes both in turn, after one of each that does not count.
    pub(super) fn take(mesh: &Mesh, pods: &Pods, debounce: &str) -> Result<Self> {
        step(format!(
            "timing first calls, with istiod's debounce at {debounce}"
        ));
        first_call(mesh, &pods.caller)?;
        floor(mesh, &pods.client)?;
        let (mut first_calls, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            first_calls.push(first_call(mesh, &pods.caller)?);
            floors.push(floor(mesh, &pods.client)?);
        }
        let ratio = median(&first_calls) / median(&floors);
        mesh.kubectl_output(&["delete", "sidecar", BY_HAND])?;
        Ok(Self {
            debounce: debounce.to_owned(),
            first_calls,
            floors,
            ratio,
        })
    }
}

/// The middle one of an odd number of values.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Makes the caller's fence anew, calls, and returns how long that took.
fn first_call(mesh: &Mesh, caller: &Workload) -> Result<f64> {
    mesh.kubectl_output(&["delete", "servicefence", "productpage"])?;
    mesh.apply(FENCE)?;
    until("productpage's sidecar to be narrow again", || {
        Ok(fenced(mesh, caller)?.then_some(()))
    })?;
    std::thread::sleep(FORGOTTEN);
    let reply = mesh.get(caller, &url(), &[])?;
    match &reply.body {
        Some(served) if served.caller.is_some() => Ok(reply.milliseconds),
        _ => bail!("the first call was not answered as the caller's own: {reply:?}"),
    }
}

/// Widens a Sidecar by hand while an application tries until it gets through.
fn floor(mesh: &Mesh, client: &Workload) -> Result<f64> {
    let (_, host, port) = CALLED;
    apply_by_hand(mesh, &[])?;
    until("the Sidecar by hand to narrow its workload", || {
        Ok((!mesh.knows(client, host, port)?).then_some(()))
    })?;
    let mut command = Command::new(Path::new(inside::PROGRAMS).join("bookinfo"));
    command
        .args(["await", &url()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut trying = mesh.spawn_in(client, &mut command)?;
    let mut lines = BufReader::new(trying.stdout.take().context("no output")?).lines();
    let mut line = || {
        lines
            .next()
            .context("the client that tries has ended")?
            .map_err(Into::into)
    };
    let not_yet: Result<String> = line();
    not_yet?;
    let applied = apply_by_hand(mesh, &[host])?;
    let through: Result<String> = line();
    let through = Duration::from_micros(
        through?
            .parse()
            .context("the first call by hand got through at once")?,
    );
    trying.wait()?;
    let took = through
        .checked_sub(applied)
        .context("the route worked before it was there")?;
    Ok(took.as_secs_f64() * 1000.0)
}

/// Applies the Sidecar and returns when that began, since 1970.
fn apply_by_hand(mesh: &Mesh, hosts: &[&str]) -> Result<Duration> {
    let hosts = hosts.iter().map(|host| format!("default/{host}"));
    // In the form that the controller writes, or the two could not be compared.
    let hosts: Vec<String> = hosts.chain(EMPTY.map(str::to_owned)).collect();
    mesh.with_client(|client| async move {
        let sidecars: Api<Sidecar> = Api::default_namespaced(client);
        // So that the connection stands before the clock starts, as the controller's does.
        sidecars.get_opt(BY_HAND).await?;
        let began = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let manager = PatchParams::apply("demo").force();
        let sidecar = by_hand(&hosts);
        sidecars
            .patch(BY_HAND, &manager, &Patch::Apply(&sidecar))
            .await?;
        Ok(began)
    })?
}

fn by_hand(hosts: &[String]) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": BY_HAND},
        "spec": {"workloadSelector": {"labels": {"app": "ratings"}}, "egress": [{"hosts": hosts}]},
    })
}

fn url() -> String {
    let (service, _, port) = CALLED;
    format!("http://{service}:{port}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_in_whatever_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    }
}
