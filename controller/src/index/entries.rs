//! How events of ServiceEntries change the world, and which work they concern.

use super::{Indexed, World, hosts::EntryFacts, kinds::concern_ports, world::object_ref};
use crate::{api::ServiceEntry, fence::ObjectRef, queue::Key};

impl Indexed for ServiceEntry {
    const PLURAL: &'static str = "serviceentries";

    fn upsert(self, world: &mut World, concerned: &mut Vec<Key>) {
        let name = object_ref(&self);
        if name == world.placeholder_at {
            world.observe_placeholder(self);
            concerned.push(Key::Placeholder);
            return;
        }
        let mut facts = EntryFacts::from(&self.spec);
        facts.exported.follow(&world.export_defaults.services);
        let before = replace_entry(&name, Some(facts.clone()), world);
        concern_entry(&name, before.as_ref(), Some(&facts), world, concerned);
    }

    fn remove(
        name: &ObjectRef,
        version: Option<&str>,
        world: &mut World,
        concerned: &mut Vec<Key>,
    ) {
        if *name == world.placeholder_at {
            if world.placeholders.remove(name, version) {
                concerned.push(Key::Placeholder);
            }
            return;
        }
        let before = replace_entry(name, None, world);
        concern_entry(name, before.as_ref(), None, world, concerned);
    }

    fn names(world: &World) -> Vec<ObjectRef> {
        let placeholder = world.placeholders.names();
        world.entries.keys().chain(placeholder).cloned().collect()
    }
}

fn concern_entry(
    name: &ObjectRef,
    before: Option<&EntryFacts>,
    after: Option<&EntryFacts>,
    world: &mut World,
    concerned: &mut Vec<Key>,
) {
    world.concern_entry(name, before, after, concerned);
    let ports = |facts: Option<&EntryFacts>| facts.map(|facts| facts.ports.clone());
    if ports(before).unwrap_or_default() != ports(after).unwrap_or_default() {
        concern_ports(world, concerned);
    }
}

/// Puts `facts` in the place of what was known of the ServiceEntry, which is returned.
fn replace_entry(
    name: &ObjectRef,
    facts: Option<EntryFacts>,
    world: &mut World,
) -> Option<EntryFacts> {
    let before = world.entries.remove(name);
    for host in before.iter().flat_map(|facts| &facts.hosts) {
        world.entry_hosts.remove(host, name);
    }
    for host in facts.iter().flat_map(|facts| &facts.hosts) {
        world.entry_hosts.insert(host, name.clone());
    }
    if let Some(facts) = facts {
        world.entries.insert(name.clone(), facts);
    }
    before
}
