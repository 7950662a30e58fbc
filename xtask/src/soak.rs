//! `cargo xtask soak`: the soak test of crate `gmp`, for as long as one likes.

use crate::root;
use anyhow::Result;

/// How long, and on how many CPUs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minutes of random work.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// On one CPU only (through taskset), where races show that two CPUs hide.
    #[arg(long)]
    one_core: bool,
    /// Code breaks meanwhile, and the system refuses threads, stacks and descriptors, all at random.
    #[arg(long)]
    faults: bool,
    /// Without what there is otherwise: a flight recorder, and once a second a storm of signals, a dump, a snapshot,
    /// profiles and a search for leaks.
    #[arg(long)]
    undisturbed: bool,
    /// How goroutines and threads go together: migrating, own, pinned or one-thread-each.
    #[arg(long, default_value = "migrating")]
    mode: String,
    /// Of the random choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let build = ["build", "--release", "-p", "gmp", "--features", "profile", "--example", "soak"];
    if !root::succeeds(&mut root::cargo(&build))? {
        return Ok(false);
    }
    let program = root::target().join("release/examples/soak");
    let mut command = if args.one_core {
        let mut command = std::process::Command::new("taskset");
        command.args(["-c", "0"]).arg(program);
        command
    } else {
        std::process::Command::new(program)
    };
    command.args(["--seconds", &(args.minutes * 60).to_string(), "--mode", &args.mode]);
    command.args(["--seed", &args.seed.to_string()]).args(args.faults.then_some("--faults"));
    command.args((!args.undisturbed).then_some("--looks"));
    root::succeeds(&mut command)
}
