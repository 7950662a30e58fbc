//! The project's own commands: `cargo xtask bench | ci | conformance | fuzz | loom | servers | sim | soak | tidy |
//! trace`. This crate
//! depends on none of the others, so it works when they do not build.

mod bench;
mod ci;
mod conformance;
mod fuzz;
mod interrupt;
mod lines;
mod loom;
mod marked;
mod output;
mod programs;
mod root;
mod servers;
mod sim;
mod soak;
mod tidy;
mod trace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the workloads and print a table; each cell runs in a process of its own.
    Bench(Box<bench::Args>),
    /// Run the gates that a change must pass.
    Ci(ci::Args),
    /// Compare the order of goroutines with what real Go printed, scenario by scenario.
    Conformance(conformance::Args),
    /// Fuzz a policy's queues: random operations under real thieves, shrunk when they fail.
    Fuzz(fuzz::Args),
    /// Run the loom models of the protocols.
    Loom(loom::Args),
    /// Load the same servers on gmp, on tokio and in Go, in turn, and print a table.
    Servers(servers::Args),
    /// Simulate the policies on virtual machines of up to 256 processors, and print a table.
    Sim(Box<sim::Args>),
    /// Run the soak test: random work for minutes, every goroutine accounted for.
    Soak(soak::Args),
    /// Check the laws of the house: floors, file heads, sizes, unsafe, orderings, links.
    Tidy,
    /// Tell what a trace that a program wrote as a page has in it, and draw the page anew.
    Trace(trace::Args),
}

/// Every command returns whether all was well; an error is a misuse or a broken machine.
fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Bench(args) => return exit(bench::run(&args)),
        Command::Ci(args) => ci::run(&args),
        Command::Conformance(args) => conformance::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Loom(args) => loom::run(&args),
        Command::Servers(args) => servers::run(&args),
        Command::Sim(args) => return exit(sim::run(&args)),
        Command::Soak(args) => soak::run(&args),
        Command::Tidy => tidy::run(),
        Command::Trace(args) => trace::run(&args),
    };
    exit(done.map(|well| if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

fn exit(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_arguments_name_what_is_allowed() {
        for (line, part) in [
            ("xtask bench --mode floating", "possible values: migrating, own, pinned, one-thread-each"),
            ("xtask bench --procs 0", "0 is not in 1.."),
            ("xtask bench --runs none", "invalid value 'none'"),
            ("xtask fuzz --policy go --minutes 0", "0 is not in 1.."),
            ("xtask fuzz", "--policy <POLICY>"),
            ("xtask sim --cores 0", "allowed are a number above 0"),
            ("xtask sim --shard 5/4", "shards are counted from 1 to 4"),
            ("xtask sim --seeds 0", "0 is not in 1.."),
            ("xtask soak --minutes 0", "0 is not in 1.."),
            ("xtask conformance --repeat 0", "0 is not in 1.."),
            ("xtask servers --runs 0", "0 is not in 1.."),
            ("xtask bnech", "bench"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
