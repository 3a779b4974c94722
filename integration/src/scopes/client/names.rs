//! What a resource makes a sidecar subscribe to.

use anyhow::{Context, Result};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::listener::v3::{FilterChain, Listener, filter::ConfigType};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, http_connection_manager::RouteSpecifier,
};
use envoy_types::pb::envoy::service::discovery::v3::Resource;
use prost::Message;

/// The name under which a cluster's endpoints are served, where they are served.
pub fn endpoints_of(resource: &Resource) -> Result<Option<String>> {
    let body = resource.resource.as_ref().context("an empty cluster")?;
    let cluster = Cluster::decode(body.value.as_slice())?;
    Ok(cluster
        .eds_cluster_config
        .map(|eds| match eds.service_name.is_empty() {
            true => cluster.name,
            false => eds.service_name,
        }))
}

/// The route tables that a listener names.
pub fn routes_of(resource: &Resource) -> Result<Vec<String>> {
    let body = resource.resource.as_ref().context("an empty listener")?;
    let listener = Listener::decode(body.value.as_slice())?;
    let chains = listener
        .filter_chains
        .iter()
        .chain(&listener.default_filter_chain);
    Ok(chains.flat_map(routes_of_chain).collect())
}

fn routes_of_chain(chain: &FilterChain) -> Vec<String> {
    let configured = chain
        .filters
        .iter()
        .filter_map(|filter| match &filter.config_type {
            Some(ConfigType::TypedConfig(config)) => Some(config),
            _ => None,
        });
    let managers = configured.filter(|config| config.type_url.ends_with(".HttpConnectionManager"));
    let managers =
        managers.filter_map(|config| HttpConnectionManager::decode(config.value.as_slice()).ok());
    let named = managers.filter_map(|manager| match manager.route_specifier? {
        RouteSpecifier::Rds(rds) => Some(rds.route_config_name),
        _ => None,
    });
    named.collect()
}
