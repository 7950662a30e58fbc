//! `cargo xtask ci [GATE...]`: the gates that a change must pass, run in order, with a table of times at the end.

mod browser;
mod child;
mod databases;
mod features;
mod outside;
mod simulator;

use crate::{bench, loom, root, tidy};
use anyhow::{Result, bail};
use child::Said;
use clap::Parser;
use comfy_table::{Table, presets};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Which gates.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these gates; all of them if none is given.
    gate: Vec<String>,
    /// Print the gates and run none.
    #[arg(long)]
    list: bool,
    /// Run one gate in this process: so the others run it.
    #[arg(long, hide = true)]
    here: bool,
}

/// One thing that must hold.
struct Gate {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<bool>,
}

/// Cheap gates come first: whoever forgot to format learns it in a second.
const GATES: &[Gate] = &[
    Gate { name: "fmt", about: "cargo fmt --all --check", run: fmt },
    Gate { name: "tidy", about: "the laws of the house", run: tidy::run },
    Gate { name: "clippy", about: "all features, all targets, warnings are errors", run: clippy },
    Gate { name: "docs", about: "rustdoc, warnings are errors", run: docs },
    Gate { name: "test", about: "cargo test --workspace", run: test },
    Gate { name: "shared", about: "gmp's tests, with thread-locals shared", run: shared },
    Gate {
        name: "features",
        about: "every set of each crate's features builds; gmp's tests under other default policies",
        run: features::run,
    },
    Gate { name: "panic-abort", about: "a program built with panic=abort runs", run: panic_abort },
    Gate {
        name: "outsider",
        about: "a policy outside the workspace builds on what is public, and passes its tests",
        run: outsider,
    },
    Gate {
        name: "package",
        about: "each crate is packed, and builds from its package",
        run: outside::package,
    },
    Gate {
        name: "msrv",
        about: "gmp builds with the oldest compiler that Cargo.toml names",
        run: outside::msrv,
    },
    Gate {
        name: "stacks",
        about: "ordinary crates fit on default stacks, in debug and release",
        run: outside::stacks,
    },
    Gate {
        name: "ecosystem",
        about: "libraries that live by thread-locals take a goroutine for a thread",
        run: ecosystem,
    },
    Gate {
        name: "databases",
        about: "SQLite, PostgreSQL and reqwest, used by a hundred goroutines",
        run: databases::run,
    },
    Gate { name: "loom", about: "the models of the protocols", run: models },
    Gate { name: "soak", about: "ten seconds of random work, under looks, in each of two modes", run: soak },
    Gate {
        name: "browser",
        about: "the bench's page and pages of traces in a headless Chromium",
        run: browser::run,
    },
    Gate {
        name: "sim-smoke",
        about: "every policy ends every workload in the simulator, twice with the same bytes",
        run: simulator::run,
    },
    Gate { name: "bench-smoke", about: "every cell of the bench runs, under every policy", run: bench_smoke },
];

pub(crate) fn run(args: &Args) -> Result<bool> {
    if args.list {
        GATES.iter().for_each(|gate| println!("{:12} {}", gate.name, gate.about));
        return Ok(true);
    }
    let gates = chosen(&args.gate)?;
    if args.here {
        return gates.into_iter().try_fold(true, |good, gate| Ok((gate.run)()? && good));
    }
    let results: Vec<_> = gates.into_iter().map(|gate| pass(gate, in_a_child)).collect();
    let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
    for Passage { gate, said, .. } in &failed {
        println!("\n== {} failed; it said last:\n{}", gate.name, said.last.join("\n"));
    }
    println!("\n{}", table(&results));
    // They are printed at the very end, since long outputs are cut at the top.
    for Passage { gate, said, .. } in failed.iter().filter(|passage| !passage.said.failures.is_empty()) {
        println!("\n== what failed in {}:\n{}", gate.name, said.failures.join("\n"));
    }
    println!("\ngates: {} passed, {} failed", results.len() - failed.len(), failed.len());
    Ok(failed.is_empty())
}

/// Runs a gate in a process of its own, so that it does not find what another has left behind: a handler of signals,
/// say.
fn in_a_child(gate: &Gate) -> Result<(bool, Said)> {
    // It is not started by its path, since a gate may build this program anew.
    let mut command = Command::new("/proc/self/exe");
    command.args(["ci", "--here", gate.name]);
    // Incremental builds would make the next build faster, and this one slower.
    command.env("CARGO_INCREMENTAL", "0");
    child::run(command)
}

/// The gates asked for, in their own order.
fn chosen(names: &[String]) -> Result<Vec<&'static Gate>> {
    for name in names {
        if !GATES.iter().any(|gate| gate.name == name) {
            let all: Vec<_> = GATES.iter().map(|gate| gate.name).collect();
            bail!("no gate {name:?}; there are: {}", all.join(", "));
        }
    }
    Ok(GATES.iter().filter(|gate| names.is_empty() || names.iter().any(|name| name == gate.name)).collect())
}

