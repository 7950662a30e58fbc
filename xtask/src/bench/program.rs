//! The program that runs cells: started anew for each, watched, ended if it hangs.

use crate::bench::plan::CellSpec;
use crate::bench::row::{Line, Outcome};
use crate::root;
use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program that answers `list` and `cell ...`.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
}

/// How often a running cell is looked at: it must not eat the CPU that the cell needs.
const LOOK: Duration = Duration::from_millis(5);

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The cells that the program can run.
    pub(crate) fn list(&self, quick: bool) -> Result<Vec<CellSpec>> {
        let mut command = Command::new(&self.path);
        command.arg("list").args(quick.then_some("--quick"));
        let output = command.output().with_context(|| format!("cannot start {}", self.path.display()))?;
        let text = String::from_utf8(output.stdout)?;
        let cells = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        cells.with_context(|| format!("{} list printed something else than cells", self.path.display()))
    }

    /// Runs one cell to its end, whatever that is.
    pub(crate) fn run(&self, cell: &CellSpec, mode: &str, quick: bool, limit: Duration) -> Outcome {
        match self.try_run(cell, mode, quick, limit) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        }
    }

    fn try_run(&self, cell: &CellSpec, mode: &str, quick: bool, limit: Duration) -> Result<Outcome> {
        let mut command = Command::new(&self.path);
        command.args(["cell", "--lib", &cell.lib, "--policy", &cell.policy, "--workload", &cell.workload]);
        command.args(["--procs", &cell.procs.to_string(), "--mode", mode]);
        if let Some(idle) = &cell.idle {
            command.args(["--idle", idle]);
        }
        if cell.n > 0 {
            command.args(["--n", &cell.n.to_string()]);
        }
        command.args(quick.then_some("--quick"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.path.display()))?;
        let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let Some(status) = wait(&mut child, limit)? else {
            return Ok(Outcome::Failed(format!("hung: ended after {} s", limit.as_secs())));
        };
        let join = |text: thread::JoinHandle<String>| text.join().unwrap_or_default();
        Ok(judge(status, &join(out), &join(err)))
    }
}

/// Reads a pipe beside the cell, so that it never waits for us to read.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _read = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits until the child ends; nothing if it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
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

/// The line that says what broke: the first, or after a panic's first line, which says only where, the second.
fn gist(err: &str) -> &str {
    let mut lines = err.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("no message");
    if first.contains("' panicked at ") || first.contains(") panicked at ") {
        lines.next().unwrap_or(first)
    } else {
        first
    }
}

/// Builds the Go program of the same workloads with the given `go`.
pub(crate) fn build_go(go: &Path) -> Result<Program> {
    if go.components().count() > 1 && !go.is_file() {
        bail!("--go wants the path of a `go` program; {} is none", go.display());
    }
    let folder = root::target().join("bench-go");
    let program = folder.join("gmp-bench-go");
    let mut build = Command::new(go);
    build.current_dir(root::root().join("crates/bench/go")).args(["build", "-o"]).arg(&program).arg(".");
    // No module is needed, so no network either; and the build cache stays in our target folder.
    build.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
    build.env("GOCACHE", folder.join("cache"));
    let status = build.status().with_context(|| format!("--go {}: this cannot be started", go.display()))?;
    ensure!(status.success(), "the Go program does not build");
    Ok(Program::new(program))
}

#[cfg(test)]
mod tests {
    use super::gist;

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
