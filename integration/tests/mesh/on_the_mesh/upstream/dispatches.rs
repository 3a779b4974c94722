//! Dispatches that lead somewhere: by expressions, and to Slime's forwarder.

use super::configured::Configured;
use super::manifests::{HTTP, mk_service};
use super::stage::{Stage, stage};
use crate::on_the_mesh::corner::Turn;
use integration::until::until;
use serde_json::json;

/// Where calls go by themselves, to another server than those that dispatches name.
fn elsewhere(stage: &Stage, name: &str) -> String {
    stage.apply(&mk_service(name, "app: web, version: v2", HTTP));
    format!("http://{}:7000", stage.address(name))
}

/// Waits until calls that ask for `host` are sent to `cluster`.
fn await_dispatch(stage: &Stage, url: &str, host: &str, cluster: &str) {
    until(&format!("{host} to be dispatched"), || {
        stage.served(&format!("{url}/{host}"), &[("host", host)]);
        Ok((stage.cluster_of(&format!("/{host}")) == cluster).then_some(()))
    })
    .unwrap();
}

/// Both tutorials, "自定义兜底流量分派", by Slime's newer `domainRegex`.
#[test]
fn a_dispatch_by_an_expression_leads_every_host_that_is_as_it_says_and_no_other() {
    let (_turn, stage) = (Turn::alone(), stage());
    stage.service("by-expression");
    let egress = format!("outbound|7000||{}", stage.host("by-expression"));
    let dispatches = json!([
        {"name": "mail", "domainRegex": r"(imap|smtp)[0-9]+\.mail\.example", "cluster": egress},
    ]);
    let _configured = Configured::new(json!({"general": {"dispatches": dispatches}}));
    stage.await_cluster(&egress);
    let url = elsewhere(stage, "not-by-expression");
    await_dispatch(stage, &url, "imap1.mail.example", &egress);
    for (host, version, cluster) in [
        ("smtp22.mail.example", "v1", egress.as_str()),
        ("SMTP3.mail.example:7000", "v1", &egress),
        ("pop1.mail.example", "v2", "PassthroughCluster"),
        ("imap1.mail.example.org", "v2", "PassthroughCluster"),
        ("an.imap1.mail.example", "v2", "PassthroughCluster"),
    ] {
        let seen = stage.served(&format!("{url}/of-{host}"), &[("host", host)]);
        assert_eq!(seen.version, version, "{host}");
        let sent = stage.cluster_of(&format!("/of-{host}"));
        assert_eq!(sent, cluster, "{host}");
    }
}

/// Slime's fallback: what nobody has a route for goes to `global-sidecar`, which reads from two headers where to send it on. A Service
/// stands for it that answers by itself.
#[test]
fn a_dispatch_to_slimes_forwarder_reaches_it_with_what_it_reads_and_is_learned() {
    let (_turn, stage) = (Turn::alone(), stage());
    stage.services(&["forwarded", "for-a-sign"]);
    let port = "{name: http, port: 80, targetPort: 9080}";
    stage.apply(&mk_service("global-sidecar", "app: web, version: v2", port));
    stage.await_known(&["global-sidecar"]);
    let sign = format!("outbound|7000||{}", stage.host("for-a-sign"));
    let dispatches = json!([
        {"name": "sign", "domains": ["sign.example"], "cluster": sign},
        {"name": "mesh", "domains": ["*.svc.cluster.local"], "cluster": "_GLOBAL_SIDECAR"},
    ]);
    let _configured = Configured::new(json!({"general": {
        "dispatches": dispatches, "clusterGsNamespace": stage.namespace, "firstRequest": "passthrough",
    }}));
    let forwarder = format!("outbound|80||{}", stage.host("global-sidecar"));
    stage.await_cluster(&forwarder);
    // Both routes come with the same EnvoyFilter.
    let url = elsewhere(stage, "not-forwarded");
    await_dispatch(stage, &url, "sign.example", &sign);

    let url = format!("http://{}:7000", stage.host("forwarded"));
    let spoofed = [
        ("slime-orig-dest", "1.2.3.4:5"),
        ("slime-source-ns", "kube-system"),
    ];
    let seen = stage.served(&format!("{url}/forwarded-first"), &spoofed);
    assert_eq!(stage.cluster_of("/forwarded-first"), forwarder);
    assert_eq!(seen.version, "v2", "the forwarder's answer");
    assert_eq!(seen.caller, stage.identity("source"), "by mTLS");
    let destination = format!("{}:7000", stage.address("forwarded"));
    assert_eq!(seen.headers["slime-orig-dest"], destination);
    assert_eq!(seen.headers["slime-source-ns"], stage.namespace);

    stage.await_learned("source", &[stage.host("forwarded")]);
    let own = format!("outbound|7000||{}", stage.host("forwarded"));
    stage.await_cluster(&own);
    until("the route of its own", || {
        let seen = stage.served(&format!("{url}/forwarded-then"), &[]);
        Ok((seen.version == "v1").then_some(seen))
    })
    .map(|seen| assert!(!seen.headers.contains_key("slime-orig-dest"), "{seen:?}"))
    .unwrap();
    assert_eq!(stage.cluster_of("/forwarded-then"), own);
}
