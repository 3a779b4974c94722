//! How each program of the control plane is started, so that all run on one machine, and with upstream Envoy.

use super::process::program;
use super::{NODE_ADDRESS, RUN, run_path};
use anyhow::Result;
use std::collections::BTreeMap;
use tokio::process::Command;

/// Addresses of pods.
const POD_RANGE: &str = "10.244.0.0/16";

/// The API server's store; nothing in it needs to outlive the mesh.
pub fn etcd() -> Command {
    let mut command = program("etcd");
    let (client, peer) = ("http://127.0.0.1:2379", "http://127.0.0.1:2380");
    command
        .args([
            "--data-dir",
            &run_path("etcd").display().to_string(),
            "--unsafe-no-fsync",
            "--name",
            "mesh",
        ])
        .args([
            "--listen-client-urls",
            client,
            "--advertise-client-urls",
            client,
        ])
        .args([
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
        ])
        .args(["--initial-cluster", &format!("mesh={peer}")]);
    command
}

/// The API server, with RBAC.
pub fn api() -> Command {
    let mut command = program("kube-apiserver");
    command
        .args([
            "--etcd-servers=http://127.0.0.1:2379",
            "--authorization-mode=RBAC",
            "--allow-privileged",
        ])
        .args([
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
        ])
        .arg(format!("--bind-address={NODE_ADDRESS}"))
        .arg(format!("--advertise-address={NODE_ADDRESS}"))
        .arg(format!("--tls-cert-file={RUN}/api.crt"))
        .arg(format!("--tls-private-key-file={RUN}/api.key"))
        .arg(format!("--service-account-key-file={RUN}/sa.pub"))
        .arg(format!("--service-account-signing-key-file={RUN}/sa.key"))
        .arg(format!("--token-auth-file={RUN}/tokens.csv"));
    command
}

/// Deployments to pods, Services to endpoints, garbage collection.
pub fn controller_manager() -> Command {
    let mut command = program("kube-controller-manager");
    command
        .args(["--use-service-account-credentials", "--leader-elect=false"])
        // The node controllers judge machines and hand out pod ranges; the rig's node does both.
        .arg("--controllers=*,-node-lifecycle-controller,-node-ipam-controller")
        .arg(format!("--kubeconfig={RUN}/kubeconfig"))
        .arg(format!("--service-account-private-key-file={RUN}/sa.key"))
        .arg(format!("--root-ca-file={RUN}/ca.crt"));
    command
}

/// Service addresses to pod addresses.
pub fn kube_proxy() -> Command {
    let mut command = program("kube-proxy");
    command
        .args([
            "--proxy-mode=iptables",
            "--iptables-min-sync-period=0s",
            "--hostname-override=node",
        ])
        // Limits of connection tracking belong to the machine, not to the mesh.
        .args([
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
        ])
        .args([
            "--conntrack-tcp-timeout-close-wait=0s",
            "--metrics-bind-address=127.0.0.1:10249",
        ])
        .arg(format!("--cluster-cidr={POD_RANGE}"))
        .arg(format!("--kubeconfig={RUN}/kubeconfig"));
    command
}

/// What istiod is told of the mesh, in ConfigMap `istio` as in a real installation. Istio's own Envoy build has filters that
/// upstream's lacks: no telemetry provider that needs them is named.
pub fn mesh_config() -> serde_json::Value {
    serde_json::json!({
        "rootNamespace": "istio-system",
        "enablePrometheusMerge": false,
        "accessLogFile": "/dev/stdout",
        "accessLogEncoding": "JSON",
        "accessLogFormat": crate::access_log::format(),
    })
}

/// The features that emit filters of Istio's own Envoy build are off. `environment` is added to its own. Where its working
/// folder has no file with a mesh configuration, and here it has none, it watches ConfigMap `istio`.
pub fn istiod(environment: &BTreeMap<String, String>) -> Result<Command> {
    let folder = run_path("istiod");
    std::fs::create_dir_all(&folder)?;
    let mut command = program("pilot-discovery");
    command
        .current_dir(folder)
        .args([
            "discovery",
            "--networksConfig",
            "/dev/null",
            "--httpsAddr",
            "",
        ])
        .args([
            "--httpAddr",
            ":8080",
            "--grpcAddr",
            ":15010",
            "--secureGRPCAddr",
            ":15012",
            "--monitoringAddr",
            ":15014",
        ])
        .arg(format!("--kubeconfig={RUN}/kubeconfig"))
        .envs([
            ("POD_NAMESPACE", "istio-system"),
            ("POD_NAME", "istiod"),
            ("CLUSTER_ID", "Kubernetes"),
            ("ENABLE_CA_SERVER", "true"),
            ("PILOT_CERT_PROVIDER", "istiod"),
            ("ISTIOD_CUSTOM_HOST", "istiod.istio-system.svc"),
            ("JWT_POLICY", "third-party-jwt"),
            ("PILOT_ENABLE_AMBIENT", "false"),
            ("VALIDATION_WEBHOOK_CONFIG_NAME", ""),
            ("INJECTION_WEBHOOK_CONFIG_NAME", ""),
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
        ])
        .envs(environment);
    Ok(command)
}
