//! The sidecar of a pod: interception rules as Istio's init container makes them, then pilot-agent, which starts Envoy.

use super::container::{Start, log_path};
use super::field::service_account;
use super::{SIDECAR_USER, volumes};
use crate::netns::{Bind, Place};
use crate::supervisor::control_plane::sh;
use crate::supervisor::inside;
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1 as core;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// The sidecar container's name, as Istio's.
pub const NAME: &str = "istio-proxy";
/// Where the overlay `file-plugin` says that the filter is.
const FILTER_PLACE: &str = "/var/lib/lazyload/filter.wasm";
/// The annotation in which a pod asks for a proxy of its own kind.
const PROXY_CONFIG: &str = "proxy.istio.io/config";

/// Whether the pod gets a sidecar: its namespace asks for it and the pod does not refuse.
pub async fn wanted(client: &Client, pod: &core::Pod) -> Result<bool> {
    if pod
        .labels()
        .get("sidecar.istio.io/inject")
        .is_some_and(|inject| inject == "false")
    {
        return Ok(false);
    }
    let namespaces: Api<core::Namespace> = Api::all(client.clone());
    let namespace = namespaces.get(&pod.namespace().unwrap_or_default()).await?;
    Ok(namespace
        .labels()
        .get("istio-injection")
        .is_some_and(|injection| injection == "enabled"))
}

/// Adds the label by which istiod knows that the pod speaks mTLS. Must come before the pod has an address.
pub async fn label(client: &Client, pod: &core::Pod) -> Result<()> {
    let pods: Api<core::Pod> =
        Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let label = json!({"metadata": {"labels": {"security.istio.io/tlsMode": "istio"}}});
    pods.patch(
        &pod.name_any(),
        &PatchParams::default(),
        &Patch::Merge(label),
    )
    .await?;
    Ok(())
}

/// Redirects the pod's traffic to Envoy, with Istio's own program and the arguments of its injection template.
pub async fn intercept(network_name: &str) -> Result<()> {
    let agent = Path::new(inside::CONTROL_PLANE)
        .join("pilot-agent")
        .display()
        .to_string();
    let user = SIDECAR_USER.to_string();
    let rules = [
        "-p", "15001", "-z", "15006", "-u", &user, "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*",
    ];
    let excluded = ["-d", "15090,15021,15020"];
    let command = [
        &["netns", "exec", network_name, &agent, "istio-iptables"],
        rules.as_slice(),
        &excluded,
    ]
    .concat();
    sh("ip", &command)
        .await
        .context("could not redirect the pod's traffic to its sidecar")
        .map(drop)
}

/// Writes what pilot-agent reads and says how to start it.
pub async fn start(
    client: &Client,
    pod: &core::Pod,
    folder: &Path,
    address: Ipv4Addr,
    network: PathBuf,
) -> Result<Start> {
    let own = folder.join(NAME);
    let put = |path: &str, text: &str| -> Result<()> {
        let file = own.join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(&own))?;
        Ok(std::fs::write(file, text)?)
    };
    put(
        "var/run/secrets/tokens/istio-token",
        &volumes::token(client, pod, Some("istio-ca")).await?,
    )?;
    put(
        "var/run/secrets/istio/root-cert.pem",
        &root_certificate(client, pod).await?,
    )?;
    put("etc/istio/pod/labels", &downward(pod.labels()))?;
    put("etc/istio/pod/annotations", &downward(pod.annotations()))?;
    chown_all(&own)?;
    let namespace = pod.namespace().unwrap_or_default();
    Ok(Start {
        name: NAME.to_owned(),
        program: Path::new(inside::CONTROL_PLANE).join("pilot-agent"),
        arguments: [
            "proxy",
            "sidecar",
            "--domain",
            &format!("{namespace}.svc.cluster.local"),
            "--proxyLogLevel=warning",
            "--proxyComponentLogLevel=misc:error,wasm:info",
            "--log_output_level=default:warn",
        ]
        .map(str::to_owned)
        .to_vec(),
        environment: environment(pod, address)?,
        user: SIDECAR_USER,
        place: Place {
            network,
            mounts: None,
            processes: None,
            binds: vec![Bind {
                source: inside::FILTER.into(),
                target: FILTER_PLACE.into(),
            }],
        },
        log: log_path(folder, NAME),
        folder: own,
    })
}

