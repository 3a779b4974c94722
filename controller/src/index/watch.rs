//! Feeding the index from the API server.

use std::{collections::BTreeSet, fmt::Display, sync::Arc};

use futures::{StreamExt, stream::BoxStream};
use kube::{
    Client, Resource,
    core::{DeserializeGuard, Status},
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use tokio::sync::watch::Receiver;
use tracing::{info, warn};

use super::{Index, Indexed, World, world::object_ref};
use crate::{fence::ObjectRef, metrics::Metrics, readiness::Part, settings::Settings};

/// Watches every object of one kind for ever and keeps the index in step. `synced` is marked when the index holds all of
/// them for the first time.
///
/// Which objects these are follows the settings. Errors are retried with a growing delay; an object that cannot be read stays as
/// it was when it last could, or absent, with a warning, and costs no other object anything.
pub async fn watch<K: Indexed>(
    client: Client,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    synced: Part,
) {
    let mut settings = index.read(World::followed_settings);
    let (mut watched, mut events) = open::<K>(&client, &settings.borrow_and_update());
    let mut listed = BTreeSet::new();
    let (mut is_outdated, mut is_forbidden) = (false, false);
    loop {
        let event = tokio::select! {
            event = events.next() => match event {
                Some(event) => event,
                None => return,
            },
            () = asks_for_others::<K>(&mut settings, &watched) => {
                // What was seen of the others stays until these have been listed, or may not be.
                (watched, events) = open::<K>(&client, &settings.borrow());
                is_outdated = true;
                info!(kind = K::PLURAL, "others are watched now, as the configuration says");
                continue;
            }
        };
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
                is_outdated = false;
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
                    if std::mem::take(&mut is_outdated) {
                        drop_unlisted::<K>(&BTreeSet::new(), &index);
                    }
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

type Events<K> = BoxStream<'static, watcher::Result<Event<DeserializeGuard<K>>>>;

/// Begins to watch what `settings` ask for: what that is, and the events.
fn open<K: Indexed>(client: &Client, settings: &Settings) -> (watcher::Config, Events<K>) {
    let watched = K::watched(settings);
    let events = watcher(K::api(client.clone(), settings), watched.clone());
    (watched, events.default_backoff().boxed())
}

/// Returns as soon as the settings ask for other objects than those that are `watched`.
async fn asks_for_others<K: Indexed>(
    settings: &mut Receiver<Arc<Settings>>,
    watched: &watcher::Config,
) {
    loop {
        if settings.changed().await.is_err() {
            // The index holds the sender, and the watch the index.
            return std::future::pending().await;
        }
        if K::watched(&settings.borrow_and_update()) != *watched {
            return;
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
mod tests;
