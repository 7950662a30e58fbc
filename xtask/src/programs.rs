//! Test programs: where cargo has built them, and how several run side by side.

use anyhow::{Context, Result};
use serde_json::Value;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// A test program that cargo has built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The test's name, or the crate's where it is the crate's own tests.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Runs a `cargo test` that is only to build, and returns what it built; `None` if that failed. What the compiler says
/// goes to standard error.
pub(crate) fn build(cargo: &mut Command) -> Result<Option<Vec<Program>>> {
    cargo.args(["--no-run", "--quiet", "--message-format", "json-render-diagnostics"]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success().then(|| messages.lines().filter_map(program).collect()))
}

/// The program that this message of cargo's is about, if it is about a test.
fn program(message: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message["executable"].as_str()?;
    let is_test = message["profile"]["test"] == true;
    is_test
        .then(|| Some(Program { name: message["target"]["name"].as_str()?.to_owned(), path: path.into() }))?
}

/// Runs a command for each job, as many at a time as there are cores, and prints what each printed when it has ended. A
/// command is told the number of its core, from 0, for a folder of its own, say. Returns whether all succeeded; a
/// command that cannot be started is an error, reported after the others.
pub(crate) fn run_side_by_side<T: Send>(
    jobs: Vec<T>,
    command: impl Fn(T, usize) -> (String, Command) + Sync,
) -> Result<bool> {
    let left = Mutex::new(jobs.into_iter());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = |core| {
        let mut good: Result<bool> = Ok(true);
        while let Some(job) = next() {
            let (name, mut command) = command(job, core);
            let output = command.output().with_context(|| format!("cannot start {command:?}"));
            good = good.and_then(|good| Ok(tell(&name, &output?) && good));
        }
        good
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..cores).map(|core| scope.spawn(move || work(core))).collect();
        let mut ends = workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
        ends.try_fold(true, |all, one| Ok(all & one?))
    })
}

/// Prints how one ended, and everything that it printed if it failed.
fn tell(name: &str, output: &Output) -> bool {
    let good = output.status.success();
    if good {
        println!("{name}: ok");
    } else {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{name}: FAILED, {}\n{out}{err}", output.status);
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_programs_are_taken() {
        let line = |test: bool, executable: &str| {
            format!(
                r#"{{"target":{{"name":"basic"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let basic = Program { name: "basic".to_owned(), path: PathBuf::from("deps/basic-1") };
        assert_eq!(program(&line(true, r#""deps/basic-1""#)), Some(basic));
        assert_eq!(program(&line(false, r#""deps/basic-1""#)), None);
        assert_eq!(program(&line(true, "null")), None);
        assert_eq!(program("not JSON"), None);
    }

    #[test]
    fn one_that_fails_is_enough() {
        let run = |programs: &[&str]| {
            let command = |program: &str, _| (program.to_owned(), Command::new(program));
            run_side_by_side(programs.to_vec(), command)
        };
        assert!(run(&["true", "true", "true"]).unwrap());
        assert!(!run(&["true", "false", "true"]).unwrap());
        let error = run(&["true", "no-such-program"]).unwrap_err().to_string();
        assert!(error.contains("no-such-program"), "{error}");
    }
}
