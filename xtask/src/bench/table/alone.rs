//! One contestant: a column for each figure.

use super::parts;
use crate::bench::report::{Report, Row};
use crate::bench::units::{bytes, duration, figure, grouped, quantity};

pub(super) fn render(report: &Report) -> String {
    let head = ["workload", "procs", "n", "an op", "spread", "CPU an op", "bytes a g", "notes"];
    let mut table = parts::new(&head.map(str::to_owned));
    for row in report.rows() {
        let cell = &row.cell;
        let shown = |value: f64| quantity(value, &cell.unit);
        let spread = match (row.get("min"), row.get("max")) {
            (Some(min), Some(max)) if min < max => format!("{} .. {}", shown(min), shown(max)),
            _ => String::new(),
        };
        table.add_row([
            cell.workload.clone(),
            cell.procs.to_string(),
            parts::size(cell.n),
            row.figure().map_or_else(|| "-".to_owned(), shown),
            spread,
            row.get("cpu_ns_per_op").map_or(String::new(), duration),
            row.get("bytes_per_g").map_or(String::new(), bytes),
            notes(row),
        ]);
    }
    parts::lines(table, 1..7)
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
    if row.cell.workload == "hog_fairness" && starved(row) {
        notes.push("no preemption: the hog was waited out".to_owned());
    }
    notes.join(", ")
}

/// The ticker's longest gap is the hog's whole life (`n` milliseconds), give or take a fifth.
fn starved(row: &Row) -> bool {
    row.figure().is_some_and(|gap| gap > 0.8e6 * row.cell.n as f64)
}
