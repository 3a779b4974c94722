//! Names in all their spellings.

use super::stage::stage;
use crate::on_the_mesh::corner::Turn;
use crate::on_the_mesh::reports::{mk_miss, send, verdicts};
use crate::on_the_mesh::world::mesh;
use lazyload_protocol::v1::{ReportRequest, Verdict, Workload as Reporter};
use std::collections::HashMap;
use std::net::IpAddr;

/// Added cases: authority short, namespace-qualified, `.svc`, FQDN, FQDN with port, trailing dot, upper case. Slime completes names by
/// the number of their labels, and keeps a dot or a capital as it came.
#[test]
fn a_name_in_every_spelling_is_learned_as_the_same_host_and_its_first_call_is_direct() {
    let (_turn, stage) = (Turn::shared(), stage());
    let namespace = &stage.namespace;
    let spellings = [
        ("spelled-short", "NAME:7000".to_owned()),
        ("spelled-qualified", format!("NAME.{namespace}:7000")),
        ("spelled-svc", format!("NAME.{namespace}.svc:7000")),
        (
            "spelled-fqdn",
            format!("NAME.{namespace}.svc.cluster.local"),
        ),
        (
            "spelled-fqdn-port",
            format!("NAME.{namespace}.svc.cluster.local:7000"),
        ),
        (
            "spelled-trailing-dot",
            format!("NAME.{namespace}.svc.cluster.local.:7000"),
        ),
        (
            "spelled-upper-case",
            format!("NAME.{namespace}.SVC.cluster.local:7000").to_uppercase(),
        ),
    ];
    let names = spellings.each_ref().map(|(name, _)| *name);
    stage.services(&names);
    for (name, spelled) in &spellings {
        let authority = match *name {
            "spelled-upper-case" => spelled.replace("NAME", &name.to_uppercase()),
            _ => spelled.replace("NAME", name),
        };
        let url = format!("http://{}:7000/", stage.address(name));
        let seen = stage.served(&url, &[("host", &authority)]);
        assert_eq!(seen.caller, stage.identity("source"), "{name}: {authority}");
    }
    let hosts = names.map(|name| stage.host(name));
    let all = stage.await_learned("source", &hosts);
    let spelled = all.iter().filter(|host| host.starts_with("spelled"));
    assert_eq!(spelled.count(), hosts.len(), "nothing twice: {all:?}");
}

/// Added case: IP authority. Slime ignores literal addresses; here a Service's own leads to the Service.
#[test]
fn the_address_of_a_service_is_as_good_as_its_name_and_any_other_is_passed_through() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.service("by-address");
    let pods = format!("http://{}:9080/pod-address", stage.pod_address(&stage.web));
    assert_eq!(stage.get(&pods, &[]).status, 200);
    let url = format!(
        "http://{}:7000/service-address",
        stage.address("by-address")
    );
    let seen = stage.served(&url, &[]);
    assert_eq!(seen.caller, stage.identity("source"));
    let learned = stage.await_learned("source", &[stage.host("by-address")]);
    let mut addresses = learned.iter().filter(|host| host.parse::<IpAddr>().is_ok());
    assert_eq!(addresses.next(), None, "{learned:?}");
}

/// Added case: single-label external. Slime rewrote such names to Services that do not exist (its issues 297, 301 and 304).
#[test]
fn a_name_of_one_label_that_is_no_service_is_passed_through_and_not_learned() {
    let (_turn, stage) = (Turn::shared(), stage());
    let url = format!("http://{}:7000/one-label", stage.address("web"));
    let seen = stage.served(&url, &[("host", "legacybox:7000")]);
    assert_eq!((&*seen.service, seen.caller), ("web", None));
    assert_eq!(stage.cluster_of("/one-label"), "PassthroughCluster");
    let learned = stage.learned_by_now("after-one-label");
    assert!(
        !learned.iter().any(|host| host.starts_with("legacybox")),
        "{learned:?}"
    );
}

/// Added case: IPv6 authority, which Slime cuts at its first colon. The rig's pods have no IPv6, so the sidecar's report is sent by
/// hand; as a name it goes through the sidecar like any other.
#[test]
fn an_ipv6_authority_is_an_address_and_costs_nothing_beside_it() {
    let (_turn, stage) = (Turn::shared(), stage());
    stage.service("beside-ipv6");
    let authorities = [
        "[::1]:7000",
        "[2001:db8::1]:7000",
        "[2001:db8::1]",
        "[::ffff:192.0.2.1]:7000",
        "[::1",
        "[fe80::1%eth0]:7000",
        "beside-ipv6:7000",
    ];
    let request = ReportRequest {
        workload: Some(Reporter {
            namespace: stage.namespace.clone(),
            name: stage.source.name.clone(),
            labels: HashMap::from([("app".into(), "source".into())])
                .into_iter()
                .collect(),
            service_account: "source".into(),
            node_id: String::new(),
        }),
        misses: authorities
            .map(|authority| lazyload_protocol::v1::Miss {
                port: 7000,
                ..mk_miss(authority)
            })
            .into(),
    };
    let outcomes = send(mesh().pod_network(&stage.source), request).unwrap();
    let expected = [
        Verdict::External,
        Verdict::External,
        Verdict::External,
        Verdict::External,
        Verdict::Refused,
        Verdict::Refused,
        Verdict::InMesh,
    ];
    assert_eq!(verdicts(&outcomes), expected, "{outcomes:?}");
    stage.await_learned("source", &[stage.host("beside-ipv6")]);
    let url = format!("http://{}:7000/ipv6", stage.address("web"));
    let reply = stage.get(&url, &[("host", "[2001:db8::1]:7000")]);
    assert_eq!(reply.status, 200, "sent where it was going: {reply:?}");
}
