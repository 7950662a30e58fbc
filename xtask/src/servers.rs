//! `cargo xtask servers`: the same servers on gmp, on tokio and in Go (`examples/servers`), loaded in turn by
//! `redis-benchmark` and `wrk`. Client and server share the machine's CPUs, so only ratios within a run mean something.

mod client;
mod server;

use crate::bench::build;
use crate::bench::machine::{self, Machine};
use crate::bench::ratio::Ratio;
use crate::bench::report::median;
use crate::bench::units::{give_or_take, grouped};
use crate::root;
use anyhow::{Context, Result, ensure};
use client::{Client, Load};
use comfy_table::{Table, presets};
use server::{Server, Used};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who takes part, and how often.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A `go` program, to have the same servers in Go beside ours.
    #[arg(long, value_name = "PATH")]
    go: Option<PathBuf>,
    /// Rounds; in each, every server is started anew and loaded once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// A hundredth of the load: shows that everything works, the figures mean little.
    #[arg(long)]
    quick: bool,
}

/// A kind of server, and the client that loads it.
struct Contest {
    name: &'static str,
    kind: &'static str,
    client: Client,
}

/// A server that takes part.
struct Contestant {
    name: &'static str,
    /// The program for a kind of server.
    command: Box<dyn Fn(&str) -> Command>,
}

/// One turn of one contestant.
struct Turn {
    load: Load,
    used: Used,
}

fn contests(quick: bool) -> [Contest; 4] {
    let share = if quick { 100 } else { 1 };
    let redis = |connections, pipeline, requests: u64| Client::Redis {
        connections,
        pipeline,
        requests: requests / share,
    };
    [
        Contest { name: "key-value, 50 connections", kind: "kv", client: redis(50, 1, 200_000) },
        Contest { name: "key-value, 1,000 connections", kind: "kv", client: redis(1000, 1, 200_000) },
        Contest {
            name: "key-value, 50 connections, 16 at once",
            kind: "kv",
            client: redis(50, 16, 1_600_000),
        },
        Contest {
            name: "HTTP, 100 connections",
            kind: "hello",
            client: Client::Wrk { connections: 100, seconds: if quick { 1 } else { 4 } },
        },
    ]
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    client::are_installed()?;
    args.go.as_deref().map(build::check_go).transpose()?;
    let contestants = build(args.go.as_deref())?;
    let Machine { cpu, cores, kernel, rustc } = Machine::here();
    println!("{} at {}\n{cpu}, {cores} cores, {kernel}, {rustc}", machine::command(), machine::commit());
    for contest in contests(args.quick) {
        let mut turns: BTreeMap<usize, Vec<Turn>> = BTreeMap::new();
        for _ in 0..args.runs {
            for (n, contestant) in contestants.iter().enumerate() {
                let turn = take_turn(&contest, contestant)
                    .with_context(|| format!("{}: {}", contest.name, contestant.name))?;
                turns.entry(n).or_default().push(turn);
            }
        }
        println!("\n{}\n{}", contest.name, table(&contestants, &turns));
    }
    Ok(true)
}

/// Builds all servers.
fn build(go: Option<&Path>) -> Result<Vec<Contestant>> {
    let target = root::target().join("servers");
    let mut cargo = root::cargo(&["build", "--release", "--manifest-path", "examples/servers/Cargo.toml"]);
    ensure!(root::succeeds(cargo.env("CARGO_TARGET_DIR", &target))?, "the servers do not build");
    let rust = target.join("release");
    let of = |name, runtime: &'static str, arguments: &'static [&'static str]| {
        let rust = rust.clone();
        let command = move |kind: &str| {
            let mut command = Command::new(rust.join(format!("{kind}-{runtime}")));
            command.args(arguments);
            command
        };
        Contestant { name, command: Box::new(command) }
    };
    let mut contestants =
        vec![of("gmp", "gmp", &["own"]), of("gmp, shared", "gmp", &["shared"]), of("tokio", "tokio", &[])];
    let Some(go) = go else {
        println!("without Go: name a `go` program by --go PATH");
        return Ok(contestants);
    };
    for kind in ["kv", "hello"] {
        let sources = [&format!("{kind}.go"), "listen.go"];
        build::go_build(go, "examples/servers/go", &sources, &target.join(format!("{kind}-go")))?;
    }
    let command = move |kind: &str| {
        let mut command = Command::new(target.join(format!("{kind}-go")));
        command.env("GOMAXPROCS", "2");
        command
    };
    contestants.push(Contestant { name: "go", command: Box::new(command) });
    Ok(contestants)
}

fn take_turn(contest: &Contest, contestant: &Contestant) -> Result<Turn> {
    let server = Server::start((contestant.command)(contest.kind))?;
    let before = server.used()?;
    let load = contest.client.load(server.port())?;
    let after = server.used()?;
    let used = Used { cpu: after.cpu - before.cpu, ..after };
    Ok(Turn { load, used })
}

/// A row for each contestant; the first one's rate is the measure of the others'.
fn table(contestants: &[Contestant], turns: &BTreeMap<usize, Vec<Turn>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "server",
        "requests/s",
        "of gmp's",
        "p50",
        "p99",
        "CPU a request",
        "threads",
        "memory",
    ]);
    for (n, all) in turns {
        let of = |figure: fn(&Turn) -> f64| median(all.iter().map(figure).collect()).unwrap_or(f64::NAN);
        let ratios: Vec<f64> =
            all.iter().zip(&turns[&0]).map(|(turn, first)| turn.load.rate / first.load.rate).collect();
        let ratio = Ratio::of(&ratios).filter(|_| *n > 0).map_or(String::new(), |ratio| {
            let sure = ratio.uncertainty().map_or(String::new(), give_or_take);
            format!("{}{:.2}{sure}", if ratio.may_be_one() { "=" } else { "x" }, ratio.mean)
        });
        table.add_row([
            contestants[*n].name.to_owned(),
            grouped(of(|turn| turn.load.rate)),
            ratio,
            format!("{:.2} ms", of(|turn| turn.load.p50)),
            format!("{:.2} ms", of(|turn| turn.load.p99)),
            format!("{:.1} us", of(|turn| turn.used.cpu * 1e6 / turn.load.requests)),
            format!("{}", of(|turn| turn.used.threads)),
            format!("{:.1} MiB", of(|turn| turn.used.mebibytes)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_measures_all_by_the_first() {
        let contestants =
            ["gmp", "other"].map(|name| Contestant { name, command: Box::new(|kind| Command::new(kind)) });
        let turn = |rate| Turn {
            load: Load { rate, requests: 1000.0, p50: 0.5, p99: 2.0 },
            used: Used { cpu: 0.01, threads: 4.0, mebibytes: 8.0 },
        };
        let turns =
            BTreeMap::from([(0, vec![turn(200.0), turn(400.0)]), (1, vec![turn(150.0), turn(300.0)])]);
        let text = table(&contestants, &turns).to_string();
        let other = text.lines().last().unwrap();
        assert!(other.contains("x0.75") && other.contains("150") && other.contains("10.0 us"), "{text}");
    }
}
