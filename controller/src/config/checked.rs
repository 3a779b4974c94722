//! From keys as they are written to what is meant.

use std::collections::BTreeSet;

use super::{
    Config,
    address::address,
    check_namespace,
    error::Problem,
    general_lists::{GLOBAL_SIDECAR, dispatches, selectors},
    global::GlobalKeys,
    is_dns_name,
    log::log,
    module::{GeneralKeys, ModuleKeys},
    retired,
    scalar::Scalar,
};
use crate::{
    fence::is_domain,
    settings::{AutoFence, NamespaceScope, PortRules, Revisions, ScopeForm, WorkloadFences},
};

/// What `module` means, where it says nothing the `defaults`. Keys of Slime's whose text is empty say nothing, as with Slime.
pub(super) fn checked(mut module: ModuleKeys, defaults: Config) -> Result<Config, Problem> {
    let mut general = section(&mut module)?;
    let mut config = Config {
        dispatches: dispatches(general.dispatches.take().unwrap_or_default())?,
        ..defaults
    };
    let uses_forwarder = config
        .dispatches
        .iter()
        .any(|rule| rule.cluster == GLOBAL_SIDECAR);
    config.warnings.extend(retired::bundle(&module));
    config
        .warnings
        .extend(retired::retired(&module, &general, uses_forwarder)?);
    globals(module.global.unwrap_or_default(), &mut config)?;
    fences(&mut general, &mut config)?;
    own(general, &mut config)?;
    Ok(config)
}

/// `general`, or the older `fence`.
fn section(module: &mut ModuleKeys) -> Result<GeneralKeys, Problem> {
    match (module.general.take(), module.fence.take()) {
        (Some(_), Some(_)) => Err(Problem::new(
            "fence",
            "the older name of `general`, which is there as well: keep one of them",
        )),
        (general, fence) => Ok(general.or(fence).unwrap_or_default()),
    }
}

