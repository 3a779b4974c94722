//! Whether a host is reached as it should be only through the mesh.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{HostRules, PeerPolicy, peers::is_strict, selects::may_select};
use crate::fence::{Labels, ObjectRef};

/// What asks for holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The mode.
    Configured,
    /// The mesh lets nothing out that it does not know.
    RegistryOnly,
    /// The host's pods may refuse plain text.
    StrictMtls,
    /// A VirtualService of the host.
    VirtualService(ObjectRef),
    /// A DestinationRule of the host.
    DestinationRule(ObjectRef),
    /// An AuthorizationPolicy that may ask who is calling.
    AuthorizationPolicy(ObjectRef),
    /// A ServiceEntry that says more than that the host is outside and reached as it is called.
    ServiceEntry(ObjectRef),
    /// A kind of rule that the controller may not see (plural name).
    Unreadable(&'static str),
}

impl Need {
    /// The need as the metric's label.
    pub fn metric_label(&self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::RegistryOnly => "registry_only",
            Self::StrictMtls => "strict_mtls",
            Self::VirtualService(_) => "virtual_service",
            Self::DestinationRule(_) => "destination_rule",
            Self::AuthorizationPolicy(_) => "authorization_policy",
            Self::ServiceEntry(_) => "service_entry",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => f.write_str("firstRequest is hold"),
            Self::RegistryOnly => f.write_str("outboundTrafficPolicy is REGISTRY_ONLY"),
            Self::StrictMtls => f.write_str("a PeerAuthentication is STRICT"),
            Self::VirtualService(name) => write!(f, "VirtualService {name}"),
            Self::DestinationRule(name) => write!(f, "DestinationRule {name}"),
            Self::AuthorizationPolicy(name) => write!(f, "AuthorizationPolicy {name}"),
            Self::ServiceEntry(name) => write!(f, "ServiceEntry {name}"),
            Self::Unreadable(kind) => write!(f, "the controller may not list {kind}"),
        }
    }
}

/// What the mesh configuration says about hosts and their pods.
#[derive(Debug, Default)]
pub struct MeshRules {
    /// VirtualServices of sidecars.
    pub virtual_services: HostRules,
    /// DestinationRules.
    pub destination_rules: HostRules,
    /// PeerAuthentications.
    pub peer_policies: BTreeMap<ObjectRef, PeerPolicy>,
    /// Selectors of AuthorizationPolicies.
    pub authorization_policies: BTreeMap<ObjectRef, Labels>,
    /// Kinds (plural names) that the controller may not see: what they say of a host is not known.
    pub unreadable: BTreeSet<&'static str>,
}

/// A host that a pod of the namespace `from` calls.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The host, which may have a wildcard.
    pub host: &'a str,
    /// Namespace of the caller.
    pub from: &'a str,
    /// Namespace and selector of the Service that the host is; a host of a ServiceEntry has no pods that are known.
    pub service: Option<(&'a str, &'a Labels)>,
    /// The ServiceEntry of the host, if it says where the host is reached, or that it is in the mesh.
    pub entry: Option<&'a ObjectRef>,
}

impl MeshRules {
    /// Why `target` needs the mesh. `root` is Istio's root namespace; `is_registry_only` whether the caller's sidecar
    /// lets unknown hosts out. In doubt a rule is taken to apply.
    pub fn need(&self, target: Target<'_>, root: &str, is_registry_only: bool) -> Option<Need> {
        if is_registry_only {
            return Some(Need::RegistryOnly);
        }
        let stated = self.stated(target, root);
        stated.or_else(|| self.unreadable.first().map(|kind| Need::Unreadable(kind)))
    }

