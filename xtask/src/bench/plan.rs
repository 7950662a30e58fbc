//! Which cells to run: what the programs offer, narrowed by the arguments.

use crate::bench::{Args, program::Program};
use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a cell is called. Programs print it with `list`; the first five make it up.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct CellSpec {
    pub(crate) lib: String,
    pub(crate) policy: String,
    /// gmp's idle rule, where it is not to be the policy's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle: Option<String>,
    /// Idle rules that the library has.
    #[serde(default, skip_serializing)]
    pub(crate) idle_rules: Vec<String>,
    pub(crate) workload: String,
    pub(crate) procs: u64,
    pub(crate) n: u64,
    #[serde(default = "CellSpec::first_group")]
    pub(crate) group: String,
    #[serde(default)]
    pub(crate) about: String,
}

impl CellSpec {
    /// The group of a program that knows no groups.
    fn first_group() -> String {
        "workloads".to_owned()
    }

    /// Library, policy and idle rule: who competes.
    pub(crate) fn contestant(&self) -> String {
        match (self.policy.as_str(), &self.idle) {
            ("-", _) => self.lib.clone(),
            (policy, None) => format!("{}/{policy}", self.lib),
            (policy, Some(idle)) => format!("{}/{policy}+{idle}", self.lib),
        }
    }

    /// What they compete in.
    fn contest(&self) -> (&str, u64, u64) {
        (&self.workload, self.procs, self.n)
    }
}

impl fmt::Display for CellSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.contestant(), self.workload, self.procs)
    }
}

/// One contestant's part in a contest.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) program: &'a Program,
    pub(crate) cell: CellSpec,
}

/// One workload at one size, and all who take part.
#[derive(Debug)]
pub(crate) struct Contest<'a> {
    pub(crate) entries: Vec<Entry<'a>>,
}

/// Everything to run, in order.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) contestants: Vec<String>,
    pub(crate) contests: Vec<Contest<'a>>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(programs: &'a [Program], args: &Args) -> Result<Self> {
        let mut offered = Vec::new();
        for program in programs {
            let cells = with_idle_rules(stretched(program.list(args.quick)?, &args.procs), &args.idle);
            offered.extend(cells.into_iter().map(|cell| Entry { program, cell }));
        }
        check(args, &offered)?;
        // Rows in the order in which the first program lists its workloads.
        let workloads: Vec<String> = offered.iter().map(|entry| entry.cell.workload.clone()).collect();
        offered.retain(|entry| wanted(args, &entry.cell));
        ensure!(!offered.is_empty(), "no cell has all of that: see `cargo xtask bench --help`");
        // Columns in the order in which the libraries were named; Go, named by `--go`, comes last.
        offered.sort_by_key(|entry| {
            args.lib.iter().position(|lib| *lib == entry.cell.lib).unwrap_or(usize::MAX)
        });
        let mut plan = Self::order(offered);
        plan.contests.sort_by_key(|contest| {
            workloads.iter().position(|name| *name == contest.entries[0].cell.workload)
        });
        Ok(plan)
    }

    /// Groups the cells into contests.
    fn order(entries: Vec<Entry<'a>>) -> Self {
        let mut plan = Self { contestants: Vec::new(), contests: Vec::new() };
        for entry in entries {
            let contestant = entry.cell.contestant();
            if !plan.contestants.contains(&contestant) {
                plan.contestants.push(contestant);
            }
            let same = |contest: &&mut Contest<'_>| contest.entries[0].cell.contest() == entry.cell.contest();
            match plan.contests.iter_mut().find(same) {
                Some(contest) => contest.entries.push(entry),
                None => plan.contests.push(Contest { entries: vec![entry] }),
            }
        }
        plan
    }

    pub(crate) fn cells(&self) -> usize {
        self.contests.iter().map(|contest| contest.entries.len()).sum()
    }
}

