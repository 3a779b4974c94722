//! What was observed of one call, as facts that can be compared: a name, and how often which value was seen.
//!
//! Values that are random or belong to the caller's pod are replaced by what they are; values that are measured, by their class.

pub(super) mod normal;

use super::wire::{Fields, Reply, Seen};
use crate::access_log::Entry;
use normal::{normal, time_class};
use std::collections::{BTreeMap, BTreeSet};

/// Facts by name; a value, and how often it was seen.
pub type Facts = BTreeMap<String, BTreeMap<String, usize>>;

/// The fact that tells how long replies took.
pub const TIME: &str = "time";

/// What was observed of one call.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What the call was known by.
    pub id: String,
    /// What came back.
    pub replies: Vec<Reply>,
    /// What the upstreams saw.
    pub seen: Vec<Seen>,
    /// What their sidecars logged of it.
    pub logged: Vec<Entry>,
    /// Whether the caller's sidecar has a route of its own for the host afterwards.
    pub has_route: bool,
}

/// Who called, as far as it shows in values.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The pod's name.
    pub pod: String,
    /// Its address.
    pub address: String,
}

/// How values that chance decides are taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chance {
    /// Numbers do not count.
    pub spread: bool,
    /// Who answers does not count, but whether it was always the same.
    pub sticky: bool,
}

struct Collector<'a> {
    facts: Facts,
    id: &'a str,
    caller: &'a Caller,
    chance: Chance,
}

/// The facts of a call.
pub fn facts(observed: &Observed, caller: &Caller, chance: Chance) -> Facts {
    let mut collector = Collector {
        facts: Facts::new(),
        id: &observed.id,
        caller,
        chance,
    };
    let word = if observed.has_route { "there" } else { "none" };
    collector.add("route afterwards", word);
    observed
        .replies
        .iter()
        .for_each(|reply| collector.reply(reply));
    observed.seen.iter().for_each(|seen| collector.seen(seen));
    collector.copies(&observed.seen);
    observed
        .logged
        .iter()
        .for_each(|entry| collector.logged(entry));
    let mut facts = collector.facts;
    if chance.sticky {
        let versions: BTreeSet<_> = observed.seen.iter().map(|seen| &seen.version).collect();
        let word = if versions.len() > 1 { "several" } else { "one" };
        facts
            .entry("upstreams that answered".into())
            .or_default()
            .insert(word.into(), 1);
    }
    if chance.spread {
        facts
            .values_mut()
            .flat_map(BTreeMap::values_mut)
            .for_each(|number| *number = 1);
    }
    facts
}

impl Collector<'_> {
    fn add(&mut self, name: impl Into<String>, value: &str) {
        let value = value.replace(&self.caller.pod, "<caller's pod>");
        let mut value = value.replace(&self.caller.address, "<caller's address>");
        if !self.id.is_empty() {
            value = value.replace(self.id, "<id>");
        }
        if self.chance.sticky {
            value = value.replace("v1", "<version>").replace("v2", "<version>");
        }
        *self
            .facts
            .entry(name.into())
            .or_default()
            .entry(value)
            .or_default() += 1;
    }

    fn fields(&mut self, of: &str, fields: &Fields) {
        let mut joined: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in fields {
            let values = joined.entry(name).or_default();
            values.push(normal(name, value));
        }
        for (name, values) in joined {
            self.add(format!("{of} {name}"), &values.join(" | "));
        }
    }

    fn reply(&mut self, reply: &Reply) {
        self.add("status", &reply.status.to_string());
        self.add("error", reply.error.as_deref().unwrap_or("none"));
        self.add("body", &reply.body);
        self.add(
            "connection",
            if reply.reused { "used again" } else { "new" },
        );
        self.add(TIME, time_class(reply.milliseconds));
        self.fields("response header", &reply.headers);
        self.fields("response trailer", &reply.trailers);
    }

    fn seen(&mut self, seen: &Seen) {
        let request = format!(
            "{} {} {} on {}",
            seen.protocol, seen.method, seen.path, seen.port
        );
        self.add("upstream version", &seen.version);
        self.add("upstream request", &request);
        self.add("upstream authority", &seen.authority);
        let end = if seen.whole { "whole" } else { "cut" };
        self.add(
            "upstream body",
            &format!("{} bytes, {end}, {}", seen.length, seen.digest),
        );
        self.add(
            "upstream identity",
            identity(&seen.headers).as_deref().unwrap_or("none"),
        );
        self.fields("upstream header", &seen.headers);
        self.fields("upstream trailer", &seen.trailers);
    }

    /// How often each request came: retries and mirrored copies.
    fn copies(&mut self, seen: &[Seen]) {
        let mut copies: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for seen in seen {
            *copies.entry((&seen.id, &seen.version)).or_default() += 1;
        }
        for ((_, version), number) in copies {
            let name = if self.chance.sticky {
                "attempts".into()
            } else {
                format!("attempts at {version}")
            };
            self.add(name, &number.to_string());
        }
    }

    fn logged(&mut self, entry: &Entry) {
        for (name, value) in &entry.all {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if COMPARED.contains(&name.as_str()) {
                self.add(format!("upstream log {name}"), &value);
            }
        }
    }
}

/// Fields of the access log that do not change from call to call.
const COMPARED: [&str; 10] = [
    "method",
    "authority",
    "path",
    "protocol",
    "response_code",
    "response_flags",
    "route_name",
    "upstream_cluster",
    "requested_server_name",
    "downstream_peer",
];

/// The identity in the last element: the one that the upstream's own sidecar has proved.
pub fn identity(headers: &Fields) -> Option<String> {
    let (_, certificates) = headers
        .iter()
        .find(|(name, _)| name == "x-forwarded-client-cert")?;
    let own = certificates.rsplit(',').next()?;
    own.split(';')
        .find_map(|pair| pair.strip_prefix("URI="))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests;
