//! The configurations of Slime's own tutorials, old and new.

use super::*;

#[track_caller]
fn warns(config: &Config, parts: &[&str]) {
    assert_eq!(
        config.warnings().len(),
        parts.len(),
        "{:?}",
        config.warnings()
    );
    for (warning, part) in config.warnings().iter().zip(parts) {
        assert!(warning.contains(part), "{part} in {warning}");
    }
}

fn mk_slimeboot(module: &str) -> String {
    format!(
        "apiVersion: config.netease.com/v1alpha1\nkind: SlimeBoot\nmetadata: {{name: lazyload, namespace: mesh-operator}}\nspec:\n  module:\n{module}"
    )
}

#[test]
fn the_modes_of_the_tutorial_start_with_a_warning_for_each_key_of_the_forwarder() {
    let prometheus = "metric: {prometheus: {address: 'http://p:9090', handlers: {destination: {query: 'sum(a)', type: Group}}}}";
    for (keys, parts) in [
        (
            "general: {wormholePort: ['9080']}, global: {misc: {globalSidecarMode: cluster, metricSourceType: accesslog}}"
                .to_owned(),
            &["globalSidecarMode", "metricSourceType"][..],
        ),
        (
            format!("general: {{wormholePort: ['9080']}}, global: {{misc: {{globalSidecarMode: cluster}}}}, {prometheus}"),
            &["globalSidecarMode", "metric.prometheus"],
        ),
        (
            "general: {wormholePort: ['9080'], namespace: [default]}, global: {misc: {metricSourceType: accesslog}}"
                .to_owned(),
            &["general.namespace", "metricSourceType"],
        ),
        (
            format!("general: {{wormholePort: ['9080'], namespace: [default]}}, {prometheus}"),
            &["general.namespace", "metric.prometheus"],
        ),
    ] {
        let module = format!("  - {{name: lazyload, kind: lazyload, enable: true, {keys}}}");
        let config = parse(&mk_slimeboot(&module)).unwrap();
        assert!(config.settings().ports.wormhole_ports.contains(&9080));
        warns(&config, parts);
    }
}

#[test]
fn the_older_section_and_the_older_keys_are_read() {
    for (misc, part) in [
        ("global-sidecar-mode: no", "global-sidecar-mode"),
        ("globalSidecarMode: no", "globalSidecarMode"),
        ("globalSidecarMode: false", "globalSidecarMode"),
        ("metric_source_type: accesslog", "metric_source_type"),
        ("enable-leader-election: 'off'", "enable-leader-election"),
        ("enableLeaderElection: off", "enableLeaderElection"),
    ] {
        let module = format!(
            "  - fence:\n      enable: true\n      wormholePort:\n      - \"9080\"\n    name: slime-fence\n    global: {{misc: {{{misc}}}}}"
        );
        let config = parse(&mk_slimeboot(&module)).unwrap();
        assert!(config.settings().ports.wormhole_ports.contains(&9080));
        warns(&config, &[part]);
    }
}

#[test]
fn a_mistake_in_the_older_section_is_named_by_the_older_name() {
    refused(
        "module:\n- fence:\n    wormholePort: [http]\n",
        &["line 3", "module[0].fence.wormholePort[0]"],
    );
}

#[test]
fn the_dispatches_of_the_tutorial_are_read_once_the_template_is_evaluated() {
    let mk_module = |cluster: &str| {
        format!(
            r#"
module:
  - name: lazyload
    kind: lazyload
    enable: true
    general:
      wormholePort: ["80", "8080"]
      dispatches:  # new field
      - name: 163
        domains: ["www.163.com"]
        cluster: "outbound|80||egress1.testns.svc.cluster.local"
      - name: baidu
        domains: ["*.baidu.com", "baidu.*"]
        cluster: "{cluster}"
      - name: sohu
        domains: ["*.sohu.com", "sodu.*"]
        cluster: "_GLOBAL_SIDECAR"
      - name: default
        domains: ["*"]
        cluster: "PassthroughCluster"
"#
        )
    };
    refused(
        &mk_module(r#"{{ (print .Values.foo \".\" .Values.namespace ) }}"#),
        &["line 14", "module[0].general.dispatches[1].cluster", "Helm"],
    );
    let config = parse(&mk_module("outbound|80||a.b.svc.cluster.local")).unwrap();
    warns(&config, &[]);
    let dispatches = config.settings().dispatches;
    let names: Vec<_> = dispatches.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["163", "baidu", "sohu", "default"]);
}

