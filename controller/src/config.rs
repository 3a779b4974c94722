//! The configuration file: Slime's module configuration (`general`, `global`, `metric`), alone, in a list of modules or in a whole
//! `SlimeBoot` object, with the keys that Slime does not have beside its own.

mod address;
mod change;
mod checked;
mod document;
mod error;
mod forgetting;
mod general_lists;
mod global;
mod locate;
mod log;
mod module;
mod replay;
mod retired;
mod scalar;

pub use change::Change;
pub use error::ConfigError;
pub use log::{LogConfig, LogFile};
pub use replay::ReplayConfig;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use serde_norway::Value;

use crate::{
    settings::Mode,
    settings::{
        Alias, AutoFence, Dispatch, DispatchTo, Forgetting, PortRules, Revisions, ScopeForm,
        Settings,
    },
};
use error::Problem;
use general_lists::{DispatchRule, GLOBAL_SIDECAR};
use locate::KeyPath;
use module::ModuleKeys;

/// What the configuration file says, checked. Every key has a default.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Namespace of istiod (`global.istioNamespace`).
    pub istio_namespace: String,
    /// Namespace of this controller and of the placeholder (`global.slimeNamespace`).
    pub slime_namespace: String,
    /// DNS domain of the cluster (`clusterDomain`). Slime has `cluster.local` built in.
    pub cluster_domain: String,
    /// Where reports are taken (`reportAddr`).
    pub report_addr: SocketAddr,
    /// Where metrics and probes are served (`adminAddr`).
    pub admin_addr: SocketAddr,
    /// Refuse reports whose sender the mesh did not prove (`requireIdentity`).
    pub require_identity: bool,
    /// Trust domain of the mesh: senders of another one are refused (`trustDomain`).
    pub trust_domain: String,
    /// Take a workload's service account and labels from its pod at the API server instead of from its report (`verifyPods`).
    pub verify_pods: bool,
    /// What is logged and where to (`global.log`).
    pub log: LogConfig,
    service: String,
    stable_host: Vec<String>,
    scope_form: ScopeForm,
    auto_fence: AutoFence,
    revisions: Revisions,
    aliases: Vec<Alias>,
    dispatches: Vec<DispatchRule>,
    cluster_gs_namespace: Option<String>,
    forgetting: Forgetting,
    ports: PortRules,
    first_request: Mode,
    replay: ReplayConfig,
    warnings: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            istio_namespace: settings.istio_namespace,
            slime_namespace: settings.slime_namespace,
            cluster_domain: settings.cluster_domain,
            report_addr: (Ipv4Addr::UNSPECIFIED, 8082).into(),
            admin_addr: (Ipv4Addr::UNSPECIFIED, 8081).into(),
            require_identity: true,
            trust_domain: "cluster.local".to_owned(),
            verify_pods: true,
            log: LogConfig::default(),
            service: settings.workload_label,
            stable_host: settings.stable_hosts,
            // Slime has the other one, which costs istiod about three times as much for each host that is learned.
            scope_form: ScopeForm::Exact,
            auto_fence: settings.auto_fence,
            revisions: settings.revisions,
            aliases: settings.aliases,
            dispatches: Vec::new(),
            cluster_gs_namespace: None,
            forgetting: settings.forgetting,
            ports: settings.ports,
            first_request: settings.first_request,
            replay: ReplayConfig::default(),
            warnings: Vec::new(),
        }
    }
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

    /// Reads and checks `text`, which is what `path` holds.
    ///
    /// # Errors
    /// If it is not YAML, has a key that does not exist or a value that makes no sense.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut documents = Vec::new();
        for (index, document) in serde_norway::Deserializer::from_str(text).enumerate() {
            let document = Value::deserialize(document).map_err(|source| ConfigError::Syntax {
                path: path.to_owned(),
                source,
            })?;
            // A document of nothing but comments is the absence of wishes.
            if !document.is_null() {
                documents.push((index, document));
            }
        }
        let within = |problem: Problem, index| problem.within(path.to_owned(), text, index);
        match documents.len() {
            0 => Ok(Self::default()),
            1 => {
                let (index, document) = documents.remove(0);
                Self::of(document).map_err(|problem| within(problem, index))
            }
            count => Err(within(
                Problem::new(
                    "",
                    format!("there are {count} YAML documents: put the configuration alone"),
                ),
                0,
            )),
        }
    }

    fn of(document: Value) -> Result<Self, Problem> {
        let found = document::find(document)?;
        let older = found.module.get("fence").is_some();
        let module: ModuleKeys =
            serde_path_to_error::deserialize(found.module).map_err(|error| Problem {
                at: found.at.join(KeyPath::from(error.path())),
                text: error.into_inner().to_string(),
            })?;
        let defaults = Self {
            istio_namespace: (found.istio_namespace)
                .unwrap_or_else(|| Self::default().istio_namespace),
            slime_namespace: (found.slime_namespace)
                .unwrap_or_else(|| Self::default().slime_namespace),
            warnings: found.warnings,
            ..Self::default()
        };
        checked::checked(module, defaults).map_err(|mut problem| {
            if let (true, Some(locate::Step::Key(section))) = (older, problem.at.0.first_mut())
                && section == "general"
            {
                "fence".clone_into(section);
            }
            Problem {
                at: found.at.join(problem.at),
                text: problem.text,
            }
        })
    }

    /// What is stated and has no effect, or not the one that it has in Slime: a line each, for the operator.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What fences and what goes with them are computed from.
    pub fn settings(&self) -> Settings {
        Settings {
            istio_namespace: self.istio_namespace.clone(),
            slime_namespace: self.slime_namespace.clone(),
            cluster_domain: self.cluster_domain.clone(),
            workload_label: self.service.clone(),
            stable_hosts: self.stable_host.clone(),
            scope_form: self.scope_form,
            auto_fence: self.auto_fence.clone(),
            revisions: self.revisions.clone(),
            aliases: self.aliases.clone(),
            dispatches: self
                .dispatches
                .iter()
                .map(|rule| self.dispatch(rule))
                .collect(),
            forgetting: self.forgetting.clone(),
            ports: self.ports.clone(),
            first_request: self.first_request,
            replay: Arc::new(self.replay.replay(&self.istio_namespace)),
        }
    }

    fn dispatch(&self, rule: &DispatchRule) -> Dispatch {
        let namespace = self.cluster_gs_namespace.as_ref();
        Dispatch {
            name: rule.name.clone(),
            domains: rule.domains.clone(),
            domain_regex: rule.domain_regex.clone(),
            to: match rule.cluster.as_str() {
                GLOBAL_SIDECAR => DispatchTo::GlobalSidecar {
                    namespace: namespace.unwrap_or(&self.slime_namespace).clone(),
                },
                cluster => DispatchTo::Cluster(cluster.to_owned()),
            },
        }
    }

    /// How long a port that has vanished stays.
    pub fn port_quiet(&self) -> Duration {
        self.ports.quiet
    }
}

fn check_namespace(key: &str, namespace: &str) -> Result<(), Problem> {
    if !is_dns_name(namespace) || namespace.contains('.') {
        return Err(Problem::new(
            key,
            format!("{namespace:?} is not the name of a namespace"),
        ));
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
mod tests;
