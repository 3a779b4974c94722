//! How events of the replay EnvoyFilters change the world, so that one that is edited or deleted by hand comes back.

use kube::runtime::watcher;

use super::{Indexed, World, world::object_ref};
use crate::{
    api::EnvoyFilter, fence::ObjectRef, queue::Key, replay::REPLAY_NAME, settings::Settings,
};

impl Indexed for EnvoyFilter {
    const PLURAL: &'static str = "envoyfilters";
    const IS_OPTIONAL: bool = true;

    /// Those of the one name alone, which is all that the controller may see.
    fn watched(_: &Settings) -> watcher::Config {
        watcher::Config::default().fields(&format!("metadata.name={REPLAY_NAME}"))
    }

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        if name.name == REPLAY_NAME {
            world.observe_replay(self);
            concerned.push(Key::Replay(name.namespace));
        }
    }

    fn remove(
        name: &ObjectRef,
        version: Option<&str>,
        world: &mut World,
        concerned: &mut Vec<Key>,
    ) {
        if !world.replays.remove(name, version) {
            return;
        }
        concerned.push(Key::Replay(name.namespace.clone()));
        let wanted = world.settings.envoy_filter_namespaces();
        if !wanted.contains(&name.namespace) {
            world.replays.forget_deletion(name);
        }
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        world.replays.names().cloned().collect()
    }
}
