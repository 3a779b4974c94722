//! More than one of what there is one of, and less.

use super::stage::stage;
use crate::on_the_mesh::corner::{Turn, sees};
use crate::on_the_mesh::world::{mesh, mk_fence, ready_reason};
use integration::netns;
use integration::until::until;
use integration::workload::Workload;
use k8s_openapi::jiff::Timestamp;
use lazyload_controller::api::{ServiceFence, Sidecar};
use serde_json::Value;

/// The controller's pods.
pub fn controllers() -> Vec<Workload> {
    let names = [
        "-l",
        "app=lazyload",
        "-o",
        "jsonpath={.items[*].metadata.name}",
    ];
    let get = [
        "get",
        "pods",
        "-n",
        "mesh-operator",
        "--field-selector=status.phase=Running",
    ];
    let names = mesh()
        .kubectl_output(&[get.as_slice(), &names].concat())
        .unwrap();
    let pod = |name: &str| Workload {
        namespace: "mesh-operator".to_owned(),
        name: name.to_owned(),
    };
    names.split_whitespace().map(pod).collect()
}

/// A POST on a controller's admin port.
pub fn post(controller: &Workload, path: &str) -> String {
    let body = netns::run(&mesh().pod_network(controller), || {
        let url = format!("http://127.0.0.1:8081/{path}");
        let mut response = ureq::post(url).send_empty().unwrap();
        response.body_mut().read_to_string().unwrap()
    });
    body.unwrap()
}

