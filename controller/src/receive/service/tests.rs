use std::net::SocketAddr;

use axum::{Json, Router, http::StatusCode};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::Client;
use lazyload_protocol::v1::{Miss, Workload, miss_service_client::MissServiceClient};
use serde_json::{Value, json};
use tonic::{metadata::MetadataValue, transport::server::TcpConnectInfo};

use super::*;
use crate::{
    api::{EnvoyFilter, ServiceFence},
    index::{Indexed, World},
    queue::Job,
    receive::serve,
    settings::Replay,
    settings::Settings,
};

/// Takes reports in a cluster of one Service, `default/details`, and one fence, `default/web`. The API server answers every
/// question about a pod with `pod`.
fn mk_receiver(pod: (u16, Value)) -> Receiver {
    let queue = Queue::default();
    let world = World::new(Arc::default());
    let index = Arc::new(Index::new(world, queue.clone()));
    let metadata = json!({ "namespace": "default", "name": "details" });
    add::<Namespace>(&index, json!({ "metadata": { "name": "default" } }));
    add::<Service>(&index, json!({ "metadata": metadata, "spec": {} }));
    let fence = json!({
        "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
        "metadata": { "namespace": "default", "name": "web" }, "spec": { "enable": true },
    });
    add::<ServiceFence>(&index, fence);
    let answer = move || async move { (StatusCode::from_u16(pod.0).unwrap(), Json(pod.1)) };
    let server = Router::new().fallback(answer);
    Receiver {
        index,
        queue,
        pods: Some(Pods::new(Client::new(server, "default"))),
        readiness: Readiness::default(),
        metrics: Arc::default(),
        rules: Rules {
            cluster_domain: "cluster.local".to_owned(),
            require_identity: true,
            trust_domain: "cluster.local".to_owned(),
            first_request: Mode::Hold,
            replay: Arc::default(),
        },
    }
}

fn add<K: Indexed>(index: &Index, object: Value) {
    index.write(|world, _| {
        serde_json::from_value::<K>(object)
            .unwrap()
            .upsert(world, &mut Vec::new());
    });
}

fn mk_pod(app: &str, service_account: &str) -> (u16, Value) {
    let metadata = json!({ "name": "web-1", "labels": { "app": app } });
    let spec = json!({ "serviceAccountName": service_account, "containers": [] });
    (200, json!({ "metadata": metadata, "spec": spec }))
}

/// A report of pod `default/web-1` that claims to be fenced by `web`, from `peer`.
fn mk_report(misses: usize, peer: &str) -> Request<ReportRequest> {
    let miss = Miss {
        authority: "details".to_owned(),
        ..Miss::default()
    };
    let mut request = Request::new(ReportRequest {
        workload: Some(Workload {
            namespace: "default".to_owned(),
            name: "web-1".to_owned(),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            service_account: "bookinfo".to_owned(),
            node_id: String::new(),
        }),
        misses: vec![miss; misses],
    });
    let certificate = "URI=spiffe://cluster.local/ns/default/sa/bookinfo";
    request.metadata_mut().insert(
        CLIENT_CERTIFICATE_HEADER,
        MetadataValue::from_static(certificate),
    );
    let remote_addr: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(TcpConnectInfo {
        local_addr: None,
        remote_addr: Some(remote_addr),
    });
    request
}

/// What the only miss of a report from `peer` is answered, and what was learned.
async fn answer(receiver: &Receiver, peer: &str) -> (Verdict, Option<Job>) {
    let response = receiver.report(mk_report(1, peer)).await.unwrap();
    let verdict = response.into_inner().outcomes[0].verdict();
    (verdict, receiver.queue.next().now_or_never())
}

const SIDECAR: &str = "127.0.0.6:41000";

#[tokio::test]
async fn the_labels_of_the_pod_decide_which_fence_learns() {
    let receiver = mk_receiver(mk_pod("web", "bookinfo"));
    let (verdict, job) = answer(&receiver, SIDECAR).await;
    assert_eq!(verdict, Verdict::InMesh);
    let host = "details.default.svc.cluster.local";
    assert!(job.unwrap().learned.contains_key(host));

    for (pod, verdict) in [
        (mk_pod("other", "bookinfo"), Verdict::NoFence),
        (mk_pod("web", "other"), Verdict::Refused),
        (
            (
                404,
                json!({ "status": "Failure", "reason": "NotFound", "code": 404 }),
            ),
            Verdict::Refused,
        ),
    ] {
        assert_eq!(answer(&mk_receiver(pod), SIDECAR).await, (verdict, None));
    }
}

