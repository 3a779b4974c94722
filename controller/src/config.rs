//! The configuration file.

mod replay;

pub use replay::ReplayConfig;

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use thiserror::Error;

use crate::{
    first_request::Mode,
    settings::{PortRules, Settings},
};

/// What the configuration file says. Every key has a default; an unknown key is an error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Namespace of istiod (Slime's `global.istioNamespace`).
    pub istio_namespace: String,
    /// Namespace of this controller and of the placeholder (Slime's `global.slimeNamespace`).
    pub slime_namespace: String,
    /// DNS domain of the cluster. Slime has `cluster.local` built in.
    pub cluster_domain: String,
    /// Label whose value is a fence's name, for fences without a workload selector (Slime's `global.service`).
    pub service: String,
    /// Hosts, or `<namespace>/*`, that every fenced workload sees.
    pub stable_host: Vec<String>,
    /// Where reports are taken.
    pub report_addr: SocketAddr,
    /// Where metrics and probes are served.
    pub admin_addr: SocketAddr,
    /// Refuse reports whose sender the mesh did not prove.
    pub require_identity: bool,
    /// Trust domain of the mesh: senders of another one are refused.
    pub trust_domain: String,
    /// Take a workload's service account and labels from its pod at the API server instead of from its report.
    pub verify_pods: bool,
    /// What first requests do, where fences say nothing.
    pub first_request: Mode,
    /// The EnvoyFilter through which held requests are sent.
    pub replay: ReplayConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            istio_namespace: "istio-system".to_owned(),
            slime_namespace: "mesh-operator".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            service: "app".to_owned(),
            stable_host: Vec::new(),
            report_addr: (Ipv4Addr::UNSPECIFIED, 8082).into(),
            admin_addr: (Ipv4Addr::UNSPECIFIED, 8081).into(),
            require_identity: true,
            trust_domain: "cluster.local".to_owned(),
            verify_pods: true,
            first_request: Mode::default(),
            replay: ReplayConfig::default(),
        }
    }
}

/// Why the configuration cannot be used. The text names the file and, where there is one, the line and the key.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is not YAML of the right shape.
    #[error("configuration file {}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Key, line and column.
        source: serde_norway::Error,
    },
    /// A value has the right type but makes no sense.
    #[error("configuration file {}: {key}: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
}

impl Config {
    /// Reads and checks `path`.
    ///
    /// # Errors
    /// If the file cannot be read, has a key that does not exist or a value that makes no sense.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        // A file of nothing but comments is the absence of wishes, not a null.
        let config: Option<Self> =
            serde_norway::from_str(text).map_err(|source| ConfigError::Parse {
                path: path.to_owned(),
                source,
            })?;
        let config = config.unwrap_or_default();
        config
            .check()
            .map_err(|(key, problem)| ConfigError::Value {
                path: path.to_owned(),
                key,
                problem,
            })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        for (key, namespace) in [
            ("istioNamespace", &self.istio_namespace),
            ("slimeNamespace", &self.slime_namespace),
        ] {
            check_namespace(key, namespace)?;
        }
        for (key, domain) in [
            ("clusterDomain", &self.cluster_domain),
            ("trustDomain", &self.trust_domain),
        ] {
            if !is_dns_name(domain) {
                return Err((key, format!("{domain:?} is not a DNS domain")));
            }
        }
        if self.service.is_empty() {
            return Err(("service", "a label key is needed".to_owned()));
        }
        for host in &self.stable_host {
            let name = host
                .strip_suffix("/*")
                .unwrap_or_else(|| host.strip_prefix("*.").unwrap_or(host));
            if !is_dns_name(name) {
                return Err((
                    "stableHost",
                    format!("{host:?} is neither a host nor <namespace>/*"),
                ));
            }
        }
        self.replay.check()
    }

    /// What fences and what goes with them are computed from.
    pub fn settings(&self) -> Settings {
        Settings {
            istio_namespace: self.istio_namespace.clone(),
            slime_namespace: self.slime_namespace.clone(),
            cluster_domain: self.cluster_domain.clone(),
            workload_label: self.service.clone(),
            stable_hosts: self.stable_host.clone(),
            ports: PortRules {
                quiet: self.port_quiet(),
                ..PortRules::default()
            },
            first_request: self.first_request,
            replay: Arc::new(self.replay()),
            ..Settings::default()
        }
    }
}

fn check_namespace(key: &'static str, namespace: &str) -> Result<(), (&'static str, String)> {
    if !is_dns_name(namespace) || namespace.contains('.') {
        return Err((key, format!("{namespace:?} is not the name of a namespace")));
    }
    Ok(())
}

fn is_dns_name(name: &str) -> bool {
    name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("lazyload.yaml")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        assert_eq!(parse(""), Ok(Config::default()));
        assert_eq!(parse("# nothing\n"), Ok(Config::default()));
    }

    #[test]
    fn the_shipped_configuration_states_the_defaults() {
        let shipped = include_str!("../../manifests/base/config.yaml");
        assert_eq!(parse(shipped), Ok(Config::default()));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file_and_line() {
        let error = parse("istioNamespace: a\nstableHosts: []\n").unwrap_err();
        for part in ["lazyload.yaml", "stableHosts", "line 2"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_key_and_line() {
        let error = parse("service: app\nrequireIdentity: maybe\n").unwrap_err();
        for part in ["lazyload.yaml", "requireIdentity", "line 2"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn replaying_is_for_the_whole_mesh_or_for_named_namespaces_or_off() {
        for (text, namespaces) in [
            ("istioNamespace: root", &["root"][..]),
            ("replay: { namespaces: [b, a] }", &["a", "b"]),
            ("replay: { namespaces: [a], enabled: false }", &[]),
        ] {
            let replay = parse(text).unwrap().replay();
            assert!(replay.namespaces.iter().eq(namespaces), "{text}");
        }
    }

    #[test]
    fn a_value_without_sense_is_named_with_its_key() {
        for (text, key) in [
            ("slimeNamespace: a.b", "slimeNamespace"),
            ("clusterDomain: ''", "clusterDomain"),
            ("trustDomain: a/b", "trustDomain"),
            ("service: ''", "service"),
            ("stableHost: ['a b']", "stableHost"),
            ("replay: { namespaces: [a/b] }", "replay.namespaces"),
            ("replay: { proxyVersion: '' }", "replay.proxyVersion"),
            (
                "replay: { proxyVersion: '^1\\.(27' }",
                "replay.proxyVersion",
            ),
            ("replay: { proxyVersion: '1(?=2)' }", "replay.proxyVersion"),
            ("replay: { plugin: '' }", "replay.plugin"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                error.contains(key) && error.contains("lazyload.yaml"),
                "{error}"
            );
        }
    }
}
