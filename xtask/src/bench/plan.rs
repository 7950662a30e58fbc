//! Which cells to run: what the programs offer, narrowed by the arguments.

use crate::bench::args::{Args, Switch};
use crate::bench::cell::CellSpec;
use crate::bench::names;
use crate::bench::program::Program;
use anyhow::{Result, ensure};

/// The cells to run, in order: those of a contest (one workload at one size) stand together, the contestants of each in
/// the same order.
pub(crate) fn cells(programs: &[Program], args: &Args) -> Result<Vec<CellSpec>> {
    let mut offered = Vec::new();
    for program in programs {
        let cells = stretched(program.list(args.quick)?, &args.procs);
        let cells = with_each(with_idle_rules(cells, &args.idle), &args.mode, |cell, mode| {
            cell.mode = Some(mode.name().into());
            cell.modes_compete = args.mode.len() > 1;
        });
        let cells = with_each(cells, &args.recorder, |cell, on| cell.recorder = on == Switch::On);
        let cells = with_each(cells, &args.retake, |cell, on| cell.no_retake = on == Switch::Off);
        offered.extend(with_each(cells, &args.shards, |cell, shards| cell.shards = shards));
    }
    // Of an earlier commit what there still is: gmp's cells, since the other libraries are the same.
    let present: Vec<CellSpec> = offered.iter().filter(|cell| cell.build.is_none()).cloned().collect();
    offered.retain(|cell| {
        let is_still_there = || present.iter().any(|now| now.is_same_but_build(cell));
        cell.build.is_none() || cell.lib == OURS && is_still_there()
    });
    check_names(args, &offered)?;
    // Rows stand in the order in which the first program lists its workloads.
    let mut contests: Vec<(String, u64, u64)> = Vec::new();
    let contest_of = |cell: &CellSpec| (cell.workload.clone(), cell.procs, cell.n);
    for cell in &present {
        if !contests.iter().any(|known| *known == contest_of(cell)) {
            contests.push(contest_of(cell));
        }
    }
    let workloads: Vec<String> = present.iter().map(|cell| cell.workload.clone()).collect();
    let first_of = |name: &str| workloads.iter().position(|known| known == name);
    offered.retain(|cell| wanted(args, cell));
    ensure!(!offered.is_empty(), "no cell has all of that: see `cargo xtask bench --help`");
    offered.sort_by_key(|cell| {
        let contest = contests.iter().position(|known| *known == contest_of(cell));
        // Columns stand in the order in which the libraries were named; Go, named by `--go`, comes last. An earlier
        // commit comes before the present one, as its program does.
        let lib = args.lib.iter().position(|lib| *lib == cell.lib).unwrap_or(usize::MAX);
        (first_of(&cell.workload), contest, lib)
    });
    // They have served their purpose, and a cell that is read back from a file has none.
    offered.iter_mut().for_each(|cell| cell.idle_rules.clear());
    Ok(offered)
}

/// Adds cells for numbers of processors that were asked for and are in no definition: a workload that is defined for more
/// than one processor runs on any larger number, and on any smaller one above 1.
fn stretched(mut cells: Vec<CellSpec>, procs: &[u64]) -> Vec<CellSpec> {
    let who = |cell: &CellSpec| (cell.lib.clone(), cell.policy.clone(), cell.workload.clone());
    let mut more = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        let defined = || cells.iter().filter(|other| who(other) == who(cell)).map(|other| other.procs);
        let is_widest = defined().max() == Some(cell.procs) && cell.procs > 1;
        let wanted =
            procs.iter().filter(|procs| is_widest && **procs > 1 && !defined().any(|p| p == **procs));
        more.extend(wanted.map(|procs| (*procs, at)));
    }
    // The numbers are added one after the other, so that rows stand in the order in which the numbers were named.
    let place = |wanted: u64| procs.iter().position(|procs| *procs == wanted);
    more.sort_by_key(|(procs, at)| (place(*procs), *at));
    for (procs, at) in more {
        cells.push(CellSpec { procs, ..cells[at].clone() });
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

/// Each cell of gmp once for each of these values, which `set` gives it.
fn with_each<T: Copy>(cells: Vec<CellSpec>, values: &[T], set: impl Fn(&mut CellSpec, T)) -> Vec<CellSpec> {
    let each_of = |cell: CellSpec| match cell.lib == OURS {
        false => vec![cell],
        true => {
            let with = |value: &T| {
                let mut cell = cell.clone();
                set(&mut cell, *value);
                cell
            };
            values.iter().map(with).collect()
        }
    };
    cells.into_iter().flat_map(each_of).collect()
}

/// The library that has policies, idle rules, modes and switches.
pub(crate) const OURS: &str = "gmp";

/// Go takes part whenever its program was given: there is no other reason to give it.
const GO: &str = "go";

/// Every policy, every group.
pub(crate) const ALL: &str = "all";

fn wanted(args: &Args, cell: &CellSpec) -> bool {
    let lib = cell.lib == GO || args.lib.contains(&cell.lib);
    let has = |name: &str| args.policy.iter().any(|policy| policy == name);
    let policy = cell.lib != OURS || has(ALL) || has(&cell.policy) || cell.policy == "-";
    let workload = match args.workload.is_empty() {
        true => args.group == ALL || args.group == cell.group,
        false => args.workload.contains(&cell.workload),
    };
    let procs = args.procs.is_empty() || args.procs.contains(&cell.procs);
    lib && policy && workload && procs
}

/// Refuses names that no program offers.
fn check_names(args: &Args, offered: &[CellSpec]) -> Result<()> {
    let of = |what: fn(&CellSpec) -> String| offered.iter().map(what).collect::<Vec<_>>();
    if args.lib.iter().any(|lib| lib == OURS) {
        let ours = offered.iter().filter(|cell| cell.lib == OURS && cell.policy != "-");
        let mut policies: Vec<String> = ours.map(|cell| cell.policy.clone()).collect();
        policies.push(ALL.to_owned());
        names::known("policy", "policy", &args.policy, &policies)?;
    }
    let rules: Vec<String> = offered.iter().flat_map(|cell| cell.idle_rules.clone()).collect();
    names::known("idle", "idle rule", &args.idle, &rules)?;
    names::known("lib", "library", &args.lib, &of(|cell| cell.lib.clone()))?;
    let mut groups = of(|cell| cell.group.clone());
    groups.push(ALL.to_owned());
    names::known("group", "group", std::slice::from_ref(&args.group), &groups)?;
    names::known("workload", "workload", &args.workload, &of(|cell| cell.workload.clone()))?;
    let procs: Vec<String> = args.procs.iter().map(u64::to_string).collect();
    names::known("procs", "number", &procs, &of(|cell| cell.procs.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_processors_where_more_than_one_is_defined() {
        let cell = |workload: &str, procs| -> CellSpec {
            let text =
                format!(r#"{{"lib":"gmp","policy":"go","workload":"{workload}","procs":{procs},"n":0}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let cells = vec![cell("yield_2", 1), cell("fib", 1), cell("fib", 2), cell("trickle", 16)];
        let stretched = stretched(cells.clone(), &[1, 2, 8]);
        assert_eq!(stretched[..4], cells);
        // The workload that is defined for sixteen processors keeps no other from running on eight.
        assert_eq!(stretched[4..], [cell("trickle", 2), cell("fib", 8), cell("trickle", 8)]);
    }
}
