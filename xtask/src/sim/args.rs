//! The command line of `cargo xtask sim`.

use crate::sim::machines;
use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// What to simulate.
#[derive(clap::Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) axes: Axes,
    /// Only a share of the cells, for a cluster: 3/40 is the third of forty.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// How many cells at a time. Default: as many as there are CPUs.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) jobs: Option<u64>,
    /// What everything takes, instead of crates/sim/costs.toml; `cargo xtask sim calibrate` makes such a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) costs: Option<PathBuf>,
    /// Policies from elsewhere: the Cargo.toml of a crate with an example `simulate`, which is
    /// `Sim::new().with::<P>().main()`.
    #[arg(long, value_name = "MANIFEST")]
    pub(crate) with: Option<PathBuf>,
    /// Run this program instead of building gmp-sim: for machines without cargo.
    #[arg(long, value_name = "PATH", conflicts_with = "with")]
    pub(crate) program: Option<PathBuf>,
    /// Write every outcome to this file as soon as it is there: one JSON object a line.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub(crate) json: Option<PathBuf>,
    /// Go on where the run that wrote this file was cut, with its arguments.
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
    /// Write a page with pictures to this file when all is simulated: one file, without a network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// What the cells differ in.
#[derive(clap::Args, Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Axes {
    /// Scheduling policies, side by side, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "go,block,random,lifo,global")]
    pub(crate) policy: Vec<String>,
    /// Idle rules, side by side, separated by commas: go, eager, frugal. Default: the policy's own.
    #[arg(long, value_delimiter = ',')]
    pub(crate) idle: Vec<String>,
    /// Victim orders, side by side, separated by commas: coprime, topology, weighted, shuffled. Default: the policy's own.
    #[arg(long, value_delimiter = ',')]
    pub(crate) order: Vec<String>,
    /// Numbers of processors, separated by commas; 1..256 is 1, 2, 4, ... up to 256.
    #[arg(long, value_delimiter = ',', default_value = "1..256")]
    pub(crate) cores: Vec<Cores>,
    /// Workloads, separated by commas. Default: all.
    #[arg(long, value_delimiter = ',')]
    pub(crate) workload: Vec<String>,
    /// Machines, separated by commas: flat (256 CPUs that are equally near), or NODESxCPUS such as 2x64 and 8x16.
    #[arg(long, value_delimiter = ',', default_value = "flat", value_parser = machines::named)]
    pub(crate) machine: Vec<String>,
    /// How often each cell is simulated, each time with another seed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// The workloads' size. Default: each one's own.
    #[arg(long, default_value_t = 0)]
    pub(crate) n: u64,
    /// Nanoseconds that each goroutine computes beside what the workload is about.
    #[arg(long, default_value_t = 0.0, value_name = "NS")]
    pub(crate) work: f64,
    /// Cache lines of data that follow each goroutine to another CPU, beside its record and stack.
    #[arg(long, default_value_t = 0, value_name = "LINES")]
    pub(crate) data: u32,
}

/// What else can be done.
#[derive(clap::Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Print the tables of earlier runs, and make one page of them; shards of one run become one.
    Report {
        /// What earlier runs wrote with --json.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Write a page with pictures of all of them to this file.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Hold simulated ratios between policies, at 1 and 2 Ps, against measured ones. On a quiet machine.
    Validate {
        /// What `cargo xtask bench --json` wrote, with every policy or every idle rule; may be given more than once.
        /// Default: both are measured now.
        #[arg(long, value_name = "FILE")]
        measured: Vec<PathBuf>,
        /// Write the outcome into docs/simulator.md.
        #[arg(long)]
        publish: bool,
    },
    /// Measure this machine, and write a file of costs for it. On a quiet machine.
    Calibrate {
        /// What `cargo xtask bench --json` wrote. Default: it is measured now.
        #[arg(long, value_name = "FILE")]
        measured: Option<PathBuf>,
        /// Where the costs are written. Default: they are printed, behind what the bench prints.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Numbers of processors: one, or those from one to another in powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Cores {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Cores {
    pub(crate) fn all(self) -> Vec<u64> {
        let mut all: Vec<u64> = std::iter::successors(Some(self.least), |cores| cores.checked_mul(2))
            .take_while(|c| *c < self.most)
            .collect();
        all.push(self.most);
        all
    }
}

impl FromStr for Cores {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|cores| *cores > 0);
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match number(least).zip(number(most)) {
            Some((least, most)) if least <= most => Ok(Self { least, most }),
            _ => bail!("{text}: allowed are a number above 0 and a range of two such as 1..256"),
        }
    }
}

/// One of several equal shares, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Shard {
    pub(crate) number: usize,
    pub(crate) of: usize,
}

impl Shard {
    /// Whether a cell belongs to it. Neighbours go to different shards, so that each gets some of the large ones.
    pub(crate) fn has(self, at: usize) -> bool {
        at % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, of) = text.split_once('/').unwrap_or((text, ""));
        let (Ok(number), Ok(of)) = (number.parse(), of.parse()) else {
            bail!("{text}: a shard is I/N, such as 3/40")
        };
        ensure!((1..=of).contains(&number), "{text}: shards are counted from 1 to {of}");
        Ok(Self { number, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_powers_of_two_and_their_end() {
        let all = |text: &str| text.parse::<Cores>().unwrap().all();
        assert_eq!([all("7"), all("1..8"), all("3..20")], [vec![7], vec![1, 2, 4, 8], vec![3, 6, 12, 20]]);
        for wrong in ["", "0", "8..1", "1..", "x"] {
            assert!(wrong.parse::<Cores>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn shards_share_all_cells_out() {
        let shards: Vec<Shard> = (1..=3).map(|number| format!("{number}/3").parse().unwrap()).collect();
        for at in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.has(at)).count(), 1);
        }
        for wrong in ["0/3", "4/3", "3", "3/", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
