//! The program that runs cells: started anew for each, ended if it hangs.

use crate::bench::args::Args;
use crate::bench::cell::CellSpec;
use crate::bench::events::{End, Events};
use crate::bench::sample::{Line, Outcome};
use anyhow::{Context, Result, bail, ensure};
use shared_child::SharedChild;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// A program that answers `list` and `cell ...`.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    /// The commit that it was built from, where it is not the present one.
    pub(crate) build: Option<String>,
}

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), build: None }
    }

    /// The same program, built from an earlier commit.
    pub(crate) fn of(self, commit: &str) -> Self {
        Self { build: Some(commit.to_owned()), ..self }
    }

    /// The cells that the program can run.
    pub(crate) fn list(&self, quick: bool) -> Result<Vec<CellSpec>> {
        let mut command = Command::new(&self.path);
        command.arg("list").args(quick.then_some("--quick"));
        let output = command.output().with_context(|| format!("cannot start {}", self.path.display()))?;
        let text = String::from_utf8(output.stdout)?;
        let cells = text.lines().map(serde_json::from_str).collect::<Result<Vec<CellSpec>, _>>();
        let mut cells = cells
            .with_context(|| format!("{} list printed something else than cells", self.path.display()))?;
        cells.iter_mut().for_each(|cell| cell.build.clone_from(&self.build));
        Ok(cells)
    }

    /// Runs one cell to its end, whatever that is. `None`: the whole run is to end.
    pub(crate) fn run(&self, cell: &CellSpec, args: &Args, events: &Events) -> Option<Outcome> {
        let mut command = Command::new(&self.path);
        command.args(arguments(cell, cell.n, args.quick, args.short));
        match finish(&mut command, args, events) {
            Ok(Some(end)) => Some(judge(end.status, &end.out, &end.err)),
            Ok(None) => None,
            Err(error) => Some(Outcome::Failed(format!("{error:#}"))),
        }
    }

    /// Instructions of a run of `n` operations a repetition, everything around them included; `None`: the whole run is to
    /// end.
    pub(crate) fn instructions(
        &self,
        cell: &CellSpec,
        n: u64,
        args: &Args,
        events: &Events,
    ) -> Result<Option<f64>> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&self.path);
        command.args(arguments(cell, n, true, false));
        let Some(end) = finish(&mut command, args, events)? else { return Ok(None) };
        let (valgrinds, programs): (Vec<&str>, Vec<&str>) =
            end.err.lines().partition(|line| line.starts_with("=="));
        ensure!(end.status.success(), "under valgrind: {}: {}", end.status, gist(&programs.join("\n")));
        let count = valgrinds.iter().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        count.map(Some).context("valgrind printed no count")
    }
}

/// A process that came to its end.
struct Finished {
    status: ExitStatus,
    out: String,
    err: String,
}

/// Runs a process to its end, within the time that a cell has; `None`: the whole run is to end.
fn finish(command: &mut Command, args: &Args, events: &Events) -> Result<Option<Finished>> {
    let limit = Duration::from_secs(args.limit());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // It runs in a group of its own, so that Ctrl-C reaches us alone: we end the cell, and know that it did not crash.
    command.process_group(0);
    let child = SharedChild::spawn(command)
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let (out, err) = (drain(child.take_stdout()), drain(child.take_stderr()));
    let status = match events.wait(child, limit)? {
        End::Exited(status) => status,
        End::TimedOut => bail!("hung: ended after {} s", limit.as_secs()),
        End::Interrupted => return Ok(None),
    };
    let join = |text: thread::JoinHandle<String>| text.join().unwrap_or_default();
    Ok(Some(Finished { status, out: join(out), err: join(err) }))
}

/// The arguments that make the program run a cell.
fn arguments(cell: &CellSpec, n: u64, quick: bool, short: bool) -> Vec<String> {
    let mut arguments = vec!["cell".to_owned()];
    let mut add = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
    add("--lib", &cell.lib);
    add("--policy", &cell.policy);
    add("--workload", &cell.workload);
    add("--procs", &cell.procs.to_string());
    if let Some(mode) = &cell.mode {
        add("--mode", mode);
    }
    if let Some(idle) = &cell.idle {
        add("--idle", idle);
    }
    if cell.shards > 1 {
        add("--shards", &cell.shards.to_string());
    }
    if n > 0 {
        add("--n", &n.to_string());
    }
    arguments.extend(cell.recorder.then(|| "--recorder".to_owned()));
    arguments.extend(cell.no_retake.then(|| "--no-retake".to_owned()));
    arguments.extend(quick.then(|| "--quick".to_owned()));
    arguments.extend(short.then(|| "--short".to_owned()));
    arguments
}

/// Reads a pipe while the cell runs, so that the cell never waits for us to read.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || pipe.map_or(String::new(), both_ends))
}

/// So much is kept of a beginning, and as much of an end.
const KEPT: usize = 64 << 10;

/// Reads all, and keeps the beginning and the end: a library that fails may say so a million times.
fn both_ends(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let _read = from.by_ref().take(KEPT as u64).read_to_end(&mut kept);
    let (mut end, mut passed) = (Vec::new(), 0);
    // Once twice as much is there, what is too old goes.
    while matches!(from.by_ref().take(KEPT as u64).read_to_end(&mut end), Ok(1..)) {
        let old = end.len().saturating_sub(KEPT);
        end.drain(..old);
        passed += old;
    }
    if passed > 0 {
        kept.extend(format!("\n({passed} bytes are left out here)\n").into_bytes());
    }
    kept.append(&mut end);
    String::from_utf8_lossy(&kept).into_owned()
}

fn judge(status: ExitStatus, out: &str, err: &str) -> Outcome {
    if !status.success() {
        return Outcome::Failed(format!("crashed: {status}: {}", gist(err)));
    }
    match out.lines().last().map(serde_json::from_str::<Line>) {
        Some(Ok(line)) => Outcome::Measured(line),
        _ => Outcome::Failed("ended well without a line of figures".into()),
    }
}

/// The line that says what broke: the first one; after a panic's first line, which only says where, the second.
fn gist(err: &str) -> &str {
    let mut lines = err.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("no message");
    if first.contains("' panicked at ") || first.contains(") panicked at ") {
        lines.next().unwrap_or(first)
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, both_ends, gist};

    #[test]
    fn of_what_a_cell_says_both_ends_are_kept() {
        let said = |lines: usize| (0..lines).map(|n| format!("line {n}\n")).collect::<String>();
        assert_eq!(both_ends(said(10_000).as_bytes()), said(10_000));
        let kept = both_ends(said(1_000_000).as_bytes());
        assert!(kept.starts_with("line 0\n") && kept.ends_with("\nline 999999\n"));
        assert!(kept.contains(" bytes are left out here") && kept.len() < 3 * KEPT, "{}", kept.len());
    }

    #[test]
    fn the_gist_of_a_crash_is_what_broke_and_not_where() {
        assert_eq!(
            gist("\nthread 'main' (7) panicked at a/b.rs:3:1:\nno stack left\nnote: more"),
            "no stack left"
        );
        assert_eq!(gist("fatal: lost goroutine 7\nM0 ..."), "fatal: lost goroutine 7");
        assert_eq!(gist(""), "no message");
    }
}
