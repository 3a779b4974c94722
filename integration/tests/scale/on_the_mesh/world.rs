//! Services, VirtualServices and fences, many of each.

mod objects;

pub use objects::{fence_name, host_of, namespace_of};

use anyhow::{Result, bail};
use integration::bulk::{apply_all, create_all, replace_status};
use integration::mesh::Mesh;
use integration::progress::step;
use kube::api::{Api, ListParams};
use lazyload_controller::api::{ServiceFence, Sidecar};
use objects::{mk_fence, mk_namespace, mk_service, mk_status, mk_virtual_service};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Fences that are there before the controller.
pub const FENCES: usize = 900;
/// Fences that come while it runs.
pub const LATE_FENCES: usize = 100;
/// Services, with or without a fence.
const SERVICES: usize = 2_000;
/// Namespaces, over which everything is spread evenly.
const NAMESPACES: usize = 20;
/// How long all of them may take to settle.
const LIMIT: Duration = Duration::from_secs(300);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// A namespace without fences, which none names.
const APART: &str = "apart";
/// The large world.
pub struct World<'a> {
    mesh: &'a Mesh,
}

impl<'a> World<'a> {
    /// A world on this mesh, with nothing in it yet.
    pub fn new(mesh: &'a Mesh) -> Self {
        Self { mesh }
    }

    /// Everything but the late fences.
    pub fn create(&self) -> Result<()> {
        step(format!("creating {SERVICES} Services and {FENCES} fences"));
        let (fences, statuses): (Vec<_>, Vec<_>) = (0..FENCES)
            .map(|number| (mk_fence(number), mk_status(number)))
            .unzip();
        self.mesh.with_client(async |client| {
            let namespaces = (0..NAMESPACES).map(namespace_of).chain([APART.to_owned()]);
            create_all(&client, namespaces.map(mk_namespace).collect()).await?;
            create_all(&client, (0..SERVICES).map(mk_service).collect()).await?;
            create_all(&client, (0..NAMESPACES).map(mk_virtual_service).collect()).await?;
            create_all(&client, fences).await?;
            replace_status(&client, statuses).await
        })?
    }

    /// Fences that have learned nothing yet.
    pub fn create_late_fences(&self) -> Result<()> {
        step(format!("creating {LATE_FENCES} more fences"));
        let fences = (FENCES..FENCES + LATE_FENCES).map(mk_fence).collect();
        self.mesh
            .with_client(async |client| create_all(&client, fences).await)?
    }

    /// Waits until this many fences are ready and have their Sidecars.
    pub fn await_settled(&self, fences: usize) -> Result<()> {
        self.until("the fences to settle", || {
            let (ready, sidecars) = self.mesh.with_client(async |client| {
                let all = ListParams::default();
                let found = Api::<ServiceFence>::all(client.clone()).list(&all).await?;
                let sidecars = Api::<Sidecar>::all(client).list_metadata(&all).await?;
                let ready = found.iter().filter(|fence| is_ready(fence)).count();
                anyhow::Ok((ready, sidecars.items.len()))
            })??;
            Ok(ready == fences && sidecars == fences)
        })
    }

    /// What happens in a mesh all the time and changes no fence.
    pub fn stir(&self, round: usize) -> Result<()> {
        let mark = json!({"stirred": round.to_string()});
        let service = mk_service(round % SERVICES);
        let metadata = |name: &str, namespace: &str| json!({"name": name, "namespace": namespace, "labels": mark, "annotations": mark});
        let named = |object: &Value, field: &str| {
            object["metadata"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let (name, namespace) = (named(&service, "name"), named(&service, "namespace"));
        let objects = vec![
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(&name, &namespace)}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("lonely", APART),
                "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 8080}]}}),
            // As when pods come and go.
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"name": format!("{name}-stirred"), "namespace": namespace,
                    "labels": {"kubernetes.io/service-name": name}},
                "endpoints": [{"addresses": [format!("10.200.0.{}", round % 250 + 1)]}],
                "ports": [{"name": "http", "port": 8080}]}),
            json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": namespace, "annotations": mark}}),
        ];
        self.mesh
            .with_client(async |client| apply_all(&client, objects).await)?
    }

    /// Opens an HTTP port that no Service has had.
    pub fn open_port(&self, port: u16) -> Result<()> {
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "newcomer", "namespace": namespace_of(0)},
            "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": port}]}});
        self.mesh
            .with_client(async |client| create_all(&client, vec![service]).await)?
    }

    /// Waits until the placeholder carries this port.
    pub fn await_port(&self, port: u16) -> Result<()> {
        self.until("the placeholder to carry the port", || {
            let ports = [
                "get",
                "serviceentry",
                "lazyload-placeholder",
                "-n",
                "mesh-operator",
                "-o=jsonpath={.spec.ports[*].number}",
            ];
            let ports = self.mesh.kubectl_output(&ports)?;
            Ok(ports
                .split_whitespace()
                .any(|number| number == port.to_string()))
        })
    }

    /// Gives a fence one more static host.
    pub fn add_host(&self, number: usize, host: &str) -> Result<()> {
        let patch = json!({"spec": {"host": {host: {}}}}).to_string();
        let (name, namespace) = (fence_name(number), namespace_of(number));
        let arguments = [
            "patch",
            "servicefence",
            &name,
            "-n",
            &namespace,
            "--type=merge",
            "-p",
            &patch,
        ];
        self.mesh.kubectl_output(&arguments).map(drop)
    }

    /// Waits until a fence's Sidecar has this host.
    pub fn await_host(&self, number: usize, host: &str) -> Result<()> {
        let (name, namespace) = (fence_name(number), namespace_of(number));
        self.until("the Sidecar to have the host", || {
            let hosts = [
                "get",
                "sidecar",
                &name,
                "-n",
                &namespace,
                "-o=jsonpath={.spec.egress[0].hosts}",
            ];
            Ok(self.mesh.kubectl_output(&hosts)?.contains(host))
        })
    }

    /// Ends the controller and waits until it is gone.
    pub fn stop_controller(&self) -> Result<()> {
        self.scale(0)?;
        let gone = [
            "wait",
            "pod",
            "--all",
            "--for=delete",
            "--timeout=60s",
            "-n",
            "mesh-operator",
        ];
        self.mesh.kubectl_output(&gone).map(drop)
    }

    /// Starts it and waits until it is available.
    pub fn start_controller(&self) -> Result<()> {
        self.scale(1)?;
        let ready = [
            "wait",
            "deployment",
            "lazyload",
            "--for=condition=Available",
            "--timeout=240s",
            "-n",
            "mesh-operator",
        ];
        self.mesh.kubectl_output(&ready).map(drop)
    }

    fn scale(&self, replicas: u8) -> Result<()> {
        let replicas = format!("--replicas={replicas}");
        self.mesh
            .kubectl_output(&[
                "scale",
                "deployment/lazyload",
                &replicas,
                "-n",
                "mesh-operator",
            ])
            .map(drop)
    }

    fn until(&self, what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
        let start = Instant::now();
        while !is_so()? {
            if start.elapsed() > LIMIT {
                bail!("waited {} s for {what}, in vain", LIMIT.as_secs());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

fn is_ready(fence: &ServiceFence) -> bool {
    let described = fence
        .status
        .as_ref()
        .filter(|status| status.observed_generation == fence.metadata.generation);
    let mut conditions = described.into_iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
