//! Readiness as a kubelet asks for it, from inside the pod's network: as Istio's injector has probes rewritten, they reach
//! the application without passing its sidecar.

use crate::netns;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long a probe may take.
const LIMIT: Duration = Duration::from_secs(1);

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A GET that must answer 2xx or 3xx.
    Http {
        /// Port on the pod's loopback address.
        port: u16,
        /// Path, with its slash.
        path: String,
    },
    /// A port that must take a connection.
    Tcp {
        /// Port on the pod's loopback address.
        port: u16,
    },
}

impl Probe {
    /// What the sidecar answers when Envoy has its first configuration.
    pub fn of_sidecar() -> Self {
        Self::Http {
            port: 15021,
            path: "/healthz/ready".into(),
        }
    }

    /// The readiness probe of `container`. One without counts as ready when its first port takes a connection: the rig has
    /// no other way to await an application.
    pub fn of(container: &core::Container) -> Option<Self> {
        let ports = container.ports.as_deref().unwrap_or_default();
        let number = |port: &IntOrString| match port {
            IntOrString::Int(port) => u16::try_from(*port).ok(),
            IntOrString::String(name) => ports
                .iter()
                .find(|port| port.name.as_deref() == Some(name))
                .and_then(|port| u16::try_from(port.container_port).ok()),
        };
        match &container.readiness_probe {
            Some(probe) => match (&probe.http_get, &probe.tcp_socket) {
                (Some(get), _) => {
                    let path = get.path.clone().unwrap_or_else(|| "/".into());
                    Some(Self::Http {
                        port: number(&get.port)?,
                        path,
                    })
                }
                (None, Some(socket)) => Some(Self::Tcp {
                    port: number(&socket.port)?,
                }),
                (None, None) => None,
            },
            None => {
                let first = ports.first()?;
                Some(Self::Tcp {
                    port: u16::try_from(first.container_port).ok()?,
                })
            }
        }
    }

    /// Asks once.
    pub async fn succeeds(&self, network: &Path) -> bool {
        let (probe, network) = (self.clone(), network.to_path_buf());
        let asked = tokio::task::spawn_blocking(move || netns::run(&network, || probe.ask()));
        matches!(asked.await, Ok(Ok(true)))
    }

    fn ask(&self) -> bool {
        match self {
            Self::Http { port, path } => {
                let agent: ureq::Agent = ureq::Agent::config_builder()
                    .timeout_global(Some(LIMIT))
                    .build()
                    .into();
                agent
                    .get(format!("http://127.0.0.1:{port}{path}"))
                    .call()
                    .is_ok()
            }
            Self::Tcp { port } => {
                TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, *port)), LIMIT)
                    .is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(container: serde_json::Value) -> Option<Probe> {
        Probe::of(&serde_json::from_value(container).unwrap())
    }

    #[test]
    fn a_probe_may_name_its_port() {
        let container = serde_json::json!({"name": "c", "ports": [{"name": "admin", "containerPort": 8081}],
            "readinessProbe": {"httpGet": {"port": "admin", "path": "/readyz"}}});
        assert_eq!(
            probe(container),
            Some(Probe::Http {
                port: 8081,
                path: "/readyz".into()
            })
        );
    }

    #[test]
    fn a_container_without_a_probe_is_ready_when_its_port_listens() {
        let container = serde_json::json!({"name": "c", "ports": [{"containerPort": 9080}]});
        assert_eq!(probe(container), Some(Probe::Tcp { port: 9080 }));
    }
}
