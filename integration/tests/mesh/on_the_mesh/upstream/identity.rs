//! Who calls, and who is told.

use super::manifests::{HTTP, mk_service};
use super::stage::stage;
use crate::on_the_mesh::corner::Turn;
use crate::on_the_mesh::world::{mesh, mk_fence, ready_reason};
use integration::until::until;
use k8s_openapi::api::core::v1::Pod;
use lazyload_controller::api::ServiceFence;

/// Added case: STRICT mTLS destination on first call. Plain passthrough fails there.
#[test]
fn a_destination_under_strict_mtls_answers_the_first_call() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.apply(&mk_service("strict", "app: guarded", HTTP));
    stage.await_known(&["strict"]);
    let url = format!("http://{}:7000/strict", stage.host("strict"));
    let seen = stage.served(&url, &[]);
    assert_eq!(seen.caller, stage.identity("source"));
}

/// Added case: AuthorizationPolicy by client principal. Slime's forwarder has an identity of its own, which policies had to trust
/// (its issue 351).
#[test]
fn a_policy_that_names_the_caller_lets_its_first_call_in_and_nobody_elses() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.apply(&mk_service("policed", "app: guarded", HTTP));
    stage.await_known(&["policed"]);
    let url = format!("http://{}:7000/policed", stage.host("policed"));
    assert_eq!(stage.get(&url, &[]).status, 200);
    let stranger = mesh().workload("default/ratings").unwrap();
    assert_eq!(mesh().get(&stranger, &url, &[]).unwrap().status, 403);
}

/// Added case: XFF sent by app. It changed whom Slime took for the source (its issues 367 and 376).
#[test]
fn a_forwarded_for_of_the_application_costs_no_dependency_and_arrives_as_on_any_call() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.service("forwarded");
    let url = format!("http://{}:7000/", stage.host("forwarded"));
    let call = || stage.served(&url, &[("x-forwarded-for", "192.0.2.7, 198.51.100.4")]);
    let (first, second) = (call(), call());
    stage.await_learned("source", &[stage.host("forwarded")]);
    assert_eq!(first.caller, stage.identity("source"));
    assert_eq!(
        first.headers["x-forwarded-for"],
        second.headers["x-forwarded-for"]
    );
}

/// Added case: pod not ready. Slime lost what a pod called before it was an endpoint (its issue 420).
#[test]
fn a_pod_that_is_not_ready_learns_from_its_first_call() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.service("early");
    stage.apply(UNREADY);
    stage.await_object::<Pod>("unready", "the pod to run", |pod| {
        let running = |pod: &Pod| pod.status.as_ref()?.phase.clone();
        pod.and_then(running).as_deref() == Some("Running")
    });
    let pod = stage.pod("unready");
    stage.fence("unready", &pod, "enable: true");
    let url = format!("http://{}:7000/", stage.host("early"));
    let reply = mesh().get(&pod, &url, &[]).unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    stage.await_learned("unready", &[stage.host("early")]);
    let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    assert_eq!(
        stage.kubectl(&["get", "pod", "unready", "-o", ready]),
        "False",
        "and never was ready"
    );
}

const UNREADY: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: unready, namespace: NAMESPACE, labels: {app: unready}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: examples-bookinfo-unready-v1
    ports: [{containerPort: 9080}]
    readinessProbe: {tcpSocket: {port: 1}, periodSeconds: 1}
";

/// Added cases: pod in 2 Services (Slime's issue 456: one Sidecar of two was updated), and > 1000 endpoints (an Endpoints object, by
/// which Slime knows the source, holds 1000).
#[test]
fn a_pod_in_two_services_of_which_one_has_over_a_thousand_endpoints_widens_the_fences_of_both() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.service("counted");
    for service in ["duo", "crowd"] {
        stage.apply(&mk_service(service, "app: member", HTTP));
    }
    for slice in 0..2 {
        stage.apply(&mk_slice("crowd", slice));
    }
    let member = stage.pod("member");
    let from_service = "enable: true, workloadSelector: {fromService: true}";
    stage.apply(&mk_fence("duo", from_service));
    stage.fence("crowd", &member, from_service);
    stage.await_object::<ServiceFence>("duo", "the fence to be ready", |fence| {
        fence.and_then(ready_reason) == Some("SidecarApplied")
    });
    let full = mesh().workload("default/ratings").unwrap();
    until("a sidecar to have all endpoints", || {
        let clusters = mesh().admin(&full, "clusters")?;
        let cluster = format!("outbound|7000||{}::10.", stage.host("crowd"));
        let endpoints = clusters
            .lines()
            .filter(|line| line.starts_with(&cluster) && line.ends_with("::zone::"));
        Ok((endpoints.count() > 1000).then_some(()))
    })
    .unwrap();
    let url = format!("http://{}:7000/", stage.host("counted"));
    let seen = mesh().get(&member, &url, &[]).unwrap().body.unwrap();
    assert_eq!(seen.caller, stage.identity("member"));
    for fence in ["duo", "crowd"] {
        stage.await_learned(fence, &[stage.host("counted")]);
    }
}

/// Six hundred endpoints more of a Service, none of which anybody calls.
fn mk_slice(service: &str, number: usize) -> String {
    let endpoints = (0..600).map(|index| {
        let address = format!("10.250.{}.{}", number * 3 + index / 200, index % 200 + 1);
        format!("{{addresses: [{address}], conditions: {{ready: true}}}}")
    });
    let endpoints: Vec<String> = endpoints.collect();
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {service}-{number}, namespace: NAMESPACE, \
        labels: {{kubernetes.io/service-name: {service}, endpointslice.kubernetes.io/managed-by: a-test}}}}\n\
        addressType: IPv4\nports: [{{name: http, port: 9080}}]\nendpoints: [{}]\n",
        endpoints.join(", ")
    )
}

/// Added case: proxy version skew. Sidecars of several versions live side by side while Istio is upgraded (Slime's issues 424 to
/// 426); what a sidecar below the floor gets is [`replay`](crate::on_the_mesh::replay)'s test.
#[test]
fn a_sidecar_of_an_older_istio_holds_its_first_call_as_the_newest_does() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.service("skew");
    let older = stage.pod("older");
    stage.fence("older", &older, "enable: true");
    let node = mesh().admin(&older, "server_info").unwrap();
    assert!(node.contains("1.28.0"), "it says which version it is");
    let url = format!("http://{}:7000/", stage.host("skew"));
    let seen = mesh().get(&older, &url, &[]).unwrap().body.unwrap();
    assert_eq!(seen.caller, stage.identity("older"));
}
