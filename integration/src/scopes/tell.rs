//! The figures as a table.

use super::edits::Edit;
use super::measure::median;
use super::run::{Report, Sample};
use crate::form::Form;
use std::fmt::Write;

/// The table for people.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub fn tell(report: &Report) -> String {
    let size = report.size;
    let mut text = format!(
        "{} Sidecars of {} hosts, as many proxies, {} Services in {} namespaces\n\n\
        istiod's CPU per edit, median of {} (lowest, highest), ms\n",
        size.sidecars,
        size.hosts,
        size.services,
        size.namespaces,
        of(report, Form::Exact, Edit::Sidecar).count(),
    );
    let _ = writeln!(
        text,
        "{:<28}{:>22}{:>22}{:>8}{:>12}{:>16}",
        "edit", "compatible", "exact", "ratio", "responses", "kB"
    );
    for edit in Edit::ALL {
        let [compatible, exact] = Form::BOTH.map(|form| cpu(report, form, edit));
        let wide = |values: &[f64]| {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(0.0, f64::max);
            format!("{:.0} ({low:.0}, {high:.0})", median(values))
        };
        let reached = Form::BOTH.map(|form| {
            let responses: Vec<f64> = of(report, form, edit)
                .map(|sample| sample.responses as f64)
                .collect();
            format!("{:.0}", median(&responses))
        });
        let bytes = Form::BOTH.map(|form| {
            let bytes: Vec<f64> = of(report, form, edit)
                .map(|sample| sample.bytes as f64 / 1e3)
                .collect();
            format!("{:.0}", median(&bytes))
        });
        let _ = writeln!(
            text,
            "{:<28}{:>22}{:>22}{:>8.2}{:>12}{:>16}",
            edit.name(),
            wide(&compatible),
            wide(&exact),
            median(&compatible) / median(&exact),
            reached.join("/"),
            bytes.join("/"),
        );
    }
    text.push('\n');
    for form in Form::BOTH {
        let switches: Vec<_> = report
            .switches
            .iter()
            .filter(|switch| switch.form == form)
            .collect();
        let seconds: Vec<f64> = switches.iter().map(|switch| switch.seconds).collect();
        let bytes = switches.first().map_or(0, |switch| switch.bytes);
        let _ = writeln!(
            text,
            "{:<12}all Sidecars are {:.2} MB of JSON; writing them all costs istiod {:.1} s",
            form.name(),
            bytes as f64 / 1e6,
            median(&seconds)
        );
    }
    let _ = writeln!(
        text,
        "idle: {:.1} ms of CPU a second; {:.0} MB resident at the end",
        report.idle_milliseconds,
        report.resident as f64 / 1e6
    );
    text
}

fn of(report: &Report, form: Form, edit: Edit) -> impl Iterator<Item = &Sample> {
    let samples = report.samples.iter();
    samples.filter(move |sample| sample.form == form && sample.edit == edit)
}

fn cpu(report: &Report, form: Form, edit: Edit) -> Vec<f64> {
    of(report, form, edit)
        .map(|sample| sample.milliseconds)
        .collect()
}
