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
        self.add("time", time_class(reply.milliseconds));
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
mod tests {
    use super::*;

    fn mk_facts(observed: &Observed, chance: Chance) -> Facts {
        let caller = Caller {
            pod: "caller-1".into(),
            address: "10.244.0.9".into(),
        };
        facts(observed, &caller, chance)
    }

    fn mk_seen(id: &str, version: &str, headers: &[(&str, &str)]) -> Seen {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Seen {
            id: id.into(),
            version: version.into(),
            headers: headers.collect(),
            ..Seen::default()
        }
    }

    #[test]
    fn what_belongs_to_the_callers_pod_is_no_difference() {
        let seen = vec![mk_seen("a", "v1", &[("x-forwarded-for", "10.244.0.9")])];
        let facts = mk_facts(
            &Observed {
                seen,
                ..Observed::default()
            },
            Chance::default(),
        );
        let values: Vec<_> = facts["upstream header x-forwarded-for"].keys().collect();
        assert_eq!(values, ["<caller's address>"]);
    }

    #[test]
    fn attempts_are_counted_per_request_and_upstream() {
        let seen = vec![
            mk_seen("a", "v1", &[]),
            mk_seen("a", "v1", &[]),
            mk_seen("a", "v2", &[]),
        ];
        let facts = mk_facts(
            &Observed {
                seen,
                ..Observed::default()
            },
            Chance::default(),
        );
        assert_eq!(facts["attempts at v1"], BTreeMap::from([("2".into(), 1)]));
        assert_eq!(facts["attempts at v2"], BTreeMap::from([("1".into(), 1)]));
    }

    #[test]
    fn numbers_do_not_count_where_chance_decides() {
        let seen = vec![
            mk_seen("a", "v1", &[]),
            mk_seen("b", "v1", &[]),
            mk_seen("c", "v2", &[]),
        ];
        let chance = Chance {
            spread: true,
            sticky: false,
        };
        let facts = mk_facts(
            &Observed {
                seen,
                ..Observed::default()
            },
            chance,
        );
        assert_eq!(
            facts["upstream version"],
            BTreeMap::from([("v1".into(), 1), ("v2".into(), 1)])
        );
    }

    #[test]
    fn a_sticky_caller_may_stick_to_another_upstream() {
        let observed = |version: &str| Observed {
            seen: vec![mk_seen("a", version, &[]), mk_seen("b", version, &[])],
            ..Observed::default()
        };
        let chance = Chance {
            spread: false,
            sticky: true,
        };
        assert_eq!(
            mk_facts(&observed("v1"), chance),
            mk_facts(&observed("v2"), chance)
        );
    }

    #[test]
    fn the_identity_is_the_one_that_the_last_hop_proved() {
        let headers = [(
            "x-forwarded-client-cert",
            "By=a;URI=spiffe://forged,By=b;URI=spiffe://real",
        )];
        assert_eq!(
            identity(&mk_seen("a", "v1", &headers).headers).as_deref(),
            Some("spiffe://real")
        );
    }
}
