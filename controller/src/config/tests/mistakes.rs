use super::*;

#[test]
fn an_unknown_key_is_named_with_its_file_and_line() {
    for (text, parts) in [
        (
            "general:\n  autoFence: true\n  stableHosts: []\n",
            &["line 3", "general.stableHosts", "unknown field"][..],
        ),
        ("generals: {}", &["line 1", "generals"]),
        (
            "global:\n  log:\n    level: info\n",
            &["line 3", "global.log.level"],
        ),
        (
            "global:\n  misc:\n    aux: ':1'\n",
            &["line 3", "global.misc.aux"],
        ),
        ("metric:\n  statsd: {}\n", &["line 2", "metric.statsd"]),
        (
            "general:\n  replay:\n    on: true\n",
            &["line 3", "general.replay.on"],
        ),
        (
            "general:\n  forgetting:\n    ttl: 1d\n",
            &["line 3", "general.forgetting.ttl"],
        ),
        (
            "general:\n  dispatches:\n  - name: a\n  - regex: a\n",
            &["line 4", "general.dispatches[1].regex"],
        ),
        (
            "general:\n  domainAliases:\n  - regex: a\n",
            &["line 3", "general.domainAliases[0].regex"],
        ),
        (
            "general:\n  managementSelectors:\n  - labels: {}\n",
            &["line 3", "general.managementSelectors[0].labels"],
        ),
        (
            "global:\n  log:\n    logRotateConfig:\n      maxSize: 1\n",
            &["line 4", "logRotateConfig.maxSize"],
        ),
        ("general: {enable: true}", &["general.enable"]),
        (
            "kind: SlimeBoot\napiVersion: config.netease.com/v1alpha1\nspec:\n  module:\n  - kind: lazyload\n    general:\n      autofence: true\n",
            &["line 7", "spec.module[0].general.autofence"],
        ),
    ] {
        refused(text, parts);
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_key_and_line() {
    for (text, parts) in [
        (
            "general:\n  requireIdentity: maybe\n",
            &["line 2", "general.requireIdentity"][..],
        ),
        (
            "general:\n  domainAliases:\n  - pattern: a\n    templates: b\n",
            &["line 4", "general.domainAliases[0].templates"],
        ),
        ("general:\n  firstRequest: wait\n", &["line 2", "hold"]),
        (
            "global:\n  istioRev: 1.10\n",
            &["line 2", "global.istioRev", "in quotes"],
        ),
        ("general: [a]", &["line 1", "general"]),
        ("[a, b]", &["mapping"]),
        ("general: {a: 1, a: 2}", &["line 1"]),
        ("general: [", &["line"]),
        ("general: {}\n---\nglobal: {}\n", &["2 YAML documents"]),
    ] {
        refused(text, parts);
    }
}

#[test]
fn a_value_without_sense_is_named_with_its_key_and_line() {
    for (keys, key) in [
        ("slimeNamespace: a.b", "global.slimeNamespace"),
        ("istioNamespace: A", "global.istioNamespace"),
        ("log: {logLevel: loud}", "global.log.logLevel"),
        (
            "log: {logRotate: true, logRotateConfig: {filePath: a.log}}",
            "global.log.logRotateConfig.filePath",
        ),
        ("misc: {aux-addr: here}", "global.misc.aux-addr"),
        ("misc: {logSourcePort: ':x'}", "global.misc.logSourcePort"),
        (
            "misc: {metricSourceType: kiali}",
            "global.misc.metricSourceType",
        ),
    ] {
        refused(&format!("\nglobal: {{{keys}}}\n"), &["line 2", key]);
    }
    for (keys, key) in [
        ("clusterDomain: ''", "clusterDomain"),
        ("trustDomain: a/b", "trustDomain"),
        ("reportAddr: '8082'", "reportAddr"),
        ("adminAddr: a:1", "adminAddr"),
        ("sidecarHosts: short", "sidecarHosts"),
        ("stableHost: [a.b, 'a b']", "stableHost[1]"),
        ("stableHost: [a.b, '*/*', './*', short]", "stableHost[3]"),
        ("stableHost: ['~/*']", "stableHost[0]"),
        ("stableHost: [10.0.0.1]", "stableHost[0]"),
        ("wormholePort: ['80', http]", "wormholePort[1]"),
        ("wormholePort: [0]", "wormholePort[0]"),
        ("autoPort: false", "autoPort"),
        ("metricSourceType: kiali", "metricSourceType"),
        ("clusterGsNamespace: a/b", "clusterGsNamespace"),
        ("fenceLabelKeyAlias: ':a'", "fenceLabelKeyAlias"),
        ("fenceLabelKeyAlias: 'a:B_'", "fenceLabelKeyAlias"),
        (
            "blackNamespaceList: a, whiteNamespaceList: b",
            "blackNamespaceList",
        ),
        (
            "managementSelectors: [{matchExpressions: [{key: a, operator: In}]}]",
            "managementSelectors[0].matchExpressions[0].operator",
        ),
        ("replay: { namespaces: [a/b] }", "replay.namespaces[0]"),
        ("replay: { proxyVersion: '' }", "replay.proxyVersion"),
        (
            "replay: { proxyVersion: '^1\\.(27' }",
            "replay.proxyVersion",
        ),
        ("replay: { proxyVersion: '1(?=2)' }", "replay.proxyVersion"),
        ("proxyVersion: '1(?=2)'", "general.proxyVersion"),
        (
            "proxyVersion: a, replay: {proxyVersion: b}",
            "replay.proxyVersion",
        ),
        ("replay: { plugin: '' }", "replay.plugin"),
        ("forgetting: {timeToLive: soon}", "forgetting.timeToLive"),
        ("forgetting: {timeToLive: 0s}", "forgetting.timeToLive"),
        (
            "forgetting: {longestTimeToLive: 1d}",
            "forgetting.longestTimeToLive",
        ),
        ("forgetting: {grace: 8d}", "forgetting.grace"),
        (
            "forgetting: {maxSharePercent: 0}",
            "forgetting.maxSharePercent",
        ),
        ("forgetting: {window: 0s}", "forgetting.window"),
    ] {
        refused(&format!("\ngeneral: {{{keys}}}\n"), &["line 2", key]);
    }
}

#[test]
fn a_dispatch_that_cannot_work_is_refused() {
    for (keys, parts) in [
        ("domains: [a], cluster: b", &["dispatches[0].name"][..]),
        ("name: a, domains: [a]", &["dispatches[0].cluster"]),
        ("name: a, cluster: b", &["dispatches[0]", "domainRegex"]),
        (
            "name: a, cluster: b, domains: [a, 'a.*.b']",
            &["dispatches[0].domains[1]"],
        ),
        (
            "name: a, domainRegex: 'a**', cluster: b",
            &["dispatches[0].domainRegex", "RE2"],
        ),
        (
            "name: a, cluster: b, domainRegex: 'a('",
            &["dispatches[0].domainRegex"],
        ),
        (
            "name: a, domains: [a], cluster: 'Passthrough Cluster'",
            &["dispatches[0].cluster", "blanks"],
        ),
        (
            "name: a, domains: [a], cluster: '{{ (print .Values.foo \".\" .Values.namespace ) }}'",
            &["dispatches[0].cluster", "Helm", "write what comes of it"],
        ),
    ] {
        refused(&format!("general: {{dispatches: [{{{keys}}}]}}"), parts);
    }
    refused(
        "general: {dispatches: [{name: a, domains: [a], cluster: b}, {name: a, domains: [c], cluster: b}]}",
        &["dispatches[1].name"],
    );
}
