//! etcd, kube-apiserver, kube-controller-manager, kube-proxy and istiod: started in order, awaited, watched.

use super::process::{log_path, log_tail, start};
use super::{Event, NODE_ADDRESS, credentials, inside, programs, run_path};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a part may take to become ready on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long one look at a part may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at a part that is not ready yet.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Its name among the parts.
const ISTIOD: &str = "istiod";
/// The running control plane: name and process of each part.
pub struct ControlPlane {
    parts: Vec<(&'static str, Child)>,
    /// A client of the API server, as cluster administrator.
    pub client: kube::Client,
}

impl ControlPlane {
    /// Starts every part and waits until each takes work.
    pub async fn start() -> Result<Self> {
        network().await?;
        credentials::write()?;
        Event::Step {
            text: "starting etcd and kube-apiserver".into(),
        }
        .tell();
        let mut parts = vec![
            ("etcd", start("etcd", &mut programs::etcd())?),
            (
                "kube-apiserver",
                start("kube-apiserver", &mut programs::api())?,
            ),
        ];
        let client = credentials::client(&run_path("kubeconfig")).await?;
        ready("kube-apiserver", &mut parts, async || {
            client.apiserver_version().await.is_ok() && has_default(&client).await
        })
        .await?;
        Event::Step {
            text: "starting kube-controller-manager, kube-proxy and istiod".into(),
        }
        .tell();
        parts.push((
            "kube-controller-manager",
            start(
                "kube-controller-manager",
                &mut programs::controller_manager(),
            )?,
        ));
        parts.push((
            "kube-proxy",
            start("kube-proxy", &mut programs::kube_proxy())?,
        ));
        install_istio().await?;
        let mut control_plane = Self { parts, client };
        control_plane.start_istiod(&BTreeMap::new()).await?;
        Ok(control_plane)
    }

    async fn start_istiod(&mut self, environment: &BTreeMap<String, String>) -> Result<()> {
        let istiod = start(ISTIOD, &mut programs::istiod(environment)?)?;
        self.parts.push((ISTIOD, istiod));
        ready(ISTIOD, &mut self.parts, async || {
            responds(&format!("http://{NODE_ADDRESS}:8080/ready")).await
        })
        .await
    }

    /// Ends istiod as a crash would, and starts it again.
    pub async fn restart_istiod(&mut self, environment: &BTreeMap<String, String>) -> Result<()> {
        let running = self.parts.extract_if(.., |(name, _)| *name == ISTIOD);
        for (_, mut istiod) in running.collect::<Vec<_>>() {
            istiod.kill().await?;
        }
        self.start_istiod(environment).await
    }

    /// Returns when a part has ended, which none should: its name and the end of its log.
    pub async fn first_to_end(&mut self) -> String {
        let waits = self
            .parts
            .iter_mut()
            .map(|(name, child)| Box::pin(async move { (*name, child.wait().await) }));
        let ((name, status), ..) = futures::future::select_all(waits).await;
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        format!("{name} ended ({status}):\n{}", log_tail(&log_path(name)))
    }
}

async fn network() -> Result<()> {
    sh("ip", &["link", "set", "lo", "up"]).await?;
    sh(
        "ip",
        &["address", "add", &format!("{NODE_ADDRESS}/32"), "dev", "lo"],
    )
    .await?;
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("could not switch forwarding on")
}

/// Runs a program to its end; an error carries what it printed.
pub async fn sh(name: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(name)
        .args(arguments)
        .output()
        .await
        .with_context(|| format!("could not run {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn has_default(client: &kube::Client) -> bool {
    let namespaces = kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(client.clone());
    matches!(namespaces.get_opt("default").await, Ok(Some(_)))
}

async fn responds(url: &str) -> bool {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || ureq::get(url).call().is_ok())
        .await
        .unwrap_or(false)
}

async fn ready(
    name: &str,
    parts: &mut [(&'static str, Child)],
    is_ready: impl AsyncFn() -> bool,
) -> Result<()> {
    let deadline = tokio::time::Instant::now() + START_LIMIT;
    // A part that takes a call and never answers is not ready either.
    while !matches!(tokio::time::timeout(LOOK_LIMIT, is_ready()).await, Ok(true)) {
        for (part, child) in parts.iter_mut() {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "{part} ended while starting ({status}):\n{}",
                    log_tail(&log_path(part))
                );
            }
        }
        if tokio::time::Instant::now() > deadline {
            bail!(
                "{name} is not ready after {} s:\n{}",
                START_LIMIT.as_secs(),
                log_tail(&log_path(name))
            );
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Istio's CRDs, its namespace, the mesh configuration, and a Service that leads to our istiod.
async fn install_istio() -> Result<()> {
    let crds = Path::new(inside::CONTROL_PLANE).join("istio/crds.yaml");
    kubectl(&["apply", "--server-side", "-f", &crds.display().to_string()]).await?;
    std::fs::write(run_path("istiod.json"), istiod_objects().to_string())?;
    kubectl(&[
        "apply",
        "--server-side",
        "-f",
        &run_path("istiod.json").display().to_string(),
    ])
    .await?;
    kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=60s",
    ])
    .await
}

async fn kubectl(arguments: &[&str]) -> Result<()> {
    let kubeconfig = run_path("kubeconfig").display().to_string();
    let cache = run_path("kubectl").display().to_string();
    let kubectl = Path::new(inside::CONTROL_PLANE)
        .join("kubectl")
        .display()
        .to_string();
    sh(
        &kubectl,
        &[
            &["--kubeconfig", &kubeconfig, "--cache-dir", &cache],
            arguments,
        ]
        .concat(),
    )
    .await
    .map(drop)
}

fn istiod_objects() -> serde_json::Value {
    let ports = [
        ("grpc-xds", 15010),
        ("https-dns", 15012),
        ("http-monitoring", 15014),
    ];
    let ports: Vec<_> = ports
        .iter()
        .map(|(name, port)| serde_json::json!({"name": name, "port": port}))
        .collect();
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "istiod", "namespace": "istio-system"},
         "spec": {"ports": ports}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
         "data": {"mesh": programs::mesh_config().to_string()}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"name": "istiod", "namespace": "istio-system", "labels": {"kubernetes.io/service-name": "istiod"}},
         "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": true}}], "ports": ports},
    ]})
}
