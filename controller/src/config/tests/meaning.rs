use std::collections::BTreeSet;

use super::*;
use crate::settings::{LabelRequirement, LabelSelector, NamespaceScope, Operator, WorkloadFences};

fn mk_set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn replaying_is_for_the_whole_mesh_or_for_named_namespaces_or_off() {
    for (text, namespaces) in [
        ("global: {istioNamespace: root}", &["root"][..]),
        ("general: {replay: {namespaces: [b, a]}}", &["a", "b"]),
        ("general: {replay: {namespaces: [a], enabled: false}}", &[]),
    ] {
        let replay = parse(text).unwrap().settings().replay;
        assert!(replay.namespaces.iter().eq(namespaces), "{text}");
    }
}

#[test]
fn dispatches_without_replaying_hold_where_replaying_would() {
    for (replay, namespaces) in [
        ("enabled: false", &["istio-system"][..]),
        ("namespaces: [a]", &["a"]),
        ("namespaces: [a], enabled: false", &["a"]),
    ] {
        let settings = mk_settings(&format!(
            "dispatches: [{{name: a, domains: ['*'], cluster: b}}], replay: {{{replay}}}"
        ));
        let found = settings.envoy_filter_namespaces();
        assert!(found.iter().eq(namespaces), "{replay}: {found:?}");
    }
}

#[test]
fn slimes_proxy_version_is_that_of_the_replay_filter() {
    for keys in [
        "proxyVersion: '^1.3'",
        "replay: {proxyVersion: '^1.3'}",
        "proxyVersion: '^1.3', replay: {proxyVersion: '^1.3'}",
    ] {
        assert_eq!(mk_settings(keys).replay.proxy_version, "^1.3", "{keys}");
    }
    let default = Config::default().settings().replay;
    assert_eq!(mk_settings("proxyVersion: ''").replay, default);
}

#[test]
fn without_ports_of_its_own_the_placeholder_carries_those_that_services_declare() {
    for (keys, ports, auto_port) in [
        ("", &[][..], true),
        ("wormholePort: []", &[], true),
        ("wormholePort: ['9080', 80]", &[80, 9080], false),
        ("wormholePort: [80], autoPort: true", &[80], true),
        ("wormholePort: ['80'], autoPort: false", &[80], false),
    ] {
        let rules = mk_settings(keys).ports;
        assert!(rules.wormhole_ports.iter().eq(ports), "{keys}");
        assert_eq!(rules.auto_port, auto_port, "{keys}");
    }
    let rules =
        mk_settings("supportH2: false, cleanupWormholePort: false, replay: {portQuietSeconds: 7}")
            .ports;
    assert!(!rules.support_h2 && !rules.clean_up);
    assert_eq!(rules.quiet, Duration::from_secs(7));
    let defaults = mk_settings("").ports;
    assert!(defaults.support_h2 && defaults.clean_up);
}

#[test]
fn namespaces_of_automatic_fences_are_all_or_named_or_all_but_named() {
    for (keys, scope) in [
        ("", NamespaceScope::All),
        (
            "blackNamespaceList: 'a, b,', whiteNamespaceList: ''",
            NamespaceScope::AllBut(mk_set(&["a", "b"])),
        ),
        (
            "whiteNamespaceList: a",
            NamespaceScope::Only(mk_set(&["a"])),
        ),
    ] {
        assert_eq!(mk_settings(keys).auto_fence.namespaces, scope, "{keys}");
    }
}

#[test]
fn everything_about_automatic_fences_is_taken_over() {
    let auto = mk_settings(
        "autoFence: true, defaultFence: true, fenceLabelKeyAlias: 'istio.io/app:a',
         managementSelectors: [{matchLabels: {a.b/c: d}, matchExpressions: [{key: e, operator: NotIn, values: [f]}, {key: g, operator: Exists}]}]",
    )
    .auto_fence;
    assert!(auto.is_on && auto.default_fence);
    let mk_workloads = |key: &str, alias: &str| {
        Some(WorkloadFences {
            key: key.to_owned(),
            alias: alias.to_owned(),
        })
    };
    assert_eq!(auto.workloads, mk_workloads("istio.io/app", "a"));
    for text in ["k", "'k:'"] {
        let auto = mk_settings(&format!("fenceLabelKeyAlias: {text}")).auto_fence;
        assert_eq!(auto.workloads, mk_workloads("k", "app"));
    }
    let mk_requirement = |key: &str, operator| LabelRequirement {
        key: key.to_owned(),
        operator,
    };
    assert_eq!(
        auto.management_selectors,
        [LabelSelector {
            match_labels: [("a.b/c".to_owned(), "d".to_owned())].into(),
            match_expressions: vec![
                mk_requirement("e", Operator::NotIn(mk_set(&["f"]))),
                mk_requirement("g", Operator::Exists),
            ],
        }]
    );
}

