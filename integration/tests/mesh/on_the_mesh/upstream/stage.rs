//! Clients and servers of the upstream cases, one set for all tests: each test calls hosts of its own.

use super::manifests::{HTTP, OBJECTS, OLDER, mk_deployment, mk_service};
use crate::on_the_mesh::corner::Room;
use crate::on_the_mesh::world::{mesh, mk_fence, ready_reason};
use integration::access_log::{Entry, entries};
use integration::http::{Reply, Served};
use integration::netns;
use integration::until::until;
use integration::workload::Workload;
use k8s_openapi::api::core::v1::Pod;
use lazyload_controller::api::ServiceFence;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

/// The port of a server that speaks TCP.
const TCP_PORT: u16 = 4000;

/// What stands for as long as the mesh does.
pub struct Stage {
    room: Room,
    /// A client with a fence of its own name.
    pub source: Workload,
    /// The server `web` of version v1.
    pub web: Workload,
}

impl Deref for Stage {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

/// The stage, set when it is first asked for.
pub fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(Stage::set)
}

impl Stage {
    fn set() -> Self {
        let room = Room::new("stage");
        let pods = [
            ("web-v1", "app: web, version: v1", "web-v1", ""),
            ("web-v2", "app: web, version: v2", "web-v2", ""),
            ("guarded", "app: guarded", "guarded-v1", ""),
            ("source", "app: source", "source-v1", ""),
            ("member", "app: member", "member-v1", ""),
            ("older", "app: older", "older-v1", OLDER),
        ];
        for (name, labels, image, annotations) in pods {
            room.apply(&mk_deployment(name, labels, image, annotations));
        }
        room.apply(OBJECTS);
        for (name, ..) in pods {
            room.await_available(name);
        }
        let pod = |name: &str| {
            mesh()
                .workload(&format!("{}/{name}", room.namespace))
                .unwrap()
        };
        let (source, web) = (pod("source"), pod("web-v1"));
        echo(&web);
        let stage = Self { room, source, web };
        stage.fence("source", &stage.source, "enable: true");
        stage
    }

    /// Fences a client, and waits until its sidecar is narrow.
    pub fn fence(&self, name: &str, client: &Workload, spec: &str) {
        self.apply(&mk_fence(name, spec));
        self.await_object::<ServiceFence>(name, "the fence to be ready", |fence| {
            fence.is_some_and(|fence| ready_reason(fence) == Some("SidecarApplied"))
        });
        until(&format!("{name} to be narrow"), || {
            let knows = mesh().has_virtual_host(client, &self.host("web"))?;
            let listens = mesh().admin(client, "listeners")?.contains("0.0.0.0_7000");
            Ok((!knows && listens).then_some(()))
        })
        .unwrap();
    }

    /// A pod of the stage.
    pub fn pod(&self, name: &str) -> Workload {
        mesh()
            .workload(&format!("{}/{name}", self.namespace))
            .unwrap()
    }

    /// The full name of a Service of the stage.
    pub fn host(&self, service: &str) -> String {
        format!("{service}.{}.svc.cluster.local", self.namespace)
    }

    /// Who a client of the stage is to those whom it calls.
    pub fn identity(&self, account: &str) -> Option<String> {
        Some(format!(
            "spiffe://cluster.local/ns/{}/sa/{account}",
            self.namespace
        ))
    }

    /// A Service of the stage that leads to the server `web` of version v1, on port 7000.
    pub fn service(&self, name: &str) {
        self.services(&[name]);
    }

    /// Several of them.
    pub fn services(&self, names: &[&str]) {
        let service = |name: &&str| mk_service(name, "app: web, version: v1", HTTP);
        let manifests: Vec<String> = names.iter().map(service).collect();
        self.apply(&manifests.join("---\n"));
        self.await_known(names);
    }

