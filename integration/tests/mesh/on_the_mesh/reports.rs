//! Reports that cannot be believed, sent to the real controller through a real sidecar.

use super::world::{World, controller_metric, host, mesh, mk_fence, ready_reason};
use integration::netns;
use lazyload_controller::api::ServiceFence;
use lazyload_protocol::v1::miss_service_client::MissServiceClient;
use lazyload_protocol::v1::{Miss, Outcome, ReportRequest, Verdict, Workload as Reporter};
use std::collections::HashMap;
use std::path::PathBuf;

fn controller_address() -> String {
    let jsonpath = "jsonpath={.spec.clusterIP}";
    mesh()
        .kubectl_output(&[
            "get",
            "service",
            "lazyload",
            "-n",
            "mesh-operator",
            "-o",
            jsonpath,
        ])
        .unwrap()
}

/// Sends a report from a pod's network, as its application could.
pub fn send(network: PathBuf, request: ReportRequest) -> Result<Vec<Outcome>, tonic::Status> {
    let endpoint = format!("http://{}:8082", controller_address());
    let sent = netns::run(&network, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut client = MissServiceClient::connect(endpoint)
                .await
                .map_err(|error| tonic::Status::unavailable(error.to_string()))?;
            Ok(client.report(request).await?.into_inner().outcomes)
        })
    });
    sent.unwrap()
}

/// A miss of this authority.
pub fn mk_miss(authority: impl Into<String>) -> Miss {
    Miss {
        authority: authority.into(),
        original_destination: "10.96.0.9:9080".into(),
        port: 9080,
        route: "allow_any".into(),
    }
}

fn mk_reporter(world: &World) -> Reporter {
    Reporter {
        namespace: world.namespace.clone(),
        name: world.client.name.clone(),
        labels: HashMap::from([("app".into(), "client".into())])
            .into_iter()
            .collect(),
        service_account: "client".into(),
        node_id: String::new(),
    }
}

/// What was said of each miss.
pub fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
    outcomes.iter().map(Outcome::verdict).collect()
}

#[test]
fn each_bad_entry_is_refused_by_itself_counted_and_changes_nothing() {
    let world = World::new("garbage");
    world.fence();
    let before = (
        world.fence_now("client").metadata,
        world.sidecar_now("client").metadata,
    );
    let counted = || {
        ["authority_invalid", "labels_empty"].map(|reason| {
            controller_metric(&format!(
                "lazyload_misses_total{{verdict=\"refused\",reason=\"{reason}\"}}"
            ))
        })
    };
    let before_counts = counted();

    let garbage = [
        "x".repeat(100_000),
        "bad\u{1}name".into(),
        String::new(),
        "a..b".into(),
        "host:99999".into(),
    ];
    let request = ReportRequest {
        workload: Some(mk_reporter(&world)),
        misses: garbage.iter().cloned().map(mk_miss).collect(),
    };
    let outcomes = send(mesh().pod_network(&world.client), request).unwrap();
    assert_eq!(verdicts(&outcomes), [Verdict::Refused; 5], "{outcomes:?}");
    for outcome in &outcomes {
        assert!(
            !outcome.reason.is_empty() && outcome.reason.len() < 1_000,
            "{}",
            outcome.reason
        );
        assert!(
            !outcome.reason.chars().any(char::is_control),
            "{:?}",
            outcome.reason
        );
    }

    let unknown = Reporter {
        namespace: "nowhere".into(),
        ..mk_reporter(&world)
    };
    let unlabelled = Reporter {
        labels: HashMap::new().into_iter().collect(),
        ..mk_reporter(&world)
    };
    for reporter in [unknown, unlabelled] {
        let request = ReportRequest {
            workload: Some(reporter),
            misses: vec![mk_miss(host("details"))],
        };
        let outcomes = send(mesh().pod_network(&world.client), request).unwrap();
        assert_eq!(verdicts(&outcomes), [Verdict::Refused], "{outcomes:?}");
    }
    let counts = counted();
    assert!(
        counts[0] >= before_counts[0] + 5.0,
        "{before_counts:?} {counts:?}"
    );
    assert!(
        counts[1] >= before_counts[1] + 1.0,
        "{before_counts:?} {counts:?}"
    );
    let after = (
        world.fence_now("client").metadata,
        world.sidecar_now("client").metadata,
    );
    assert_eq!(before, after, "not even a resource version moved");
}

