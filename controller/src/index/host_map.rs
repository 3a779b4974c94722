//! What is known by host names, of which some are wildcards.

use std::collections::{BTreeMap, BTreeSet};

/// Sets of things by the hosts, exact or `*.<suffix>`, that they are about.
#[derive(Clone, Debug)]
pub struct HostMap<T> {
    // By the host read from its end, so that all hosts below a suffix stand side by side.
    by_reversed: BTreeMap<String, BTreeSet<T>>,
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        Self {
            by_reversed: BTreeMap::new(),
        }
    }
}

impl<T: Ord> HostMap<T> {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.by_reversed.is_empty()
    }

    /// Adds `item` to what is known by `host`.
    pub fn insert(&mut self, host: &str, item: T) {
        self.by_reversed
            .entry(reversed(host))
            .or_default()
            .insert(item);
    }

    /// Takes `item` from what is known by `host`.
    pub fn remove(&mut self, host: &str, item: &T) {
        let key = reversed(host);
        if let Some(items) = self.by_reversed.get_mut(&key) {
            items.remove(item);
            if items.is_empty() {
                self.by_reversed.remove(&key);
            }
        }
    }

    /// What is known by a host that `pattern` is, that covers it, or that it covers as a wildcard.
    pub fn related(&self, pattern: &str) -> BTreeSet<&T> {
        let wider = std::iter::once("*".to_owned()).chain(wildcards(pattern));
        let named = wider
            .chain([pattern.to_owned()])
            .filter_map(|host| self.by_reversed.get(&reversed(&host)));
        named.flatten().chain(self.below(pattern)).collect()
    }

    /// What is known by a host that the wildcard `pattern` is or covers.
    pub fn below(&self, pattern: &str) -> BTreeSet<&T> {
        let suffix = pattern.strip_prefix('*').map(reversed);
        let below = suffix.iter().flat_map(|suffix| {
            self.by_reversed
                .range(suffix.clone()..)
                .take_while(move |(host, _)| host.starts_with(suffix.as_str()))
        });
        below.flat_map(|(_, items)| items).collect()
    }

    /// What is known by this very host.
    pub fn get(&self, host: &str) -> Option<&BTreeSet<T>> {
        self.by_reversed.get(&reversed(host))
    }
}

/// The wildcard hosts that cover `host`, longest first; `*` is not among them. One of a wildcard host is itself.
pub fn wildcards(host: &str) -> impl Iterator<Item = String> {
    host.match_indices('.')
        .filter_map(|(at, _)| Some(format!("*{}", host.get(at..)?)))
}

fn reversed(host: &str) -> String {
    host.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_map(hosts: &[&'static str]) -> HostMap<&'static str> {
        let mut map = HostMap::default();
        for host in hosts {
            map.insert(host, *host);
        }
        map
    }

    #[test]
    fn an_exact_host_is_related_to_itself_and_the_wildcards_above_it() {
        let map = mk_map(&[
            "a.b.c", "*.b.c", "*.c", "*", "b.c", "xa.b.c", "*.a.b.c", "*.x.c",
        ]);
        let related: Vec<_> = map.related("a.b.c").into_iter().copied().collect();
        assert_eq!(related, ["*", "*.b.c", "*.c", "a.b.c"]);
    }

    #[test]
    fn a_wildcard_is_related_to_all_that_is_above_or_below_it() {
        let map = mk_map(&["a.b.c", "*.b.c", "*.c", "*.a.b.c", "b.c", "ab.c", "a.d.c"]);
        let related: Vec<_> = map.related("*.b.c").into_iter().copied().collect();
        assert_eq!(related, ["*.a.b.c", "*.b.c", "*.c", "a.b.c"]);
        assert_eq!(map.related("*").len(), 7);
    }

    #[test]
    fn what_is_taken_out_is_not_found() {
        let mut map = mk_map(&["a.b"]);
        map.insert("a.b", "other");
        map.remove("a.b", &"a.b");
        assert_eq!(
            map.related("a.b").into_iter().copied().collect::<Vec<_>>(),
            ["other"]
        );
        map.remove("a.b", &"other");
        assert!(map.is_empty());
    }
}
