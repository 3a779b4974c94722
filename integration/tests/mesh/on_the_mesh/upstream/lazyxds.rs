//! lazyxds' e2e. Its first requests go through an egress gateway; here they are held and go directly, as the caller, too.

use super::manifests::{HTTP, mk_service};
use super::stage::{Stage, stage};
use crate::on_the_mesh::corner::Turn;
use crate::on_the_mesh::world::host;
use integration::until::until;

/// Asserts that a server saw the fenced client itself, which it does not where a request was passed through.
fn assert_direct(stage: &Stage, caller: Option<String>, what: &str) {
    assert_eq!(caller, stage.identity("source"), "{what}");
}

/// lazyxds' e2e: "Access host of ServiceEntry, should access directly".
#[test]
fn a_service_entry_host_is_called_directly() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.apply(&format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: entry, namespace: NAMESPACE}}\n\
        spec: {{hosts: [entry.example], location: MESH_INTERNAL, resolution: STATIC, \
        ports: [{{number: 7000, targetPort: 9080, name: http, protocol: HTTP}}], \
        endpoints: [{{address: {}, labels: {{security.istio.io/tlsMode: istio}}}}]}}\n",
        stage.pod_address(&stage.web)
    ));
    stage.await_host("entry.example");
    let url = format!("http://{}:7000/entry", stage.address("web"));
    for call in ["first", "second"] {
        let seen = stage.served(&url, &[("host", "entry.example:7000")]);
        assert_direct(stage, seen.caller, call);
    }
    stage.await_learned("source", &["entry.example".to_owned()]);
    assert_eq!(stage.cluster_of("/entry"), "outbound|7000||entry.example");
}

/// lazyxds' e2e: "Access TCP service data-svc1, should route to outbound|4000||data-svc1 directly". lazyxds has every TCP Service
/// visible at all times; here one is visible where a fence names it.
#[test]
fn a_tcp_service_is_reached_as_ever_and_by_its_cluster_once_the_fence_names_it() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.apply(&mk_service(
        "data",
        "app: web, version: v1",
        "{name: tcp-data, port: 4000}",
    ));
    assert_tcp(stage, "data", 4000);
}

/// There is no HTTP in it to be missed, so it goes where it was going from the first byte on; a fence that names the host gives it
/// its own cluster, and so mTLS.
fn assert_tcp(stage: &Stage, service: &str, port: u16) {
    let address = stage.address(service);
    // kube-proxy takes a moment to lead a new address anywhere.
    let led = until("kube-proxy to know the Service", || {
        Ok(stage.try_exchange(&address, port, "hello").ok())
    });
    let answer = led.unwrap();
    assert_eq!(answer, "web heard hello", "{service} without being visible");
    let fence = format!(
        r#"{{"spec":{{"host":{{"{}":{{}}}}}}}}"#,
        stage.host(service)
    );
    stage.kubectl(&[
        "patch",
        "servicefence",
        "source",
        "--type=merge",
        "-p",
        &fence,
    ]);
    let cluster = format!("outbound|{port}||{}", stage.host(service));
    stage.await_cluster(&cluster);
    let through = || {
        let answer = stage.exchange(&address, port, "again");
        assert_eq!(answer, "web heard again", "{service} visible");
    };
    // A cluster is there before the listener that leads to it.
    until("a connection through the Service's own cluster", || {
        through();
        Ok(stage.has_logged(&cluster)?.then_some(()))
    })
    .unwrap();
}

/// lazyxds' e2e: "Access HTTP service web-svc1 first time, should route to lazy xds egress" and "… again, should route to target
/// directly".
#[test]
fn an_http_service_is_called_through_the_fallback_first_and_directly_then() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.service("plain");
    let url = format!("http://{}:7000", stage.host("plain"));
    let first = stage.served(&format!("{url}/plain-first"), &[]);
    assert_direct(stage, first.caller, "held, not forwarded by somebody else");
    assert_eq!(stage.cluster_of("/plain-first"), "lazyload-replay-7000");
    let second = stage.served(&format!("{url}/plain-second"), &[]);
    assert_direct(stage, second.caller, "the second call");
    let cluster = format!("outbound|7000||{}", stage.host("plain"));
    assert_eq!(stage.cluster_of("/plain-second"), cluster);
    stage.await_learned("source", &[stage.host("plain")]);
}

/// lazyxds' e2e: "Access HTTP service web-svc-multi-version first time, with header user=admin, should […] return v2" and "… again,
/// without header, should route to target directly, and return v1".
#[test]
fn a_split_by_header_is_honoured_on_the_first_call_and_direct_after_it() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.apply(&mk_service("split", "app: web", HTTP));
    stage.apply(SPLIT);
    stage.await_known(&["split"]);
    let url = format!("http://{}:7000/split", stage.host("split"));
    let admin = stage.served(&url, &[("user", "admin")]);
    assert_eq!(admin.version, "v2");
    assert_direct(stage, admin.caller, "the first call");
    let other = stage.served(&url, &[]);
    assert_eq!(other.version, "v1");
    let cluster = format!("outbound|7000|v1|{}", stage.host("split"));
    assert_eq!(stage.cluster_of("/split"), cluster);
}

const SPLIT: &str = "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: split, namespace: NAMESPACE}
spec: {host: split, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: split, namespace: NAMESPACE}
spec:
  hosts: [split]
  http:
  - {match: [{headers: {user: {exact: admin}}}], route: [{destination: {host: split, subset: v2}}]}
  - {route: [{destination: {host: split, subset: v1}}]}
";

