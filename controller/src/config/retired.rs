//! Keys that are accepted and have no effect, each with the reason and what to do.

use serde_norway::Value;

use super::{document::listed, error::Problem, global::*, module::*, scalar::Scalar};

const NO_FORWARDER: &str = "there is no forwarder (global-sidecar); take it out";
const ONE_SOURCE: &str = "objects come from the API server that the controller's own kubeconfig or service account names; take it out";
const OTHER_MODULES: &str = "it is about another module of Slime's; take it out";

/// Says of every key without effect that is stated why it has none.
///
/// # Errors
/// If a `metricSourceType` is none of Slime's.
pub(super) fn retired(
    module: &ModuleKeys,
    general: &GeneralKeys,
    uses_forwarder: bool,
) -> Result<Vec<String>, Problem> {
    let mut warnings = Vec::new();
    let mut say = |is_stated: bool, key: &str, why: &str| {
        if is_stated {
            warnings.push(format!("{key} has no effect: {why}"));
        }
    };
    say(module.plugin.is_some(), "plugin", OTHER_MODULES);
    say(module.limiter.is_some(), "limiter", OTHER_MODULES);
    say(module.traffic_mark.is_some(), "trafficMark", OTHER_MODULES);
    of_general(general, uses_forwarder, &mut say);
    if let Some(global) = &module.global {
        of_global(global, &mut say);
    }
    if let Some(metric) = &module.metric {
        let why =
            "sidecars report their misses themselves, so nothing is asked for metrics; take it out";
        say(metric.prometheus.is_some(), "metric.prometheus", why);
        say(metric.k8s.is_some(), "metric.k8s", why);
    }
    metric_sources(module, general, &mut say)?;
    Ok(warnings)
}

fn of_general(general: &GeneralKeys, uses_forwarder: bool, say: &mut impl FnMut(bool, &str, &str)) {
    let mut say = |value: &Option<Value>, key: &str, why: &str| {
        say(value.is_some(), &format!("general.{key}"), why);
    };
    say(
        &general.namespace,
        "namespace",
        "it says where forwarders stand, and there are none; fences work in every namespace, and whiteNamespaceList limits autoFence",
    );
    say(
        &general.global_sidecar_mode,
        "globalSidecarMode",
        NO_FORWARDER,
    );
    say(&general.render, "render", NO_FORWARDER);
    say(
        &general.disable_ipv4_passthrough,
        "disableIpv4Passthrough",
        "Slime does not read it either; take it out",
    );
    say(
        &general.add_env_header_via_lua,
        "addEnvHeaderViaLua",
        "no header is needed: a report says which pod it is from; take it out",
    );
    say(
        &general.enable_short_domain,
        "enableShortDomain",
        "a full host makes its short names visible too; take it out",
    );
    say(
        &general.passthrough_by_default,
        "passthroughByDefault",
        "requests to unknown hosts always go where the mesh sends them (outboundTrafficPolicy); take it out",
    );
    let gs_namespace = general
        .cluster_gs_namespace
        .clone()
        .filter(|_| !uses_forwarder);
    say(
        &gs_namespace.map(Value::String),
        "clusterGsNamespace",
        "no dispatch goes to _GLOBAL_SIDECAR; take it out",
    );
}

fn of_global(global: &GlobalKeys, say: &mut impl FnMut(bool, &str, &str)) {
    let mut say = |value: &Option<Value>, key: &str, why: &str| {
        say(value.is_some(), &format!("global.{key}"), why);
    };
    let one_cluster = "one controller serves one cluster; run one in each, and take it out";
    let revisions = "istioRev says which objects are the controller's, selfResourceRev what its own carry; use these";
    say(&global.config_rev, "configRev", revisions);
    say(&global.deploy_rev, "deployRev", revisions);
    say(&global.config_sources, "configSources", ONE_SOURCE);
    say(&global.istio_config_source, "istioConfigSource", ONE_SOURCE);
    say(&global.master_url, "masterUrl", ONE_SOURCE);
    say(
        &global.client_go_token_bucket,
        "clientGoTokenBucket",
        "only what has changed is written, and failures wait longer each time; take it out",
    );
    say(
        &global.enable_convert_se_to_istio_res,
        "enableConvertSeToIstioRes",
        ONE_SOURCE,
    );
    say(&global.multicluster, "multicluster", one_cluster);
    if let Some(log) = &global.log {
        say(
            &log.klog_level,
            "log.klogLevel",
            "there is no klog; say logLevel, or more in LAZYLOAD_LOG",
        );
    }
    let Some(misc) = &global.misc else {
        return;
    };
    let election = "replicas always elect the one that writes, by a Lease; take it out";
    for (value, key, why) in [
        (
            &misc.metrics_addr,
            "metrics-addr",
            "metrics are served on general.adminAddr; take it out",
        ),
        (
            &misc.enable_leader_election,
            "enableLeaderElection",
            election,
        ),
        (
            &misc.older_enable_leader_election,
            "enable-leader-election",
            election,
        ),
        (&misc.global_sidecar_mode, "globalSidecarMode", NO_FORWARDER),
        (
            &misc.older_global_sidecar_mode,
            "global-sidecar-mode",
            NO_FORWARDER,
        ),
        (
            &misc.se_label_selector_keys,
            "seLabelSelectorKeys",
            ONE_SOURCE,
        ),
        (
            &misc.xds_source_enable_inc_push,
            "xdsSourceEnableIncPush",
            ONE_SOURCE,
        ),
        (
            &misc.path_redirect,
            "pathRedirect",
            "the admin port has one place for everything; take it out",
        ),
    ] {
        say(value, &format!("misc.{key}"), why);
    }
}

fn metric_sources(
    module: &ModuleKeys,
    general: &GeneralKeys,
    say: &mut impl FnMut(bool, &str, &str),
) -> Result<(), Problem> {
    let misc = module
        .global
        .as_ref()
        .and_then(|global| global.misc.as_ref());
    for (value, key) in [
        (&general.metric_source_type, "general.metricSourceType"),
        (
            &misc.and_then(|misc| misc.metric_source_type.clone()),
            "global.misc.metricSourceType",
        ),
        (
            &misc.and_then(|misc| misc.older_metric_source_type.clone()),
            "global.misc.metric_source_type",
        ),
    ] {
        match value.as_ref().map(|Scalar(value)| value.as_str()) {
            None | Some("") => {}
            Some("accesslog" | "prometheus") => say(
                true,
                key,
                "sidecars report their misses themselves, at once; take it out",
            ),
            Some(other) => {
                return Err(Problem::new(
                    key,
                    format!(
                        "{other:?} is no source of Slime's (accesslog, prometheus); take it out"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Warns of a bundle's traces in one line.
pub(super) fn bundle(module: &ModuleKeys) -> Option<String> {
    let keys: Vec<String> = [("mode", &module.mode), ("bundle", &module.bundle)]
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|(key, _)| key.to_owned())
        .collect();
    (!keys.is_empty()).then(|| {
        format!(
            "{} not read: this controller is lazyload alone",
            listed(&keys)
        )
    })
}
