//! `gmp-sim`, or a program like it: built, asked what it has, and given cells.

use crate::bench::names::known;
use crate::interrupt;
use crate::root;
use crate::sim::args::{Args, Axes};
use crate::sim::log::{Log, Outcome, Record};
use crate::sim::plan::Cell;
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use shared_child::SharedChild;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
}

/// What a program says that it has.
#[derive(Debug, Deserialize)]
pub(crate) struct Offer {
    pub(crate) policies: Vec<String>,
    pub(crate) idle: Vec<String>,
    orders: Vec<String>,
    pub(crate) workloads: Vec<Workload>,
}

/// A workload, and the bench's one that is the same program.
#[derive(Debug, Deserialize)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) measured_as: String,
}

/// Every policy.
const ALL: &str = "all";

impl Program {
    /// Builds what the arguments ask for.
    pub(crate) fn build(args: &Args) -> Result<Self> {
        if let Some(path) = &args.program {
            return Ok(Self { path: path.clone() });
        }
        let Some(manifest) = &args.with else {
            let build = ["build", "--release", "--quiet", "-p", "gmp-sim"];
            ensure!(root::succeeds(&mut root::cargo(&build))?, "gmp-sim does not build");
            return Ok(Self { path: root::target().join("release/gmp-sim") });
        };
        let manifest =
            manifest.canonicalize().with_context(|| format!("there is no {}", manifest.display()))?;
        let mut build =
            root::cargo(&["build", "--release", "--quiet", "--example", "simulate", "--manifest-path"]);
        // The same target folder, so that nothing is compiled twice.
        build.arg(&manifest).env("CARGO_TARGET_DIR", root::target());
        ensure!(root::succeeds(&mut build)?, "{} has no example `simulate` that builds", manifest.display());
        Ok(Self { path: root::target().join("release/examples/simulate") })
    }

    pub(crate) fn offer(&self) -> Result<Offer> {
        serde_json::from_str(&self.says(&["list"])?)
            .with_context(|| format!("{} list printed something else than what it has", self.path.display()))
    }

    /// What the program prints when it is asked for something.
    pub(crate) fn says(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.path).args(arguments).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot start {}", self.path.display()))?;
        ensure!(
            output.status.success(),
            "{} {}: {}",
            self.path.display(),
            arguments.join(" "),
            output.status
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The axes with their defaults filled in; names that the program does not know are refused with the nearest one.
    pub(crate) fn completed(&self, axes: &Axes) -> Result<Axes> {
        let offer = self.offer()?;
        let mut axes = axes.clone();
        if axes.policy.iter().any(|policy| policy == ALL) {
            axes.policy.clone_from(&offer.policies);
        }
        let workloads: Vec<String> = offer.workloads.iter().map(|workload| workload.name.clone()).collect();
        if axes.workload.is_empty() {
            axes.workload.clone_from(&workloads);
        }
        known("policy", "policy", &axes.policy, &offer.policies)?;
        known("idle", "idle rule", &axes.idle, &offer.idle)?;
        known("order", "victim order", &axes.order, &offer.orders)?;
        known("workload", "workload", &axes.workload, &workloads)?;
        Ok(axes)
    }

    /// Simulates what the record does not have yet. `false`: it was interrupted.
    pub(crate) fn run(&self, record: &mut Record, log: &mut Log, jobs: Option<u64>) -> Result<bool> {
        let costs = record.head.costs.as_deref().map(CostsFile::write).transpose()?;
        let mut arguments = vec!["run".to_owned()];
        arguments.extend(jobs.iter().flat_map(|jobs| ["--jobs".to_owned(), jobs.to_string()]));
        if let Some(file) = &costs {
            arguments.extend(["--costs".to_owned(), file.0.display().to_string()]);
        }
        let missing: Vec<usize> = record.wanted().filter(|at| !record.outcomes.contains_key(at)).collect();
        let cells: Vec<Cell> = missing.iter().map(|at| record.cells[*at].clone()).collect();
        let bar = progress(record.wanted().count() as u64);
        bar.set_position(record.outcomes.len() as u64);
        let mut numbers = missing.into_iter();
        let whole = self.simulate(&arguments, &cells, |outcome| {
            if let Some(at) = numbers.next() {
                log.outcome(at, &outcome)?;
                record.outcomes.insert(at, outcome);
                bar.inc(1);
            }
            Ok(())
        })?;
        bar.finish_and_clear();
        Ok(whole)
    }

    /// Gives the program cells, and `each` their outcomes, in order and as soon as they are there. `false`: somebody
    /// wanted it to end.
    pub(crate) fn simulate(
        &self,
        arguments: &[String],
        cells: &[Cell],
        mut each: impl FnMut(Outcome) -> Result<()>,
    ) -> Result<bool> {
        let mut command = Command::new(&self.path);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // It runs in a group of its own, so that Ctrl-C reaches us alone.
        command.process_group(0);
        let child = SharedChild::spawn(&mut command);
        let child = Arc::new(child.with_context(|| format!("cannot start {}", self.path.display()))?);
        let stopped = Arc::new(AtomicBool::new(false));
        let (to_stop, to_kill) = (Arc::clone(&stopped), Arc::clone(&child));
        interrupt::on_signal(move || {
            to_stop.store(true, Ordering::Relaxed);
            let _ended_by_itself = to_kill.kill();
        })?;
        let (Some(input), Some(output)) = (child.take_stdin(), child.take_stdout()) else {
            unreachable!("both are pipes")
        };
        let lines = cells.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let feed = std::thread::spawn(move || {
            let mut input = std::io::BufWriter::new(input);
            // If a program ended early, that is found out at its end.
            lines.iter().try_for_each(|line| writeln!(input, "{line}"))
        });
        let mut came = 0;
        let mut taken = Ok(());
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let Ok(outcome) = serde_json::from_str(&line) else { break };
            taken = each(outcome);
            if taken.is_err() {
                child.kill().context("cannot end the simulator")?;
                break;
            }
            came += 1;
        }
        let status = child.wait().context("cannot wait for the simulator")?;
        let _broken_pipe = feed.join();
        taken?;
        if stopped.load(Ordering::Relaxed) {
            return Ok(false);
        }
        ensure!(
            status.success() && came == cells.len(),
            "{} ended after {came} of {} cells: {status}",
            self.path.display(),
            cells.len()
        );
        Ok(true)
    }
}

/// The file of costs as the record has it, since the file that was named may have changed.
struct CostsFile(PathBuf);

impl CostsFile {
    fn write(text: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("gmp-sim-costs-{}.toml", std::process::id()));
        write(&path, text)?;
        Ok(Self(path))
    }
}

impl Drop for CostsFile {
    fn drop(&mut self) {
        let _it_is_in_the_folder_for_such_things = std::fs::remove_file(&self.0);
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn progress(cells: u64) -> ProgressBar {
    let bar = ProgressBar::new(cells);
    let style = "{bar:30} {pos}/{len} cells  {elapsed_precise}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
