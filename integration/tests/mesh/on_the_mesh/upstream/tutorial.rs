//! The walk-throughs of Slime's two tutorials: what they show is what comes out here.

use super::configured::{Configured, as_slime};
use super::productpage::Productpage;
use super::stage::stage;
use crate::on_the_mesh::corner::{Corner, Turn};
use crate::on_the_mesh::world::{host, mk_fence};
use lazyload_controller::api::{ServiceFence, Sidecar};
use serde_json::{Value, json};

/// Asserts that productpage's fence and Sidecar are what the tutorial prints before and after the first call, and that its sidecar
/// logs what the tutorial shows, but for the forwarder that is not there. Of the fence its `wish` is the whole `spec`.
fn assert_the_walk(page: &Productpage, wish: &Value) {
    let sidecar = page.shown("sidecar");
    let fence = page.shown("servicefence");
    assert_eq!(fence["spec"], *wish);
    let owner = json!([{
        "apiVersion": "microservice.slime.io/v1alpha1", "blockOwnerDeletion": true, "controller": true,
        "kind": "ServiceFence", "name": "productpage", "uid": fence["metadata"]["uid"],
    }]);
    assert_eq!(sidecar["metadata"]["ownerReferences"], owner);
    assert_eq!(sidecar["metadata"]["labels"], Value::Null);
    assert_eq!(
        sidecar["spec"],
        spec(&["istio-system/*", "mesh-operator/*"])
    );

    let page_shown = page.curl("first");
    for service in ["details", "reviews"] {
        let call = &page_shown.calls[service];
        assert_eq!(call.status, 200, "{call:?}");
        let own = Some("spiffe://cluster.local/ns/default/sa/bookinfo-productpage".to_owned());
        assert_eq!(call.body.as_ref().unwrap().caller, own, "{service}");
        assert_eq!(page.cluster_of("first", service), "lazyload-replay-9080");
    }
    let learned = json!({
        "{destination_service=\"details.default.svc.cluster.local\"}": "1",
        "{destination_service=\"reviews.default.svc.cluster.local\"}": "1",
    });
    page.await_learned("productpage", &[host("details"), host("reviews")]);
    let status = page.shown("servicefence")["status"].clone();
    assert_eq!(status["metricStatus"], learned);
    let domains = json!({
        "details.default.svc.cluster.local": {"hosts": ["details.default.svc.cluster.local"]},
        "reviews.default.svc.cluster.local": {"hosts": ["reviews.default.svc.cluster.local"]},
    });
    assert_eq!(status["domains"], domains);
    let hosts = [
        "*/details.default.svc.cluster.local",
        "*/reviews.default.svc.cluster.local",
        "istio-system/*",
        "mesh-operator/*",
    ];
    page.await_object(
        "productpage",
        "the Sidecar of the tutorial",
        |sidecar: Option<&Sidecar>| {
            sidecar.is_some_and(|sidecar| sidecar.spec.egress[0].hosts == hosts)
        },
    );
    assert_eq!(page.shown("sidecar")["spec"], spec(&hosts));

    page.curl("second");
    for service in ["details", "reviews"] {
        let cluster = format!("outbound|9080||{}", host(service));
        assert_eq!(page.cluster_of("second", service), cluster);
    }
}

fn spec(hosts: &[&str]) -> Value {
    json!({"egress": [{"hosts": hosts}], "workloadSelector": {"labels": {"app": "productpage"}}})
}

/// Both tutorials, "开启懒加载" (the fence made by hand), "首次访问观察" and "再次访问观察".
#[test]
fn a_fence_made_by_hand_walks_through_the_tutorials_first_and_second_call() {
    let _turn = Turn::alone();
    let page = Productpage::take();
    let _configured = Configured::new(as_slime(json!({})));
    page.fence("");
    let fence = page.shown("servicefence");
    assert_eq!(
        fence["metadata"]["labels"],
        Value::Null,
        "not of the controller's making"
    );
    assert_the_walk(&page, &json!({"enable": true}));
}

