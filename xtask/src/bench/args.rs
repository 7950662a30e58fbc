//! The command line of `cargo xtask bench`.

use crate::bench::ratio;
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What to measure.
#[derive(clap::Args, Clone, Debug, Deserialize, Serialize)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    #[serde(skip)]
    pub(crate) command: Option<Command>,
    /// Scheduling policies of gmp, side by side, separated by commas; "all" is every one.
    #[arg(long, value_delimiter = ',', default_value = "go")]
    pub(crate) policy: Vec<String>,
    /// Idle rules of gmp, side by side, separated by commas: go, eager, frugal. Default: the policy's own.
    #[arg(long, value_delimiter = ',')]
    pub(crate) idle: Vec<String>,
    /// Libraries side by side, separated by commas: gmp, tokio, tokio-ct, may, smol, rayon, corosensei, ...
    #[arg(long, value_delimiter = ',', default_value = "gmp")]
    pub(crate) lib: Vec<String>,
    /// Which workloads: "workloads", "go-benchmarks" (the loops of Go's own benchmarks, on gmp and in Go), "policies"
    /// (programs on which policies differ), or "all".
    #[arg(long, default_value = "workloads")]
    pub(crate) group: String,
    /// Only these workloads, of whatever group, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) workload: Vec<String>,
    /// Only with these numbers of processors, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) procs: Vec<u64>,
    /// A smoke run: shows that everything works, its figures mean little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Two repetitions of a tenth of a second in each process instead of five of 0.4 s, at full sizes: for
    /// contests of many, where the turns say how sure a figure is.
    #[arg(long)]
    #[serde(default)]
    pub(crate) short: bool,
    /// How goroutines treat thread-locals; several modes stand side by side, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "migrating")]
    pub(crate) mode: Vec<Mode>,
    /// Whether gmp's flight recorder runs meanwhile; both stand side by side, separated by a comma.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "off")]
    #[serde(default = "Switch::off")]
    pub(crate) recorder: Vec<Switch>,
    /// Whether gmp takes Ps from goroutines that block or compute without a word; both stand side by side.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "on")]
    #[serde(default = "Switch::on")]
    pub(crate) retake: Vec<Switch>,
    /// How many shards gmp's poller has; several numbers stand side by side, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u64).range(1..=1024))]
    #[serde(default = "one_shard")]
    pub(crate) shards: Vec<u64>,
    /// Use mimalloc under all libraries but Go, instead of the system's allocator.
    #[arg(long)]
    pub(crate) mimalloc: bool,
    /// Processes for each cell, in turn with the other contestants' ones; their median counts. Default: 1 for one
    /// contestant or a smoke run, else 3; 5 with --baseline, 9 with --against.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) runs: Option<u64>,
    /// Go on with a contest until each ratio is known to 2 %, or the figure of a contestant who is alone, or until 30
    /// processes a cell. With --resume: add to an earlier run what it lacks for that.
    #[arg(long)]
    pub(crate) precise: bool,
    /// Count instructions an operation, too, by callgrind (workloads that are calibrated by time; needs valgrind).
    #[arg(long)]
    pub(crate) instructions: bool,
    /// A `go` program, to have Go's own figures beside ours.
    #[arg(long, value_name = "PATH")]
    pub(crate) go: Option<PathBuf>,
    /// Write every figure to this file as soon as it is there: one JSON object a line.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
    /// Go on where the run that wrote this file was cut: with its arguments (only --timeout may be another, and --precise
    /// be added), and only what is missing.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) resume: Option<PathBuf>,
    /// Compare with an earlier run's --json file, and mark what moved by more than chance and the machine's noise.
    /// The exit code is 3 if something became slower.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) baseline: Option<PathBuf>,
    /// Build gmp of these earlier commits, too, and let them take turns with the present one: what moved since. The exit
    /// code is 3 if something became slower.
    #[arg(long, value_name = "COMMIT", value_delimiter = ',', conflicts_with_all = ["cell_program", "baseline"])]
    #[serde(default)]
    pub(crate) against: Vec<String>,
    /// Write a page with pictures to this file when all is measured: one file, without a network.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) html: Option<PathBuf>,
    /// A cell that takes longer is ended and becomes a row that says so. Default: 180, in a smoke run 60.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
    /// Run this program instead of building gmp-bench: for tests of the table.
    #[arg(long, hide = true, value_name = "PATH")]
    pub(crate) cell_program: Option<PathBuf>,
}

/// What else can be done with figures.
#[derive(clap::Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Print the tables of earlier runs, and make one page of them.
    Report {
        /// What earlier runs wrote with --json.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Write a page with pictures of all of them to this file.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Keep the run under this name in docs/results, with its page and picture, and write the README's figures.
        #[arg(long, value_name = "NAME")]
        publish: Option<String>,
    },
}

/// The thread-local modes of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum, Deserialize, Serialize)]
pub(crate) enum Mode {
    Migrating,
    Own,
    Pinned,
    OneThreadEach,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Migrating => "migrating",
            Mode::Own => "own",
            Mode::Pinned => "pinned",
            Mode::OneThreadEach => "one-thread-each",
        }
    }
}

/// Something of gmp's that a cell runs with or without.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum, Deserialize, Serialize)]
pub(crate) enum Switch {
    Off,
    On,
}

/// What a run was made with that does not say.
impl Switch {
    fn off() -> Vec<Self> {
        vec![Self::Off]
    }

    fn on() -> Vec<Self> {
        vec![Self::On]
    }
}

fn one_shard() -> Vec<u64> {
    vec![1]
}

/// A command line of its own, for commands that run the bench.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

impl Args {
    /// What stands for no arguments.
    pub(crate) fn standard() -> Self {
        Line::parse_from(["bench"]).args
    }

    /// What these arguments ask for.
    pub(crate) fn of(arguments: &[&str]) -> anyhow::Result<Self> {
        Ok(Line::try_parse_from([&["bench"], arguments].concat())?.args)
    }

    /// The most processes of a cell in a run with `--precise`.
    pub(crate) const MOST_RUNS: u64 = 30;

    /// How many processes each cell gets; with `--precise` at least this many.
    pub(crate) fn runs(&self, contestants: usize) -> u64 {
        let default = match () {
            () if self.baseline.is_some() => 5,
            () if !self.against.is_empty() => ratio::FOR_MEDIAN as u64,
            () if self.precise => 3,
            () if self.quick || contestants == 1 => 1,
            () => 3,
        };
        self.runs.unwrap_or(default)
    }

    /// Seconds after which a cell is ended.
    pub(crate) fn limit(&self) -> u64 {
        self.timeout.unwrap_or(if self.quick { 60 } else { 180 })
    }
}
