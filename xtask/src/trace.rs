//! `cargo xtask trace FILE`: what a trace that was written as a page (`GMP_TRACE=FILE.html`, `Trace::to_html`) tells, as
//! tables: goroutines by kind, and how long the queues were. With `--html` as a page again, which is drawn as this version
//! draws it.

mod read;

use crate::bench::units::duration;
use crate::output::Output;
use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use read::{Trace, viewer};
use std::path::PathBuf;

/// Which trace, and where to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The page that a program wrote.
    file: PathBuf,
    /// Write a page around the same trace, as this version draws it; FILE itself will do.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let text = std::fs::read_to_string(&args.file);
    let text = text.with_context(|| format!("cannot read {}", args.file.display()))?;
    let trace = Trace::read(&text)?;
    if let Some(html) = &args.html {
        Output::create(html)?.write(&page(&trace))?;
    }
    println!("{}", table(&trace));
    Ok(true)
}

/// The trace's parts behind this version's page.
fn page(trace: &Trace) -> String {
    let mut text = viewer::HEAD.to_owned();
    trace.lines.iter().for_each(|line| text.extend([line, "\n"]));
    text
}

fn table(trace: &Trace) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let heads =
        ["function", "started at", "goroutines", "runs", "running", "runnable", "waiting", "in calls"];
    table.set_header(heads);
    for kind in trace.kinds() {
        let times = [kind.running, kind.runnable, kind.waiting, kind.calls].map(|ns| duration(ns as f64));
        let [running, runnable, waiting, calls] = times;
        let (goroutines, runs) = (kind.goroutines.to_string(), kind.runs.to_string());
        table.add_row([kind.function, kind.site, goroutines, runs, running, runnable, waiting, calls]);
    }
    table.column_iter_mut().skip(2).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    format!("{table}\n{}{}", queues(trace), trace.summary())
}

/// A table of the queues, if the trace tells of any.
fn queues(trace: &Trace) -> String {
    let queues = trace.queues();
    if queues.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["queue", "longest", "mean"]);
    for read::Queue { name, longest, mean } in queues {
        table.add_row([name, longest.to_string(), format!("{mean:.2}")]);
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    format!("\n{table}\n\n")
}

#[cfg(test)]
mod tests;