fn environment(pod: &core::Pod, address: Ipv4Addr) -> Result<Vec<(String, String)>> {
    let proxy = json!({
        "binaryPath": format!("{}/envoy", inside::ENVOY),
        "configPath": "./etc/istio/proxy",
        "concurrency": 2,
        "discoveryAddress": "istiod.istio-system.svc:15012",
    });
    let text = |value: &str| value.to_owned();
    let own = [
        ("PATH", text("/usr/bin:/bin")),
        ("HOME", text("/tmp")),
        ("POD_NAME", pod.name_any()),
        ("POD_NAMESPACE", pod.namespace().unwrap_or_default()),
        ("INSTANCE_IP", address.to_string()),
        ("HOST_IP", text(crate::supervisor::NODE_ADDRESS)),
        ("SERVICE_ACCOUNT", service_account(pod)),
        ("ISTIO_META_CLUSTER_ID", text("Kubernetes")),
        ("ISTIO_META_WORKLOAD_NAME", workload(pod)),
        ("ISTIO_META_INTERCEPTION_MODE", text("REDIRECT")),
        ("ISTIO_META_MESH_ID", text("cluster.local")),
        // A plain `go build` of the agent does not know its own.
        ("ISTIO_META_ISTIO_VERSION", text("1.32.0")),
        ("TRUST_DOMAIN", text("cluster.local")),
        ("CA_ADDR", text("istiod.istio-system.svc:15012")),
        ("ISTIOD_SAN", text("istiod.istio-system.svc")),
        ("PILOT_CERT_PROVIDER", text("istiod")),
        (
            "ISTIO_BOOTSTRAP",
            format!("{}/istio/envoy_bootstrap.json", inside::CONTROL_PLANE),
        ),
        ("PROXY_CONFIG", proxy.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    // What the pod asks for comes last, and so wins.
    Ok(own.into_iter().chain(proxy_metadata(pod)?).collect())
}

/// `proxyMetadata` of the pod's own proxy configuration, which Istio's injector makes environment of the agent.
fn proxy_metadata(pod: &core::Pod) -> Result<BTreeMap<String, String>> {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Config {
        proxy_metadata: BTreeMap<String, String>,
    }
    let Some(text) = pod.annotations().get(PROXY_CONFIG) else {
        return Ok(BTreeMap::new());
    };
    let config: Config = serde_norway::from_str(text)
        .with_context(|| format!("annotation {PROXY_CONFIG} is not understood"))?;
    Ok(config.proxy_metadata)
}

/// The Deployment's name: that of the ReplicaSet without its hash.
fn workload(pod: &core::Pod) -> String {
    let hash = pod
        .labels()
        .get("pod-template-hash")
        .map(|hash| format!("-{hash}"))
        .unwrap_or_default();
    match pod.owner_references().first() {
        Some(owner) => owner.name.trim_end_matches(&hash).to_owned(),
        None => pod.name_any(),
    }
}

/// Labels or annotations in the form of the downward API.
fn downward<'a>(entries: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    entries
        .into_iter()
        .map(|(name, value)| format!("{name}={value:?}\n"))
        .collect()
}

/// istiod writes its root certificate to every namespace, a moment after that appears.
async fn root_certificate(client: &Client, pod: &core::Pod) -> Result<String> {
    let namespace = pod.namespace().unwrap_or_default();
    let maps: Api<core::ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let named = "istio-ca-root-cert";
    let appeared =
        kube::runtime::wait::await_condition(maps, named, |map: Option<&core::ConfigMap>| {
            map.is_some()
        });
    let map = tokio::time::timeout(std::time::Duration::from_secs(60), appeared)
        .await
        .with_context(|| format!("istiod wrote no ConfigMap {namespace}/{named} in 60 s"))??;
    let certificate = map.and_then(|map| map.data?.remove("root-cert.pem"));
    certificate.with_context(|| format!("ConfigMap {namespace}/{named} has no root-cert.pem"))
}

fn chown_all(folder: &Path) -> Result<()> {
    std::os::unix::fs::chown(folder, Some(SIDECAR_USER), Some(SIDECAR_USER))?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => chown_all(&path)?,
            false => std::os::unix::fs::chown(&path, Some(SIDECAR_USER), Some(SIDECAR_USER))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_environment(annotations: serde_json::Value) -> Result<BTreeMap<String, String>> {
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "annotations": annotations}});
        let pod = serde_json::from_value(pod)?;
        Ok(environment(&pod, Ipv4Addr::LOCALHOST)?
            .into_iter()
            .collect())
    }

    #[test]
    fn a_pods_proxy_metadata_is_environment_of_its_agent() {
        let annotations = json!({PROXY_CONFIG: "proxyMetadata:\n  ISTIO_META_ISTIO_VERSION: 1.29.0\nconcurrency: 1\n"});
        let environment = mk_environment(annotations).unwrap();
        assert_eq!(environment["ISTIO_META_ISTIO_VERSION"], "1.29.0");
        assert_eq!(
            mk_environment(json!({})).unwrap()["ISTIO_META_ISTIO_VERSION"],
            "1.32.0"
        );
    }

    #[test]
    fn an_annotation_that_is_no_yaml_is_refused() {
        let error = mk_environment(json!({PROXY_CONFIG: "proxyMetadata: ["})).unwrap_err();
        assert!(error.to_string().contains(PROXY_CONFIG));
    }
}