#[test]
fn the_alias_of_the_tutorial_is_read() {
    let config = parse(&mk_slimeboot(
        r"  - name: lazyload-test
    kind: lazyload
    enable: true
    general:
      domainAliases:
        - pattern: '(?P<service>[^\.]+)\.(?P<namespace>[^\.]+)\.svc\.cluster\.local$'
          templates:
            - '$namespace.$service.mailsaas'
",
    ))
    .unwrap();
    let [alias] = config.settings().aliases.try_into().unwrap();
    assert_eq!(alias.templates, ["$namespace.$service.mailsaas"]);
    assert!(alias.pattern.starts_with("(?P<service>"));
}

#[test]
fn the_log_file_of_the_tutorial_is_read() {
    let module = "  - name: lazyload
    enable: true
    fence: {wormholePort: ['9080']}
    global:
      log:
        logRotate: true
        logRotateConfig: {filePath: /tmp/log/slime.log, maxSizeMB: 100, maxBackups: 10, maxAgeDay: 10, compress: true}
  volumes: [{name: lazyload-storage, persistentVolumeClaim: {claimName: lazyload-claim}}]
  containers: {slime: {volumeMounts: [{mountPath: /tmp/log, name: lazyload-storage}]}}";
    let config = parse(&mk_slimeboot(module)).unwrap();
    assert_eq!(config.log.file, Some(LogFile::default()));
    warns(&config, &["spec.volumes and spec.containers are not read"]);
}

#[test]
fn every_key_without_effect_is_named_once_and_with_a_reason() {
    let general = "namespace: [a], globalSidecarMode: cluster, render: lazyload, disableIpv4Passthrough: true,
        addEnvHeaderViaLua: true, enableShortDomain: true, passthroughByDefault: true, clusterGsNamespace: a, metricSourceType: accesslog";
    let global = "configRev: a, deployRev: a, configSources: [{address: 'xds://a'}], istioConfigSource: a, masterUrl: a,
        clientGoTokenBucket: {qps: 1, burst: 2}, enableConvertSeToIstioRes: true, multicluster: true, log: {klogLevel: 5, logRotateConfig: {}}";
    let misc = "metrics-addr: ':8080', enableLeaderElection: 'on', globalSidecarMode: no, metricSourceType: prometheus,
        seLabelSelectorKeys: app, xdsSourceEnableIncPush: 'true', pathRedirect: ''";
    let config = parse(&format!(
        "{{plugin: {{}}, limiter: {{}}, trafficMark: {{}}, general: {{{general}}}, global: {{{global}, misc: {{{misc}}}}}, metric: {{prometheus: {{}}, k8s: {{}}}}}}"
    ))
    .unwrap();
    let keys = [
        "plugin",
        "limiter",
        "trafficMark",
        "general.namespace",
        "general.globalSidecarMode",
        "general.render",
        "general.disableIpv4Passthrough",
        "general.addEnvHeaderViaLua",
        "general.enableShortDomain",
        "general.passthroughByDefault",
        "general.clusterGsNamespace",
        "general.metricSourceType",
        "global.configRev",
        "global.deployRev",
        "global.configSources",
        "global.istioConfigSource",
        "global.masterUrl",
        "global.clientGoTokenBucket",
        "global.enableConvertSeToIstioRes",
        "global.multicluster",
        "global.log.klogLevel",
        "global.log.logRotateConfig",
        "global.misc.metrics-addr",
        "global.misc.enableLeaderElection",
        "global.misc.globalSidecarMode",
        "global.misc.metricSourceType",
        "global.misc.seLabelSelectorKeys",
        "global.misc.xdsSourceEnableIncPush",
        "global.misc.pathRedirect",
        "metric.prometheus",
        "metric.k8s",
    ];
    for key in keys {
        let start = format!("{key} has no effect: ");
        let found = config
            .warnings()
            .iter()
            .filter(|warning| warning.starts_with(&start));
        assert_eq!(found.count(), 1, "{key} in {:#?}", config.warnings());
    }
    assert_eq!(config.warnings().len(), keys.len());
    assert_eq!(
        config.settings(),
        Config {
            cluster_gs_namespace: None,
            ..Config::default()
        }
        .settings()
    );
}

#[test]
fn the_namespace_of_the_forwarder_counts_where_a_dispatch_goes_to_it() {
    let config = parse(
        "general: {clusterGsNamespace: a, dispatches: [{name: d, domains: [b], cluster: _GLOBAL_SIDECAR}]}",
    )
    .unwrap();
    warns(&config, &[]);
}
