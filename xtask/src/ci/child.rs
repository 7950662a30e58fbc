//! A gate in a process of its own, and what is kept of its output: its last lines, and what its failed tests say. That
//! is what a reader wants at the end of an hour of output.

use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write, pipe, stdout};
use std::process::Command;

/// How many of the last lines are kept.
const KEPT: usize = 120;
/// How many lines are kept of what the failed tests of one program say.
const OF_FAILURES: usize = 40;
/// How many lines are kept from one on that says `error`: Cargo's, of a program that a signal has ended or that does not
/// build.
const OF_ERRORS: usize = 8;

/// What is kept of what a gate prints.
#[derive(Default)]
pub(super) struct Said {
    pub(super) last: Vec<String>,
    /// What failed tests say, with their names, and what Cargo says of programs that failed otherwise.
    pub(super) failures: Vec<String>,
}

/// Runs the command with one pipe for both of its streams, and passes on what it prints. Returns whether it succeeded,
/// and what is kept.
pub(super) fn run(mut command: Command) -> Result<(bool, Said)> {
    let (reader, writer) = pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    // The command holds the writing half as well, and the pipe ends when nobody holds it.
    drop(command);
    let said = pass_on(reader, &mut stdout().lock())?;
    let status = child.wait().context("cannot wait for a gate")?;
    Ok((status.success(), said))
}

/// Passes everything on, and keeps what is worth it.
fn pass_on(from: impl Read, to: &mut impl Write) -> Result<Said> {
    let mut from = BufReader::new(from);
    let mut last = VecDeque::with_capacity(KEPT);
    let (mut failures, mut room, mut of_error) = (Vec::new(), None, 0);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).context("cannot read what a gate prints")? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        if last.len() == KEPT {
            last.pop_front();
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        // A test program tells of its failures at its end, between these two lines, and then lists their names again.
        match (text.as_str(), &mut room) {
            ("failures:", _) => room = Some(OF_FAILURES),
            (text, None) if text.starts_with("error") => {
                failures.push(text.to_owned());
                of_error = OF_ERRORS;
            }
            (text, None) if of_error > 0 && !text.is_empty() => {
                of_error -= 1;
                failures.push(text.to_owned());
            }
            (text, Some(_)) if text.starts_with("test result: ") => room = None,
            (text, Some(left)) if *left > 0 && !text.is_empty() => {
                *left -= 1;
                failures.push(text.to_owned());
            }
            _ => {}
        }
        last.push_back(text);
        line.clear();
    }
    Ok(Said { last: last.into(), failures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_passed_on_and_the_end_kept() {
        let said: String = (0..KEPT + 5).map(|line| format!("line {line}\n")).collect();
        let mut shown = Vec::new();
        let last = pass_on(said.as_bytes(), &mut shown).unwrap().last;
        assert_eq!(shown, said.as_bytes());
        assert_eq!((last.len(), last[0].as_str()), (KEPT, "line 5"));
    }

    #[test]
    fn both_streams_and_the_end_are_heard() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let (content, said) = run(command).unwrap();
        assert_eq!((content, said.last), (false, vec!["out".to_owned(), "err".to_owned()]));
        assert!(said.failures.is_empty());
    }

    #[test]
    fn what_failed_tests_say_is_kept_for_each_program() {
        let program = |test: &str| {
            let line = "its line\n".repeat(OF_FAILURES);
            format!(
                "test {test} ... FAILED\n\nfailures:\n\n---- {test} ----\n{line}\ntest result: FAILED. 0 passed\n\n"
            )
        };
        let said = format!("{}test b ... ok\n\ntest result: ok. 1 passed\n{}", program("a"), program("c"));
        let failures = pass_on(said.as_bytes(), &mut Vec::new()).unwrap().failures;
        assert_eq!(failures.len(), 2 * OF_FAILURES);
        assert_eq!((failures[0].as_str(), failures[OF_FAILURES].as_str()), ("---- a ----", "---- c ----"));
    }

    #[test]
    fn what_cargo_says_of_a_program_that_died_is_kept() {
        let said = "test a ... ok\nerror: test failed\n\nCaused by:\n  signal: 11, SIGSEGV\n";
        let failures = pass_on(said.as_bytes(), &mut Vec::new()).unwrap().failures;
        assert_eq!(failures, ["error: test failed", "Caused by:", "  signal: 11, SIGSEGV"]);
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let error = run(Command::new("no-such-command-of-a-gate")).map(drop).unwrap_err().to_string();
        assert!(error.contains("no-such-command-of-a-gate"), "{error}");
    }
}