    /// What is known to concern `target`.
    fn stated(&self, target: Target<'_>, root: &str) -> Option<Need> {
        let Target {
            host,
            from,
            service,
            entry,
        } = target;
        if let Some(name) = self.virtual_services.concerning(host, from) {
            return Some(Need::VirtualService(name.clone()));
        }
        if let Some(name) = self.destination_rules.concerning(host, from) {
            return Some(Need::DestinationRule(name.clone()));
        }
        if let Some(name) = entry {
            return Some(Need::ServiceEntry(name.clone()));
        }
        let (namespace, selector) = service?;
        if is_strict(self.peer_policies.iter(), root, namespace, selector) {
            return Some(Need::StrictMtls);
        }
        self.authorization_policies
            .iter()
            .find(|(name, policy)| {
                [namespace, root].contains(&name.namespace.as_str()) && may_select(policy, selector)
            })
            .map(|(name, _)| Need::AuthorizationPolicy(name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{first_request::MtlsMode, index::Exported};

    const HOST: &str = "a.default.svc.cluster.local";
    const ROOT: &str = "istio-system";

    fn mk_labels(app: &str) -> Labels {
        Labels::from([("app".to_owned(), app.to_owned())])
    }

    /// Of a Service `default/a` that selects `app: a`, called from `other`.
    fn need(rules: &MeshRules) -> Option<Need> {
        let selector = mk_labels("a");
        let target = Target {
            host: HOST,
            from: "other",
            service: Some(("default", &selector)),
            entry: None,
        };
        rules.need(target, ROOT, false)
    }

    #[test]
    fn a_host_that_nothing_concerns_needs_nothing_unless_unknown_hosts_are_blocked() {
        let rules = MeshRules::default();
        assert_eq!(need(&rules), None);
        let target = Target {
            host: "x.com",
            from: "other",
            service: None,
            entry: None,
        };
        assert_eq!(rules.need(target, ROOT, false), None);
        assert_eq!(rules.need(target, ROOT, true), Some(Need::RegistryOnly));
    }

    #[test]
    fn rules_of_the_host_ask_for_the_mesh() {
        let name = ObjectRef::new("default", "rule");
        let mut rules = MeshRules::default();
        rules
            .destination_rules
            .insert(name.clone(), vec![HOST.to_owned()], Exported::default());
        assert_eq!(need(&rules), Some(Need::DestinationRule(name.clone())));
        rules
            .virtual_services
            .insert(name.clone(), vec!["*".to_owned()], Exported::default());
        assert_eq!(need(&rules), Some(Need::VirtualService(name)));
    }

    #[test]
    fn policies_of_its_pods_ask_for_the_mesh() {
        let mut rules = MeshRules::default();
        for (at, app, applies) in [
            ("default", "a", true),
            ("default", "b", false),
            (ROOT, "a", true),
            ("other", "a", false),
        ] {
            let name = ObjectRef::new(at, "policy");
            rules.authorization_policies = BTreeMap::from([(name.clone(), mk_labels(app))]);
            let expected = applies.then_some(Need::AuthorizationPolicy(name));
            assert_eq!(need(&rules), expected, "{at} {app}");
        }
        let strict = PeerPolicy {
            mode: MtlsMode::Strict,
            ..PeerPolicy::default()
        };
        rules
            .peer_policies
            .insert(ObjectRef::new(ROOT, "default"), strict);
        assert_eq!(need(&rules), Some(Need::StrictMtls));
    }

    #[test]
    fn where_a_kind_may_not_be_seen_every_host_may_need_the_mesh() {
        let rules = MeshRules {
            unreadable: BTreeSet::from(["destinationrules"]),
            ..MeshRules::default()
        };
        assert_eq!(need(&rules), Some(Need::Unreadable("destinationrules")));
    }

    #[test]
    fn policies_do_not_concern_hosts_without_known_pods() {
        let mut rules = MeshRules::default();
        rules
            .authorization_policies
            .insert(ObjectRef::new(ROOT, "all"), Labels::new());
        let target = Target {
            host: "x.com",
            from: "other",
            service: None,
            entry: None,
        };
        assert_eq!(rules.need(target, ROOT, false), None);
    }
}