#[tokio::test]
async fn a_host_of_the_mesh_is_answered_with_whether_to_wait_and_why_not() {
    let receiver = mk_receiver(mk_pod("web", "bookinfo"));
    let response = receiver.report(mk_report(1, SIDECAR)).await.unwrap();
    let response = response.into_inner();
    let outcome = &response.outcomes[0];
    assert_eq!(response.first_request(), FirstRequest::PassThrough);
    assert_eq!(outcome.first_request(), FirstRequest::PassThrough);
    assert!(
        outcome.reason.contains("replay.enabled"),
        "{}",
        outcome.reason
    );
    let counter = receiver
        .metrics
        .first_requests("pass_through", "not_installed");
    assert_eq!(counter.get(), 1);

    let receiver = mk_receiver(mk_pod("web", "bookinfo"));
    let replay = Replay {
        namespaces: ["default".to_owned()].into(),
        ..Replay::default()
    };
    let settings = Settings {
        replay: Arc::new(replay),
        ..Settings::default()
    };
    receiver
        .index
        .write(|world, concerned| world.configure(Arc::new(settings), concerned));
    add::<EnvoyFilter>(
        &receiver.index,
        json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "spec": {},
            "metadata": {
                "namespace": "default", "name": "lazyload-replay",
                "labels": { "app.kubernetes.io/managed-by": "lazyload" },
            },
        }),
    );
    let metadata = json!({ "namespace": "default", "name": "details" });
    let spec = json!({ "ports": [{ "port": 9080, "name": "http" }] });
    let service = json!({ "metadata": metadata, "spec": spec });
    add::<Service>(&receiver.index, service);
    let mut report = mk_report(1, SIDECAR);
    report.get_mut().misses[0].port = 9080;
    let response = receiver.report(report).await.unwrap().into_inner();
    assert_eq!(response.first_request(), FirstRequest::Hold);
    let outcome = &response.outcomes[0];
    assert_eq!(outcome.first_request(), FirstRequest::Hold);
    assert_eq!(outcome.reason, "");

    let stranger = mk_receiver(mk_pod("other", "bookinfo"));
    let response = stranger.report(mk_report(1, SIDECAR)).await.unwrap();
    let response = response.into_inner();
    assert_eq!(response.first_request(), FirstRequest::Unspecified);
    let outcome = &response.outcomes[0];
    assert_eq!(outcome.first_request(), FirstRequest::Unspecified);
}

#[tokio::test]
async fn fifty_reports_of_one_host_are_one_learned_host() {
    let receiver = mk_receiver(mk_pod("web", "bookinfo"));
    for _ in 0..50 {
        receiver.report(mk_report(1, SIDECAR)).await.unwrap();
    }
    let job = receiver.queue.next().await;
    assert_eq!(job.learned.len(), 1);
    assert_eq!(receiver.queue.next().now_or_never(), None);
}

#[tokio::test]
async fn a_report_from_another_pod_is_not_believed() {
    let receiver = mk_receiver(mk_pod("web", "bookinfo"));
    let answer = answer(&receiver, "10.0.0.9:41000").await;
    assert_eq!(answer, (Verdict::Refused, None));
}

#[tokio::test]
async fn while_the_api_server_is_away_the_sender_is_asked_to_try_again() {
    let receiver = mk_receiver((500, json!({ "code": 500 })));
    let status = receiver.report(mk_report(1, SIDECAR)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(receiver.metrics.pod_lookup_failures.get(), 1);
}

#[tokio::test]
async fn a_report_of_too_many_misses_is_refused_as_a_whole() {
    let receiver = mk_receiver(mk_pod("web", "bookinfo"));
    let report = mk_report(MAX_MISSES + 1, SIDECAR);
    let status = receiver.report(report).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("1001"), "{}", status.message());
    assert_eq!(receiver.metrics.misses("refused", "too_many").get(), 1001);
    let report = mk_report(MAX_MISSES, SIDECAR);
    let outcomes = receiver.report(report).await.unwrap().into_inner().outcomes;
    assert_eq!(outcomes.len(), MAX_MISSES);
}

#[tokio::test]
async fn over_a_real_connection_one_huge_authority_is_one_refusal_and_a_huge_report_is_not_read() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let receiver = mk_receiver(mk_pod("web", "bookinfo"));
    tokio::spawn(serve(receiver, listener, std::future::pending()));
    let mut client = MissServiceClient::connect(address).await.unwrap();

    let mut report = mk_report(2, SIDECAR);
    report.get_mut().misses[0].authority = "x".repeat(100_000);
    let outcomes = client.report(report).await.unwrap().into_inner().outcomes;
    let verdicts: Vec<_> = outcomes.iter().map(Outcome::verdict).collect();
    assert_eq!(verdicts, [Verdict::Refused, Verdict::InMesh]);

    let mut report = mk_report(1, SIDECAR);
    report.get_mut().misses[0].authority = "x".repeat(600_000);
    let status = client.report(report).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::OutOfRange);
}
