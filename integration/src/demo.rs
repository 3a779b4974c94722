//! The demo: one fence, one miss, what is learned from it, and two calls of which nobody can tell which was the first, on a
//! mesh of real parts.

mod checks;
mod facts;
mod story;
mod timing;

pub use checks::{Check, check};
pub use facts::Facts;
pub use story::tell;

use crate::access_log;
use crate::http::Served;
use crate::mesh::Mesh;
use crate::progress::step;
use crate::until::until;
use crate::workload::Workload;
use anyhow::{Context, Result, bail};
use facts::{Call, Config, Report, Sidecars, Upstream};
use serde_json::Value;
use timing::Timing;

/// What makes the difference between the mesh and a passed-through call: mTLS that is asked for, and a subset that only the
/// caller's own sidecar can choose.
const POLICIES: &str = "\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec: {host: reviews, subsets: [{name: v3, labels: {version: v3}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v3}}]}]}
";

/// The fence of the demo: nothing is known of productpage's dependencies yet.
pub const FENCE: &str = "\
apiVersion: microservice.slime.io/v1alpha1
kind: ServiceFence
metadata: {name: productpage, namespace: default}
spec: {enable: true}
";

/// The service whose calls are told of, and its host and port.
const CALLED: (&str, &str, u16) = ("reviews", "reviews.default.svc.cluster.local", 9080);

/// istiod's debounce as it comes, and the shortest that is sensible.
const DEBOUNCES: [&str; 2] = ["100ms", "10ms"];

/// Plays the demo on `mesh` and returns what was seen.
pub fn play(mesh: &Mesh) -> Result<Facts> {
    let pods = Pods::find(mesh)?;
    step("asking for mTLS everywhere, and for version v3 of reviews");
    mesh.apply(POLICIES)?;
    until("productpage's sidecar to follow the VirtualService", || {
        let dump = mesh.admin(&pods.caller, "config_dump?resource=dynamic_route_configs")?;
        Ok(dump.contains("outbound|9080|v3|reviews").then_some(()))
    })?;
    step("measuring productpage's sidecar before any fence");
    let unfenced = mesh.config_size(&pods.caller)?;

    step("fencing productpage with an empty fence");
    mesh.apply(FENCE)?;
    until("productpage's sidecar to be narrow", || {
        Ok(fenced(mesh, &pods.caller)?.then_some(()))
    })?;
    let before = object(mesh, "sidecar")?;
    let fenced = mesh.config_size(&pods.caller)?;

    step("calling productpage for the first time");
    let controller_log_length = mesh.log(&pods.controller, CONTROLLER)?.len();
    let first = call(mesh, &pods)?;
    let report = until("the controller to apply the widened Sidecar", || {
        Ok(Report::find(
            &mesh.log(&pods.controller, CONTROLLER)?[controller_log_length..],
            CALLED.1,
        ))
    })?;
    let (_, host, port) = CALLED;
    until("the widened configuration to reach the sidecar", || {
        Ok(mesh.routes_to(&pods.caller, host, port)?.then_some(()))
    })?;
    let after = object(mesh, "sidecar")?;
    let fence = object(mesh, "servicefence")?;

    step("calling productpage for the second time");
    let second = call(mesh, &pods)?;
    let config = Config {
        unfenced,
        fenced,
        learned: mesh.config_size(&pods.caller)?,
    };
    let timing = DEBOUNCES.iter().map(|debounce| {
        mesh.restart_istiod(&[("PILOT_DEBOUNCE_AFTER", debounce)])?;
        Timing::take(mesh, &pods, debounce)
    });
    let timing = timing.collect::<Result<_>>()?;
    Ok(Facts {
        first,
        second,
        fence,
        sidecar: Sidecars { before, after },
        config,
        report,
        timing,
    })
}

/// The controller's container.
const CONTROLLER: &str = "lazyload";

/// The pods that the demo looks at.
struct Pods {
    client: Workload,
    caller: Workload,
    controller: Workload,
}

impl Pods {
    fn find(mesh: &Mesh) -> Result<Self> {
        Ok(Self {
            client: mesh.workload("default/ratings")?,
            caller: mesh.workload("default/productpage")?,
            controller: mesh.workload("mesh-operator/lazyload")?,
        })
    }
}

/// The narrow configuration is there when the port's route table is, without the host; its listener is the placeholder's.
fn fenced(mesh: &Mesh, caller: &Workload) -> Result<bool> {
    let (_, host, port) = CALLED;
    let listeners = mesh.admin(caller, "listeners")?;
    Ok(!mesh.knows(caller, host, port)? && listeners.contains(&format!("0.0.0.0_{port}")))
}

/// Calls productpage, and tells how its call to the service that the demo is about went.
fn call(mesh: &Mesh, pods: &Pods) -> Result<Call> {
    let reply = mesh.get(&pods.client, "http://productpage:9080/productpage", &[])?;
    let failed = || format!("productpage did not answer: {reply:?}");
    let page = reply.body.as_ref().with_context(failed)?;
    let called = page.calls.get(CALLED.0).with_context(failed)?;
    let Some(Served {
        service,
        version,
        caller,
        headers,
        ..
    }) = called.body.clone()
    else {
        bail!("{} did not answer productpage: {called:?}", CALLED.0);
    };
    let id = headers
        .get("x-request-id")
        .context("the upstream saw no x-request-id")?;
    let logged = until("the call to appear in the sidecar's access log", || {
        let entries = access_log::entries(&mesh.log(&pods.caller, "istio-proxy")?);
        Ok(entries
            .into_iter()
            .find(|entry| entry.request_id.as_ref() == Some(id)))
    })?;
    Ok(Call {
        status: called.status,
        cluster: logged.upstream_cluster.unwrap_or_default(),
        route: logged.route_name.unwrap_or_default(),
        upstream: Upstream {
            service,
            version,
            caller,
            headers,
        },
        milliseconds: called.milliseconds,
    })
}

fn object(mesh: &Mesh, kind: &str) -> Result<Value> {
    Ok(serde_json::from_str(&mesh.kubectl_output(&[
        "get",
        kind,
        "productpage",
        "-o",
        "json",
    ])?)?)
}