fn stated(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn globals(global: GlobalKeys, config: &mut Config) -> Result<(), Problem> {
    if let Some(service) = stated(global.service) {
        config.service = service;
    }
    for (key, stated, namespace) in [
        (
            "global.istioNamespace",
            stated(global.istio_namespace),
            &mut config.istio_namespace,
        ),
        (
            "global.slimeNamespace",
            stated(global.slime_namespace),
            &mut config.slime_namespace,
        ),
    ] {
        if let Some(stated) = stated {
            check_namespace(key, &stated)?;
            *namespace = stated;
        }
    }
    config.revisions = Revisions {
        in_scope: global
            .istio_rev
            .map(|Scalar(list)| comma_list(&list))
            .unwrap_or_default(),
        is_strict: global.strict_rev.unwrap_or_default(),
        own: stated(global.self_resource_rev.map(|Scalar(revision)| revision)),
    };
    let misc = global.misc.unwrap_or_default();
    for (key, stated, meant) in [
        (
            "global.misc.aux-addr",
            misc.aux_addr,
            &mut config.admin_addr,
        ),
        (
            "global.misc.logSourcePort",
            misc.log_source_port,
            &mut config.report_addr,
        ),
    ] {
        listening(key, stated, meant)?;
    }
    config.log = log(global.log.unwrap_or_default(), &mut config.warnings)?;
    Ok(())
}

/// Slime's own keys of `general`.
fn fences(general: &mut GeneralKeys, config: &mut Config) -> Result<(), Problem> {
    config.ports = ports(general)?;
    config.auto_fence = auto_fence(general)?;
    config.aliases = general
        .domain_aliases
        .take()
        .unwrap_or_default()
        .into_iter()
        .map(Into::into)
        .collect();
    config.cluster_gs_namespace = stated(general.cluster_gs_namespace.take());
    if let Some(namespace) = &config.cluster_gs_namespace {
        check_namespace("general.clusterGsNamespace", namespace)?;
    }
    config.stable_host = general.stable_host.take().unwrap_or_default();
    for (index, host) in config.stable_host.iter().enumerate() {
        // What shows nothing, or with Istio 1.31 takes everything away, is for no fence but its own.
        if !is_domain(host) || host == "~/*" {
            return Err(Problem::new(
                &format!("general.stableHost[{index}]"),
                format!(
                    "{host:?} is neither a host with a domain nor <namespace>/*: Istio would refuse every Sidecar with it"
                ),
            ));
        }
    }
    Ok(())
}

fn ports(general: &mut GeneralKeys) -> Result<PortRules, Problem> {
    let mut wormhole_ports = BTreeSet::new();
    let stated_ports = general.wormhole_port.take().unwrap_or_default();
    for (index, Scalar(text)) in stated_ports.into_iter().enumerate() {
        match text.trim().parse::<u16>() {
            Ok(port) if port > 0 => wormhole_ports.insert(port),
            _ => {
                return Err(Problem::new(
                    &format!("general.wormholePort[{index}]"),
                    format!("{text:?} is not a port: a number from 1 to 65535 is needed"),
                ));
            }
        };
    }
    if wormhole_ports.is_empty() && general.auto_port == Some(false) {
        return Err(Problem::new(
            "general.autoPort",
            "no request on any port would be seen: list ports in `wormholePort`, or say true",
        ));
    }
    let default = PortRules::default();
    Ok(PortRules {
        auto_port: general.auto_port.unwrap_or(wormhole_ports.is_empty()),
        wormhole_ports,
        support_h2: general.support_h2.unwrap_or(default.support_h2),
        clean_up: general.cleanup_wormhole_port.unwrap_or(default.clean_up),
        quiet: default.quiet,
    })
}

fn auto_fence(general: &mut GeneralKeys) -> Result<AutoFence, Problem> {
    let list = |text: Option<String>| stated(text).map(|list| comma_list(&list));
    let namespaces = match (
        list(general.black_namespace_list.take()),
        list(general.white_namespace_list.take()),
    ) {
        (Some(_), Some(_)) => {
            return Err(Problem::new(
                "general.blackNamespaceList",
                "whiteNamespaceList is there as well: keep one of them",
            ));
        }
        (Some(black), None) => NamespaceScope::AllBut(black),
        (None, Some(white)) => NamespaceScope::Only(white),
        (None, None) => NamespaceScope::All,
    };
    let workloads = stated(general.fence_label_key_alias.take()).map(|text| {
        let (key, alias) = text.split_once(':').unwrap_or((&text, ""));
        let alias = if alias.is_empty() { "app" } else { alias };
        if key.is_empty() || !is_dns_name(alias) {
            return Err(Problem::new(
                "general.fenceLabelKeyAlias",
                format!("{text:?} is not <label key>:<alias>; the alias begins names of fences"),
            ));
        }
        Ok(WorkloadFences {
            key: key.to_owned(),
            alias: alias.to_owned(),
        })
    });
    Ok(AutoFence {
        is_on: general.auto_fence.unwrap_or_default(),
        default_fence: general.default_fence.unwrap_or_default(),
        namespaces,
        management_selectors: selectors(general.management_selectors.take().unwrap_or_default())?,
        workloads: workloads.transpose()?,
    })
}

/// The keys of `general` that Slime does not have.
fn own(general: GeneralKeys, config: &mut Config) -> Result<(), Problem> {
    for (key, stated, meant) in [
        (
            "general.clusterDomain",
            general.cluster_domain,
            &mut config.cluster_domain,
        ),
        (
            "general.trustDomain",
            general.trust_domain,
            &mut config.trust_domain,
        ),
    ] {
        let Some(domain) = stated else {
            continue;
        };
        if !is_dns_name(&domain) {
            return Err(Problem::new(key, format!("{domain:?} is not a DNS domain")));
        }
        *meant = domain;
    }
    listening(
        "general.reportAddr",
        general.report_addr,
        &mut config.report_addr,
    )?;
    listening(
        "general.adminAddr",
        general.admin_addr,
        &mut config.admin_addr,
    )?;
    if let Some(name) = general.sidecar_hosts {
        config.scope_form = ScopeForm::named(&name).ok_or_else(|| {
            Problem::new(
                "general.sidecarHosts",
                format!("{name:?}: one of {} is needed", ScopeForm::NAMES.join(", ")),
            )
        })?;
    }
    config.require_identity = general.require_identity.unwrap_or(config.require_identity);
    config.verify_pods = general.verify_pods.unwrap_or(config.verify_pods);
    config.first_request = general.first_request.unwrap_or(config.first_request);
    config.forgetting = general.forgetting.unwrap_or_default().checked()?;
    let replay = general.replay.unwrap_or_default();
    config.replay = replay.checked(stated(general.proxy_version))?;
    config.ports.quiet = config.replay.port_quiet();
    Ok(())
}

fn listening(
    key: &str,
    stated: Option<Scalar>,
    meant: &mut std::net::SocketAddr,
) -> Result<(), Problem> {
    if let Some(Scalar(text)) = stated.filter(|Scalar(text)| !text.is_empty()) {
        *meant = address(&text).map_err(|problem| Problem::new(key, problem))?;
    }
    Ok(())
}

/// The items of a list with commas. Slime takes blanks for part of the names, which no name can have.
fn comma_list(text: &str) -> BTreeSet<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}
