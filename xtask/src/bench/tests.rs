//! A fake cell program shows that crashes, hangs and nonsense become rows, and that the rest still runs.

use super::*;
use clap::Parser;
use std::os::unix::fs::PermissionsExt;

/// Parses arguments as the command line would.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A shell script in place of gmp-bench, in a folder of its own that goes with the value.
struct Fake {
    folder: PathBuf,
}

const SCRIPT: &str = r#"#!/bin/sh
spec() { echo "{\"lib\":\"$1\",\"policy\":\"$2\",\"workload\":\"$3\",\"procs\":1,\"n\":$4}"; }
if [ "$1" = list ]; then
    spec gmp go good 0; spec gmp random good 0; spec rival - good 0
    spec gmp go crash 5; spec gmp go hang 5; spec gmp go silent 5; spec gmp go last 1000
    exit
fi
case "$*" in
    *" crash "*) echo "fatal: invariant broken" >&2; kill -ABRT $$ ;;
    *" hang "*) exec sleep 60 ;;
    *" silent "*) ;;
    *random*) echo '{"n":7,"ns_per_op":10.0,"extra":{}}' ;;
    *) echo '{"n":7,"ns_per_op":20.25,"extra":{"min":19,"max":22,"bytes_per_g":1234.5,"p99_ns":5e6}}' ;;
esac
"#;

impl Fake {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gmp-xtask-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let fake = Self { folder };
        std::fs::write(fake.program(), SCRIPT).unwrap();
        std::fs::set_permissions(fake.program(), std::fs::Permissions::from_mode(0o755)).unwrap();
        fake
    }

    fn program(&self) -> PathBuf {
        self.folder.join("cell.sh")
    }

    fn args(&self, line: &str) -> Args {
        let program = self.program().display().to_string();
        let line = format!("bench --cell-program {program} {line}");
        Line::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string()).unwrap().args
    }

    fn refused(&self, line: &str) -> String {
        measure(&self.args(line)).unwrap_err().to_string()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_crash_and_a_hang_are_rows_and_the_rest_runs() {
    let fake = Fake::new("rows");
    let args = fake.args("--timeout 1 --procs 1 --json out.json");
    let report = measure(&args).unwrap();
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
    let fake = Fake::new("exit");
    assert!(run(&fake.args("--workload good,last")).unwrap());
    assert!(!run(&fake.args("--workload good,crash")).unwrap());
}

#[test]
fn contestants_stand_side_by_side_with_the_winner_marked() {
    let fake = Fake::new("sides");
    let report = measure(&fake.args("--workload good --policy all --lib gmp,rival --runs 2")).unwrap();
    assert_eq!(report.contestants, ["gmp/go", "gmp/random", "rival"]);
    let table = table::render(&report);
    assert!(table.contains("*10.0 x0.49"), "{table}");
    assert!(table.contains("20.2 x1.00 1,234B"), "{table}");
}

#[test]
fn one_policy_alone_is_the_default() {
    let fake = Fake::new("alone");
    let report = measure(&fake.args("--workload good")).unwrap();
    assert_eq!(report.contestants, ["gmp/go"]);
    assert!(table::head(&report).contains("mode     migrating"));
}

#[test]
fn wrong_names_are_answered_with_the_right_ones() {
    let fake = Fake::new("names");
    assert_eq!(
        fake.refused("--policy fair"),
        "--policy fair: there is no such policy; allowed are: all, go, random"
    );
    assert_eq!(fake.refused("--lib tokyo"), "--lib tokyo: there is no such lib; allowed are: gmp, rival");
    assert!(fake.refused("--workload goood").contains("allowed are: crash, good, hang, last, silent"));
    assert!(fake.refused("--procs 3").contains("allowed are: 1"));
    assert!(fake.refused("--lib rival --workload hang").contains("no cell has all of that"));
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
