//! A fake cell program shows that crashes, hangs and nonsense become rows, that the rest still runs, and that nothing that
//! was measured is lost.

use super::*;
use clap::Parser;
use report::Row;
use std::path::PathBuf;

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

fn record_of(args: &Args, events: &Events) -> Result<(Record, Option<Stop>)> {
    measure(args, events).map(|Measured { record, stop, .. }| (record, stop))
}

fn head_of(args: &Args) -> Head {
    record_of(args, &Events::new()).unwrap().0.head
}

fn measured(line: &str) -> Report {
    let (record, stop) = record_of(&args(line), &Events::new()).unwrap();
    assert!(stop.is_none(), "{stop:?}");
    Report::new(&record)
}

fn refused(line: &str) -> String {
    format!("{:#}", record_of(&args(line), &Events::new()).unwrap_err())
}

/// A file for figures that is not there yet, and goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let file = format!("gmp-xtask-{}-{name}.json", std::process::id());
        Self(std::env::temp_dir().join(file))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    fn option(&self, option: &str) -> String {
        format!("{option} {}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _it_may_never_have_been_written = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_crash_and_a_hang_are_rows_and_the_rest_runs() {
    let report = measured("--timeout 1 --procs 1");
    let rows: Vec<&Row> = report.rows().collect();
    let failures: Vec<&str> = rows.iter().filter_map(|row| row.failure()).collect();
    assert_eq!(rows.len(), 5);
    assert!(rows[0].failure().is_none() && rows[4].failure().is_none());
    assert!(failures[0].starts_with("crashed: signal: 6"), "{failures:?}");
    assert!(failures[0].ends_with("fatal: invariant broken"), "{failures:?}");
    assert_eq!(failures[1..], ["hung: ended after 1 s", "ended well without a line of figures"]);
    let table = table::render(&report, 120);
    for part in ["FAILED hung: ended after 1 s", "20.2 ns", "19.0 ns .. 22.0 ns", "p99 5.00 ms", "1.21 KiB"] {
        assert!(table.contains(part), "{part} in\n{table}");
    }
    assert_eq!(report.failed(), 3);
}

#[test]
fn contestants_stand_side_by_side_with_the_winner_marked() {
    let report = measured("--workload good --policy all --lib gmp,rival --runs 2");
    assert_eq!(report.contestants, ["gmp/go", "gmp/random", "rival"]);
    let table = table::render(&report, 200);
    assert!(table.contains("*10.0 ns x0.49 ±0.0 %"), "{table}");
    assert!(table.contains("20.2 ns =1.00 ±0.0 %, 1.21 KiB"), "{table}");
    let verdict = table::verdict(&report).unwrap();
    let behind = "behind: good on 1 (gmp/random 2.02 times as fast)";
    assert_eq!(verdict, format!("gmp/go is fastest in 0 of 1 rows; {behind}"));
}

#[test]
fn a_table_is_as_wide_as_the_terminal() {
    let report = measured("--workload good --policy all --lib gmp,rival --runs 2");
    let table = table::render(&report, 60);
    assert!(
        table.lines().filter(|line| line.starts_with('|')).all(|line| line.chars().count() <= 60),
        "{table}"
    );
    assert_eq!(table.matches("| workload |").count(), 3, "{table}");
}

#[test]
fn a_table_of_one_is_as_wide_as_the_terminal_too() {
    let report = measured("--timeout 1 --workload good,crash,last");
    let table = table::render(&report, 50);
    assert!(table.lines().all(|line| line.chars().count() <= 50), "{table}");
    assert!(table.contains("FAILED") && table.matches("| workload |").count() > 1, "{table}");
}

#[test]
fn a_device_is_no_file_of_figures() {
    // Both would be read without an end, or wait for somebody who writes.
    let error = refused("--workload good --json /dev/full");
    assert!(error.starts_with("cannot write /dev/full: No space left"), "{error}");
    let error = refused("--resume /dev/zero");
    assert!(error.starts_with("cannot read /dev/zero: this is no file"), "{error}");
}

#[test]
fn idle_rules_stand_side_by_side_and_are_named() {
    let report = measured("--workload good --lib gmp,rival --idle go,frugal --runs 1");
    assert_eq!(report.contestants, ["gmp/go+go", "gmp/go+frugal", "rival"]);
    let row = |at: usize| &report.contests[0].rows[at];
    assert_eq!([0, 1, 2].map(|at| row(at).figure()), [Some(20.25), Some(5.0), Some(20.25)]);
    assert!(refused("--idle lazy").ends_with("there is no such idle rule; allowed are: frugal, go"));
}

#[test]
fn modes_and_policies_come_as_lists() {
    let report = measured("--workload good --policy go,random --mode migrating,pinned --runs 1");
    let names = ["gmp/go (migrating)", "gmp/go (pinned)", "gmp/random (migrating)", "gmp/random (pinned)"];
    assert_eq!(report.contestants, names);
    assert_eq!(report.contests[0].rows[1].figure(), Some(40.5));
    let json = serde_json::to_value(&report.contests[0].rows[1].cell).unwrap();
    assert_eq!((&json["policy"], &json["mode"]), (&"go".into(), &"pinned".into()));
}

#[test]
fn a_cell_with_something_switched_stands_beside_one_without() {
    let report = measured("--workload good --lib gmp,rival --retake off,on --runs 1");
    assert_eq!(report.contestants, ["gmp/go (no retake)", "gmp/go", "rival"]);
    let report = measured("--workload good --lib gmp,rival --recorder off,on --runs 1");
    assert_eq!(report.contestants, ["gmp/go", "gmp/go (recorded)", "rival"]);
    let sharded = measured("--workload good --lib gmp,rival --shards 1,2 --runs 1");
    assert_eq!(sharded.contestants, ["gmp/go", "gmp/go (2 shards)", "rival"]);
    let json = |row: usize| serde_json::to_value(&report.contests[0].rows[row].cell).unwrap();
    assert_eq!((&json(0)["recorder"], &json(1)["recorder"]), (&serde_json::Value::Null, &true.into()));
}

#[test]
fn one_policy_alone_is_the_default() {
    let report = measured("--workload good");
    assert_eq!(report.contestants, ["gmp/go"]);
    assert!(table::head(&report).contains("mode     migrating"));
    assert_eq!(table::verdict(&report), None);
}

#[test]
fn wrong_names_are_answered_with_the_nearest_one_and_all_others() {
    assert_eq!(
        refused("--policy go,rendom"),
        "--policy rendom: there is no such policy (do you mean random?); allowed are: all, go, random"
    );
    assert_eq!(refused("--lib tokyo"), "--lib tokyo: there is no such library; allowed are: gmp, rival");
    assert!(refused("--workload goood").contains("(do you mean good?); allowed are: crash, good, hang"));
    assert!(refused("--lib gpm").contains("(do you mean gmp?)"));
    assert!(refused("--group rivals").contains("allowed are: all, workloads"));
    assert!(refused("--procs 3").contains("allowed are: 1"));
    assert!(refused("--lib rival --workload hang").contains("no cell has all of that"));
}

#[test]
fn figures_go_to_the_file_as_they_come() {
    let file = Scratch::new("as-they-come");
    let (record, stop) =
        record_of(&args(&format!("--workload good,last {}", file.option("--json"))), &Events::new()).unwrap();
    assert!(stop.is_none());
    let lines: Vec<serde_json::Value> =
        file.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0]["head"]["commit"].is_string());
    assert_eq!(lines[1]["sample"]["outcome"]["measured"]["ns_per_op"], 20.25);
    assert_eq!(lines[2]["sample"]["cell"]["workload"], "last");
    let read = log::read(&file.0).unwrap();
    assert_eq!(Report::new(&read).rows().count(), Report::new(&record).rows().count());
    let again = refused(&format!("--workload good {}", file.option("--json")));
    assert!(again.contains("holds 2 figures of an earlier run"), "{again}");
}

