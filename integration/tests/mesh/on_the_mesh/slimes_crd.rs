//! Under the CustomResourceDefinition that comes with Slime's chart, which types `status` and knows nothing that is new here.

use super::controller::{start_controller, stop_controller};
use super::corner::{Room, sees};
use super::world::{World, host, mesh, mk_fence};
use integration::until::until;
use lazyload_controller::api::{DomainStatus, ServiceFence, Sidecar};
use serde_json::{Value, json};
use std::time::Duration;

const CRD: &str = "servicefences.microservice.slime.io";
/// What somebody has written settles in this time.
const SETTLES: Duration = Duration::from_secs(2);
/// How often the fence is looked at again meanwhile.
const LOOKS: u32 = 3;

/// A schema of the same shape as Slime's.
fn schema() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let time = json!({"type": "object", "properties": {
        "seconds": {"type": "integer", "format": "int64"}, "nanos": {"type": "integer", "format": "int32"},
    }});
    let strategy = json!({"type": "object", "properties": {
        "RecentlyCalled": time,
        "auto": {"type": "object", "properties": {"duration": time}},
        "deadline": {"type": "object", "properties": {"expire": time}},
        "stable": {"type": "object"},
    }});
    let destinations = json!({"type": "object", "properties": {
        "RecentlyCalled": time,
        "hosts": {"type": "array", "items": text},
        "status": {"type": "integer", "format": "int32"},
    }});
    let selector = json!({"type": "object", "properties": {"selector": texts}});
    let workload = json!({"fromService": {"type": "boolean"}, "labels": texts});
    json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
            "enable": {"type": "boolean"},
            "host": {"type": "object", "additionalProperties": strategy},
            "labelSelector": {"type": "array", "items": selector},
            "namespaceSelector": {"type": "array", "items": text},
            "workloadSelector": {"type": "object", "properties": workload},
        }},
        "status": {"type": "object", "properties": {
            "domains": {"type": "object", "additionalProperties": destinations},
            "metricStatus": texts,
            "visitor": {"type": "object", "additionalProperties": {"type": "boolean"}},
        }},
    }})
}

/// That schema in place of this project's. Dropped, the latter is back, and the controller started anew: what it has found to be
/// in vain it does not try again.
struct SlimesCrd<'a> {
    room: &'a Room,
    before: Value,
}

impl<'a> SlimesCrd<'a> {
    fn install(room: &'a Room) -> Self {
        let crd = mesh()
            .kubectl_output(&["get", "crd", CRD, "-o", "json"])
            .unwrap();
        let mut crd: Value = serde_json::from_str(&crd).unwrap();
        let before = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take();
        room.apply(&mk_fence("sign", NEW));
        let installed = Self { room, before };
        replace(&schema()).unwrap();
        until("Slime's CRD to be in force", || {
            let sign = room.kubectl(&["get", "servicefence", "sign", "-o", "json"]);
            let sign: Value = serde_json::from_str(&sign)?;
            Ok(sign["spec"]["firstRequest"].is_null().then_some(()))
        })
        .unwrap();
        installed
    }

    fn put_back(&self) {
        replace(&self.before).unwrap();
        let sign = mk_fence("sign-2", NEW).replace("NAMESPACE", &self.room.namespace);
        // Refused as long as it has a field that is not known.
        until("our CRD to be in force", || Ok(mesh().apply(&sign).ok())).unwrap();
        stop_controller(&mesh().workload("mesh-operator/lazyload").unwrap());
        start_controller().unwrap();
        until("every fence to have its conditions again", || {
            let fences = mesh().kubectl_output(&["get", "servicefences", "-A", "-o", "json"])?;
            let fences: Value = serde_json::from_str(&fences)?;
            let mut fences = fences["items"].as_array().into_iter().flatten();
            let all = fences.all(|fence| fence["status"]["conditions"].is_array());
            Ok(all.then_some(()))
        })
        .unwrap();
    }
}

/// A field that is not in Slime's schema.
const NEW: &str = "enable: false, firstRequest: hold";

