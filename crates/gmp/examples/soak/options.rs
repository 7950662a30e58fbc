//! What the soak is asked to do.

use core::str::FromStr;

pub(crate) const USAGE: &str = "usage: soak [--seconds N] [--seed S] [--procs-max N] \
     [--mode migrating|own|pinned|one-thread-each] [--policy go|random] [--faults] [--looks]";

/// How goroutines and threads go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Migrating,
    Own,
    Pinned,
    OneThreadEach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyName {
    Go,
    Random,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) procs_max: usize,
    pub(crate) mode: Mode,
    pub(crate) policy: PolicyName,
    /// Things break and are refused at random.
    pub(crate) faults: bool,
    /// The flight recorder is on, and somebody looks at the program once a second.
    pub(crate) looks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seconds: 10,
            seed: 1,
            procs_max: 16,
            mode: Mode::Migrating,
            policy: PolicyName::Go,
            faults: false,
            looks: false,
        }
    }
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = arguments.next() {
            let switch = match name.as_str() {
                "--faults" => Some(&mut options.faults),
                "--looks" => Some(&mut options.looks),
                _ => None,
            };
            if let Some(switch) = switch {
                *switch = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--seconds" => options.seconds = number(&name, &value)?,
                "--seed" => options.seed = number(&name, &value)?,
                "--procs-max" => options.procs_max = number::<usize>(&name, &value)?.max(1),
                "--mode" => {
                    options.mode = match value.as_str() {
                        "migrating" => Mode::Migrating,
                        "own" => Mode::Own,
                        "pinned" => Mode::Pinned,
                        "one-thread-each" => Mode::OneThreadEach,
                        _ => return Err(format!("no mode {value:?}")),
                    }
                }
                "--policy" => {
                    options.policy = match value.as_str() {
                        "go" => PolicyName::Go,
                        "random" => PolicyName::Random,
                        _ => return Err(format!("no policy {value:?}")),
                    }
                }
                _ => return Err(format!("no option {name:?}")),
            }
        }
        Ok(options)
    }
}

fn number<N: FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name} needs a number, not {value:?}"))
}