#[test]
fn an_interrupted_run_keeps_its_figures_and_goes_on() {
    let file = Scratch::new("interrupted");
    let events = Events::new();
    let interrupt = events.interrupter();
    let (record, stop) = std::thread::scope(|scope| {
        // The second workload hangs, and somebody loses patience.
        scope.spawn(|| {
            while file.0.metadata().is_err() || file.text().lines().count() < 2 {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            interrupt();
        });
        record_of(&args(&format!("--workload good,hang,last {}", file.option("--json"))), &events).unwrap()
    });
    assert!(matches!(stop, Some(Stop::Interrupted)), "{stop:?}");
    let report = Report::new(&record);
    assert_eq!((report.missing(), report.failed()), (2, 0));
    assert!(table::render(&report, 120).contains("not measured"));
    // A crash may also leave half a line.
    let half = file.text() + r#"{"sample":{"cell":{"lib""#;
    std::fs::write(&file.0, half).unwrap();
    let (record, stop) =
        record_of(&args(&format!("--timeout 1 {}", file.option("--resume"))), &events).unwrap();
    assert!(stop.is_none());
    assert_eq!(Report::new(&record).missing(), 0);
    assert_eq!(log::read(&file.0).unwrap().samples.len(), 3);
}

#[test]
fn a_file_that_cannot_be_written_is_found_out_first() {
    let error = refused("--workload good --json /nowhere/figures.json");
    assert!(error.starts_with("cannot write /nowhere/figures.json"), "{error}");
    let error = refused("--resume /nowhere/figures.json");
    assert!(error.starts_with("cannot read /nowhere/figures.json"), "{error}");
}

#[test]
fn a_full_disk_ends_the_run_with_what_there_is() {
    let (record, _) = record_of(&args("--workload good,last"), &Events::new()).unwrap();
    let record = Record { samples: Vec::new(), ..record };
    let (record, stop) = run::run(&[Program::new(FAKE)], record, &mut Log::full(), &Events::new()).unwrap();
    assert!(matches!(&stop, Some(Stop::Unwritable(_))), "{stop:?}");
    assert!(stop.unwrap().to_string().starts_with("cannot write /dev/full: No space left"));
    assert_eq!((record.samples.len(), Report::new(&record).missing()), (1, 1));
}

/// A row whose processes measured this.
fn set(row: &mut Row, figures: [f64; 3], loops: f64) {
    for (sample, figure) in row.samples.iter_mut().zip(figures) {
        let sample::Outcome::Measured(line) = &mut sample.outcome else { panic!("a failed cell") };
        line.ns_per_op = Some(figure);
        line.extra.insert(report::CALIBRATION.to_owned(), Some(loops));
    }
}

#[test]
fn two_runs_of_the_same_report_nothing_and_a_slower_one_is_reported() {
    let report = |figures: [f64; 3], loops: f64| {
        let mut report = measured("--workload good --runs 3");
        set(&mut report.contests[0].rows[0], figures, loops);
        report
    };
    let first = Earlier { commit: "abcdef0".into(), run: Some(report([20.0, 20.2, 20.1], 2.0)) };
    let compare = |figures, loops| first.compare(&report(figures, loops)).unwrap();
    let same = compare([20.2, 20.1, 20.0], 2.0);
    assert!(!same.is_slower() && same.text().starts_with("against abcdef0: of 1 cells 0 slower, 0 faster"));
    let slower = compare([22.0, 22.2, 22.1], 2.0);
    assert!(slower.is_slower());
    assert!(
        slower.text().starts_with("SLOWER gmp/go good on 1: 20.1 ns -> 22.1 ns, x1.10"),
        "{}",
        slower.text()
    );
    // Measured once more, it has moved again, or it has not.
    let again = compare([22.1, 22.0, 22.2], 2.0);
    assert!(slower.clone().confirmed_by(&again).is_slower());
    let wavered = slower.confirmed_by(&same);
    assert!(
        !wavered.is_slower() && wavered.text().contains("1 had moved, but not when"),
        "{}",
        wavered.text()
    );
    // The whole machine runs a tenth slower, which says nothing about the program.
    let drifted = compare([22.0, 22.2, 22.1], 2.2);
    assert!(!drifted.is_slower(), "{}", drifted.text());
    // A run that was cut has nothing to say of a cell that it had measured once.
    let thin = first.compare(&measured("--workload good --runs 1")).unwrap();
    assert!(thin.text().starts_with("against abcdef0: of 0 cells"), "{}", thin.text());
    let refused = baseline::check_runs("this run", 2).unwrap_err().to_string();
    assert!(refused.starts_with("this run: 2 processes a cell, and a comparison needs 3"), "{refused}");
    let other = first.compare(&measured("--workload last --runs 3")).unwrap_err().to_string();
    assert_eq!(other, "abcdef0 has no cell in common with the present commit");
}

#[test]
fn two_commits_take_turns_and_a_slower_one_is_reported() {
    let args = args("--workload good,last --lib gmp,rival");
    // The earlier commit's program is the same one here; where it fails, it stands for nothing.
    let programs = [Program::new(FAKE).of("abcdef0"), Program::new(FAKE)];
    let cells = plan::cells(&programs, &args).unwrap();
    let names: Vec<String> = cells.iter().map(CellSpec::to_string).collect();
    let good = ["gmp/go @abcdef0 good on 1", "gmp/go good on 1", "rival good on 1"];
    assert_eq!(names, [&good[..], &["gmp/go @abcdef0 last on 1", "gmp/go last on 1"]].concat());
    let record = Record { head: Head { cells, runs: 3, ..head_of(&args) }, samples: Vec::new() };
    let (record, stop) = run::run(&programs, record, &mut Log::none(), &Events::new()).unwrap();
    assert!(stop.is_none());
    let turns: Vec<&str> = record.samples[..9].iter().map(|sample| sample.cell.lib.as_str()).collect();
    assert_eq!(turns, ["gmp", "gmp", "rival", "rival", "gmp", "gmp", "gmp", "gmp", "rival"]);
    let earlier = Earlier { commit: "abcdef0".into(), run: None };
    let mut report = Report::new(&record);
    let same = earlier.compare(&report).unwrap();
    assert_eq!((same.is_slower(), same.cells().len()), (false, 0));
    // The machine became twice as slow from turn to turn, which says nothing: the second is slower in each of them.
    set(&mut report.contests[0].rows[0], [20.0, 30.0, 40.0], 2.0);
    set(&mut report.contests[0].rows[1], [22.0, 33.3, 44.0], 2.0);
    let slower = earlier.compare(&report).unwrap();
    assert!(slower.is_slower());
    let text = slower.text();
    assert!(text.starts_with("SLOWER gmp/go good on 1: 30.0 ns -> 33.3 ns, x1.10"), "{text}");
    assert!(text.contains("against abcdef0: of 2 cells 1 slower, 0 faster; differences below 2"), "{text}");
    assert!(!slower.confirmed_by(&same).is_slower());
    // What is compared with a file, and was measured again in turn with that file's commit, is compared in turn.
    let file = Earlier { run: Some(measured("--workload good --runs 3")), ..earlier };
    assert!(file.compare(&report).unwrap().is_slower());
}

#[test]
fn what_is_no_commit_is_refused_before_anything_is_built() {
    let error = build::commits(&["HEAD".into(), "no-such-commit".into()]).unwrap_err().to_string();
    let no_git = error.contains("does not start");
    assert!(
        no_git || error.contains("no-such-commit is no commit") || error.contains("HEAD is no commit"),
        "{error}"
    );
}

#[test]
fn precise_runs_go_on_until_the_ratio_is_known() {
    let report = measured("--workload good --lib gmp,rival --precise");
    assert_eq!(report.contests[0].rows[0].samples.len(), 3);
}

#[test]
fn whoever_is_alone_is_measured_until_the_figure_is_known() {
    let (mut record, _) = record_of(&args("--workload good --precise"), &Events::new()).unwrap();
    assert_eq!(record.samples.len(), 3);
    let cells = record.head.cells.clone();
    assert!(run::is_precise(&record, &cells));
    for (sample, figure) in record.samples.iter_mut().zip([20.0, 21.0, 22.0]) {
        let sample::Outcome::Measured(line) = &mut sample.outcome else { panic!("a failed cell") };
        line.ns_per_op = Some(figure);
    }
    assert!(!run::is_precise(&record, &cells));
    // The next one gives 20 again, and so do all after it, until the mean is known or the limit is reached.
    let (record, stop) = run::run(&[Program::new(FAKE)], record, &mut Log::none(), &Events::new()).unwrap();
    assert!(stop.is_none());
    let most = Args::MOST_RUNS as usize;
    assert!(record.samples.len() > 3 && record.samples.len() < most, "{}", record.samples.len());
    assert!(run::is_precise(&record, &cells));
}

#[test]
fn an_earlier_run_is_made_precise_without_a_new_start() {
    let file = Scratch::new("precise");
    record_of(&args(&format!("--workload good {}", file.option("--json"))), &Events::new()).unwrap();
    let first = file.text();
    let line = format!("--precise {}", file.option("--resume"));
    let (record, stop) = record_of(&args(&line), &Events::new()).unwrap();
    assert!(stop.is_none());
    assert_eq!(record.samples.len(), 3);
    assert!(file.text().starts_with(&first), "what was measured stays");
}