fn metric(controller: &Workload, start: &str) -> f64 {
    let text = netns::run(&mesh().pod_network(controller), || {
        let mut response = ureq::get("http://127.0.0.1:8081/metrics").call().unwrap();
        response.body_mut().read_to_string().unwrap()
    });
    let text = text.unwrap();
    let lines = text.lines().filter(|line| line.starts_with(start));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn scale(replicas: usize) -> anyhow::Result<()> {
    let named = ["deployment/lazyload", "-n", "mesh-operator"];
    let wished = format!("--replicas={replicas}");
    let scale = [&["scale", &wished], named.as_slice()].concat();
    let status = [&["rollout", "status", "--timeout=60s"], named.as_slice()].concat();
    for command in [scale, status] {
        mesh().kubectl_output(&command)?;
    }
    until("as many controllers", || {
        Ok((controllers().len() == replicas).then_some(()))
    })
}

/// Whatever becomes of the test, those after it have one controller.
struct One;

impl Drop for One {
    fn drop(&mut self) {
        let one = scale(1);
        assert!(one.is_ok() || std::thread::panicking(), "{one:?}");
    }
}

/// Added case: 2 replicas. Slime's overwrote each other, and what was reported to a follower was lost (its issues 225 and 365).
#[test]
fn two_replicas_both_take_reports_and_do_not_write_against_each_other() {
    let (_turn, stage) = (Turn::alone(), stage());
    let _one = One;
    scale(2).unwrap();
    let pods = controllers();
    let names: Vec<String> = (0..12).map(|number| format!("replica-{number}")).collect();
    stage.services(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        let seen = stage.served(&format!("http://{}:7000/", stage.host(name)), &[]);
        assert_eq!(seen.caller, stage.identity("source"), "{name}");
    }
    let reports: Vec<f64> = pods
        .iter()
        .map(|pod| metric(pod, "lazyload_misses_total{verdict=\"in_mesh\""))
        .collect();
    assert!(
        reports.iter().all(|count| *count > 0.0),
        "each of the two has taken some: {reports:?}"
    );
    let hosts: Vec<String> = names.iter().map(|name| stage.host(name)).collect();
    stage.await_learned("source", &hosts);
    stage.await_object(
        "source",
        "the Sidecar to have all",
        |sidecar: Option<&Sidecar>| {
            sidecar.is_some_and(|sidecar| hosts.iter().all(|host| sees(sidecar, host)))
        },
    );
    let versions = || {
        let version = |kind: &str| -> Value {
            let shown = stage.kubectl(&["get", kind, "source", "-o", "json"]);
            let shown: Value = serde_json::from_str(&shown).unwrap();
            shown["metadata"]["resourceVersion"].clone()
        };
        ["servicefence", "sidecar"].map(version)
    };
    // What either had still to do is done before what it is asked for next.
    let settle = |sentinel: &str| {
        stage.apply(&mk_fence(sentinel, "enable: true"));
        stage.await_object(
            sentinel,
            "the next fence",
            |fence: Option<&ServiceFence>| fence.and_then(ready_reason) == Some("SidecarApplied"),
        );
    };
    settle("sentinel-1");
    let before = versions();
    for name in &names {
        stage.served(&format!("http://{}:7000/", stage.host(name)), &[]);
    }
    settle("sentinel-2");
    assert_eq!(versions(), before, "nothing is written that is so already");
}

/// Added case: istiod restart. That a first call which waits while istiod is away is made good as well is the oracle's case
/// `istiod-restarted`.
#[test]
fn a_restart_of_istiod_costs_neither_a_first_call_nor_what_was_learned() {
    let (_turn, stage) = (Turn::alone(), stage());
    stage.services(&["before-restart", "after-restart"]);
    let call = |service: &str| stage.served(&format!("http://{}:7000/", stage.host(service)), &[]);
    call("before-restart");
    stage.await_learned("source", &[stage.host("before-restart")]);
    let before = Timestamp::now();
    let during = std::thread::scope(|scope| {
        let restarted = scope.spawn(|| mesh().restart_istiod(&[]).unwrap());
        let mut during = Vec::new();
        while !restarted.is_finished() {
            during.push(call("before-restart").caller);
        }
        restarted.join().unwrap();
        during
    });
    for caller in during {
        assert_eq!(caller, stage.identity("source"), "what is known stays");
    }
    // Envoy waits longer each time before it tries again.
    until("the client's sidecar to be connected again", || {
        let stat = mesh().admin(&stage.source, "stats?filter=cds.version_text")?;
        // As in "2026-01-02T03:04:05Z/6": when istiod made it, and the how manieth it was.
        let version = stat.split('"').nth(1).unwrap_or_default();
        let made = version.split('/').next().unwrap_or_default().parse();
        let is_new = made.is_ok_and(|made: Timestamp| made > before);
        Ok(is_new.then_some(()))
    })
    .unwrap();
    assert_eq!(
        call("after-restart").caller,
        stage.identity("source"),
        "the first call of all to it"
    );
    stage.await_learned(
        "source",
        &["before-restart", "after-restart"].map(|name| stage.host(name)),
    );
}

/// Added case: REGISTRY_ONLY mesh, in which Slime does nothing at all.
#[test]
fn in_a_mesh_of_registered_hosts_only_a_first_call_is_held_and_strangers_stay_shut_out() {
    let (_turn, stage) = (Turn::alone(), stage());
    stage.service("registered");
    let _policy = Policy::set("REGISTRY_ONLY", "block_all");
    let url = format!("http://{}:7000/", stage.host("registered"));
    assert_eq!(stage.served(&url, &[]).caller, stage.identity("source"));
    stage.await_learned("source", &[stage.host("registered")]);
    let reply = stage.get(&url, &[("host", "stranger.example")]);
    assert_eq!(reply.status, 502, "as without us: {reply:?}");
}

/// The mesh's `outboundTrafficPolicy`. Dropped, it is the default again.
struct Policy;

impl Policy {
    /// Sets it; `catch_all` is how the route tables then show it.
    fn set(mode: &str, catch_all: &str) -> Self {
        let policy = Self;
        switch(mode, catch_all).unwrap();
        policy
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        let back = switch("ALLOW_ANY", "allow_any");
        // A second panic would end the process and hide the first.
        assert!(back.is_ok() || std::thread::panicking(), "{back:?}");
    }
}

fn switch(mode: &str, catch_all: &str) -> anyhow::Result<()> {
    mesh().configure_mesh(|configuration| {
        configuration["outboundTrafficPolicy"]["mode"] = mode.into();
    })?;
    let source = &stage().source;
    until(&format!("{catch_all} in the client's route tables"), || {
        let tables = mesh().catch_alls(source)?;
        Ok((tables.get("7000").is_some_and(|name| name == catch_all)).then_some(()))
    })
}
