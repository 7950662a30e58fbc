//! `cargo xtask fuzz --policy NAME`: random operations on a policy's queues under real thieves, for as long as one likes.
//!
//! The scripts, their shrinking and the laws are in `gmp-core`'s suite; each policy's `tests/conformance.rs` gets them
//! by the one line that brings all laws. Here the release build of that test is run again and again, each round in a
//! process of its own with a seed of its own, so that a queue that aborts or never ends is reported like any other.

mod policies;
mod round;

use crate::root;
use anyhow::Result;
use policies::Fuzzed;
use round::{Outcome, Round};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// Which queues, for how long, with which scripts.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A policy of `crates/policy/`, or a broken queue, as `broken-wrap`, which is to be caught.
    #[arg(long)]
    policy: String,
    /// Minutes of fuzzing.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Only the scripts that this seed makes, over and over: threads are not replayed with it.
    #[arg(long)]
    seed: Option<u64>,
}

/// How many scripts of each kind a round makes. It takes a few seconds, so that progress is seen and a seed stands for
/// few of them.
const CASES: u32 = 128;

/// How often progress is reported.
const TOLD: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &Args) -> Result<bool> {
    let fuzzed = policies::find(root::root(), &args.policy)?;
    let Some(programs) = fuzzed.build()? else { return Ok(false) };
    let limit = Duration::from_secs(args.minutes * 60);
    let start = Instant::now();
    let (mut rounds, mut told) = (0, start);
    for program in programs.iter().cycle() {
        if rounds >= programs.len() as u64 && start.elapsed() >= limit {
            break;
        }
        let seed = args.seed.unwrap_or_else(|| fresh_seed(rounds));
        let round = Round { program, filter: &fuzzed.filter, seed, cases: CASES };
        match round.run()? {
            Outcome::Passed => {}
            Outcome::Broken(how) => {
                println!("{how}");
                println!(
                    "{} failed after {:.1} s, in round {}; again: cargo xtask fuzz --policy {} --seed {seed}",
                    args.policy,
                    seconds(start),
                    rounds + 1,
                    args.policy
                );
                return Ok(false);
            }
        }
        rounds += 1;
        if told.elapsed() >= TOLD {
            told = Instant::now();
            println!("{}: {} after {:.0} s", args.policy, scripts(&fuzzed, rounds), seconds(start));
        }
    }
    println!("{}: nothing found by {} in {:.0} s", args.policy, scripts(&fuzzed, rounds), seconds(start));
    Ok(true)
}

fn fresh_seed(round: u64) -> u64 {
    RandomState::new().hash_one(round)
}

fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

fn scripts(fuzzed: &Fuzzed, rounds: u64) -> String {
    let kinds = "on one thread and as many with thieves";
    format!("{} scripts {kinds} ({rounds} rounds of {})", rounds * u64::from(CASES), fuzzed.package)
}
