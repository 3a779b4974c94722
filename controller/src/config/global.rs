//! `global` as it is written: what Slime's modules have in common.

use serde::Deserialize;
use serde_norway::Value;

use super::scalar::Scalar;

/// `global`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GlobalKeys {
    pub service: Option<String>,
    pub istio_namespace: Option<String>,
    pub slime_namespace: Option<String>,
    pub log: Option<LogKeys>,
    pub istio_rev: Option<Scalar>,
    pub strict_rev: Option<bool>,
    pub self_resource_rev: Option<Scalar>,
    pub misc: Option<MiscKeys>,

    pub config_rev: Option<Value>,
    pub deploy_rev: Option<Value>,
    pub config_sources: Option<Value>,
    pub istio_config_source: Option<Value>,
    pub master_url: Option<Value>,
    pub client_go_token_bucket: Option<Value>,
    pub enable_convert_se_to_istio_res: Option<Value>,
    pub multicluster: Option<Value>,
}

/// `global.log`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogKeys {
    pub log_level: Option<String>,
    pub klog_level: Option<Value>,
    pub log_rotate: Option<bool>,
    pub log_rotate_config: Option<LogRotateKeys>,
}

/// `global.log.logRotateConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogRotateKeys {
    pub file_path: Option<String>,
    #[serde(rename = "maxSizeMB")]
    pub max_size_mb: Option<u32>,
    pub max_backups: Option<u32>,
    pub max_age_day: Option<u32>,
    pub compress: Option<bool>,
}

/// `global.misc`, in both generations of its names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MiscKeys {
    #[serde(rename = "aux-addr")]
    pub aux_addr: Option<Scalar>,
    #[serde(alias = "log_source_port", alias = "log-source-port")]
    pub log_source_port: Option<Scalar>,

    #[serde(rename = "metrics-addr")]
    pub metrics_addr: Option<Value>,
    #[serde(rename = "enableLeaderElection")]
    pub enable_leader_election: Option<Value>,
    #[serde(rename = "enable-leader-election")]
    pub older_enable_leader_election: Option<Value>,
    #[serde(rename = "globalSidecarMode")]
    pub global_sidecar_mode: Option<Value>,
    #[serde(rename = "global-sidecar-mode")]
    pub older_global_sidecar_mode: Option<Value>,
    #[serde(rename = "metricSourceType")]
    pub metric_source_type: Option<Scalar>,
    #[serde(rename = "metric_source_type")]
    pub older_metric_source_type: Option<Scalar>,
    pub se_label_selector_keys: Option<Value>,
    pub xds_source_enable_inc_push: Option<Value>,
    pub path_redirect: Option<Value>,
}
