//! Feeding the index from the API server.

use std::{collections::BTreeSet, fmt::Display, sync::Arc};

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client, Resource,
    core::DeserializeGuard,
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
    let events = watcher(
        Api::<DeserializeGuard<K>>::all(client),
        watcher::Config::default(),
    )
    .default_backoff();
    pin_mut!(events);
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
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

/// The error, with what to check where that is known.
fn advice(error: &watcher::Error) -> impl Display {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        _ => None,
    };
    match status.map(|status| status.code) {
        Some(404) => format!("{error}; is its CustomResourceDefinition installed?"),
        Some(403) => format!("{error}; does the ClusterRole allow list and watch?"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::ServiceFence, index::World, queue::Queue};
    use serde_json::json;

    fn mk_fence(uid: &str, deadline: serde_json::Value) -> DeserializeGuard<ServiceFence> {
        let host = json!({ "a.b": { "deadline": { "expire": { "seconds": deadline } } } });
        serde_json::from_value(json!({
            "apiVersion": crate::api::FENCE_API_VERSION, "kind": crate::api::FENCE_KIND,
            "metadata": { "namespace": "default", "name": "foo", "uid": uid },
            "spec": { "enable": true, "host": host },
        }))
        .unwrap()
    }

    #[test]
    fn a_fence_that_becomes_unreadable_stays_as_it_last_was_and_its_successor_does_not() {
        let world = World::new("cluster.local", ObjectRef::new("m", "p"));
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
