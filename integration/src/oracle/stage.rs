//! The oracle's namespace: two callers that differ in a fence alone, three servers, and what the cases need.

use super::caller::Caller;
use super::case::{
    ALLOWED_PORT, CLUSTER_ADDRESS, Case, DENIED_PORT, HTTP2_PORT, PLAIN_ADDRESS, PORT,
    STRICT_HTTP2_PORT, STRICT_PORT, STRICT_TCP_PORT, TCP_PORT, UNDECLARED_PORT, V1_ADDRESS,
};
use super::{ACCOUNT, NAMESPACE};
use crate::form::Form;
use crate::mesh::Mesh;
use crate::progress::step;
use crate::until::until;
use crate::workload::Workload;
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use lazyload_controller::api::ServiceFence;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The fence, and the value of the label `app` of the caller that it fences.
const LAZY: &str = "caller-lazy";
/// A host that nobody calls.
const ISTIOD: &str = "istiod.istio-system.svc.cluster.local";
/// The other caller.
const FULL: &str = "caller-full";
/// The servers.
const SERVERS: [&str; 3] = ["server-v1", "server-v2", "plain"];

/// Everything that stands while the cases run.
pub struct Stage<'a> {
    /// The mesh.
    pub mesh: &'a Mesh,
    /// The caller with full configuration.
    pub full: Caller,
    /// The caller that is loaded lazily.
    pub lazy: Caller,
    /// The pods that answer.
    pub servers: Vec<Workload>,
    addresses: BTreeMap<String, String>,
    services: BTreeMap<String, String>,
}

impl<'a> Stage<'a> {
    /// Puts callers, servers and what the cases need into the mesh, and waits until all of it is known.
    pub fn set(mesh: &'a Mesh, cases: &[Case]) -> Result<Self> {
        step("starting the oracle's callers and servers");
        apply(mesh, &workloads())?;
        let wait = [
            "wait",
            "deployment",
            "--all",
            "--for=condition=Available",
            "--timeout=120s",
            "-n",
            NAMESPACE,
        ];
        mesh.kubectl_output(&wait)?;
        let addresses = pod_addresses(mesh)?;
        step(format!("putting {} cases into the mesh", cases.len()));
        let objects: Vec<&Value> = cases.iter().flat_map(Case::all_objects).collect();
        let text = serde_json::to_string(&objects)?;
        let text = substitute(&text, V1_ADDRESS, address_of(&addresses, SERVERS[0])?);
        apply(mesh, &serde_json::from_str::<Vec<Value>>(&text)?)?;
        let pod = |name: &str| mesh.workload(&format!("{NAMESPACE}/{name}"));
        let caller = |name: &str| -> Result<Caller> {
            let address = address_of(&addresses, name)?.to_owned();
            Caller::start(mesh, pod(name)?, address)
        };
        let stage = Self {
            mesh,
            full: caller(FULL)?,
            lazy: caller(LAZY)?,
            servers: SERVERS
                .iter()
                .map(|name| pod(name))
                .collect::<Result<_>>()?,
            services: cluster_addresses(mesh)?,
            addresses,
        };
        stage.await_configuration(cases)?;
        Ok(stage)
    }

    /// Waits until the full caller knows every host, and the lazy one none.
    fn await_configuration(&self, cases: &[Case]) -> Result<()> {
        let mut missing = Vec::new();
        // What has no entry in a shared table is there when its neighbours are.
        let hosts = cases.iter().filter(|case| case.has_shared_route());
        let hosts: Vec<String> = hosts
            .filter_map(|case| Some(format!("{}:", case.host.as_deref()?)))
            .collect();
        let known = until("the full caller to know every host", || {
            let known = self.mesh.virtual_hosts(&self.full.pod)?;
            let knows = |host: &String| known.iter().any(|name| name.starts_with(host));
            missing = hosts.iter().filter(|host| !knows(host)).cloned().collect();
            Ok(missing.is_empty().then_some(()))
        });
        known.with_context(|| format!("it lacks {}", missing.join(", ")))?;
        let probe = format!("server.{NAMESPACE}.svc.cluster.local");
        until("the lazy caller to be narrow", || {
            let knows = self.mesh.has_virtual_host(&self.lazy.pod, &probe)?;
            let listens = self.mesh.admin(&self.lazy.pod, "listeners")?;
            let listens = listens.contains(&format!("0.0.0.0_{PORT}"));
            Ok((!knows && listens).then_some(()))
        })
    }

