//! `cargo xtask bench`: builds the bench, runs each cell in a process of its own, prints a table.

mod args;
mod baseline;
pub(crate) mod build;
pub(crate) mod cell;
mod events;
pub(crate) mod log;
pub(crate) mod machine;
pub(crate) mod names;
pub(crate) mod page;
pub(crate) mod plan;
pub(crate) mod program;
mod publish;
pub(crate) mod ratio;
pub(crate) mod report;
mod run;
pub(crate) mod sample;
pub(crate) mod table;
pub(crate) mod units;

pub(crate) use args::Args;

use crate::output::Output;
use anyhow::{Result, ensure};
use args::Command;
use baseline::{Comparison, Earlier};
use cell::CellSpec;
use events::Events;
use log::{Head, Log, Record};
use program::Program;
use report::Report;
use run::Stop;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit code if something became slower than in the baseline.
const SLOWER: u8 = 3;
/// The exit code of an interrupted run: what a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(Command::Report { files, html, publish }) = &args.command {
        return show(files, html.as_deref(), publish.as_deref());
    }
    let events = Events::new();
    events.listen_for_signals()?;
    // Whatever can be refused is refused now, before a quarter of an hour has been spent.
    let args = &Args { against: build::commits(&args.against)?, ..args.clone() };
    let baseline = args.baseline.as_deref().map(log::read).transpose()?;
    if let Some(run) = &baseline {
        baseline::check_runs("the run of --baseline", run.head.runs)?;
    }
    if let (Some(runs), true) = (args.runs, baseline.is_some() || !args.against.is_empty()) {
        baseline::check_runs("this run", runs)?;
    }
    let page = args.html.as_deref().map(Output::create).transpose()?;
    let Measured { programs, record, stop } = measure(args, &events)?;
    let report = Report::new(&record);
    print(&report);
    let failed = report.failed();
    if failed > 0 {
        println!("{failed} cells failed");
    }
    if let Some(stop) = &stop {
        println!("{stop}; {} of {} cells were not measured", report.missing(), record.head.cells.len());
    }
    let mut slower = false;
    let baseline =
        baseline.map(|run| Earlier { commit: run.head.commit.clone(), run: Some(Report::new(&run)) });
    let built = record.head.args.against.iter().map(|commit| Earlier { commit: commit.clone(), run: None });
    for earlier in baseline.into_iter().chain(built) {
        let mut comparison = earlier.compare(&report)?;
        if stop.is_none() && !comparison.cells().is_empty() {
            comparison = confirm(earlier, comparison, &programs, &record.head, &events)?;
        }
        print!("{}", comparison.text());
        slower |= comparison.is_slower();
    }
    if let Some(page) = page {
        page.write(&page::render(&[report])?)?;
    }
    Ok(match stop {
        Some(Stop::Interrupted) => ExitCode::from(INTERRUPTED),
        Some(Stop::Unwritable(_)) => ExitCode::from(2),
        None if failed > 0 => ExitCode::FAILURE,
        None if slower => ExitCode::from(SLOWER),
        None => ExitCode::SUCCESS,
    })
}

/// Prints the tables of earlier runs, makes a page of them, and keeps one of them.
fn show(files: &[PathBuf], html: Option<&Path>, publish: Option<&str>) -> Result<ExitCode> {
    ensure!(publish.is_none() || files.len() == 1, "--publish keeps one run, and these are {}", files.len());
    let read = |file: &PathBuf| log::read(file).map(|record| Report::new(&record));
    let reports = files.iter().map(read).collect::<Result<Vec<_>>>()?;
    let page = html.map(Output::create).transpose()?;
    reports.iter().for_each(print);
    if let Some(page) = page {
        page.write(&page::render(&reports)?)?;
    }
    if let Some(name) = publish {
        publish::publish(&files[0], name)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) {
    println!("{}", table::head(report));
    println!("{}", table::render(report, width()));
    if let Some(verdict) = table::verdict(report) {
        println!("{verdict}");
    }
}

/// How wide a table may be: as wide as the terminal; where there is none, as wide as a page of text.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(120, |(width, _)| usize::from(width.0))
}

/// What was measured, by which programs, and why it stopped before its end, if it did.
struct Measured {
    programs: Vec<Program>,
    record: Record,
    stop: Option<Stop>,
}

impl Measured {
    fn by(programs: Vec<Program>, record: Record, log: &mut Log, events: &Events) -> Result<Self> {
        let (record, stop) = run::run(&programs, record, log, events)?;
        Ok(Self { programs, record, stop })
    }
}

/// Measures what has moved once more, in turn with the earlier commit where it can be built, and keeps what has moved
/// again. An interrupted run confirms nothing, and refutes nothing.
fn confirm(
    mut earlier: Earlier,
    comparison: Comparison,
    programs: &[Program],
    head: &Head,
    events: &Events,
) -> Result<Comparison> {
    println!("measured once more, since they have moved: {} cells", comparison.cells().len());
    let mut programs = programs.to_vec();
    if earlier.run.is_some() {
        match build::commit(&earlier.commit).and_then(|commit| build::of_commit(&commit, &head.args)) {
            Ok(program) => {
                earlier.commit = program.build.clone().unwrap_or_default();
                programs.push(program);
            }
            Err(error) => println!("alone, and not in turn with the earlier commit: {error:#}"),
        }
    }
    let built = programs.iter().find(|program| program.build.as_ref() == Some(&earlier.commit));
    let offered = built.map_or_else(|| Ok(Vec::new()), |program| program.list(head.args.quick))?;
    let offers = |cell: &CellSpec| {
        offered.iter().any(|other| other.lib == cell.lib && other.contest() == cell.contest())
    };
    let before = |cell: &CellSpec| CellSpec { build: Some(earlier.commit.clone()), ..cell.clone() };
    let with_counterpart = |cell: CellSpec| offers(&cell).then(|| before(&cell)).into_iter().chain([cell]);
    let cells = comparison.cells().into_iter().flat_map(with_counterpart).collect();
    let record = Record { head: Head { cells, ..head.clone() }, samples: Vec::new() };
    let (record, stop) = run::run(&programs, record, &mut Log::none(), events)?;
    match stop {
        None => Ok(comparison.confirmed_by(&earlier.compare(&Report::new(&record))?)),
        Some(_) => Ok(comparison),
    }
}

/// Measures what the arguments ask for.
fn measure(args: &Args, events: &Events) -> Result<Measured> {
    if let Some(file) = &args.resume {
        let (mut log, mut record) = Log::resume(file)?;
        record.head.check_build(&machine::commit())?;
        record.head.args.timeout = args.timeout.or(record.head.args.timeout);
        record.head.args.precise |= args.precise;
        let programs = build::programs(&record.head.args)?;
        return Measured::by(programs, record, &mut log, events);
    }
    let mut log = args.json.as_deref().map_or_else(|| Ok(Log::none()), Log::create)?;
    ensure!(
        !args.instructions || machine::has("valgrind"),
        "--instructions needs valgrind, which is not installed"
    );
    let programs = build::programs(args)?;
    let cells = plan::cells(&programs, args)?;
    let mut contestants: Vec<String> = cells.iter().map(cell::CellSpec::contestant).collect();
    contestants.sort();
    contestants.dedup();
    let head = Head {
        commit: machine::commit(),
        machine: machine::Machine::here(),
        command: machine::command(),
        args: args.clone(),
        runs: args.runs(contestants.len()),
        cells,
    };
    log.head(&head)?;
    Measured::by(programs, Record { head, samples: Vec::new() }, &mut log, events)
}

#[cfg(test)]
mod tests;
