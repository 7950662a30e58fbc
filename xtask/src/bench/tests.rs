//! A fake cell program shows that crashes, hangs and nonsense become rows, and that the rest still runs.

use super::*;
use clap::Parser;

/// Parses arguments as the command line would.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A shell script in place of gmp-bench. It lies in the repository because a program that a test has just written
/// may still be open for writing in a process that another test forks, and then it cannot be started.
const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bench/fake-cell.sh");

fn args(line: &str) -> Args {
    let line = ["bench", "--cell-program", FAKE].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(line).map_err(|error| error.to_string()).unwrap().args
}

fn refused(line: &str) -> String {
    measure(&args(line)).unwrap_err().to_string()
}

#[test]
fn a_crash_and_a_hang_are_rows_and_the_rest_runs() {
    let report = measure(&args("--timeout 1 --procs 1")).unwrap();
    let rows: Vec<&Row> = report.contests.iter().flat_map(|contest| &contest.rows).collect();
    let failures: Vec<&str> = rows.iter().filter_map(|row| row.failure.as_deref()).collect();
    assert_eq!(rows.len(), 5);
    assert!(rows[0].is_ok() && rows[4].is_ok());
    assert!(failures[0].starts_with("crashed: signal: 6"), "{failures:?}");
    assert!(failures[0].ends_with("fatal: invariant broken"), "{failures:?}");
    assert_eq!(failures[1..], ["hung: ended after 1 s", "ended well without a line of figures"]);
    let table = table::render(&report);
    assert!(table.contains("FAILED hung: ended after 1 s"), "{table}");
    assert!(
        table.contains("20.2") && table.contains("19.0 .. 22.0") && table.contains("p99 5.0 ms"),
        "{table}"
    );
    assert!(table.contains("1,234"), "{table}");
}

#[test]
fn the_exit_says_whether_all_cells_were_well() {
    assert!(run(&args("--workload good,last")).unwrap());
    assert!(!run(&args("--workload good,crash")).unwrap());
}

#[test]
fn contestants_stand_side_by_side_with_the_winner_marked() {
    let report = measure(&args("--workload good --policy all --lib gmp,rival --runs 2")).unwrap();
    assert_eq!(report.contestants, ["gmp/go", "gmp/random", "rival"]);
    let table = table::render(&report);
    assert!(table.contains("*10.0 x0.49"), "{table}");
    assert!(table.contains("20.2 x1.00 1,234B"), "{table}");
}

#[test]
fn idle_rules_stand_side_by_side_and_are_named() {
    let report = measure(&args("--workload good --lib gmp,rival --idle go,frugal --runs 1")).unwrap();
    assert_eq!(report.contestants, ["gmp/go+go", "gmp/go+frugal", "rival"]);
    let row = |at: usize| &report.contests[0].rows[at];
    assert_eq!([0, 1, 2].map(|at| row(at).ns_per_op), [Some(20.25), Some(5.0), Some(20.25)]);
    let json = serde_json::to_value(row(1)).unwrap();
    assert_eq!((&json["policy"], &json["idle"]), (&"go".into(), &"frugal".into()));
    assert!(refused("--idle lazy").ends_with("there is no such idle rule; allowed are: frugal, go"));
}

#[test]
fn one_policy_alone_is_the_default() {
    let report = measure(&args("--workload good")).unwrap();
    assert_eq!(report.contestants, ["gmp/go"]);
    assert!(table::head(&report).contains("mode     migrating"));
}

#[test]
fn wrong_names_are_answered_with_the_right_ones() {
    assert_eq!(
        refused("--policy fair"),
        "--policy fair: there is no such policy; allowed are: all, go, random"
    );
    assert_eq!(refused("--lib tokyo"), "--lib tokyo: there is no such library; allowed are: gmp, rival");
    assert!(refused("--workload goood").contains("allowed are: crash, good, hang, last, silent"));
    assert!(refused("--group rivals").contains("allowed are: all, workloads"));
    assert!(refused("--procs 3").contains("allowed are: 1"));
    assert!(refused("--lib rival --workload hang").contains("no cell has all of that"));
}

#[test]
fn figures_are_medians_and_spreads_are_whole() {
    let line = |ns, min| {
        let extra = [("min".to_owned(), Some(min)), ("maps".to_owned(), Some(ns))].into();
        row::Outcome::Measured(row::Line { n: 1, ns_per_op: Some(ns), extra })
    };
    let cell: plan::CellSpec =
        serde_json::from_str(r#"{"lib":"gmp","policy":"go","workload":"x","procs":1,"n":0}"#).unwrap();
    let row = Row::new(cell, vec![line(3.0, 1.0), line(1.0, 0.5), line(2.0, 2.0)]);
    assert_eq!((row.ns_per_op, row.get("min"), row.get("maps")), (Some(2.0), Some(0.5), Some(2.0)));
}