    /// Has Sidecars written in this form, and waits until the lazy caller's sidecar follows: the compatible form shows it the
    /// whole namespace of istiod, the exact one nothing that it does not need.
    pub fn use_form(&self, form: Form) -> Result<()> {
        step(format!("{} hosts in Sidecars", form.name()));
        self.mesh.configure_controller(|configuration| {
            configuration["general"]["sidecarHosts"] = form.name().into();
        })?;
        let shows_all = form == Form::Compatible;
        until(&format!("a Sidecar of {} hosts", form.name()), || {
            let knows = self.mesh.has_virtual_host(&self.lazy.pod, ISTIOD)?;
            Ok((knows == shows_all).then_some(()))
        })
    }

    /// Empties the fence, and waits until the lazy caller has forgotten what it had learned.
    pub fn empty_fence(&self) -> Result<()> {
        let hosts = self.mesh.with_client(|client| async move {
            let fences: Api<ServiceFence> = Api::namespaced(client, NAMESPACE);
            let fence = fences.get(LAZY).await?;
            let status = fence.status.unwrap_or_default();
            if status.metric_status.is_empty() {
                return anyhow::Ok(Vec::new());
            }
            let nothing = json!({"status": {"metricStatus": null, "domains": null}});
            fences
                .patch_status(LAZY, &PatchParams::default(), &Patch::Merge(nothing))
                .await?;
            let keys = status.metric_status.into_keys();
            Ok(keys
                .filter_map(|key| Some(key.split('"').nth(1)?.to_owned()))
                .collect())
        })??;
        for host in hosts {
            until(&format!("the lazy caller to forget {host}"), || {
                Ok((!self.mesh.has_virtual_host(&self.lazy.pod, &host)?).then_some(()))
            })?;
        }
        Ok(())
    }

    /// Waits until the lazy caller knows nothing of the case's host: a first call that finds a route proves nothing.
    pub fn await_unknown(&self, case: &Case) -> Result<()> {
        let Some(host) = &case.host else {
            return Ok(());
        };
        until(&format!("the lazy caller not to know {host}"), || {
            Ok((!self.mesh.has_virtual_host(&self.lazy.pod, host)?).then_some(()))
        })
    }

    /// A text of a case with addresses in the places of their names.
    pub fn with_addresses(&self, case: &Case, text: &str) -> Result<String> {
        let mut text = text.to_owned();
        for (name, pod) in [(V1_ADDRESS, SERVERS[0]), (PLAIN_ADDRESS, SERVERS[2])] {
            text = substitute(&text, name, address_of(&self.addresses, pod)?);
        }
        if text.contains(CLUSTER_ADDRESS) {
            let address = self
                .services
                .get(&case.name)
                .context("the case has no Service")?;
            text = substitute(&text, CLUSTER_ADDRESS, address);
        }
        Ok(text)
    }
}

fn substitute(text: &str, name: &str, address: &str) -> String {
    text.replace(name, address)
}

fn address_of<'a>(addresses: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str> {
    let found = addresses
        .get(name)
        .with_context(|| format!("{name} has no address"))?;
    Ok(found)
}

/// Deployment → address of its pod.
fn pod_addresses(mesh: &Mesh) -> Result<BTreeMap<String, String>> {
    mesh.with_client(|client| async move {
        let pods: Api<Pod> = Api::namespaced(client, NAMESPACE);
        let pods = pods.list(&Default::default()).await?;
        let addresses = pods.into_iter().filter_map(|pod| {
            let name = pod.labels().get("deployment")?.clone();
            Some((name, pod.status?.pod_ip?))
        });
        anyhow::Ok(addresses.collect())
    })?
}

