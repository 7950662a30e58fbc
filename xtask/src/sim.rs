//! `cargo xtask sim`: simulates the policies on virtual machines, cell by cell, and prints a table.
//!
//! Like the bench it depends on none of our crates: it builds the program `gmp-sim`, hands it cells and takes outcomes.

mod args;
mod calibrate;
mod log;
mod machines;
mod page;
mod plan;
mod program;
mod report;
mod validate;

pub(crate) use args::Args;

use crate::bench::{self, machine};
use crate::output::Output;
use anyhow::{Result, ensure};
use args::Command;
use log::{Head, Log, Record};
use program::Program;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit code of an interrupted run: what a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Some(Command::Report { files, html }) => show(files, html.as_deref()),
        Some(Command::Validate { measured, publish }) => {
            validate::run(&Program::build(args)?, measured, *publish)
        }
        Some(Command::Calibrate { measured, output }) => {
            calibrate::run(args, measured.as_deref(), output.as_deref())
        }
        None => simulate(args),
    }
}

fn simulate(args: &Args) -> Result<ExitCode> {
    // Whatever can be refused is refused before anything runs.
    let page = args.html.as_deref().map(Output::create).transpose()?;
    let (mut log, earlier) = match (&args.resume, &args.json) {
        (Some(file), _) => Log::resume(file).map(|(log, record)| (log, Some(record)))?,
        (None, Some(file)) => (Log::create(file)?, None),
        (None, None) => (Log::none(), None),
    };
    let program = Program::build(args)?;
    let mut record = match earlier {
        Some(record) => record,
        None => {
            let head = Head::new(args, program.completed(&args.axes)?)?;
            log.head(&head)?;
            Record::of(head)
        }
    };
    ensure!(
        record.head.commit == machine::commit(),
        "the file's figures are of commit {}, and this is {}: check that one out, or start a new run",
        record.head.commit,
        machine::commit()
    );
    let whole = program.run(&mut record, &mut log, args.jobs)?;
    print(&record);
    if let Some(page) = page {
        page.write(&page::render(&[record.clone()])?)?;
    }
    let failed = record.failed();
    if failed > 0 {
        println!("{failed} cells failed");
    }
    if !whole {
        println!(
            "interrupted: a --json file goes on with --resume; {} of {} cells were not simulated",
            record.missing(),
            record.wanted().count()
        );
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the tables of earlier runs and makes a page of them. Shards of one run become one.
fn show(files: &[PathBuf], html: Option<&Path>) -> Result<ExitCode> {
    let records = log::merged(files.iter().map(|file| log::read(file)).collect::<Result<_>>()?);
    let page = html.map(Output::create).transpose()?;
    records.iter().for_each(print);
    if let Some(page) = page {
        page.write(&page::render(&records)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(record: &Record) {
    let report = report::of(record);
    print!("{}", report::head(record));
    println!("{}", bench::table::render(&report, bench::width()));
    if let Some(verdict) = bench::table::verdict(&report) {
        println!("{verdict}");
    }
}

#[cfg(test)]
mod tests;
