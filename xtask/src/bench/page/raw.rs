//! The raw figures: a table that can be sorted by any of its columns.

use crate::bench::page::parts::{escaped, part};
use crate::bench::report::{Report, Row};
use crate::bench::units::{bytes, duration, quantity};
use std::fmt::Write;

/// Columns: heading, and the value with the words for it.
type Column = (&'static str, fn(&Row) -> Option<(f64, String)>);

const COLUMNS: &[Column] = &[
    ("an op", |row| row.figure().map(|value| (value, quantity(value, &row.cell.unit)))),
    ("least", |row| row.get("min").map(|value| (value, quantity(value, &row.cell.unit)))),
    ("most", |row| row.get("max").map(|value| (value, quantity(value, &row.cell.unit)))),
    ("p50", |row| time(row, "p50_ns")),
    ("p99", |row| time(row, "p99_ns")),
    ("CPU an op", |row| time(row, "cpu_ns_per_op")),
    ("instructions", |row| count(row, "instructions")),
    ("bytes a g", |row| row.get("bytes_per_g").map(|value| (value, bytes(value)))),
    ("CPU seconds", |row| row.get("used_cpu_s").map(|value| (value, format!("{value:.2}")))),
    ("switches asked for", |row| count(row, "used_voluntary_switches")),
    ("switches forced", |row| count(row, "used_involuntary_switches")),
    ("page faults", |row| count(row, "used_minor_faults")),
    ("throughput", |row| count(row, "throughput")),
    ("steals", |row| count(row, "steals")),
    ("wasted looks", |row| count(row, "wasted_looks")),
    ("wakes", |row| count(row, "wakes")),
    ("migrations", |row| count(row, "migrations")),
    ("wait p99", |row| time(row, "latency_99")),
    ("fairness", |row| count(row, "fairness")),
    ("goroutines", |row| count(row, "most_goroutines")),
    ("peak memory", |row| row.get("used_peak_bytes").map(|value| (value, bytes(value)))),
];

fn time(row: &Row, name: &str) -> Option<(f64, String)> {
    row.get(name).map(|value| (value, duration(value)))
}

fn count(row: &Row, name: &str) -> Option<(f64, String)> {
    row.get(name).map(|value| (value, crate::bench::units::figure(value)))
}

pub(crate) fn section(report: &Report) -> String {
    let mut text = "<div class=\"wide\" tabindex=\"0\"><table class=\"sortable\"><thead><tr>".to_owned();
    // A run has figures of its own kind; columns that would stay empty are left out.
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|(_, value)| report.rows().any(|row| value(row).is_some())).collect();
    let keys = ["workload", "procs", "n", "contestant"];
    for heading in keys.into_iter().chain(columns.iter().map(|column| column.0)) {
        let _ = write!(
            text,
            "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\">{heading}</button></th>"
        );
    }
    text += "<th scope=\"col\">notes</th></tr></thead><tbody>\n";
    for row in report.rows() {
        let cell = &row.cell;
        let _ = write!(
            text,
            "<tr><td>{}</td><td data-value=\"{1}\">{1}</td><td data-value=\"{2}\">{2}</td><td>{3}</td>",
            escaped(&cell.workload),
            cell.procs,
            cell.n,
            escaped(&cell.contestant())
        );
        for (_, value) in &columns {
            match value(row) {
                Some((value, words)) => {
                    let _ = write!(text, "<td data-value=\"{value}\">{}</td>", escaped(&words));
                }
                None => text += "<td></td>",
            }
        }
        let note = match row.failure() {
            Some(why) => format!("failed: {why}"),
            None if row.samples.is_empty() => "not measured".to_owned(),
            None => format!("{} processes", row.samples.len()),
        };
        let _ = writeln!(text, "<td>{}</td></tr>", escaped(&note));
    }
    text += "</tbody></table></div>\n";
    part("Raw figures", "Medians over a cell's processes. A heading sorts by its column.", &text)
}
