//! Namespaces for tests, and whose turn it is.

use super::world::{learned, mesh};
use integration::until::LIMIT;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::wait::await_condition;
use kube::{Api, Resource};
use lazyload_controller::api::{ServiceFence, Sidecar};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Tests that stop what others use run alone.
static SHARED: RwLock<()> = RwLock::new(());

/// A test's turn on the mesh, until it is dropped.
#[allow(dead_code, reason = "held for its lock")]
pub enum Turn {
    /// Beside others.
    Shared(RwLockReadGuard<'static, ()>),
    /// While no other test runs.
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Turn {
    /// Beside others.
    pub fn shared() -> Self {
        Self::Shared(SHARED.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// While no other test runs.
    pub fn alone() -> Self {
        Self::Alone(SHARED.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A namespace of the mesh.
pub struct Room {
    /// Its name.
    pub namespace: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(folder) = mesh().save_logs()
        {
            eprintln!("the logs of the mesh are in {}", folder.display());
        }
    }
}

/// A room of a test's own, which goes with it, and its turn.
pub struct Corner {
    // First, so that the logs of what fails are saved while its pods are there.
    _turn: Turn,
    room: Own,
}

/// A room that goes with whoever has it.
struct Own(Room);

impl Drop for Own {
    fn drop(&mut self) {
        let _ = mesh().kubectl_output(&["delete", "namespace", &self.0.namespace, "--wait=false"]);
    }
}

impl Deref for Corner {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room.0
    }
}

impl Corner {
    /// A namespace beside others' tests.
    pub fn new(name: &str) -> Self {
        Self::make(name, Turn::shared())
    }

    /// A namespace while no other test runs.
    pub fn alone(name: &str) -> Self {
        Self::make(name, Turn::alone())
    }

    fn make(name: &str, turn: Turn) -> Self {
        Self {
            _turn: turn,
            room: Own(Room::new(name)),
        }
    }
}

impl Room {
    /// The namespace `test-NAME`, made if it is not there.
    pub fn new(name: &str) -> Self {
        let room = Self {
            namespace: format!("test-{name}"),
        };
        room.apply(NAMESPACE);
        room
    }

    /// Waits until a Deployment has its pods.
    pub fn await_available(&self, deployment: &str) {
        let available = ["--for=condition=Available", "--timeout=60s"];
        self.kubectl(&[&["wait", "deployment", deployment], available.as_slice()].concat());
    }

    /// kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        mesh()
            .kubectl_output(&[arguments, &["-n", &self.namespace]].concat())
            .unwrap()
    }

    /// Applies a manifest in which NAMESPACE stands for this namespace.
    pub fn apply(&self, manifest: &str) {
        mesh()
            .apply(&manifest.replace("NAMESPACE", &self.namespace))
            .unwrap();
    }

    /// Waits, by a watch, until an object of this namespace is as wanted, and returns it if there is one.
    pub fn await_object<K>(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(Option<&K>) -> bool + Send,
    ) -> Option<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let awaited = mesh().with_client(|client| {
            let objects: Api<K> = Api::namespaced(client, &self.namespace);
            async move { tokio::time::timeout(LIMIT, await_condition(objects, name, wanted)).await }
        });
        match awaited.unwrap() {
            Ok(object) => object.unwrap(),
            Err(_) => panic!("waited {} s for {what}", LIMIT.as_secs()),
        }
    }

    /// The fence of this name as it is now.
    pub fn fence_now(&self, name: &str) -> ServiceFence {
        serde_json::from_str(&self.kubectl(&["get", "servicefence", name, "-o", "json"])).unwrap()
    }

    /// The Sidecar of this name as it is now.
    pub fn sidecar_now(&self, name: &str) -> Sidecar {
        serde_json::from_str(&self.kubectl(&["get", "sidecar", name, "-o", "json"])).unwrap()
    }

    /// Waits until a fence has learned `hosts`, and returns everything that it has learned.
    pub fn await_learned(&self, fence: &str, hosts: &[String]) -> BTreeSet<String> {
        let fence = self.await_object::<ServiceFence>(fence, "the fence to learn", |fence| {
            let learned = learned(fence);
            hosts.iter().all(|host| learned.contains(host))
        });
        learned(fence.as_ref())
    }
}

/// Whether a Sidecar has a host, in whatever form.
pub fn sees(sidecar: &Sidecar, host: &str) -> bool {
    let mut entries = sidecar.spec.egress[0].hosts.iter();
    entries.any(|entry| entry.split_once('/').is_some_and(|(_, seen)| seen == host))
}

const NAMESPACE: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE, labels: {istio-injection: enabled}}
";