/// The newer tutorial, "开启懒加载" by the label of the Service, then the same walk. The tutorial prints `spec: {enable: true}`, from
/// before Slime wrote the selector of the Service into the fences that it makes: since then it is as here, and the Sidecar the same.
#[test]
fn a_fence_made_by_the_label_of_its_service_walks_through_the_tutorials_calls() {
    let _turn = Turn::alone();
    let page = Productpage::take();
    let wishes = json!({"autoFence": true, "defaultFence": false, "whiteNamespaceList": "default"});
    let _configured = Configured::new(as_slime(json!({"general": wishes})));
    let label =
        |label: &str| page.kubectl(&["label", "service", "productpage", "--overwrite", label]);
    label("slime.io/serviceFenced=true");
    page.await_knowledge(false);
    let labels = page.shown("servicefence")["metadata"]["labels"].clone();
    assert_eq!(
        labels,
        json!({"app.kubernetes.io/created-by": "fence-controller"})
    );
    let wish = json!({"enable": true, "workloadSelector": {"fromService": true}});
    assert_the_walk(&page, &wish);
    label("slime.io/serviceFenced-");
    page.await_object(
        "productpage",
        "the fence to go",
        |fence: Option<&ServiceFence>| fence.is_none(),
    );
}

/// Waits until the Sidecar of the fence `client` has just these hosts.
fn await_hosts(corner: &Corner, what: &str, expected: &[String]) {
    let mut seen = Vec::new();
    let awaited = integration::until::until(what, || {
        seen = corner.sidecar_now("client").spec.egress[0].hosts.clone();
        Ok((seen == expected).then_some(()))
    });
    assert!(awaited.is_ok(), "{what}: {seen:?} in place of {expected:?}");
}

/// The newer tutorial, "静态服务依赖关系添加": on one service, on all of a namespace, on those with labels.
#[test]
fn static_dependencies_on_a_host_a_namespace_and_labels_give_the_tutorials_sidecars() {
    let corner = Corner::alone("static");
    let _configured = Configured::new(as_slime(json!({})));
    let namespace = &corner.namespace;
    let always = ["istio-system/*", "mesh-operator/*"].map(str::to_owned);
    let with = |hosts: &[String]| {
        let mut all = [hosts, &always].concat();
        all.sort();
        all
    };
    let fence = |spec: &str| {
        corner.kubectl(&["delete", "servicefence", "client", "--ignore-not-found"]);
        corner.apply(&mk_fence("client", &format!("enable: true, {spec}")));
        corner.await_object("client", "the Sidecar", |sidecar: Option<&Sidecar>| {
            sidecar.is_some()
        });
    };
    fence(&format!("host: {{{}: {{stable: }}}}", host("reviews")));
    await_hosts(
        &corner,
        "依赖某个服务",
        &with(&[format!("*/{}", host("reviews"))]),
    );

    fence("host: {test/*: {}}");
    await_hosts(
        &corner,
        "依赖某个namespace所有服务",
        &with(&["test/*".to_owned()]),
    );

    for (name, labels) in [
        ("details", "app: details"),
        ("reviews", "app: reviews, group: default"),
    ] {
        corner.apply(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: NAMESPACE, labels: {{{labels}}}}}\n\
            spec: {{ports: [{{name: http, port: 9080}}]}}\n"
        ));
    }
    fence(
        "labelSelector: [{selector: {app: details}}, {selector: {app: reviews, group: default}}]",
    );
    let own = |name: &str| format!("*/{name}.{namespace}.svc.cluster.local");
    // Bookinfo's own reviews has no label `group`.
    let labelled = [
        format!("*/{}", host("details")),
        own("details"),
        own("reviews"),
    ];
    await_hosts(&corner, "依赖具有某个label的所有服务", &with(&labelled));
}

