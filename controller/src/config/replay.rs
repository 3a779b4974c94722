//! The part of the configuration that is about replaying held requests.

use std::{collections::BTreeSet, time::Duration};

use serde::Deserialize;

use super::error::Problem;
use crate::{dispatch::check_expression, fence::ObjectRef, settings::Replay};

/// Longest regular expression that istiod takes; a longer one it would ignore.
const MAX_VERSION_BYTES: usize = 1_024;
/// Istio 1.27 and newer. What has no number (a build of somebody's own) is left alone.
const SUPPORTED_VERSIONS: &str = r"^(1\.(2[7-9]|[3-9]\d|[1-9]\d{2,})|([2-9]|[1-9]\d+)\.\d+)\b";

/// `replay` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReplayKeys {
    enabled: Option<bool>,
    namespaces: Option<Vec<String>>,
    proxy_version: Option<String>,
    plugin: Option<String>,
    port_quiet_seconds: Option<u32>,
}

/// `replay`: the EnvoyFilter through which held requests are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayConfig {
    /// Whether there is one at all; without it no request is held, and the plugin runs on hits too.
    pub enabled: bool,
    /// Namespaces that get one each, instead of one in the root namespace for the whole mesh.
    pub namespaces: Vec<String>,
    /// Regular expression (RE2) of the proxy versions that it applies to.
    pub proxy_version: String,
    /// Name of the WasmPlugin in the root namespace.
    pub plugin: String,
    /// How long no port may have vanished before those that have are taken out.
    pub port_quiet_seconds: u32,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            namespaces: Vec::new(),
            proxy_version: SUPPORTED_VERSIONS.to_owned(),
            plugin: "lazyload".to_owned(),
            port_quiet_seconds: 300,
        }
    }
}

impl ReplayKeys {
    /// What is meant; `proxy_version` is what `general` says of it, where Slime has it.
    pub(super) fn checked(self, proxy_version: Option<String>) -> Result<ReplayConfig, Problem> {
        let default = ReplayConfig::default();
        if let (Some(here), Some(there)) = (&self.proxy_version, &proxy_version)
            && here != there
        {
            return Err(Problem::new(
                "general.replay.proxyVersion",
                "general.proxyVersion is the same and says something else: keep one of them",
            ));
        }
        let version_key = match (&self.proxy_version, &proxy_version) {
            (None, Some(_)) => "general.proxyVersion",
            _ => "general.replay.proxyVersion",
        };
        let config = ReplayConfig {
            enabled: self.enabled.unwrap_or(default.enabled),
            namespaces: self.namespaces.unwrap_or_default(),
            proxy_version: self
                .proxy_version
                .or(proxy_version)
                .unwrap_or(default.proxy_version),
            plugin: self.plugin.unwrap_or(default.plugin),
            port_quiet_seconds: self
                .port_quiet_seconds
                .unwrap_or(default.port_quiet_seconds),
        };
        config.check(version_key)?;
        Ok(config)
    }
}

impl ReplayConfig {
    fn check(&self, version_key: &str) -> Result<(), Problem> {
        for (index, namespace) in self.namespaces.iter().enumerate() {
            super::check_namespace(&format!("general.replay.namespaces[{index}]"), namespace)?;
        }
        let version = &self.proxy_version;
        if version.is_empty() || version.len() > MAX_VERSION_BYTES {
            return Err(Problem::new(
                version_key,
                format!("a regular expression of 1 to {MAX_VERSION_BYTES} bytes is needed"),
            ));
        }
        // istiod would take no notice of one that it cannot read, and patch every proxy, whatever its version.
        if let Err(error) = check_expression(version) {
            return Err(Problem::new(
                version_key,
                format!("{version:?} cannot be used as a regular expression (RE2): {error}"),
            ));
        }
        if !super::is_dns_name(&self.plugin) {
            return Err(Problem::new(
                "general.replay.plugin",
                format!("{:?} is not the name of a WasmPlugin", self.plugin),
            ));
        }
        Ok(())
    }

    /// How long a port that has vanished stays.
    pub(super) fn port_quiet(&self) -> Duration {
        Duration::from_secs(self.port_quiet_seconds.into())
    }

    /// What every replay EnvoyFilter has in common, and where they stand; `root` is Istio's root namespace.
    pub(super) fn replay(&self, root: &str) -> Replay {
        let named: BTreeSet<String> = self.namespaces.iter().cloned().collect();
        let namespaces = match (self.enabled, named.is_empty()) {
            (false, _) => BTreeSet::new(),
            (true, true) => BTreeSet::from([root.to_owned()]),
            (true, false) => named.clone(),
        };
        Replay {
            namespaces,
            named,
            root_namespace: root.to_owned(),
            proxy_version: self.proxy_version.clone(),
            plugin: ObjectRef::new(root, self.plugin.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn versions_below_the_floor_and_those_without_a_number_are_left_alone() {
        assert_eq!(check_expression(SUPPORTED_VERSIONS), Ok(()));
        let supported = Regex::new(SUPPORTED_VERSIONS).unwrap();
        for version in [
            "1.27.0",
            "1.27-dev",
            "1.30.0-beta.1",
            "1.32-alpha.eed52e",
            "1.100.2",
            "2.0.1",
            "10.1",
        ] {
            assert!(supported.is_match(version), "{version}");
        }
        for version in [
            "1.26.9", "1.9.0", "1.2.7", "1.3", "0.27", "master", "", "x1.30.0",
        ] {
            assert!(!supported.is_match(version), "{version}");
        }
    }
}
