//! Bookinfo's productpage, which Slime's e2e and tutorials fence.

use crate::on_the_mesh::corner::Room;
use crate::on_the_mesh::world::{host, mesh, mk_fence};
use integration::access_log::entries;
use integration::http::Served;
use integration::until::until;
use integration::workload::Workload;
use serde_json::Value;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tests that fence it take turns.
static ONE: Mutex<()> = Mutex::new(());

/// The page, without a fence when it is taken and when it is given back.
pub struct Productpage {
    room: Room,
    /// Its pod.
    pub pod: Workload,
    _one: MutexGuard<'static, ()>,
}

impl Deref for Productpage {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

impl Productpage {
    /// Takes it.
    pub fn take() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let namespace = "default".to_owned();
        let page = Self {
            room: Room { namespace },
            pod: mesh().workload("default/productpage").unwrap(),
            _one: one,
        };
        page.await_knowledge(true);
        page
    }

    /// Fences it as the tutorial does, with these labels on the fence.
    pub fn fence(&self, labels: &str) {
        let fence = mk_fence("productpage", "enable: true");
        let labelled = format!("labels: {{{labels}}}, namespace");
        self.apply(&fence.replacen("namespace", &labelled, 1));
        self.await_knowledge(false);
    }

    /// Waits until it knows of the services behind it, or of none of them.
    pub fn await_knowledge(&self, wanted: bool) {
        until("productpage to know what it should", || {
            let known = mesh().knows(&self.pod, &host("details"), 9080)?;
            let listens = mesh()
                .admin(&self.pod, "listeners")?
                .contains("0.0.0.0_9080");
            Ok((known == wanted && listens).then_some(()))
        })
        .unwrap();
    }

    /// `curl productpage:9080/productpage?QUERY` in ratings, as the tutorial does it.
    pub fn curl(&self, query: &str) -> Served {
        let ratings = mesh().workload("default/ratings").unwrap();
        let url = format!("http://productpage:9080/productpage?{query}");
        let reply = mesh().get(&ratings, &url, &[]).unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body.unwrap()
    }

    /// Where its sidecar sent the call to a service that the page of this query needed.
    pub fn cluster_of(&self, query: &str, service: &str) -> String {
        let path = format!("/productpage?{query}");
        let authority = format!("{service}:9080");
        let entry = until(&format!("{path} to {authority} in the access log"), || {
            let log = mesh().log(&self.pod, "istio-proxy")?;
            Ok(entries(&log).into_iter().find(|entry| {
                entry.path.as_ref() == Some(&path) && entry.authority.as_ref() == Some(&authority)
            }))
        });
        entry.unwrap().upstream_cluster.unwrap_or_default()
    }

    /// The fence, the way `kubectl get -o json` shows it.
    pub fn shown(&self, kind: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", kind, "productpage", "-o", "json"])).unwrap()
    }
}

impl Drop for Productpage {
    fn drop(&mut self) {
        let gone = [
            "delete",
            "servicefence",
            "productpage",
            "--ignore-not-found",
        ];
        let _ = mesh().kubectl_output(&[gone.as_slice(), &["-n", "default"]].concat());
    }
}
