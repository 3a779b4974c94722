//! Looking into a sidecar through Envoy's admin port.

use crate::mesh::Mesh;
use crate::netns;
use crate::until::LIMIT;
use crate::workload::Workload;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use ureq::{Body, http::Response};

/// How much configuration a sidecar carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigSize {
    /// Length of `/config_dump?include_eds` in bytes.
    pub bytes: usize,
    /// Clusters that istiod sent.
    pub clusters: usize,
    /// Endpoints of all clusters, static ones included.
    pub endpoints: usize,
}

impl Mesh {
    /// A GET on the admin port of the pod's Envoy.
    pub fn admin(&self, pod: &Workload, path: &str) -> Result<String> {
        self.ask_admin(pod, path, |agent, url| agent.get(url).call())
    }

    /// A POST without a body on the admin port of the pod's Envoy.
    pub fn change_admin(&self, pod: &Workload, path: &str) -> Result<String> {
        self.ask_admin(pod, path, |agent, url| agent.post(url).send_empty())
    }

    fn ask_admin(
        &self,
        pod: &Workload,
        path: &str,
        ask: impl FnOnce(ureq::Agent, String) -> Result<Response<Body>, ureq::Error> + Send,
    ) -> Result<String> {
        let path = path.trim_start_matches('/');
        let body = netns::run(&self.pod_network(pod), || {
            let config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(LIMIT))
                .build();
            let url = format!("http://127.0.0.1:15000/{path}");
            let mut response = ask(config.into(), url)?;
            response
                .body_mut()
                .with_config()
                .limit(u64::MAX)
                .read_to_string()
        })?;
        body.with_context(|| format!("Envoy's admin port in {} did not answer /{path}", pod.name))
    }

    /// How much configuration the pod's sidecar carries.
    pub fn config_size(&self, pod: &Workload) -> Result<ConfigSize> {
        let dump = self.admin(pod, "config_dump?include_eds")?;
        let configs: Value = serde_json::from_str(&dump)?;
        let clusters = sections(&configs, "dynamic_active_clusters").count();
        let statuses: Value = serde_json::from_str(&self.admin(pod, "clusters?format=json")?)?;
        let hosts = statuses["cluster_statuses"]
            .as_array()
            .into_iter()
            .flatten();
        let endpoints = hosts
            .map(|cluster| cluster["host_statuses"].as_array().map_or(0, Vec::len))
            .sum();
        Ok(ConfigSize {
            bytes: dump.len(),
            clusters,
            endpoints,
        })
    }

    /// Whether the pod's sidecar has a route to `host` on `port`, and the cluster behind it is usable.
    pub fn routes_to(&self, pod: &Workload, host: &str, port: u16) -> Result<bool> {
        if !self.knows(pod, host, port)? {
            return Ok(false);
        }
        let clusters = self.resources(pod, "dynamic_active_clusters")?;
        let name = format!("outbound|{port}||{host}");
        Ok(clusters
            .iter()
            .any(|entry| entry["cluster"]["name"] == name))
    }

    /// Whether the route table of `port` in the pod's sidecar has a virtual host `<host>:<port>`.
    pub fn knows(&self, pod: &Workload, host: &str, port: u16) -> Result<bool> {
        let (table, wanted) = (port.to_string(), format!("{host}:{port}"));
        let tables = self.route_tables(pod)?;
        let mut hosts = tables
            .iter()
            .filter(|of| of["name"] == table)
            .flat_map(virtual_hosts);
        Ok(hosts.any(|virtual_host| virtual_host["name"] == wanted))
    }

    /// Whether any route table of the pod's sidecar has a virtual host for `host`, on whatever port.
    pub fn has_virtual_host(&self, pod: &Workload, host: &str) -> Result<bool> {
        let names = self.virtual_hosts(pod)?;
        let start = format!("{host}:");
        Ok(names.iter().any(|name| name.starts_with(&start)))
    }

    /// The names of all virtual hosts in the route tables of the pod's sidecar.
    pub fn virtual_hosts(&self, pod: &Workload) -> Result<BTreeSet<String>> {
        let tables = self.route_tables(pod)?;
        let names = tables
            .iter()
            .flat_map(virtual_hosts)
            .filter_map(|host| host["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// The name of the catch-all virtual host of each route table of the pod's sidecar.
    pub fn catch_alls(&self, pod: &Workload) -> Result<BTreeMap<String, String>> {
        let tables = self.route_tables(pod)?;
        let named = tables.iter().filter_map(|table| {
            let catch_all = virtual_hosts(table).find(|host| host["domains"][0] == "*")?;
            Some((
                table["name"].as_str()?.to_owned(),
                catch_all["name"].as_str()?.to_owned(),
            ))
        });
        Ok(named.collect())
    }

    /// Whether clusters wait for their endpoints in the pod's sidecar.
    pub fn is_warming(&self, pod: &Workload) -> Result<bool> {
        Ok(!self.resources(pod, "dynamic_warming_clusters")?.is_empty())
    }

    fn route_tables(&self, pod: &Workload) -> Result<Vec<Value>> {
        let tables = self.resources(pod, "dynamic_route_configs")?;
        Ok(tables
            .into_iter()
            .map(|mut table| table["route_config"].take())
            .collect())
    }

    /// One kind of what istiod has sent to the pod's sidecar.
    fn resources(&self, pod: &Workload, kind: &str) -> Result<Vec<Value>> {
        let dump = self.admin(pod, &format!("config_dump?resource={kind}"))?;
        let mut dump: Value = serde_json::from_str(&dump)?;
        Ok(match dump["configs"].take() {
            Value::Array(resources) => resources,
            _ => Vec::new(),
        })
    }
}

fn virtual_hosts(table: &Value) -> impl Iterator<Item = &Value> {
    table["virtual_hosts"].as_array().into_iter().flatten()
}

fn sections<'a>(dump: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> {
    let configs = dump["configs"].as_array().into_iter().flatten();
    configs.flat_map(move |section| section[name].as_array().into_iter().flatten())
}
