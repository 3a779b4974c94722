//! Feeding the index from the API server.

use std::{collections::BTreeSet, fmt::Display, sync::Arc};

use futures::{StreamExt, pin_mut};
use kube::{
    Client, Resource,
    core::{DeserializeGuard, Status},
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use tracing::{info, warn};

use super::{Index, Indexed, world::object_ref};
use crate::{fence::ObjectRef, metrics::Metrics, readiness::Part};

/// Watches every object of one kind for ever and keeps the index in step. `synced` is marked when the index holds all of
/// them for the first time.
///
/// Errors are retried with a growing delay; an object that cannot be read stays as it was when it last could, or absent, with
/// a warning, and costs no other object anything.
pub async fn watch<K: Indexed>(
    client: Client,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    synced: Part,
) {
    let (api, watched) = index.read(|world| {
        let settings = world.settings();
        (K::api(client, settings), K::watched(settings))
    });
    let events = watcher(api, watched).default_backoff();
    pin_mut!(events);
    let mut listed = BTreeSet::new();
    let mut is_forbidden = false;
    while let Some(event) = events.next().await {
        if is_forbidden
            && matches!(
                event,
                Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_))
            )
        {
            is_forbidden = false;
            set_forbidden::<K>(false, &index);
        }
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.insert(object_ref(&object));
                take::<K>(object, &index, &metrics);
            }
            Ok(Event::InitDone) => {
                drop_unlisted::<K>(&listed, &index);
                info!(kind = K::PLURAL, objects = listed.len(), "listed");
                listed.clear();
                synced.mark();
            }
            Ok(Event::Apply(object)) => take::<K>(object, &index, &metrics),
            Ok(Event::Delete(object)) => {
                let version = object.meta().resource_version.clone();
                let name = object_ref(&object);
                index.write(|world, concerned| {
                    K::remove(&name, version.as_deref(), world, concerned)
                });
            }
            Err(error) => {
                metrics.watch_errors(K::PLURAL).inc();
                if K::IS_OPTIONAL && is_unserved(&error) {
                    // What is asked for again is there as soon as it is served.
                    drop_unlisted::<K>(&BTreeSet::new(), &index);
                    synced.mark();
                }
                if K::IS_OPTIONAL && is_refused(&error) {
                    // What was known of it, if anything, stays, where that does no harm.
                    is_forbidden = true;
                    set_forbidden::<K>(true, &index);
                    if let Some(consequence) = K::UNSEEN {
                        drop_unlisted::<K>(&BTreeSet::new(), &index);
                        warn!(kind = K::PLURAL, consequence, "may not be seen");
                    }
                    synced.mark();
                }
                warn!(kind = K::PLURAL, error = %advice(&error), "cannot watch; trying again");
            }
        }
    }
}

fn take<K: Indexed>(
    DeserializeGuard(object): DeserializeGuard<K>,
    index: &Index,
    metrics: &Metrics,
) {
    match object {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            index.write(|world, concerned| object.upsert(world, concerned));
        }
        Err(invalid) => {
            let name = ObjectRef::new(
                invalid.metadata.namespace.unwrap_or_default(),
                invalid.metadata.name.unwrap_or_default(),
            );
            metrics.unreadable_objects(K::PLURAL).inc();
            let uid = invalid.metadata.uid;
            index.write(|world, concerned| {
                let is_held = K::is_held(&name, uid.as_deref(), world);
                if !is_held {
                    K::remove(&name, None, world, concerned);
                }
            });
            warn!(
                kind = K::PLURAL,
                object = %name,
                error = invalid.error,
                "unreadable object: what was last readable of it stays in force"
            );
        }
    }
}

fn drop_unlisted<K: Indexed>(listed: &BTreeSet<ObjectRef>, index: &Index) {
    index.write(|world, concerned| {
        for name in K::names(world)
            .into_iter()
            .filter(|name| !listed.contains(name))
        {
            K::remove(&name, None, world, concerned);
        }
    });
}

/// Says whether objects of the kind are kept from the controller, where that leaves something in doubt.
fn set_forbidden<K: Indexed>(is_forbidden: bool, index: &Index) {
    if K::IS_RULE {
        index.write(|world, _| {
            let unreadable = &mut world.mesh.unreadable;
            if is_forbidden {
                unreadable.insert(K::PLURAL);
            } else {
                unreadable.remove(K::PLURAL);
            }
        });
    }
}

/// Whether the controller may not see objects of the kind.
fn is_refused(error: &watcher::Error) -> bool {
    status_of(error).is_some_and(|status| status.code == 403)
}

/// Whether the cluster does not have the kind at all.
fn is_unserved(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}

/// What the API server said, if it was that.
fn status_of(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        _ => None,
    }
}

