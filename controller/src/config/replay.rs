//! The part of the configuration that is about replaying held requests.

use std::{collections::BTreeSet, time::Duration};

use regex::Regex;
use serde::Deserialize;

use super::Config;
use crate::{fence::ObjectRef, replay::Replay};

/// Longest regular expression that istiod takes; a longer one it would ignore.
const MAX_VERSION_BYTES: usize = 1_024;
/// Istio 1.27 and newer. What has no number (a build of somebody's own) is left alone.
const SUPPORTED_VERSIONS: &str = r"^(1\.(2[7-9]|[3-9]\d|[1-9]\d{2,})|([2-9]|[1-9]\d+)\.\d+)\b";

/// `replay`: the EnvoyFilter through which held requests are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
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

impl ReplayConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        for namespace in &self.namespaces {
            super::check_namespace("replay.namespaces", namespace)?;
        }
        let version = &self.proxy_version;
        if version.is_empty() || version.len() > MAX_VERSION_BYTES {
            return Err((
                "replay.proxyVersion",
                format!("a regular expression of 1 to {MAX_VERSION_BYTES} bytes is needed"),
            ));
        }
        // istiod would take no notice of one that it cannot read, and patch every proxy, whatever its version.
        if let Err(error) = Regex::new(version) {
            return Err((
                "replay.proxyVersion",
                format!("{version:?} is not a regular expression: {error}"),
            ));
        }
        if !super::is_dns_name(&self.plugin) {
            return Err((
                "replay.plugin",
                format!("{:?} is not the name of a WasmPlugin", self.plugin),
            ));
        }
        Ok(())
    }
}

impl Config {
    /// What every replay EnvoyFilter has in common, and where they stand.
    pub fn replay(&self) -> Replay {
        let root = &self.istio_namespace;
        let namespaces = match (self.replay.enabled, self.replay.namespaces.as_slice()) {
            (false, _) => BTreeSet::new(),
            (true, []) => BTreeSet::from([root.clone()]),
            (true, named) => named.iter().cloned().collect(),
        };
        Replay {
            namespaces,
            root_namespace: root.clone(),
            proxy_version: self.replay.proxy_version.clone(),
            plugin: ObjectRef::new(root.as_str(), self.replay.plugin.as_str()),
        }
    }

    /// How long a port that has vanished stays.
    pub fn port_quiet(&self) -> Duration {
        Duration::from_secs(self.replay.port_quiet_seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_below_the_floor_and_those_without_a_number_are_left_alone() {
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
