//! The run for a person: a table, then what differs.

use super::compare::{Compared, Verdict};
use super::documented::Which;
use super::run::{Outcome, Report};
use std::fmt::Write;

/// Values longer than this are cut.
const SHOWN: usize = 160;

impl Report {
    /// Whether nothing differs but what is documented.
    pub fn is_clean(&self) -> bool {
        let mut calls = self.outcomes.iter().flat_map(|outcome| &outcome.calls);
        calls.all(|call| call.verdict() != Verdict::Different)
    }
}

/// The report as text.
pub fn tell(report: &Report) -> String {
    let mut text = String::new();
    let width = report
        .outcomes
        .iter()
        .map(|outcome| outcome.case.len())
        .max()
        .unwrap_or_default()
        .max(4);
    let _ = writeln!(text, "{} hosts in Sidecars", report.sidecar_hosts.name());
    let _ = writeln!(text, "{:width$}  {:<18}  second call", "case", "first call");
    for outcome in &report.outcomes {
        let words: Vec<String> = outcome.calls.iter().map(word).collect();
        let [first, second] = words.as_slice() else {
            continue;
        };
        let _ = writeln!(text, "{:width$}  {first:<18}  {second}", outcome.case);
    }
    for outcome in &report.outcomes {
        details(&mut text, outcome);
    }
    for (case, cause) in &report.stale {
        let _ = writeln!(text, "\nstale: {case} no longer differs because {cause}");
    }
    let calls = report.outcomes.iter().flat_map(|outcome| &outcome.calls);
    let count = |wanted| {
        calls
            .clone()
            .filter(|call| call.verdict() == wanted)
            .count()
    };
    let _ = writeln!(
        text,
        "\n{} cases; of their calls {} the same, {} documented, {} different",
        report.outcomes.len(),
        count(Verdict::Same),
        count(Verdict::Documented),
        count(Verdict::Different)
    );
    text
}

fn word(call: &Compared) -> String {
    let number = |documented: bool| {
        call.differences
            .iter()
            .filter(|difference| difference.documented.is_some() == documented)
            .count()
    };
    match call.verdict() {
        Verdict::Same => "same".into(),
        Verdict::Documented => format!("documented ({})", number(true)),
        Verdict::Different => format!("DIFFERENT ({})", number(false)),
    }
}

fn details(text: &mut String, outcome: &Outcome) {
    for call in &outcome.calls {
        if call.verdict() == Verdict::Same {
            continue;
        }
        let which = if call.which == Which::First {
            "first"
        } else {
            "second"
        };
        let _ = writeln!(text, "\n{}, {which} call", outcome.case);
        let mut cause = None;
        for difference in &call.differences {
            if difference.documented.is_some() {
                cause = difference.documented;
                continue;
            }
            let (full, lazy) = (cut(&difference.full), cut(&difference.lazy));
            let _ = writeln!(
                text,
                "  {}\n    full {full}\n    lazy {lazy}",
                difference.fact
            );
        }
        if let Some(cause) = cause {
            let _ = writeln!(text, "  documented: {cause}");
        }
    }
}

fn cut(value: &str) -> String {
    let short: String = value.chars().take(SHOWN).collect();
    if short.len() < value.len() {
        short + "…"
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Form;
    use crate::oracle::compare::Difference;
    use crate::oracle::facts::Facts;

    fn mk_report(documented: Option<&'static str>) -> Report {
        let call = |which, differences| Compared {
            which,
            differences,
            full: Facts::new(),
            lazy: Facts::new(),
        };
        let difference = Difference {
            fact: "status".into(),
            full: "\"200\"".into(),
            lazy: "\"503\"".into(),
            documented,
        };
        let calls = vec![
            call(Which::First, vec![difference]),
            call(Which::Second, vec![]),
        ];
        Report {
            sidecar_hosts: Form::Exact,
            outcomes: vec![Outcome {
                case: "get".into(),
                calls,
            }],
            stale: vec![],
        }
    }

    #[test]
    fn a_difference_is_told_with_both_values() {
        let report = mk_report(None);
        assert!(!report.is_clean());
        let text = tell(&report);
        assert!(text.contains("get   DIFFERENT (1)       same"), "{text}");
        assert!(text.contains("full \"200\"\n    lazy \"503\""), "{text}");
    }

    #[test]
    fn a_documented_difference_is_told_by_its_cause() {
        let report = mk_report(Some("Envoy does so"));
        assert!(report.is_clean());
        assert!(tell(&report).contains("documented: Envoy does so"));
    }
}