/// The newer tutorial, "支持自定义服务依赖别名".
#[test]
fn domain_aliases_give_the_tutorials_status_and_sidecar() {
    let corner = Corner::alone("alias");
    let pattern = r"(?P<service>[^\.]+)\.(?P<namespace>[^\.]+)\.svc\.cluster\.local$";
    let aliases = json!([{"pattern": pattern, "templates": ["$namespace.$service.mailsaas"]}]);
    let _configured = Configured::new(as_slime(json!({"general": {"domainAliases": aliases}})));
    corner.apply(&mk_fence(
        "ratings",
        "enable: true, host: {details.default.svc.cluster.local: {stable: {}}}",
    ));
    let learned = json!({"status": {"metricStatus": {"{destination_service=\"productpage.default.svc.cluster.local\"}": "1"}}});
    let learned = learned.to_string();
    let patch = [
        "patch",
        "servicefence",
        "ratings",
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    corner.kubectl(&[patch.as_slice(), &[&learned]].concat());
    let hosts = [
        "*/default.details.mailsaas",
        "*/default.productpage.mailsaas",
        "*/details.default.svc.cluster.local",
        "*/productpage.default.svc.cluster.local",
        "istio-system/*",
        "mesh-operator/*",
    ];
    corner.await_object(
        "ratings",
        "the tutorial's Sidecar",
        |sidecar: Option<&Sidecar>| {
            sidecar.is_some_and(|sidecar| sidecar.spec.egress[0].hosts == hosts)
        },
    );
    let keys = hosts[..4].iter().map(|host| host.trim_start_matches("*/"));
    let domains: serde_json::Map<String, Value> = keys
        .map(|host| (host.to_owned(), json!({"hosts": [host]})))
        .collect();
    integration::until::until("the tutorial's domains", || {
        let shown = corner.kubectl(&["get", "servicefence", "ratings", "-o", "json"]);
        let shown: Value = serde_json::from_str(&shown)?;
        Ok((shown["status"]["domains"] == Value::Object(domains.clone())).then_some(()))
    })
    .unwrap();
}

/// Both tutorials, "自定义兜底流量分派": by an exact host, by wildcards, to the forwarder, and the rest. What goes to the forwarder is
/// what is learned; here that is held, and the forwarder need not be there. `dispatches` shows it where it is.
#[test]
fn dispatches_send_what_nobody_knows_where_they_say() {
    let _turn = Turn::alone();
    let stage = stage();
    let egress = format!("outbound|7000||{}", stage.host("egress"));
    stage.service("egress");
    let dispatches = json!([
        {"name": "163", "domains": ["www.163.example"], "cluster": egress},
        {"name": "baidu", "domains": ["*.baidu.example", "baidu.*"], "cluster": egress},
        {"name": "sohu", "domains": ["*.svc.cluster.local"], "cluster": "_GLOBAL_SIDECAR"},
        {"name": "default", "domains": ["*"], "cluster": "PassthroughCluster"},
    ]);
    let _configured = Configured::new(json!({"general": {"dispatches": dispatches}}));
    stage.await_cluster(&egress);
    // Where these go by themselves is another server.
    let url = |path: &str| format!("http://{}:7000/{path}", stage.address("egress-not"));
    stage.apply(&super::manifests::mk_service(
        "egress-not",
        "app: web, version: v2",
        super::manifests::HTTP,
    ));
    let cases = [
        ("www.163.example", "v1", egress.as_str()),
        ("a.baidu.example", "v1", &egress),
        ("baidu.test", "v1", &egress),
        ("www.sohu.example", "v2", "PassthroughCluster"),
    ];
    for (host, version, cluster) in cases {
        integration::until::until(&format!("{host} to be dispatched"), || {
            let seen = stage.served(&url(host), &[("host", host)]);
            let sent = stage.cluster_of(&format!("/{host}"));
            Ok((seen.version == version && sent == cluster).then_some(()))
        })
        .unwrap();
    }
    let learned = stage.learned_by_now("after-dispatch");
    assert!(
        !cases.iter().any(|(host, ..)| learned.contains(*host)),
        "{learned:?}"
    );
}
