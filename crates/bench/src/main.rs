//! gmp-bench: measures one cell (library, policy, workload, processors, size) and prints one line of JSON.
//!
//! `cargo xtask bench` runs it once for each cell, so that a crash, a leak or a warm cache of one cell cannot touch
//! another. `gmp-bench list` prints the cells; the definitions of the workloads stand in their files.

mod catalogue;
mod cell;
mod connections;
mod echo;
mod fork_join;
mod gmp;
mod library;
mod measure;
mod process;
#[cfg(feature = "rivals")]
mod rivals;
mod runq;
mod threads;
mod trickle;
mod work;
mod workload;

use cell::{Cell, Result};
use library::Library;
use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The libraries of this build.
fn libraries() -> Vec<Library> {
    #[cfg_attr(not(feature = "rivals"), allow(unused_mut))]
    let mut all = vec![gmp::LIBRARY, threads::LIBRARY];
    #[cfg(feature = "rivals")]
    all.extend(rivals::LIBRARIES);
    all
}

const USAGE: &str = "usage: gmp-bench list [--quick]
       gmp-bench cell --lib NAME --policy NAME --workload NAME --procs N [--n N] [--quick] [--short]
            [--mode NAME] [--idle NAME] [--recorder] [--no-retake] [--shards N]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gmp-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("list") => {
            catalogue::list(&libraries(), arguments[1..].iter().any(|a| a == "--quick"));
            Ok(())
        }
        Some("cell") => {
            let all = libraries();
            let cell = parse(&all, &arguments[1..])?;
            let library = checked(&all, &cell)?;
            // This comes first, so that it never runs beside what the cell leaves behind.
            let calibration = measure::calibration();
            let figures = (library.run)(&cell)?.with("calibration_ns", calibration);
            let used = process::used().into_iter();
            let figures = used.fold(figures, |figures, (name, value)| figures.with(name, value));
            println!("{}", figures.to_json(&cell));
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

/// The library that is to run the cell, if it can.
fn checked<'a>(all: &'a [Library], cell: &Cell) -> Result<&'a Library> {
    catalogue::workload(all, &cell.workload)?;
    let library = catalogue::library(all, &cell.lib)?;
    if !library.knows(&cell.workload) {
        return Err(format!(
            "{} has no {}; it has: {}",
            cell.lib,
            cell.workload,
            (library.workloads)().join(", ")
        )
        .into());
    }
    if !library.policies.contains(&cell.policy.as_str()) {
        let policies = library.policies.join(", ");
        return Err(format!("{} has no policy {:?}; it has: {policies}", cell.lib, cell.policy).into());
    }
    if let Some(idle) = cell.idle.as_deref().filter(|idle| !library.idle_rules.contains(idle)) {
        let rules = library.idle_rules.join(", ");
        return Err(format!("{} has no idle rule {idle:?}; it has: {rules}", cell.lib).into());
    }
    Ok(library)
}

/// Reads `--name value` pairs. This is done by hand: it is a tool's tool, and each process pays for what it links.
fn parse(all: &[Library], arguments: &[String]) -> Result<Cell> {
    let mut cell = Cell {
        lib: "gmp".into(),
        policy: "go".into(),
        workload: String::new(),
        procs: 1,
        n: 0,
        quick: false,
        short: false,
        idle: None,
        mode: "migrating".into(),
        recorder: false,
        no_retake: false,
        shards: 1,
    };
    let mut n = None;
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let flag = match name.as_str() {
            "--quick" => Some(&mut cell.quick),
            "--short" => Some(&mut cell.short),
            "--recorder" => Some(&mut cell.recorder),
            "--no-retake" => Some(&mut cell.no_retake),
            _ => None,
        };
        if let Some(flag) = flag {
            *flag = true;
            continue;
        }
        let value = rest.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
        match name.as_str() {
            "--lib" => cell.lib.clone_from(value),
            "--policy" => cell.policy.clone_from(value),
            "--workload" => cell.workload.clone_from(value),
            "--mode" => cell.mode.clone_from(value),
            "--idle" => cell.idle = Some(value.clone()),
            "--shards" => cell.shards = positive(name, value)? as usize,
            "--procs" => cell.procs = positive(name, value)? as usize,
            "--n" => n = Some(positive(name, value)?),
            _ => return Err(format!("unknown argument {name}\n{USAGE}").into()),
        }
    }
    let workload = catalogue::workload(all, &cell.workload)?;
    cell.n = n.unwrap_or(if cell.quick { workload.quick } else { workload.sizes[0] });
    Ok(cell)
}

fn positive(name: &str, value: &str) -> Result<u64> {
    match value.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{name} takes a positive number, not {value:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cell> {
        parse(&libraries(), &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn sizes_come_from_the_catalogue_unless_given() {
        assert_eq!(parsed("--workload fib").unwrap().n, 27);
        assert_eq!(parsed("--workload fib --quick").unwrap().n, 16);
        assert_eq!(parsed("--workload fib --n 20 --quick").unwrap().n, 20);
    }

    #[test]
    fn bad_arguments_say_what_is_wrong() {
        for (line, part) in [
            ("--workload fib --procs 0", "--procs takes a positive number"),
            ("--workload fib --n", "--n needs a value"),
            ("--workload fib --m 3", "unknown argument --m"),
            ("--workload fob", "no workload \"fob\"; there are: switch_raw"),
        ] {
            let message = parsed(line).unwrap_err().to_string();
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}