/// lazyxds' e2e: "Access TCP service mix-svc:4001 […] directly" and "Access HTTP service mix-svc:7001 first time, should route to
/// target directly": its TCP port makes lazyxds show the Service, so that the first HTTP call misses nothing. Here the fence does.
#[test]
fn a_service_of_http_and_tcp_ports_is_reached_as_ever_and_by_both_clusters_once_the_fence_names_it()
{
    let (_turn, stage) = (Turn::shared(), stage());
    let ports =
        "{name: http, port: 7001, targetPort: 9080}, {name: tcp, port: 4001, targetPort: 4000}";
    stage.apply(&mk_service("mix", "app: web, version: v1", ports));
    stage.await_listener(7001);
    stage.await_known(&["mix"]);
    assert_tcp(stage, "mix", 4001);
    let seen = stage.served(&format!("http://{}:7001/mix", stage.host("mix")), &[]);
    assert_direct(stage, seen.caller, "HTTP beside TCP");
    let cluster = format!("outbound|7001||{}", stage.host("mix"));
    assert_eq!(stage.cluster_of("/mix"), cluster);
}

/// lazyxds' e2e: "Access HTTP service web-svc-related1 first time, with query user=user2, should […] return web-svc-related2", then
/// "with query user=user3, should route to web-svc-related3 directly" and "without query params, […] web-svc-related1 directly".
#[test]
fn a_virtual_service_that_leads_to_other_services_is_honoured_on_the_first_call_and_after_it() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.apply(&mk_service("related1", "app: web, version: v1", HTTP));
    stage.apply(&mk_service("related2", "app: web, version: v2", HTTP));
    stage.apply(RELATED);
    stage.await_known(&["related1", "related2"]);
    let call = |query: &str| {
        let url = format!("http://{}:7000/related{query}", stage.host("related1"));
        let seen = stage.served(&url, &[]);
        (seen.service, seen.version, seen.caller)
    };
    let own = || stage.identity("source");
    assert_eq!(call("?user=user2"), ("web".into(), "v2".into(), own()));
    assert_eq!(call("?user=user3"), ("details".into(), "v1".into(), own()));
    assert_eq!(
        stage.cluster_of("/related?user=user3"),
        format!("outbound|9080||{}", host("details"))
    );
    assert_eq!(call(""), ("web".into(), "v1".into(), own()));
    let learned = stage.learned_by_now("after-related");
    assert!(learned.contains(&stage.host("related1")), "{learned:?}");
    assert!(
        !learned.contains(&stage.host("related2")) && !learned.contains(&host("details")),
        "backends are not dependencies of their own: {learned:?}"
    );
}

const RELATED: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: related, namespace: NAMESPACE}
spec:
  hosts: [related1]
  http:
  - {match: [{queryParams: {user: {exact: user2}}}], route: [{destination: {host: related2}}]}
  - match: [{queryParams: {user: {exact: user3}}}]
    route: [{destination: {host: details.default.svc.cluster.local, port: {number: 9080}}}]
  - {route: [{destination: {host: related1}}]}
";

/// lazyxds' e2e, commented out there: "Access HTTP service headless-svc first time" and "… using service dns domain, should access
/// service directly".
#[test]
fn a_headless_service_is_called_directly_by_its_own_name() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.headless("headless");
    let url = format!("http://{}:9080/headless", stage.host("headless"));
    for call in ["first", "second"] {
        assert_direct(stage, stage.served(&url, &[]).caller, call);
    }
    stage.await_learned("source", &[stage.host("headless")]);
}

/// lazyxds' e2e, commented out there: "Access HTTP service headless-svc using pod dns domain, should access service directly".
#[test]
fn a_headless_service_is_called_directly_by_the_name_of_its_pod() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.headless("headless-pods");
    let service = stage.host("headless-pods");
    let address = stage.pod_address(&stage.web);
    let authority = format!("{}.{service}:9080", address.replace('.', "-"));
    // Whoever only lets a call through to this address reaches the pod as well, but not as the caller.
    for (call, cluster) in [
        ("first", "lazyload-replay-9080".to_owned()),
        ("second", format!("outbound|9080||{service}")),
    ] {
        let path = format!("/headless-pod-{call}");
        let url = format!("http://{address}:9080{path}");
        let seen = stage.served(&url, &[("host", &authority)]);
        assert_eq!((&*seen.service, &*seen.version), ("web", "v1"), "{call}");
        assert_direct(stage, seen.caller, call);
        assert_eq!(stage.cluster_of(&path), cluster, "{call}");
    }
    let learned = stage.await_learned("source", &[service]);
    assert!(
        learned.iter().all(|host| !authority.starts_with(host)),
        "a pod is no host of its own: {learned:?}"
    );
}

/// lazyxds' e2e, commented out there: "Access external HTTP service http://baidu.com, should route to PassthroughCluster" and
/// "Access external TCP service". Nothing leaves the rig: external is what no Service or ServiceEntry has.
#[test]
fn an_external_http_or_tcp_address_is_reached_as_ever() {
    let (_turn, stage) = (Turn::shared(), stage());
    let url = format!("http://{}:7000/external", stage.address("web"));
    let seen = stage.served(&url, &[("host", "baidu.example")]);
    assert_eq!(seen.caller, None, "no identity is shown to strangers");
    assert_eq!(stage.cluster_of("/external"), "PassthroughCluster");
    let learned = stage.learned_by_now("after-external");
    assert!(!learned.contains("baidu.example"), "{learned:?}");
    let address = stage.pod_address(&stage.web);
    assert_eq!(
        stage.exchange(&address, 4000, "outside"),
        "web heard outside"
    );
}
