//! A module as it is written: `{name, kind, enable, general, global, metric}`.

use serde::Deserialize;
use serde_norway::Value;

use super::{
    forgetting::ForgettingKeys, general_lists::*, global::GlobalKeys, replay::ReplayKeys,
    scalar::Scalar,
};
use crate::settings::Mode;

/// The lazyload module.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ModuleKeys {
    #[serde(rename = "name")]
    pub _name: Option<Scalar>,
    #[serde(rename = "kind")]
    pub _kind: Option<String>,
    #[serde(rename = "enable")]
    pub _enable: Option<bool>,
    pub mode: Option<Value>,
    pub bundle: Option<Value>,
    pub plugin: Option<Value>,
    pub limiter: Option<Value>,
    pub traffic_mark: Option<Value>,
    pub general: Option<GeneralKeys>,
    /// What `general` was called up to Slime 0.4.
    pub fence: Option<GeneralKeys>,
    pub global: Option<GlobalKeys>,
    pub metric: Option<MetricKeys>,
}

/// `general`: Slime's keys in the order of its `fence_module.proto`, then those that Slime does not have.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GeneralKeys {
    pub wormhole_port: Option<Vec<Scalar>>,
    pub auto_fence: Option<bool>,
    pub namespace: Option<Value>,
    pub dispatches: Option<Vec<DispatchKeys>>,
    pub domain_aliases: Option<Vec<AliasKeys>>,
    pub default_fence: Option<bool>,
    pub auto_port: Option<bool>,
    pub cluster_gs_namespace: Option<String>,
    pub fence_label_key_alias: Option<String>,
    pub enable_short_domain: Option<Value>,
    pub disable_ipv4_passthrough: Option<Value>,
    pub passthrough_by_default: Option<Value>,
    #[serde(rename = "supportH2")]
    pub support_h2: Option<bool>,
    pub add_env_header_via_lua: Option<Value>,
    pub global_sidecar_mode: Option<Value>,
    pub render: Option<Value>,
    pub metric_source_type: Option<Scalar>,
    pub cleanup_wormhole_port: Option<bool>,
    pub management_selectors: Option<Vec<SelectorKeys>>,
    pub black_namespace_list: Option<String>,
    pub white_namespace_list: Option<String>,
    pub proxy_version: Option<String>,
    pub stable_host: Option<Vec<String>>,

    pub cluster_domain: Option<String>,
    pub trust_domain: Option<String>,
    pub require_identity: Option<bool>,
    pub verify_pods: Option<bool>,
    pub report_addr: Option<Scalar>,
    pub admin_addr: Option<Scalar>,
    pub first_request: Option<Mode>,
    pub sidecar_hosts: Option<String>,
    pub forgetting: Option<ForgettingKeys>,
    pub replay: Option<ReplayKeys>,
}

/// `metric`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MetricKeys {
    pub prometheus: Option<Value>,
    pub k8s: Option<Value>,
}
