//! The table: one contestant with all its figures, or several side by side with the winner marked.

mod alone;
mod side_by_side;

use crate::bench::report::Report;
use crate::bench::units::percent;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Lines above the table.
pub(crate) fn head(report: &Report) -> String {
    let (head, machine) = (&report.head, &report.head.machine);
    let modes: Vec<&str> = head.args.mode.iter().map(|mode| mode.name()).collect();
    let mut text = format!(
        "commit   {}\nmachine  {}, {} cores, {}, {}\ncommand  {}\nmode     {} thread-locals, {} allocator; {}\n",
        head.commit,
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.rustc,
        head.command,
        modes.join(" and "),
        if head.args.mimalloc { "mimalloc" } else { "the system's" },
        match (head.args.precise, head.runs) {
            (true, runs) => format!("medians of {runs} processes a cell or more, taken in turn"),
            (false, 1) => "one process a cell, median of its repetitions".to_owned(),
            (false, runs) => format!("medians of {runs} processes a cell, taken in turn"),
        },
    );
    if let Some(noise) = report.noise() {
        text += &format!(
            "noise    {}: the calibration loop varied by this much between processes\n",
            percent(noise)
        );
    }
    if head.args.quick {
        text.push_str("quick    a smoke run: these figures mean little\n");
    }
    text
}

/// The figures, at most `width` columns wide if that can be.
pub(crate) fn render(report: &Report, width: usize) -> String {
    match report.contestants.len() {
        1 => alone::render(report),
        _ => side_by_side::render(report, width),
    }
}

/// What the run found, in a sentence: who is fastest in how many rows.
pub(crate) fn verdict(report: &Report) -> Option<String> {
    (report.contestants.len() > 1).then(|| side_by_side::verdict(report))?
}

fn new(header: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

/// The table's lines, with the columns but the first one flush right.
fn lines(mut table: Table, right: std::ops::Range<usize>) -> String {
    for column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    trimmed.join("\n") + "\n"
}

/// A workload's size, where it has one.
fn size(n: u64) -> String {
    if n == 0 { String::new() } else { crate::bench::units::grouped(n as f64) }
}