impl Drop for SlimesCrd<'_> {
    fn drop(&mut self) {
        // A second panic would hide the first.
        let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.put_back()));
        assert!(
            put.is_ok() || std::thread::panicking(),
            "the CRD could not be put back"
        );
    }
}

fn replace(schema: &Value) -> anyhow::Result<()> {
    let path = "/spec/versions/0/schema/openAPIV3Schema";
    let patch = json!([{"op": "replace", "path": path, "value": schema}]).to_string();
    let patch = ["patch", "crd", CRD, "--type=json", "-p", &patch];
    mesh().kubectl_output(&patch).map(drop)
}

/// How many patches of statuses of fences the API server has answered: those that it has taken, and those that it has refused for
/// another reason than a version that has passed.
fn patches() -> [u64; 2] {
    let metrics = mesh()
        .kubectl_output(&["get", "--raw", "/metrics"])
        .unwrap();
    let of_statuses = |line: &&str| {
        let labels = [
            r#"resource="servicefences""#,
            r#"subresource="status""#,
            r#"verb="PATCH""#,
        ];
        line.starts_with("apiserver_request_total{")
            && labels.iter().all(|label| line.contains(label))
    };
    let mut found = [0; 2];
    for line in metrics.lines().filter(of_statuses) {
        let count: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        if line.contains(r#"code="200""#) {
            found[0] += count;
        } else if !line.contains(r#"code="409""#) {
            found[1] += count;
        }
    }
    found
}

/// Asserts that nothing is written, however often the controller looks at the fence: an annotation makes it do so.
fn assert_quiet(room: &Room, when: &str) {
    std::thread::sleep(SETTLES);
    let before = patches();
    for look in 0..LOOKS {
        let looked = format!("looked={look}");
        room.kubectl(&["annotate", "servicefence", "client", "--overwrite", &looked]);
        std::thread::sleep(SETTLES);
    }
    assert_eq!(patches(), before, "nothing is written again {when}");
}

fn await_state(world: &World, wanted: DomainStatus, what: &str) {
    world.await_object("client", what, |fence: Option<&ServiceFence>| {
        let status = fence.and_then(|fence| fence.status.as_ref());
        let found = status.and_then(|status| status.domains.get(&host("details")));
        found.is_some_and(|found| found.status == wanted)
    });
}

#[test]
fn under_slimes_crd_what_is_learned_and_dropped_is_taken_and_nothing_is_written_again() {
    let world = World::alone("slimes-crd");
    let _crd = SlimesCrd::install(&world);
    let [_, refused] = patches();
    // Its grace, half of it and as long again after the miss, begins when the last look at it is over.
    let auto = "auto: {duration: {seconds: 24}}";
    let spec = format!("enable: true, host: {{{}: {{{auto}}}}}", host("details"));
    world.apply(&mk_fence("client", &spec));
    world.await_object("client", "the Sidecar", |sidecar: Option<&Sidecar>| {
        sidecar.is_some_and(|sidecar| sees(sidecar, &host("details")))
    });
    await_state(&world, DomainStatus::ExpireWait, "the host's grace");
    await_state(&world, DomainStatus::Expire, "the host to be dropped");
    world.await_narrow();
    assert_quiet(&world, "once it is dropped");
    let shown = world.kubectl(&["get", "servicefence", "client", "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let status = &shown["status"];
    let dropped = &status["domains"][host("details")];
    assert_eq!(dropped["status"], 1);
    assert!(dropped["RecentlyCalled"]["seconds"].is_i64(), "{status}");
    assert_eq!(status["conditions"], Value::Null, "pruned");
    assert_eq!(status["observedGeneration"], Value::Null, "pruned");

    let own = format!("spiffe://cluster.local/ns/{}/sa/client", world.namespace);
    for service in ["details", "ratings"] {
        let seen = world.get(&format!("http://{service}.default:9080/"));
        assert_eq!(seen.body.unwrap().caller.as_ref(), Some(&own), "{service}");
        world.await_learned("client", &[host(service)]);
    }
    await_state(&world, DomainStatus::Active, "the host to be back");
    assert_quiet(&world, "once it is back");
    assert_eq!(patches()[1], refused, "none is refused");
}