#[test]
fn a_dispatch_goes_to_a_cluster_or_to_slimes_forwarder() {
    let dispatches = |keys: &str, name: &str| {
        let rule = format!(
            "dispatches: [{{name: {name}, domains: ['*.a', b], domainRegex: 'c.*', cluster: {name}}}]"
        );
        mk_settings(&format!("{rule}{keys}")).dispatches.remove(0)
    };
    let rule = dispatches("", "PassthroughCluster");
    assert_eq!(rule.domains, ["*.a", "b"]);
    assert_eq!(rule.domain_regex.as_deref(), Some("c.*"));
    assert_eq!(
        rule.to,
        DispatchTo::Cluster("PassthroughCluster".to_owned())
    );
    for (keys, namespace) in [("", "mesh-operator"), (", clusterGsNamespace: gs", "gs")] {
        let namespace = namespace.to_owned();
        let rule = dispatches(keys, "_GLOBAL_SIDECAR");
        assert_eq!(rule.to, DispatchTo::GlobalSidecar { namespace });
    }
}

#[test]
fn a_bad_alias_costs_only_itself_later() {
    let aliases = mk_settings("domainAliases: [{pattern: '(', templates: [a]}, {}]").aliases;
    assert_eq!(aliases.len(), 2);
    assert_eq!(aliases[0].pattern, "(");
    assert_eq!(aliases[0].templates, ["a"]);
}

#[test]
fn forgetting_is_stated_in_lengths_of_time() {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let forgetting = mk_settings(
        "forgetting: {enabled: true, timeToLive: 168h, longestTimeToLive: 14d, grace: 2h, probation: 1d, maxSharePercent: 20, window: 30m}",
    )
    .forgetting;
    let expected = Forgetting {
        is_on: true,
        time_to_live: hours(168),
        longest_time_to_live: hours(336),
        grace: hours(2),
        probation: hours(24),
        max_share_percent: 20,
        window: Duration::from_secs(1_800),
    };
    assert_eq!(forgetting, expected);
    let longer = mk_settings("forgetting: {timeToLive: 200d}").forgetting;
    assert_eq!(longer.longest_time_to_live, longer.time_to_live);
    let shorter = mk_settings("forgetting: {timeToLive: 5m}").forgetting;
    assert_eq!(shorter.grace, shorter.time_to_live);
}

#[test]
fn our_own_keys_stand_in_general() {
    let config = parse(
        "general: {clusterDomain: corp.local, trustDomain: td, requireIdentity: false, verifyPods: false,
           reportAddr: '127.0.0.1:1', adminAddr: ':2', firstRequest: adaptive, sidecarHosts: exact, stableHost: ['a/*', b.c]}",
    )
    .unwrap();
    assert_eq!(config.report_addr.to_string(), "127.0.0.1:1");
    assert_eq!(config.admin_addr.to_string(), "0.0.0.0:2");
    assert!(!config.require_identity && !config.verify_pods);
    assert_eq!(config.trust_domain, "td");
    let settings = config.settings();
    assert_eq!(settings.cluster_domain, "corp.local");
    assert_eq!(settings.first_request, Mode::Adaptive);
    assert_eq!(settings.scope_form, ScopeForm::Exact);
    assert_eq!(settings.stable_hosts, ["a/*", "b.c"]);
}

#[test]
fn slimes_global_keys_are_taken_over() {
    let config = parse(
        "global: {service: k, istioNamespace: i, slimeNamespace: s, istioRev: '1-10, b', strictRev: true, selfResourceRev: b,
           log: {logLevel: warning}, misc: {aux-addr: ':1', logSourcePort: ':2'}}",
    )
    .unwrap();
    let settings = config.settings();
    assert_eq!(settings.workload_label, "k");
    assert_eq!(settings.istio_namespace, "i");
    assert_eq!(settings.slime_namespace, "s");
    assert_eq!(settings.revisions.in_scope, mk_set(&["1-10", "b"]));
    assert!(settings.revisions.is_strict);
    assert_eq!(settings.revisions.own.as_deref(), Some("b"));
    assert_eq!(config.log.level, Some("warn"));
    assert_eq!(config.admin_addr.port(), 1);
    assert_eq!(config.report_addr.port(), 2);
    let config = parse("global: {misc: {aux-addr: ':1'}}\ngeneral: {adminAddr: ':3'}").unwrap();
    assert_eq!(config.admin_addr.port(), 3, "our own key comes first");
}

#[test]
fn a_text_of_slimes_that_is_empty_says_nothing() {
    let text = "global: {service: '', istioNamespace: '', slimeNamespace: '', istioRev: '', selfResourceRev: '', log: {logLevel: ''}}
general: {clusterGsNamespace: '', fenceLabelKeyAlias: '', blackNamespaceList: '', whiteNamespaceList: '', proxyVersion: ''}";
    let config = parse(text).unwrap();
    assert_eq!(config.settings(), Config::default().settings());
    assert_eq!(config.log, LogConfig::default());
}

#[test]
fn logs_go_to_a_file_with_slimes_defaults() {
    let log = |text: &str| parse(&format!("global: {{log: {{{text}}}}}")).unwrap().log;
    assert_eq!(log("logRotate: true").file, Some(LogFile::default()));
    assert_eq!(log("logRotate: false").file, None);
    let file = log(
        "logRotate: true, logRotateConfig: {filePath: /a/b.log, maxSizeMB: 2, maxBackups: 0, maxAgeDay: 0, compress: false}",
    );
    let expected = LogFile {
        path: "/a/b.log".into(),
        max_bytes: 2 * 1024 * 1024,
        max_backups: None,
        max_age: None,
        compress: false,
    };
    assert_eq!(file.file, Some(expected));
}