/// Service → its address.
fn cluster_addresses(mesh: &Mesh) -> Result<BTreeMap<String, String>> {
    mesh.with_client(|client| async move {
        let services: Api<Service> = Api::namespaced(client, NAMESPACE);
        let services = services.list(&Default::default()).await?;
        let addresses = services
            .into_iter()
            .filter_map(|service| Some((service.name_any(), service.spec?.cluster_ip?)));
        anyhow::Ok(addresses.collect())
    })?
}

fn apply(mesh: &Mesh, objects: &[Value]) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    mesh.apply(&list.to_string()).map(drop)
}

fn workloads() -> Vec<Value> {
    let named = |name: &str| json!({"name": name, "namespace": NAMESPACE});
    let principal = format!("cluster.local/ns/{NAMESPACE}/sa/{ACCOUNT}");
    let port = |port: u16| json!([{"operation": {"ports": [port.to_string()]}}]);
    let strict = [STRICT_PORT, STRICT_HTTP2_PORT, STRICT_TCP_PORT]
        .map(|port| (port.to_string(), json!({"mode": "STRICT"})));
    let strict: BTreeMap<String, Value> = strict.into();
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"istio-injection": "enabled"}}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named(ACCOUNT)}),
        deployment(FULL, FULL, "v1", ACCOUNT),
        deployment(LAZY, LAZY, "v1", ACCOUNT),
        deployment(SERVERS[0], "server", "v1", "default"),
        deployment(SERVERS[1], "server", "v2", "default"),
        deployment(SERVERS[2], "plain", "plain", "default"),
        json!({"apiVersion": "microservice.slime.io/v1alpha1", "kind": "ServiceFence", "metadata": named(LAZY),
            "spec": {"enable": true, "workloadSelector": {"labels": {"app": LAZY}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": named("server"), "spec": {
            "selector": {"app": "server", "version": "v1"}, "ports": [{"name": "http", "port": PORT}]}}),
        json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": named("server"), "spec": {
            "selector": {"matchLabels": {"app": "server"}}, "mtls": {"mode": "PERMISSIVE"},
            "portLevelMtls": strict}}),
        json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": named("allow"), "spec": {
        "selector": {"matchLabels": {"app": "server"}}, "action": "ALLOW", "rules": [
            {"from": [{"source": {"principals": [principal]}}], "to": port(ALLOWED_PORT)},
            {"to": [{"operation": {"notPorts": [ALLOWED_PORT.to_string()]}}]},
        ]}}),
        json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": named("deny"), "spec": {
            "selector": {"matchLabels": {"app": "server"}}, "action": "DENY",
            "rules": [{"from": [{"source": {"principals": [principal]}}], "to": port(DENIED_PORT)}]}}),
    ]
}

fn deployment(name: &str, app: &str, version: &str, account: &str) -> Value {
    let ports = [
        PORT,
        STRICT_PORT,
        ALLOWED_PORT,
        DENIED_PORT,
        UNDECLARED_PORT,
        TCP_PORT,
        HTTP2_PORT,
        STRICT_HTTP2_PORT,
        STRICT_TCP_PORT,
    ];
    let listed: Vec<String> = ports.iter().map(u16::to_string).collect();
    let injected = if app == "plain" { "false" } else { "true" };
    let labels = json!({"app": app, "version": version, "deployment": name, "sidecar.istio.io/inject": injected});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {
        "selector": {"matchLabels": {"deployment": name}},
        "template": {"metadata": {"labels": labels}, "spec": {
            "serviceAccountName": account, "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "app", "image": "istio-lazyload/oracle-app",
                "args": ["serve", "--version", version, "--ports", listed.join(",")],
                "ports": ports.map(|port| json!({"containerPort": port})),
                "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            }],
        }},
    }})
}
