//! The page of simulated runs: the bench's pictures, and curves of what a scheduler does against the number of processors.

use crate::bench::page::{curves, document, escaped, heat, raw};
use crate::bench::report::{Report, Row};
use crate::bench::table;
use crate::bench::units::{duration, figure, percent};
use crate::sim::log::Record;
use crate::sim::report;
use anyhow::Result;

/// A figure's name, the heading over its curves, what it says, and how it is written.
type Curve = (&'static str, &'static str, &'static str, fn(f64) -> String);

const CURVES: &[Curve] = &[
    ("throughput", "Throughput", "Operations a second of virtual time; higher is better.", figure),
    (
        "cpu_ns_per_op",
        "CPU time",
        "CPU time of an operation, looking for work included; lower is better.",
        duration,
    ),
    ("steals", "Steals", "Steals for a thousand operations.", figure),
    (
        "wasted_looks",
        "Wasted looks",
        "Looks into a victim's queue that gave nothing, for a thousand operations.",
        figure,
    ),
    ("wakes", "Wakes", "Threads woken for a thousand operations.", figure),
    (
        "migrations",
        "Migrations",
        "Goroutines that ran on another CPU than before, for a thousand operations.",
        figure,
    ),
    (
        "looking",
        "Looking for work",
        "Share of all processors' time in which they looked into others' queues.",
        percent,
    ),
    ("busy", "At work", "Share of all processors' time in which they ran goroutines.", percent),
    (
        "latency_50",
        "Wait in line, half",
        "Half of the goroutines waited no longer than this until they ran.",
        duration,
    ),
    (
        "latency_99",
        "Wait in line, 99 %",
        "99 of 100 goroutines waited no longer than this until they ran.",
        duration,
    ),
    (
        "latency_99.9",
        "Wait in line, 99.9 %",
        "999 of 1,000 waited no longer than this until they ran.",
        duration,
    ),
    (
        "fairness",
        "Fairness",
        "Jain's index of the waits: 1 if all waited equally long, near 0 if few did the waiting.",
        figure,
    ),
    (
        "most_goroutines",
        "Goroutines at a time",
        "The most that were alive at once: what memory goes by.",
        figure,
    ),
];

pub(crate) fn render(records: &[Record]) -> Result<String> {
    let mut body = String::new();
    for (at, record) in records.iter().enumerate() {
        body += &run(record, at)?;
    }
    Ok(document("gmp sim", &body))
}

fn run(record: &Record, at: usize) -> Result<String> {
    let report: Report = report::of(record);
    let mut text = format!(
        "<section aria-labelledby=\"run{at}\">\n<h2 id=\"run{at}\">Simulated at commit {}</h2>\n<pre tabindex=\"0\">{}</pre>\n",
        escaped(&report.head.commit),
        escaped(report::head(record).trim_end())
    );
    if let Some(verdict) = table::verdict(&report) {
        text += &format!("<p class=\"verdict\">{}.</p>\n", escaped(&verdict));
    }
    if record.missing() > 0 {
        text += &format!("<p class=\"verdict\">{} cells were not simulated.</p>\n", record.missing());
    }
    text += &heat::section(&report);
    text += &curves::scaling(&report)?;
    for (name, title, about, words) in CURVES {
        let value = |row: &Row| row.get(name).filter(|value| *value > 0.0);
        let about = format!("{about} Both axes are logarithmic; what is 0 has no point.");
        text += &curves::against_procs(&report, title, &about, &value, &|y, _| words(y))?;
    }
    text += &raw::section(&report);
    Ok(text + "</section>\n")
}
