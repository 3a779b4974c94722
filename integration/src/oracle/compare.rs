//! What differs between two calls, and what that means.

use super::documented::{Row, Which};
use super::facts::{Facts, TIME};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One fact that is not the same for both callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The fact.
    pub fact: String,
    /// Its values for the caller with full configuration.
    pub full: String,
    /// Its values for the caller that is loaded lazily.
    pub lazy: String,
    /// Why it must be so, if it must.
    pub documented: Option<&'static str>,
}

/// A call of a case, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Which call.
    pub which: Which,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Everything that was observed of the caller with full configuration.
    pub full: Facts,
    /// Everything that was observed of the caller that is loaded lazily.
    pub lazy: Facts,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Nothing differs.
    Same,
    /// Something differs, and all of that is documented.
    Documented,
    /// Something differs that is not documented.
    Different,
}

impl Compared {
    /// Compares one call of `case`, and marks the rows of `list` that apply as used.
    pub fn new(
        case: &str,
        which: Which,
        full: Facts,
        lazy: Facts,
        list: &[Row],
        used: &mut BTreeSet<usize>,
    ) -> Self {
        let mut differences = differences(&full, &lazy);
        for difference in &mut differences {
            let row = list
                .iter()
                .position(|row| row.applies(case, which, &difference.fact));
            if let Some(row) = row {
                used.insert(row);
                difference.documented = Some(list[row].cause);
            }
        }
        Self {
            which,
            differences,
            full,
            lazy,
        }
    }

    /// Takes in the same call played once more. Everything that differed in either counts, but time: only what was slow both times
    /// is slow by itself.
    pub fn and_again(mut self, again: Self) -> Self {
        let differs_again = |fact: &str| again.differences.iter().any(|found| found.fact == fact);
        self.differences.retain(|found| {
            found.fact != TIME || found.documented.is_some() || differs_again(TIME)
        });
        for found in again.differences {
            if found.fact != TIME
                && self
                    .differences
                    .iter()
                    .all(|known| known.fact != found.fact)
            {
                self.differences.push(found);
            }
        }
        self
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let documented = |difference: &Difference| difference.documented.is_some();
        match self.differences.as_slice() {
            [] => Verdict::Same,
            some if some.iter().all(documented) => Verdict::Documented,
            _ => Verdict::Different,
        }
    }
}

fn differences(full: &Facts, lazy: &Facts) -> Vec<Difference> {
    let names: BTreeSet<&String> = full.keys().chain(lazy.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| full.get(*name) != lazy.get(*name));
    differing
        .map(|name| Difference {
            fact: name.clone(),
            full: words(full.get(name)),
            lazy: words(lazy.get(name)),
            documented: None,
        })
        .collect()
}

/// Values in words, with their numbers where there is more than one.
fn words(values: Option<&BTreeMap<String, usize>>) -> String {
    let Some(values) = values else {
        return "(absent)".into();
    };
    let values = values.iter().map(|(value, number)| match number {
        1 => format!("{value:?}"),
        _ => format!("{number} × {value:?}"),
    });
    values.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_facts(facts: &[(&str, &str)]) -> Facts {
        let facts = facts.iter().map(|(name, value)| {
            (
                (*name).to_owned(),
                BTreeMap::from([((*value).to_owned(), 1)]),
            )
        });
        facts.collect()
    }

    const LIST: &[Row] = &[
        Row {
            case: "a",
            which: Which::First,
            facts: &["upstream header *"],
            cause: "because",
            source: "Envoy",
            always: true,
        },
        Row {
            case: "*",
            which: Which::Second,
            facts: &["status"],
            cause: "so",
            source: "Istio",
            always: true,
        },
    ];

    fn mk_compared(
        which: Which,
        full: &[(&str, &str)],
        lazy: &[(&str, &str)],
    ) -> (Compared, BTreeSet<usize>) {
        let mut used = BTreeSet::new();
        let compared = Compared::new("a", which, mk_facts(full), mk_facts(lazy), LIST, &mut used);
        (compared, used)
    }

    #[test]
    fn equal_facts_are_the_same() {
        let (compared, used) =
            mk_compared(Which::First, &[("status", "200")], &[("status", "200")]);
        assert_eq!(compared.verdict(), Verdict::Same);
        assert!(used.is_empty());
    }

    #[test]
    fn a_fact_that_one_caller_lacks_differs() {
        let (compared, _) = mk_compared(Which::First, &[("status", "200")], &[]);
        assert_eq!(compared.verdict(), Verdict::Different);
        assert_eq!(compared.differences[0].lazy, "(absent)");
    }

    #[test]
    fn a_difference_on_the_list_is_documented_for_its_call_alone() {
        let (lazy, full) = (
            [("upstream header x-a", "1")],
            [("upstream header x-a", "2")],
        );
        let (first, used) = mk_compared(Which::First, &full, &lazy);
        assert_eq!(first.verdict(), Verdict::Documented);
        assert_eq!(used, BTreeSet::from([0]));
        let (second, used) = mk_compared(Which::Second, &full, &lazy);
        assert_eq!(second.verdict(), Verdict::Different);
        assert!(used.is_empty());
    }

    #[test]
    fn a_second_play_excuses_time_and_nothing_else() {
        let mk = |facts: &[&str]| {
            let full: Vec<_> = facts.iter().map(|fact| (*fact, "full")).collect();
            mk_compared(Which::First, &full, &[]).0
        };
        let differing = |compared: Compared| {
            let facts = compared.differences.into_iter().map(|found| found.fact);
            facts.collect::<Vec<_>>()
        };
        let is_left = |first: &[&str], again: &[&str]| differing(mk(first).and_again(mk(again)));
        assert_eq!(is_left(&["time"], &[]), [""; 0]);
        assert_eq!(is_left(&["time"], &["time"]), ["time"]);
        assert_eq!(is_left(&[], &["time"]), [""; 0]);
        assert_eq!(is_left(&["status", "time"], &[]), ["status"]);
        assert_eq!(is_left(&["time"], &["status"]), ["status"]);
        assert_eq!(is_left(&["status"], &["status"]), ["status"]);
    }

    #[test]
    fn one_difference_off_the_list_is_enough() {
        let full = [("upstream header x-a", "1"), ("status", "200")];
        let (compared, _) = mk_compared(Which::First, &full, &[]);
        assert_eq!(compared.verdict(), Verdict::Different);
    }
}
