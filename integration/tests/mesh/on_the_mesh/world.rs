//! A test's own corner of the shared mesh: a namespace with a client, whose fences are nobody else's.

use super::corner::Corner;
use integration::http::Reply;
use integration::mesh::Mesh;
use integration::netns;
use integration::until::until;
use integration::workload::Workload;
use lazyload_controller::api::ServiceFence;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::OnceLock;

/// The mesh of this run. It ends with the process: its first process sees our end of a pipe close.
pub fn mesh() -> &'static Mesh {
    static MESH: OnceLock<Result<Mesh, String>> = OnceLock::new();
    match MESH.get_or_init(|| Mesh::up().map_err(|error| format!("{error:#}"))) {
        Ok(mesh) => mesh,
        Err(error) => panic!(
            "no mesh (`cargo test --workspace -- --skip on_the_mesh` does without one): {error}"
        ),
    }
}

/// A namespace with one pod, `client`, that has a sidecar.
pub struct World {
    corner: Corner,
    /// The client.
    pub client: Workload,
}

impl Deref for World {
    type Target = Corner;

    fn deref(&self) -> &Corner {
        &self.corner
    }
}

impl World {
    /// A world beside others.
    pub fn new(name: &str) -> Self {
        Self::within(Corner::new(name))
    }

    /// A world while no other test runs.
    pub fn alone(name: &str) -> Self {
        Self::within(Corner::alone(name))
    }

    fn within(corner: Corner) -> Self {
        corner.apply(CLIENT);
        corner.await_available("client");
        let client = mesh().workload(&format!("{}/client", corner.namespace));
        Self {
            client: client.unwrap(),
            corner,
        }
    }

    /// Fences the client with an otherwise empty fence, and waits until its sidecar is narrow.
    pub fn fence(&self) {
        self.fence_with("enable: true");
    }

    /// The same, where misses are passed through: what they leave behind can be seen at the upstream.
    pub fn fence_passing_through(&self) {
        self.fence_with("enable: true, firstRequest: passthrough");
    }

    /// Fences the client with this spec, and waits until its sidecar is narrow.
    pub fn fence_with(&self, spec: &str) {
        self.apply(&mk_fence("client", spec));
        self.await_object::<ServiceFence>("client", "the fence to be ready", |fence| {
            fence.is_some_and(|fence| ready_reason(fence) == Some("SidecarApplied"))
        });
        self.await_narrow();
    }

    /// Waits until the client's sidecar knows none of Bookinfo's services, and still listens on their port.
    pub fn await_narrow(&self) {
        until("the client's sidecar to be narrow", || {
            let knows = mesh().knows(&self.client, &host("details"), 9080)?;
            let listens = mesh()
                .admin(&self.client, "listeners")?
                .contains("0.0.0.0_9080");
            Ok((!knows && listens).then_some(()))
        })
        .unwrap();
    }

    /// A GET by the client's application.
    pub fn get(&self, url: &str) -> Reply {
        self.get_with(url, &[])
    }

    /// A GET with headers by the client's application.
    pub fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> Reply {
        mesh().get(&self.client, url, headers).unwrap()
    }

    /// Waits until the client's sidecar has a usable route to `service` of Bookinfo.
    pub fn await_route(&self, service: &str) {
        let looked = until(&format!("a route to {service}"), || {
            Ok(mesh()
                .routes_to(&self.client, &host(service), 9080)?
                .then_some(()))
        });
        looked.unwrap();
    }

    /// The sum of the samples of one of the client's Envoy statistics whose name ends so.
    pub fn stat(&self, name: &str) -> u64 {
        stat(&self.client, name)
    }
}

/// The sum of a sidecar's counters whose name ends like this.
pub fn stat(pod: &Workload, name: &str) -> u64 {
    let stats = mesh().admin(pod, "stats").unwrap();
    let values = stats
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(stat, _)| stat.ends_with(name));
    values
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum()
}

/// A fence of the world's namespace.
pub fn mk_fence(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: microservice.slime.io/v1alpha1\nkind: ServiceFence\n\
        metadata: {{name: {name}, namespace: NAMESPACE}}\nspec: {{{spec}}}\n"
    )
}

/// The host of one of Bookinfo's services.
pub fn host(service: &str) -> String {
    format!("{service}.default.svc.cluster.local")
}

/// Where a call to one of Bookinfo's services is going before anybody has redirected it: the Service's cluster address and port.
pub fn destination(service: &str) -> String {
    let address = ["-n", "default", "-o", "jsonpath={.spec.clusterIP}:9080"];
    let get = [&["get", "service", service], address.as_slice()].concat();
    mesh().kubectl_output(&get).unwrap()
}

/// The hosts in a fence's `status.metricStatus`.
pub fn learned(fence: Option<&ServiceFence>) -> BTreeSet<String> {
    let keys = fence
        .and_then(|fence| fence.status.as_ref())
        .into_iter()
        .flat_map(|status| status.metric_status.keys());
    keys.filter_map(|key| {
        Some(
            key.strip_prefix("{destination_service=\"")?
                .strip_suffix("\"}")?
                .to_owned(),
        )
    })
    .collect()
}

/// The reason of a fence's `Ready` condition.
pub fn ready_reason(fence: &ServiceFence) -> Option<&str> {
    let conditions = fence.status.iter().flat_map(|status| &status.conditions);
    conditions
        .filter(|condition| condition.type_ == "Ready")
        .map(|condition| condition.reason.as_str())
        .next()
}

/// A GET on the controller's admin port.
pub fn controller_admin(path: &str) -> String {
    let controller = mesh().workload("mesh-operator/lazyload").unwrap();
    let body = netns::run(&mesh().pod_network(&controller), || {
        ureq::get(format!("http://127.0.0.1:8081/{path}"))
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap()
    });
    body.unwrap()
}

/// The sum of the samples of a metric of the controller whose line starts so (name and, if wanted, labels).
pub fn controller_metric(start: &str) -> f64 {
    let metrics = controller_admin("metrics");
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

const CLIENT: &str = "\
apiVersion: v1
kind: ServiceAccount
metadata: {name: client, namespace: NAMESPACE}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: NAMESPACE}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec:
      serviceAccountName: client
      terminationGracePeriodSeconds: 1
      containers:
      - {name: client, image: examples-bookinfo-ratings-v1, ports: [{containerPort: 9080}]}
";