#[test]
fn a_bad_entry_does_not_cost_the_good_one_beside_it() {
    let world = World::new("mixed");
    world.fence();
    let misses = vec![
        mk_miss("bad\nname"),
        mk_miss("details.default:9080"),
        mk_miss("unknown.example.com"),
    ];
    let request = ReportRequest {
        workload: Some(mk_reporter(&world)),
        misses,
    };
    let outcomes = send(mesh().pod_network(&world.client), request).unwrap();
    assert_eq!(
        verdicts(&outcomes),
        [Verdict::Refused, Verdict::InMesh, Verdict::External],
        "{outcomes:?}"
    );
    assert_eq!(outcomes[1].host, host("details"));
    world.await_learned("client", &[host("details")]);
}

#[test]
fn nobody_reports_for_another_workload() {
    let world = World::new("foreign");
    world.fence();
    let before = world.fence_now("client").metadata;
    // A pod of another namespace claims to be the client.
    let stranger = mesh().workload("default/ratings").unwrap();
    let request = ReportRequest {
        workload: Some(mk_reporter(&world)),
        misses: vec![mk_miss(host("details"))],
    };
    let outcomes = send(mesh().pod_network(&stranger), request).unwrap();
    assert_eq!(verdicts(&outcomes), [Verdict::Refused], "{outcomes:?}");
    assert!(
        outcomes[0].reason.contains("default"),
        "it says who it was: {}",
        outcomes[0].reason
    );
    assert_eq!(world.fence_now("client").metadata, before);
}

#[test]
fn a_pod_is_known_by_its_own_labels_whatever_it_claims() {
    let world = World::new("claimed");
    world.fence();
    world.apply(&mk_fence("victim", "enable: true"));
    world.await_object(
        "victim",
        "the fence to be ready",
        |fence: Option<&ServiceFence>| fence.and_then(ready_reason) == Some("SidecarApplied"),
    );
    let before = world.fence_now("victim").metadata;
    let labels = HashMap::from([("app".into(), "victim".into())])
        .into_iter()
        .collect();
    let reporter = Reporter {
        labels,
        ..mk_reporter(&world)
    };
    let request = ReportRequest {
        workload: Some(reporter),
        misses: vec![mk_miss(host("details"))],
    };
    send(mesh().pod_network(&world.client), request).unwrap();
    world.await_learned("client", &[host("details")]);
    assert_eq!(world.fence_now("victim").metadata, before);
}

#[test]
fn a_pod_that_does_not_exist_reports_nothing() {
    let world = World::new("ghost");
    world.fence();
    let before = world.fence_now("client").metadata;
    let reporter = Reporter {
        name: "client-ghost".into(),
        ..mk_reporter(&world)
    };
    let request = ReportRequest {
        workload: Some(reporter),
        misses: vec![mk_miss(host("details"))],
    };
    let outcomes = send(mesh().pod_network(&world.client), request).unwrap();
    assert_eq!(verdicts(&outcomes), [Verdict::Refused], "{outcomes:?}");
    assert_eq!(world.fence_now("client").metadata, before);
}

#[test]
fn a_report_without_mtls_does_not_reach_the_controller() {
    let world = World::new("plain");
    world.fence();
    let request = || ReportRequest {
        workload: Some(mk_reporter(&world)),
        misses: vec![mk_miss("unknown.example.com")],
    };
    // The same port takes the same report from the pod, whose sidecar speaks mTLS.
    send(mesh().pod_network(&world.client), request()).unwrap();
    // The mesh's own network has no sidecar.
    let refused = send(mesh().network(), request()).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
}
