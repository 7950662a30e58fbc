//! One contestant: a column for each figure.

use super::parts;
use crate::bench::report::{Report, Row};
use crate::bench::units::{bytes, duration, figure, grouped, quantity};

/// A heading, and what stands below it.
type Column = (&'static str, fn(&Row) -> String);

/// The heading over [`notes`].
const NOTES: &str = "notes";

pub(super) fn render(report: &Report, width: usize) -> String {
    let rows: Vec<&Row> = report.rows().collect();
    let figures: [Column; 5] = [
        ("an op", |row| row.figure().map_or_else(|| "-".to_owned(), |value| quantity(value, &row.cell.unit))),
        ("spread", spread),
        ("CPU an op", |row| row.get("cpu_ns_per_op").map_or(String::new(), duration)),
        ("bytes a g", |row| row.get("bytes_per_g").map_or(String::new(), bytes)),
        (NOTES, notes),
    ];
    let columns = figures.map(|(heading, words)| -> Vec<String> {
        std::iter::once(heading.to_owned()).chain(rows.iter().map(|row| words(row))).collect()
    });
    // What no row has is left out.
    let is_empty = |column: &Vec<String>| column[1..].iter().all(String::is_empty);
    let columns: Vec<Vec<String>> = columns.into_iter().filter(|column| !is_empty(column)).collect();
    parts::render(&rows, &columns, NOTES, width)
}

fn spread(row: &Row) -> String {
    let shown = |value: f64| quantity(value, &row.cell.unit);
    match (row.get("min"), row.get("max")) {
        (Some(min), Some(max)) if min < max => format!("{} .. {}", shown(min), shown(max)),
        _ => String::new(),
    }
}

/// What else is worth a word about a row.
fn notes(row: &Row) -> String {
    if row.samples.is_empty() {
        return "not measured".to_owned();
    }
    if let Some(why) = row.failure() {
        return format!("FAILED {why}");
    }
    let mut notes = Vec::new();
    let times = [
        ("p50_ns", "p50"),
        ("p99_ns", "p99"),
        ("max_ns", "max"),
        ("with_thief", "with a thief"),
        ("all_started_ns", "all started"),
        ("submitter_ns", "submitter"),
    ];
    for (name, label) in times {
        notes.extend(row.get(name).map(|ns| format!("{label} {}", duration(ns))));
    }
    notes.extend(row.get("cpu_s_per_s").map(|share| format!("{:.1} CPU ms/s", share * 1e3)));
    notes.extend(row.get("efficiency").map(|share| format!("efficiency {share:.2}")));
    notes.extend(row.get("maps").map(|maps| format!("{} mappings", grouped(maps))));
    notes.extend(row.get("instructions").map(|count| format!("{} instructions", figure(count))));
    if row.cell.workload.starts_with("hog_fairness") && starved(row) {
        notes.push("nobody took the processor: the hog was waited out".to_owned());
    }
    notes.join(", ")
}

/// The ticker's longest gap is the hog's whole life (`n` milliseconds), give or take a fifth.
fn starved(row: &Row) -> bool {
    row.figure().is_some_and(|gap| gap > 0.8e6 * row.cell.n as f64)
}
