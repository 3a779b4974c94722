//! What a changed file changes while the controller runs.

use super::{Config, LogConfig};

/// What comes of a new configuration.
#[derive(Debug)]
pub struct Change {
    /// The configuration that holds from now on.
    pub next: Config,
    /// Keys that the file has changed and that hold from the next start on.
    pub needs_restart: Vec<&'static str>,
}

impl Config {
    /// What comes of it if the file says `wished` now and this was in force.
    pub fn becoming(&self, wished: Self) -> Change {
        let needs_restart = [
            (
                self.istio_namespace != wished.istio_namespace,
                "global.istioNamespace",
            ),
            (
                self.slime_namespace != wished.slime_namespace,
                "global.slimeNamespace",
            ),
            (
                self.cluster_domain != wished.cluster_domain,
                "general.clusterDomain",
            ),
            (
                self.trust_domain != wished.trust_domain,
                "general.trustDomain",
            ),
            (
                self.require_identity != wished.require_identity,
                "general.requireIdentity",
            ),
            (self.verify_pods != wished.verify_pods, "general.verifyPods"),
            (
                self.report_addr != wished.report_addr,
                "general.reportAddr (global.misc.logSourcePort)",
            ),
            (
                self.admin_addr != wished.admin_addr,
                "general.adminAddr (global.misc.aux-addr)",
            ),
            (self.log.file != wished.log.file, "global.log.logRotate"),
        ];
        let next = Self {
            istio_namespace: self.istio_namespace.clone(),
            slime_namespace: self.slime_namespace.clone(),
            cluster_domain: self.cluster_domain.clone(),
            trust_domain: self.trust_domain.clone(),
            require_identity: self.require_identity,
            verify_pods: self.verify_pods,
            report_addr: self.report_addr,
            admin_addr: self.admin_addr,
            log: LogConfig {
                level: wished.log.level,
                file: self.log.file.clone(),
            },
            ..wished
        };
        Change {
            next,
            needs_restart: needs_restart
                .into_iter()
                .filter_map(|(is_changed, key)| is_changed.then_some(key))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn mk_config(text: &str) -> Config {
        Config::parse(text, Path::new("lazyload.yaml")).unwrap()
    }

    #[test]
    fn what_can_change_while_the_controller_runs_does() {
        let text = "
global: {service: a, istioRev: r, selfResourceRev: s, log: {logLevel: debug}}
general: {stableHost: [a.b], sidecarHosts: compatible, autoFence: true, domainAliases: [{pattern: a}], firstRequest: adaptive,
  dispatches: [{name: a, domains: [b], cluster: c}], forgetting: {enabled: true}, wormholePort: [80], replay: {plugin: p}}";
        let wished = mk_config(text);
        let change = Config::default().becoming(wished.clone());
        assert_eq!(change.needs_restart, [""; 0]);
        assert_eq!(change.next, wished);
    }

    #[test]
    fn what_needs_a_restart_keeps_its_value_and_so_does_what_follows_from_it() {
        let default = Config::default();
        for (text, key) in [
            ("global: {istioNamespace: a}", "global.istioNamespace"),
            ("global: {slimeNamespace: a}", "global.slimeNamespace"),
            ("general: {clusterDomain: a}", "general.clusterDomain"),
            ("general: {trustDomain: a}", "general.trustDomain"),
            (
                "general: {requireIdentity: false}",
                "general.requireIdentity",
            ),
            ("general: {verifyPods: false}", "general.verifyPods"),
            (
                "general: {reportAddr: ':1'}",
                "general.reportAddr (global.misc.logSourcePort)",
            ),
            (
                "global: {misc: {aux-addr: ':1'}}",
                "general.adminAddr (global.misc.aux-addr)",
            ),
            ("global: {log: {logRotate: true}}", "global.log.logRotate"),
        ] {
            let change = default.becoming(mk_config(text));
            assert_eq!(change.needs_restart, [key]);
            assert_eq!(change.next, default, "{text}");
            assert_eq!(change.next.settings(), default.settings(), "{text}");
        }
    }
}
