//! Certificates, keys and tokens of one mesh, new with every start.

use super::{NODE_ADDRESS, run_path};
use anyhow::Result;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::path::Path;

/// The service address of the API server: the first of the service range.
const API_SERVICE_ADDRESS: &str = "10.96.0.1";

/// Writes `ca.crt`, `api.crt`, `api.key`, `sa.key`, `sa.pub`, `tokens.csv` and `kubeconfig` below the mesh's folder.
pub fn write() -> Result<()> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::<String>::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    ca.distinguished_name.push(DnType::CommonName, "mesh");
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let addresses = [NODE_ADDRESS, API_SERVICE_ADDRESS, "127.0.0.1"];
    let mut api = CertificateParams::new(
        names
            .iter()
            .chain(&addresses)
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    )?;
    api.distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    let api_key = KeyPair::generate()?;
    let api_certificate = api.signed_by(&api_key, &issuer)?;

    let token = hex(&KeyPair::generate()?.serialize_der()[..]);
    let file = |name: &str, text: String| std::fs::write(run_path(name), text);
    file("ca.crt", ca_certificate.pem())?;
    file("api.crt", api_certificate.pem())?;
    file("api.key", api_key.serialize_pem())?;
    let account_key = KeyPair::generate()?;
    file("sa.key", account_key.serialize_pem())?;
    file("sa.pub", account_key.public_key_pem())?;
    file(
        "tokens.csv",
        format!("{token},admin,admin,system:masters\n"),
    )?;
    file("kubeconfig", kubeconfig(&ca_certificate.pem(), &token))?;
    Ok(())
}

/// A client of the API server that the kubeconfig at `path` names. Must be called in the mesh's network.
pub async fn client(path: &Path) -> Result<kube::Client> {
    let kubeconfig = Kubeconfig::read_from(path)?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(kube::Client::try_from(config)?)
}

/// An unguessable text out of a new private key.
fn hex(key: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// JSON is YAML: one document for kubectl, the Go programs and kube-rs alike.
fn kubeconfig(ca: &str, token: &str) -> String {
    use base64::Engine;
    let ca = base64::engine::general_purpose::STANDARD.encode(ca);
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "mesh", "cluster": {
            "server": format!("https://{NODE_ADDRESS}:6443"),
            "certificate-authority-data": ca,
        }}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "mesh", "context": {"cluster": "mesh", "user": "admin"}}],
        "current-context": "mesh",
    })
    .to_string()
}
