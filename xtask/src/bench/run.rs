//! A run: contest by contest, turn by turn, until all is measured, somebody wants it to end, or the file is full.

use crate::bench::args::Args;
use crate::bench::cell::CellSpec;
use crate::bench::events::Events;
use crate::bench::log::{Log, Record};
use crate::bench::program::Program;
use crate::bench::report::{Report, Row};
use crate::bench::sample::{Outcome, Sample};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::time::Duration;

/// Why a run stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted,
    /// The file cannot be written any more.
    Unwritable(anyhow::Error),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Interrupted => f.write_str("interrupted: a --json file goes on with --resume"),
            Stop::Unwritable(error) => {
                write!(f, "{error:#}: when there is room, --resume goes on with the file")
            }
        }
    }
}

/// A figure or a ratio that is known this well needs no more turns.
const PRECISE: f64 = 0.02;
/// Fewer turns than these say nothing about how sure a figure is.
const LEAST_PRECISE: u64 = 3;

/// Measures what the record does not have yet.
pub(crate) fn run(
    programs: &[Program],
    mut record: Record,
    log: &mut Log,
    events: &Events,
) -> Result<(Record, Option<Stop>)> {
    let cells = record.head.cells.clone();
    let bar = progress(cells.len() as u64 * record.head.runs);
    let owners = owners(programs, record.head.args.quick)?;
    let mut stop = None;
    for contest in cells.chunk_by(|a, b| a.contest() == b.contest()) {
        let mut turn = 0;
        while stop.is_none() && turn < turns(&record, contest) {
            stop = take_turn(&owners, contest, turn, &mut record, log, events, &bar)?;
            turn += 1;
        }
    }
    bar.finish_and_clear();
    Ok((record, stop))
}

/// How many turns a contest takes, as far as is known now.
fn turns(record: &Record, contest: &[CellSpec]) -> u64 {
    let (args, least) = (&record.head.args, record.head.runs);
    let done = record.samples.iter().filter(|sample| sample.cell == contest[0]).count() as u64;
    if !args.precise {
        return least;
    }
    let least = least.max(LEAST_PRECISE);
    if done < least || is_precise(record, contest) {
        return least;
    }
    // It takes at least as many as were asked for, where that is more than the limit.
    (done + 1).min(Args::MOST_RUNS.max(least))
}

/// Whether the ratios of a contest are known well enough; for a single contestant, whether its figure is. A failed cell
/// does not become better by repetition.
pub(crate) fn is_precise(record: &Record, contest: &[CellSpec]) -> bool {
    let report = Report::new(&Record {
        head: crate::bench::log::Head { cells: contest.to_vec(), ..record.head.clone() },
        samples: record.samples.clone(),
    });
    let contest = &report.contests[0];
    let is_alone = contest.rows.len() == 1;
    let known = |row: &Row| if is_alone { row.mean() } else { contest.ratio(row) };
    let sure = |row| known(row).and_then(|known| known.uncertainty()).is_none_or(|share| share < PRECISE);
    contest.rows.iter().any(|row| row.failure().is_some()) || contest.rows.iter().all(sure)
}

/// Runs every contestant of a contest once, one after the other, because within minutes a machine drifts by more than the
/// differences that are looked for. The order turns round from turn to turn (A B, B A, ...), so that none is always the one
/// who comes after the others.
fn take_turn(
    owners: &[(&Program, Vec<CellSpec>)],
    contest: &[CellSpec],
    turn: u64,
    record: &mut Record,
    log: &mut Log,
    events: &Events,
    bar: &ProgressBar,
) -> Result<Option<Stop>> {
    let args = record.head.args.clone();
    let backwards = turn % 2 == 1;
    let order = (0..contest.len()).map(|at| if backwards { contest.len() - 1 - at } else { at });
    for cell in order.map(|at| &contest[at]) {
        bar.inc(1);
        if record.samples.iter().any(|sample| sample.turn == turn && sample.cell == *cell) {
            continue;
        }
        bar.set_message(cell.to_string());
        let program = owner(owners, cell)?;
        if events.is_interrupted() {
            return Ok(Some(Stop::Interrupted));
        }
        let Some(mut outcome) = program.run(cell, &args, events) else {
            return Ok(Some(Stop::Interrupted));
        };
        if args.instructions && turn == 0 && cell.n == 0 {
            count_instructions(program, cell, &mut outcome, &args, events);
        }
        let sample = Sample { cell: cell.clone(), turn, outcome };
        let written = log.sample(&sample);
        record.samples.push(sample);
        if let Err(error) = written {
            return Ok(Some(Stop::Unwritable(error)));
        }
    }
    Ok(None)
}

/// Adds the instructions of one operation: what a repetition of twice the length costs more. They are left out if the
/// run is to end meanwhile; whoever resumes it will ask for them again.
fn count_instructions(
    program: &Program,
    cell: &CellSpec,
    outcome: &mut Outcome,
    args: &Args,
    events: &Events,
) {
    /// Operations of the shorter run: under callgrind a second or so.
    const OPS: u64 = 20_000;
    /// Repetitions of a smoke run, as `gmp-bench` makes them.
    const REPETITIONS: f64 = 2.0;
    let Outcome::Measured(line) = outcome else { return };
    let count = |ops| program.instructions(cell, ops, args, events);
    match count(OPS).and_then(|short| Ok(short.zip(count(2 * OPS)?))) {
        Ok(Some((short, long))) => {
            let count = (long - short) / (OPS as f64 * REPETITIONS);
            line.extra.insert("instructions".to_owned(), Some(count));
        }
        Ok(None) => events.interrupter()(),
        Err(error) => eprintln!("{cell}: no instructions counted: {error:#}"),
    }
}

/// Which program runs which cells.
fn owners(programs: &[Program], quick: bool) -> Result<Vec<(&Program, Vec<CellSpec>)>> {
    programs.iter().map(|program| Ok((program, program.list(quick)?))).collect()
}

fn owner<'a>(owners: &[(&'a Program, Vec<CellSpec>)], cell: &CellSpec) -> Result<&'a Program> {
    let offers = |(_, cells): &&(&Program, Vec<CellSpec>)| {
        cells.iter().any(|offered| {
            offered.lib == cell.lib && offered.workload == cell.workload && offered.build == cell.build
        })
    };
    let found = owners.iter().find(offers).map(|(program, _)| *program);
    found.with_context(|| format!("no program offers {cell}: was it built with the same options?"))
}

/// A progress bar on standard error; indicatif hides it where that is no terminal. It is drawn once a second: more
/// often would take CPU time from the cells.
fn progress(cells: u64) -> ProgressBar {
    let bar = ProgressBar::new(cells);
    let style = "{bar:30} {pos}/{len} processes  {elapsed_precise}, {eta} left  {wide_msg}";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
