//! A cell as programs and logs name it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What identifies a cell. Programs print it with `list`; the first six fields are the identity.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct CellSpec {
    pub(crate) lib: String,
    pub(crate) policy: String,
    /// gmp's idle rule, where it is not to be the policy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle: Option<String>,
    /// gmp's thread-local mode; the other libraries have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    /// Whether several modes compete, so that the mode is part of the contestant's name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) modes_compete: bool,
    /// Whether gmp's flight recorder runs meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recorder: bool,
    /// Whether gmp leaves Ps to goroutines that block or compute without a word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_retake: bool,
    /// How many shards gmp's poller has.
    #[serde(default = "CellSpec::one", skip_serializing_if = "CellSpec::is_one")]
    pub(crate) shards: u64,
    /// The commit whose program runs the cell, where it is not the present one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<String>,
    /// Idle rules that the library has.
    #[serde(default, skip_serializing)]
    pub(crate) idle_rules: Vec<String>,
    pub(crate) workload: String,
    pub(crate) procs: u64,
    pub(crate) n: u64,
    #[serde(default = "CellSpec::first_group")]
    pub(crate) group: String,
    /// What the figure counts: nanoseconds of time, or something else.
    #[serde(default = "CellSpec::nanoseconds")]
    pub(crate) unit: String,
    #[serde(default)]
    pub(crate) about: String,
}

impl CellSpec {
    /// The group of a program that knows no groups.
    fn first_group() -> String {
        "workloads".to_owned()
    }

    fn one() -> u64 {
        1
    }

    fn is_one(shards: &u64) -> bool {
        *shards == 1
    }

    fn nanoseconds() -> String {
        "ns".to_owned()
    }

    /// Library, policy, idle rule, mode, what is switched otherwise than usual, and the commit: the contestant.
    pub(crate) fn contestant(&self) -> String {
        let mut name = match (self.policy.as_str(), &self.idle) {
            ("-", _) => self.lib.clone(),
            (policy, None) => format!("{}/{policy}", self.lib),
            (policy, Some(idle)) => format!("{}/{policy}+{idle}", self.lib),
        };
        if let (true, Some(mode)) = (self.modes_compete, &self.mode) {
            name = format!("{name} ({mode})");
        }
        if self.recorder {
            name += " (recorded)";
        }
        if self.no_retake {
            name += " (no retake)";
        }
        if self.shards > 1 {
            name += &format!(" ({} shards)", self.shards);
        }
        if let Some(build) = &self.build {
            name += &format!(" @{build}");
        }
        name
    }

    /// Whether the two are the same cell, whichever commits' programs run them.
    pub(crate) fn is_same_but_build(&self, other: &Self) -> bool {
        let of_the_present = |cell: &Self| Self { build: None, ..cell.clone() }.contestant();
        self.contest() == other.contest() && of_the_present(self) == of_the_present(other)
    }

    /// What the contestants compete in.
    pub(crate) fn contest(&self) -> (&str, u64, u64) {
        (&self.workload, self.procs, self.n)
    }
}

impl fmt::Display for CellSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.contestant(), self.workload, self.procs)
    }
}