/// The error, with what to check where that is known.
pub(super) fn advice(error: &watcher::Error) -> impl Display {
    match status_of(error).map(|status| status.code) {
        Some(404) => format!("{error}; is its CustomResourceDefinition installed?"),
        Some(403) => format!(
            "{error}; the ClusterRole must allow list and watch: apply the RBAC of manifests/base anew"
        ),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{EnvoyFilter, ServiceFence, Sidecar, VirtualService},
        index::World,
        queue::Queue,
        readiness::Readiness,
    };
    use axum::{Json, Router, http::StatusCode};
    use serde_json::json;
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    fn mk_fence(uid: &str, deadline: serde_json::Value) -> DeserializeGuard<ServiceFence> {
        let host = json!({ "a.b": { "deadline": { "expire": { "seconds": deadline } } } });
        serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": { "namespace": "default", "name": "foo", "uid": uid },
            "spec": { "enable": true, "host": host },
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn a_kind_that_is_not_served_holds_nobody_up_if_the_controller_can_do_without_it() {
        let answer = async || {
            let status = json!({ "kind": "Status", "status": "Failure", "code": 404 });
            (StatusCode::NOT_FOUND, Json(status))
        };
        let client = Client::new(Router::new().fallback(answer), "default");
        let index = Arc::new(Index::new(World::default(), Queue::default()));
        let readiness = Readiness::default();
        let metrics = Arc::new(Metrics::default());
        let (rules, sidecars) = (readiness.part("rules"), readiness.part("sidecars"));
        tokio::spawn(watch::<VirtualService>(
            client.clone(),
            index.clone(),
            metrics.clone(),
            rules,
        ));
        tokio::spawn(watch::<Sidecar>(client, index, metrics.clone(), sidecars));
        let errors = |kind| metrics.watch_errors(kind).get();
        while errors("virtualservices") == 0 || errors("sidecars") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(readiness.missing(), ["sidecars"]);
    }

    #[tokio::test]
    async fn a_kind_that_may_not_be_seen_holds_nobody_up_and_leaves_its_rules_in_doubt_until_it_may()
     {
        let is_allowed = Arc::new(AtomicBool::new(false));
        let asked = is_allowed.clone();
        let answer = move || {
            let is_allowed = asked.load(Ordering::Relaxed);
            async move {
                if is_allowed {
                    let list = json!({ "metadata": { "resourceVersion": "1" }, "items": [] });
                    return (StatusCode::OK, Json(list));
                }
                let status = json!({ "kind": "Status", "status": "Failure", "code": 403 });
                (StatusCode::FORBIDDEN, Json(status))
            }
        };
        let client = Client::new(Router::new().fallback(answer), "default");
        let index = Arc::new(Index::new(World::default(), Queue::default()));
        let (readiness, metrics) = (Readiness::default(), Arc::new(Metrics::default()));
        let parts = ["rules", "replay", "sidecars"].map(|name| readiness.part(name));
        let [rules, replay, sidecars] = parts;
        let parts = || (client.clone(), index.clone(), metrics.clone());
        let (client_, index_, metrics_) = parts();
        tokio::spawn(watch::<VirtualService>(client_, index_, metrics_, rules));
        let (client_, index_, metrics_) = parts();
        tokio::spawn(watch::<EnvoyFilter>(client_, index_, metrics_, replay));
        let (client_, index_, metrics_) = parts();
        tokio::spawn(watch::<Sidecar>(client_, index_, metrics_, sidecars));
        let kinds = ["virtualservices", "envoyfilters", "sidecars"];
        while kinds
            .iter()
            .any(|kind| metrics.watch_errors(kind).get() == 0)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(readiness.missing(), ["sidecars"]);
        let unreadable = || index.read(|world| world.mesh().unreadable.clone());
        assert_eq!(unreadable(), BTreeSet::from(["virtualservices"]));

        is_allowed.store(true, Ordering::Relaxed);
        let clear = async {
            while !unreadable().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let cleared = tokio::time::timeout(Duration::from_secs(10), clear).await;
        cleared.unwrap();
    }

    #[test]
    fn a_fence_that_becomes_unreadable_stays_as_it_last_was_and_its_successor_does_not() {
        let world = World::new(Arc::default());
        let (index, metrics) = (Index::new(world, Queue::default()), Metrics::default());
        let foo = ObjectRef::new("default", "foo");
        take(mk_fence("u1", json!(null)), &index, &metrics);
        take(mk_fence("u1", json!("soon")), &index, &metrics);
        assert!(index.read(|world| world.fence(&foo)).is_some());
        assert_eq!(metrics.unreadable_objects("servicefences").get(), 1);
        take(mk_fence("u2", json!("soon")), &index, &metrics);
        assert!(index.read(|world| world.fence(&foo)).is_none());
    }
}
