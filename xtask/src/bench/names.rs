//! Names that nobody offers are refused before anything runs, with the nearest one that there is.

use crate::bench::args::Args;
use crate::bench::plan::{ALL, CellSpec, OURS};
use anyhow::{Result, bail};

/// Refuses names that no program offers.
pub(crate) fn check(args: &Args, offered: &[CellSpec]) -> Result<()> {
    let of = |what: fn(&CellSpec) -> String| offered.iter().map(what).collect::<Vec<_>>();
    if args.lib.iter().any(|lib| lib == OURS) {
        let ours = offered.iter().filter(|cell| cell.lib == OURS && cell.policy != "-");
        let mut policies: Vec<String> = ours.map(|cell| cell.policy.clone()).collect();
        policies.push(ALL.to_owned());
        known("policy", "policy", &args.policy, &policies)?;
    }
    let rules: Vec<String> = offered.iter().flat_map(|cell| cell.idle_rules.clone()).collect();
    known("idle", "idle rule", &args.idle, &rules)?;
    known("lib", "library", &args.lib, &of(|cell| cell.lib.clone()))?;
    let mut groups = of(|cell| cell.group.clone());
    groups.push(ALL.to_owned());
    known("group", "group", std::slice::from_ref(&args.group), &groups)?;
    known("workload", "workload", &args.workload, &of(|cell| cell.workload.clone()))?;
    let procs: Vec<String> = args.procs.iter().map(u64::to_string).collect();
    known("procs", "number", &procs, &of(|cell| cell.procs.to_string()))
}

/// Refuses names that are not among those allowed.
pub(crate) fn known(option: &str, what: &str, given: &[String], allowed: &[String]) -> Result<()> {
    let mut allowed = allowed.to_vec();
    allowed.sort();
    allowed.dedup();
    for value in given {
        if !allowed.contains(value) {
            let hint =
                nearest(value, &allowed).map_or(String::new(), |name| format!(" (do you mean {name}?)"));
            bail!("--{option} {value}: there is no such {what}{hint}; allowed are: {}", allowed.join(", "));
        }
    }
    Ok(())
}

/// The name that was probably meant, if one is near enough.
fn nearest<'a>(value: &str, names: &'a [String]) -> Option<&'a String> {
    let likeness = |name: &&String| strsim::jaro_winkler(value, name);
    names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.75)
}
