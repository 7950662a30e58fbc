//! One round: the fuzz tests of one program with one seed, in a process of its own.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a round may last before its queue is taken to be stuck: a hundred times what it needs on a loaded machine.
const STUCK: Duration = Duration::from_secs(600);

pub(super) struct Round<'a> {
    pub(super) program: &'a Path,
    pub(super) filter: &'a str,
    pub(super) seed: u64,
    pub(super) cases: u32,
}

pub(super) enum Outcome {
    Passed,
    /// A law was broken, and this is what the suite says about it.
    Broken(String),
}

impl Round<'_> {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut child = Command::new(self.program)
            .args([self.filter, "--include-ignored", "--test-threads=1"])
            .env("GMP_FUZZ_SEED", self.seed.to_string())
            .env("GMP_FUZZ_CASES", self.cases.to_string())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let stdout = collect(child.stdout.take().context("no pipe")?);
        let stderr = collect(child.stderr.take().context("no pipe")?);
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if start.elapsed() > STUCK {
                child.kill().and_then(|()| child.wait())?;
                break None;
            }
            thread::sleep(Duration::from_millis(2));
        };
        let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
        judge(status, &text(stdout), &text(stderr))
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before the pipe broke is all there is to show.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// What the end of a round means; `None`: the round did not end.
fn judge(status: Option<ExitStatus>, stdout: &str, stderr: &str) -> Result<Outcome> {
    let Some(status) = status else {
        return Ok(Outcome::Broken(format!("no call may block (Q5): stuck for {} s", STUCK.as_secs())));
    };
    if stdout.contains("running 0 tests") {
        bail!("the program has no fuzz tests");
    }
    if status.success() {
        return Ok(Outcome::Passed);
    }
    let told = complaint(stdout);
    let ended = || format!("the process died, {status}\n{}", stderr.trim_end());
    Ok(Outcome::Broken(told.unwrap_or_else(ended)))
}

/// The suite's own words: from the policy's name to the end of the paragraph.
fn complaint(stdout: &str) -> Option<String> {
    let lines = stdout.lines().skip_while(|line| !line.starts_with("policy "));
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty() && !line.starts_with("note: ")).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a shell script where the test program would stand.
    fn outcome(script: &str) -> Result<Outcome> {
        let output = Command::new("sh").args(["-c", script]).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        judge(Some(output.status), &text(&output.stdout), &text(&output.stderr))
    }

    fn words(script: &str) -> String {
        match outcome(script) {
            Ok(Outcome::Broken(how)) => how,
            Ok(Outcome::Passed) => "passed".to_owned(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn the_suites_words_are_shown() {
        let script = "printf 'running 1 test\\nnoise\\npolicy go breaks clause Q1: x\\n  seen: y\\nnote: run\\n'; exit 101";
        assert_eq!(words(script), "policy go breaks clause Q1: x\n  seen: y");
    }

    #[test]
    fn a_dead_process_is_a_failure() {
        let how = words("echo running 1 test; echo last words >&2; kill -SEGV $$");
        assert!(how.contains("signal: 11") && how.contains("last words"), "{how}");
    }

    #[test]
    fn no_tests_are_no_success() {
        assert_eq!(words("echo running 0 tests"), "error: the program has no fuzz tests");
        assert_eq!(words("echo running 2 tests"), "passed");
    }

    #[test]
    fn a_stuck_queue_is_a_failure() {
        let outcome = judge(None, "running 1 test\n", "").unwrap();
        assert!(matches!(outcome, Outcome::Broken(how) if how.contains("stuck")));
    }
}