    /// A headless Service of the stage that leads to the server `web` of version v1, on its own port.
    pub fn headless(&self, name: &str) {
        self.apply(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: NAMESPACE}}\nspec: {{clusterIP: None, \
            selector: {{app: web, version: v1}}, ports: [{{name: http, port: 9080}}]}}\n"
        ));
        self.await_known(&[name]);
    }

    /// Waits until the mesh knows these Services.
    pub fn await_known(&self, services: &[&str]) {
        for service in services {
            self.await_host(&self.host(service));
        }
    }

    /// Waits until the mesh knows a host: a sidecar with full configuration does.
    pub fn await_host(&self, host: &str) {
        let full = mesh().workload("default/ratings").unwrap();
        until(&format!("the mesh to know {host}"), || {
            Ok(mesh().has_virtual_host(&full, host)?.then_some(()))
        })
        .unwrap();
    }

    /// Waits until the fenced client listens on a port.
    pub fn await_listener(&self, port: u16) {
        until(&format!("a listener on {port}"), || {
            let listeners = mesh().admin(&self.source, "listeners")?;
            let replay = format!("lazyload-replay-{port}");
            Ok(listeners.contains(&replay).then_some(()))
        })
        .unwrap();
    }

    /// Waits until the fenced client has a cluster.
    pub fn await_cluster(&self, name: &str) {
        until(&format!("cluster {name}"), || {
            let clusters = mesh().admin(&self.source, "clusters")?;
            Ok(clusters.contains(&format!("{name}::")).then_some(()))
        })
        .unwrap();
    }

    /// Whether the fenced client's sidecar has sent anything to a cluster.
    pub fn has_logged(&self, cluster: &str) -> anyhow::Result<bool> {
        let log = mesh().log(&self.source, "istio-proxy")?;
        let mut entries = entries(&log).into_iter();
        Ok(entries.any(|entry| entry.upstream_cluster.as_deref() == Some(cluster)))
    }

    /// Everything that the fenced client's fence has learned, after it has learned one host more, which nobody else calls: what was
    /// called before and is not there will never be.
    pub fn learned_by_now(&self, one_more: &str) -> BTreeSet<String> {
        self.service(one_more);
        self.served(&format!("http://{}:7000/", self.host(one_more)), &[]);
        self.await_learned("source", &[self.host(one_more)])
    }

    /// A GET by the fenced client.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Reply {
        mesh().get(&self.source, url, headers).unwrap()
    }

    /// A GET by the fenced client that a server of the stage must have answered.
    pub fn served(&self, url: &str, headers: &[(&str, &str)]) -> Served {
        let reply = self.get(url, headers);
        let told = format!("{url} {headers:?}: {reply:?}");
        reply.body.unwrap_or_else(|| panic!("{told}"))
    }

    /// The address of a Service.
    pub fn address(&self, service: &str) -> String {
        let path = "jsonpath={.spec.clusterIP}";
        self.kubectl(&["get", "service", service, "-o", path])
    }

    /// The address of a pod.
    pub fn pod_address(&self, pod: &Workload) -> String {
        let pod = self.await_object::<Pod>(&pod.name, "the pod's address", |pod| {
            pod.and_then(|pod| pod.status.as_ref()?.pod_ip.as_ref())
                .is_some()
        });
        pod.unwrap().status.unwrap().pod_ip.unwrap()
    }

    /// The last entry of the client's access log that is `wanted`.
    pub fn logged(&self, what: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
        until(&format!("{what} in the access log"), || {
            let log = mesh().log(&self.source, "istio-proxy")?;
            Ok(entries(&log).into_iter().rfind(&wanted))
        })
        .unwrap()
    }

    /// The cluster to which the client's sidecar sent its last request of this path.
    pub fn cluster_of(&self, path: &str) -> String {
        let entry = self.logged(path, |entry| entry.path.as_deref() == Some(path));
        entry.upstream_cluster.unwrap_or_default()
    }

    /// One line each way with whoever listens there, by TCP, as an application of the client would.
    pub fn exchange(&self, address: &str, port: u16, line: &str) -> String {
        self.try_exchange(address, port, line).unwrap()
    }

    /// The same, where perhaps nobody listens yet.
    pub fn try_exchange(&self, address: &str, port: u16, line: &str) -> std::io::Result<String> {
        let exchanged = netns::run(&mesh().pod_network(&self.source), || {
            let mut stream = TcpStream::connect(format!("{address}:{port}"))?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            writeln!(stream, "{line}")?;
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer)?;
            std::io::Result::Ok(answer.trim_end().to_owned())
        });
        exchanged.unwrap()
    }
}

/// Answers every line that comes to a pod by TCP with the same, said by the pod, for as long as this process lives.
fn echo(pod: &Workload) {
    let listener = netns::run(&mesh().pod_network(pod), || {
        TcpListener::bind(("0.0.0.0", TCP_PORT))
    });
    let listener = listener.unwrap().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let lines = BufReader::new(&stream).lines();
                for line in lines.map_while(Result::ok) {
                    if writeln!(&stream, "web heard {line}").is_err() {
                        return;
                    }
                }
            });
        }
    });
}
