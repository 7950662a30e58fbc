//! The table: one contestant with all its figures, or several side by side with the winner marked.

mod alone;
mod parts;
mod side_by_side;

use crate::bench::report::Report;
use crate::bench::units::percent;

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
        1 => alone::render(report, width),
        _ => side_by_side::render(report, width),
    }
}

/// What the run found, in a sentence: which contestant is fastest in how many rows.
pub(crate) fn verdict(report: &Report) -> Option<String> {
    (report.contestants.len() > 1).then(|| side_by_side::verdict(report))?
}
