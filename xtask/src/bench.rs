//! `cargo xtask bench`: builds the bench, runs each cell in a process of its own, prints a table.

mod args;
mod baseline;
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
use crate::root;
use anyhow::{Result, ensure};
use args::Command;
use cell::CellSpec;
use events::Events;
use log::{Head, Log, Record};
use program::Program;
use report::Report;
use run::Stop;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Libraries that the bench has without its feature `rivals`.
const BUILT_IN: [&str; 2] = ["gmp", "threads"];
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
    let baseline = args.baseline.as_deref().map(log::read).transpose()?;
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
    let slower = match baseline {
        Some(earlier) => {
            let mut comparison = baseline::compare(&Report::new(&earlier), &report)?;
            if stop.is_none() && !comparison.cells().is_empty() {
                let again = once_more(&programs, &record.head, comparison.cells(), &events)?;
                comparison = match again {
                    Some(again) => {
                        comparison.confirmed_by(&baseline::compare(&Report::new(&earlier), &again)?)
                    }
                    None => comparison,
                };
            }
            print!("{}", comparison.text());
            comparison.is_slower()
        }
        None => false,
    };
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

/// Measures some of a run's cells as it did, for no file. `None`: it was interrupted.
fn once_more(
    programs: &[Program],
    head: &Head,
    cells: Vec<CellSpec>,
    events: &Events,
) -> Result<Option<Report>> {
    println!("measured once more, since they have moved: {} cells", cells.len());
    let record = Record { head: Head { cells, ..head.clone() }, samples: Vec::new() };
    let (record, stop) = run::run(programs, record, &mut Log::none(), events)?;
    Ok(stop.is_none().then(|| Report::new(&record)))
}

/// Measures what the arguments ask for.
fn measure(args: &Args, events: &Events) -> Result<Measured> {
    if let Some(file) = &args.resume {
        let (mut log, mut record) = Log::resume(file)?;
        record.head.check_build(&machine::commit())?;
        record.head.args.timeout = args.timeout.or(record.head.args.timeout);
        record.head.args.precise |= args.precise;
        let programs = programs(&record.head.args)?;
        return Measured::by(programs, record, &mut log, events);
    }
    let mut log = args.json.as_deref().map_or_else(|| Ok(Log::none()), Log::create)?;
    ensure!(
        !args.instructions || machine::has("valgrind"),
        "--instructions needs valgrind, which is not installed"
    );
    let programs = programs(args)?;
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

/// Builds what is to be run.
fn programs(args: &Args) -> Result<Vec<Program>> {
    if let Some(path) = &args.cell_program {
        return Ok(vec![Program::new(path)]);
    }
    args.go.as_deref().map(program::check_go).transpose()?;
    let mut build = vec!["build", "--release", "-p", "gmp-bench"];
    if !args.lib.iter().all(|lib| BUILT_IN.contains(&lib.as_str())) {
        build.extend(["--features", "rivals"]);
    }
    if args.mimalloc {
        build.extend(["--features", "mimalloc"]);
    }
    ensure!(root::succeeds(&mut root::cargo(&build))?, "gmp-bench does not build");
    let mut programs = vec![Program::new(root::target().join("release/gmp-bench"))];
    if let Some(go) = &args.go {
        programs.push(program::build_go(go)?);
    }
    Ok(programs)
}

#[cfg(test)]
mod tests;