/// Adds cells for numbers of processors that were asked for and are in no definition: whatever is defined for more than
/// one processor runs on any number.
fn stretched(mut cells: Vec<CellSpec>, procs: &[u64]) -> Vec<CellSpec> {
    let defined: Vec<u64> = cells.iter().map(|cell| cell.procs).collect();
    let widest: Vec<CellSpec> = match defined.iter().max() {
        Some(most) if *most > 1 => cells.iter().filter(|cell| cell.procs == *most).cloned().collect(),
        _ => return cells,
    };
    for procs in procs.iter().filter(|procs| !defined.contains(procs)) {
        cells.extend(widest.iter().map(|cell| CellSpec { procs: *procs, ..cell.clone() }));
    }
    cells
}

/// Each cell of a library with idle rules once for each of those asked for.
fn with_idle_rules(cells: Vec<CellSpec>, idle: &[String]) -> Vec<CellSpec> {
    let rules_of = |cell: CellSpec| match idle.is_empty() || cell.idle_rules.is_empty() {
        true => vec![cell],
        false => idle.iter().map(|rule| CellSpec { idle: Some(rule.clone()), ..cell.clone() }).collect(),
    };
    cells.into_iter().flat_map(rules_of).collect()
}

/// Go takes part whenever its program was given: there is no other reason to give it.
const GO: &str = "go";

/// Every policy, every group.
const ALL: &str = "all";

fn wanted(args: &Args, cell: &CellSpec) -> bool {
    let lib = cell.lib == GO || args.lib.contains(&cell.lib);
    let policy = cell.lib != "gmp" || args.policy == ALL || cell.policy == args.policy || cell.policy == "-";
    let workload = match args.workload.is_empty() {
        true => args.group == ALL || args.group == cell.group,
        false => args.workload.contains(&cell.workload),
    };
    let procs = args.procs.is_empty() || args.procs.contains(&cell.procs);
    lib && policy && workload && procs
}

/// Refuses names that nobody offers, and says which ones there are.
fn check(args: &Args, offered: &[Entry<'_>]) -> Result<()> {
    let of = |what: fn(&CellSpec) -> String| {
        let mut names: Vec<String> = Vec::new();
        for name in offered.iter().map(|entry| what(&entry.cell)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let mut policies = vec![ALL.to_owned()];
    policies.extend(
        offered.iter().filter(|e| e.cell.lib == "gmp" && e.cell.policy != "-").map(|e| e.cell.policy.clone()),
    );
    policies.dedup();
    if args.lib.iter().any(|lib| lib == "gmp") {
        known("policy", "policy", &[args.policy.as_str()], &policies)?;
    }
    let rules: Vec<String> = offered.iter().flat_map(|entry| entry.cell.idle_rules.clone()).collect();
    known("idle", "idle rule", &args.idle, &rules)?;
    known("lib", "library", &args.lib, &of(|cell| cell.lib.clone()))?;
    let mut groups = of(|cell| cell.group.clone());
    groups.push(ALL.to_owned());
    known("group", "group", &[args.group.as_str()], &groups)?;
    known("workload", "workload", &args.workload, &of(|cell| cell.workload.clone()))?;
    let procs: Vec<String> = args.procs.iter().map(u64::to_string).collect();
    known("procs", "number", &procs, &of(|cell| cell.procs.to_string()))
}

fn known<S: AsRef<str>>(option: &str, what: &str, given: &[S], allowed: &[String]) -> Result<()> {
    for value in given.iter().map(S::as_ref) {
        if !allowed.iter().any(|name| name == value) {
            let mut unique = allowed.to_vec();
            unique.sort();
            unique.dedup();
            bail!("--{option} {value}: there is no such {what}; allowed are: {}", unique.join(", "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_processors_where_more_than_one_is_defined() {
        let cell = |workload: &str, procs| CellSpec {
            lib: "gmp".into(),
            policy: "go".into(),
            idle: None,
            idle_rules: Vec::new(),
            workload: workload.into(),
            procs,
            n: 0,
            group: CellSpec::first_group(),
            about: String::new(),
        };
        let cells = vec![cell("yield_2", 1), cell("fib", 1), cell("fib", 2)];
        let stretched = stretched(cells.clone(), &[1, 2, 8]);
        assert_eq!(stretched[..3], cells);
        assert_eq!(stretched[3..], [cell("fib", 8)]);
    }
}