struct Passage {
    gate: &'static Gate,
    passed: bool,
    took: Duration,
    said: Said,
}

/// Runs one gate; a gate that cannot even run has failed, and the others still get their turn.
fn pass(gate: &'static Gate, run: impl FnOnce(&Gate) -> Result<(bool, Said)>) -> Passage {
    println!("\n== {}: {}", gate.name, gate.about);
    let start = Instant::now();
    let broken = |error| (false, Said { last: vec![format!("error: {error:#}")], failures: Vec::new() });
    let (passed, said) = run(gate).unwrap_or_else(broken);
    let took = start.elapsed();
    println!("== {}: {} in {:.1} s", gate.name, result(passed), took.as_secs_f64());
    Passage { gate, passed, took, said }
}

fn result(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

fn table(results: &[Passage]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(["gate", "result", "seconds", "what"]);
    for Passage { gate, passed, took, .. } in results {
        table.add_row([gate.name, result(*passed), &format!("{:.1}", took.as_secs_f64()), gate.about]);
    }
    table.to_string()
}

fn fmt() -> Result<bool> {
    let mut good = root::succeeds(&mut root::cargo(&["fmt", "--all", "--check"]))?;
    for outsider in ["allocators", "custom-policy", "databases", "ordinary-crates", "servers"] {
        let manifest = format!("examples/{outsider}/Cargo.toml");
        good &= root::succeeds(&mut root::cargo(&["fmt", "--check", "--manifest-path", &manifest]))?;
    }
    Ok(good)
}

fn clippy() -> Result<bool> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    root::succeeds(&mut root::cargo(&arguments))
}

fn docs() -> Result<bool> {
    let arguments = ["doc", "--workspace", "--no-deps", "--all-features", "--document-private-items"];
    root::succeeds(root::cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

/// README's test command, past the first program that fails.
fn test() -> Result<bool> {
    root::succeeds(&mut root::cargo(&["test", "--workspace", "--no-fail-fast"]))
}

/// A target folder of its own keeps the other gates' builds. The profile is set from outside, because a workspace that
/// always had it could not run its tests.
fn panic_abort() -> Result<bool> {
    let mut run = root::cargo(&["run", "-p", "gmp", "--example", "hello"]);
    run.env("CARGO_PROFILE_DEV_PANIC", "abort").env("CARGO_TARGET_DIR", root::target().join("panic-abort"));
    root::succeeds(&mut run)
}

fn outsider() -> Result<bool> {
    root::succeeds(&mut root::cargo(&["test", "-p", "gmp", "--test", "outsider", "--", "--ignored"]))
}

fn soak() -> Result<bool> {
    for mode in ["migrating", "own"] {
        let start = ["run", "--release", "-p", "gmp", "--features", "profile", "--example", "soak", "--"];
        if !root::succeeds(root::cargo(&start).args(["--seconds", "10", "--mode", mode, "--looks"]))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs the programs of the gate `test` once more, with goroutines that share their threads' thread-locals. Only those
/// programs run that ask in which mode they are to run, and nothing is built for it.
fn shared() -> Result<bool> {
    let programs = features::programs_that(|source| source.contains("mod told;"))?;
    let mut test = root::cargo(&["test", "--workspace", "--no-fail-fast"]);
    root::succeeds(test.args(programs).env("GMP_TEST_MODE", "shared"))
}

fn ecosystem() -> Result<bool> {
    root::succeeds(&mut root::cargo(&["test", "--workspace", "--test", "ecosystem", "--", "--ignored"]))
}

/// Arguments of another command, for the gates that are one.
#[derive(Parser)]
struct Of<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

fn models() -> Result<bool> {
    loom::run(&Of::<loom::Args>::try_parse_from(["loom"])?.args)
}

fn bench_smoke() -> Result<bool> {
    let line = ["bench", "--quick", "--policy", "all", "--group", "all"];
    Ok(bench::run(&Of::<bench::Args>::try_parse_from(line)?.args)? == ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_gates_are_answered_with_the_known_ones() {
        let error = chosen(&["fnt".into()]).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("no gate \"fnt\"; there are: fmt, tidy, clippy"), "{error}");
    }

    #[test]
    fn gates_keep_their_order_whatever_was_typed() {
        let names: Vec<_> =
            chosen(&["test".into(), "fmt".into()]).unwrap().iter().map(|gate| gate.name).collect();
        assert_eq!(names, ["fmt", "test"]);
    }

    #[test]
    fn a_gate_that_cannot_run_has_failed() {
        static BROKEN: Gate = Gate { name: "broken", about: "", run: || bail!("no such tool") };
        let passage = pass(&BROKEN, |gate| Ok(((gate.run)()?, Said::default())));
        assert_eq!(passage.said.last, ["error: no such tool"]);
        assert!(!passage.passed && table(&[passage]).contains("FAILED"));
    }
}
