//! A gate in a process of its own, whose last lines are kept: what a failed gate said last is what one wants to read at
//! the end of an hour of output.

use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write, pipe, stdout};
use std::process::Command;

/// How many of the last lines are kept.
const KEPT: usize = 120;

/// Runs the command with one pipe for both of its streams, passes on what it prints, and answers whether it was content and what it
/// printed last.
pub(super) fn run(mut command: Command) -> Result<(bool, Vec<String>)> {
    let (reader, writer) = pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    // The command holds the writing half, too, and the pipe ends when nobody does.
    drop(command);
    let last = pass_on(reader, &mut stdout().lock())?;
    let status = child.wait().context("cannot wait for a gate")?;
    Ok((status.success(), last))
}

/// Writes everything on, and keeps the last lines.
fn pass_on(from: impl Read, to: &mut impl Write) -> Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut last = VecDeque::with_capacity(KEPT);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).context("cannot read what a gate prints")? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    Ok(last.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_passed_on_and_the_end_kept() {
        let said: String = (0..KEPT + 5).map(|line| format!("line {line}\n")).collect();
        let mut shown = Vec::new();
        let last = pass_on(said.as_bytes(), &mut shown).unwrap();
        assert_eq!(shown, said.as_bytes());
        assert_eq!((last.len(), last[0].as_str()), (KEPT, "line 5"));
    }

    #[test]
    fn both_streams_and_the_end_are_heard() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!(run(command).unwrap(), (false, vec!["out".to_owned(), "err".to_owned()]));
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let error = run(Command::new("no-such-command-of-a-gate")).unwrap_err().to_string();
        assert!(error.contains("no-such-command-of-a-gate"), "{error}");
    }
}
