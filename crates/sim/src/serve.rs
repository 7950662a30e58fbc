//! Takes cells from standard input and writes outcomes to standard output, on all CPUs and in the order of the cells.

use crate::cell::{Cell, Outcome};
use crate::costs::Costs;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

/// How cells are simulated.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    jobs: Option<usize>,
    costs: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--jobs" => {
                    options.jobs = Some(value.parse().map_err(|_| format!("--jobs {value}: no number"))?)
                }
                "--costs" => options.costs = Some(value.into()),
                _ => return Err(format!("{name}: there are --jobs and --costs")),
            }
        }
        Ok(options)
    }

    fn costs(&self) -> Result<Costs, String> {
        let Some(path) = &self.costs else { return Ok(Costs::measured()) };
        let text = std::fs::read_to_string(path);
        let wrong = |what: String| format!("{}: {what}", path.display());
        Costs::parse(&text.map_err(|error| wrong(error.to_string()))?).map_err(wrong)
    }
}

/// Reads cells until there are no more.
pub(crate) fn run(
    simulate: impl Fn(&Cell, &Costs) -> Outcome + Sync,
    options: &Options,
) -> Result<(), String> {
    let costs = options.costs()?;
    let jobs = options.jobs.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    each_line(
        BufReader::new(std::io::stdin()),
        &mut std::io::stdout().lock(),
        jobs.unwrap_or(1).max(1),
        |line| match serde_json::from_str(line) {
            Ok(cell) => simulate(&cell, &costs),
            Err(error) => Outcome::Failed(format!("this is no cell: {error}")),
        },
    )
}

/// Answers each line with an outcome, in order, `jobs` of them at a time.
fn each_line(
    input: impl BufRead + Send,
    output: &mut impl Write,
    jobs: usize,
    answer: impl Fn(&str) -> Outcome + Sync,
) -> Result<(), String> {
    let lines = Mutex::new(input.lines().enumerate());
    let (sender, receiver) = channel();
    let work = |sender: Sender<(usize, Outcome)>| {
        loop {
            let next = lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
            let Some((at, Ok(line))) = next else { return };
            if sender.send((at, answer(&line))).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (at, outcome) in receiver {
            early.insert(at, outcome);
            while let Some(outcome) = early.remove(&next) {
                let line = serde_json::to_string(&outcome).map_err(|error| error.to_string())?;
                // The reader wants each outcome as soon as it is there.
                writeln!(output, "{line}")
                    .and_then(|()| output.flush())
                    .map_err(|error| error.to_string())?;
                next += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_in_the_order_of_the_lines() {
        let input: String = (0..50).map(|at| format!("{at}\n")).collect();
        let mut output = Vec::new();
        let answer = |line: &str| {
            let at: u64 = line.parse().unwrap();
            std::thread::sleep(std::time::Duration::from_micros(at * 7 % 50));
            Outcome::Failed(line.to_owned())
        };
        each_line(input.as_bytes(), &mut output, 4, answer).unwrap();
        let want: String = (0..50).map(|at| format!("{{\"failed\":\"{at}\"}}\n")).collect();
        assert_eq!(String::from_utf8(output).unwrap(), want);
    }

    #[test]
    fn options_that_are_not_there_are_refused() {
        let parse = |line: &str| Options::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parse("--jobs 3").unwrap().jobs, Some(3));
        assert!(parse("--jbos 3").unwrap_err().contains("--jobs"));
        assert!(parse("--jobs").unwrap_err().contains("wants a value"));
    }
}
