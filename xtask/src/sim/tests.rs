//! The command is run with a program that simulates nothing: it is cut, resumed, run in shards, and drawn.

use super::log::{self, Log, Outcome, Record};
use super::plan::cells;
use super::*;
use clap::Parser;
use std::path::PathBuf;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn head(arguments: &[&str]) -> Head {
    let args = Line::try_parse_from([&["sim", "--workload", "a,b"], arguments].concat()).unwrap().args;
    Head { commit: "0".into(), axes: args.axes.clone(), shard: args.shard, costs: None }
}

/// A figure that says which cell it is of.
fn outcome(at: usize) -> Outcome {
    let figures = [("ns_per_op", at as f64 + 1.0), ("steals", 3.0), ("fairness", 0.5), ("throughput", 1e6)];
    Outcome::Figures(figures.map(|(name, value)| (name.to_owned(), value)).into())
}

fn write(path: &Path, head: &Head, count: usize) -> Record {
    let mut log = Log::create(path).unwrap();
    log.head(head).unwrap();
    let mut record = Record::of(head.clone());
    for at in record.wanted().take(count).collect::<Vec<_>>() {
        log.outcome(at, &outcome(at)).unwrap();
        record.outcomes.insert(at, outcome(at));
    }
    record
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("gmp-xtask-sim-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_file_that_was_cut_gets_the_same_bytes_when_it_is_resumed() {
    let folder = folder("cut");
    let (whole, cut) = (folder.join("whole.json"), folder.join("cut.json"));
    let head = head(&["--cores", "1..4", "--seeds", "2"]);
    let all = write(&whole, &head, usize::MAX);
    write(&cut, &head, 5);
    // The sixth line was on its way when the disk was full.
    let text = std::fs::read_to_string(&cut).unwrap() + "{\"cell\":[5,{\"fig";
    std::fs::write(&cut, text).unwrap();
    let (mut log, record) = Log::resume(&cut).unwrap();
    assert_eq!((record.outcomes.len(), record.missing()), (5, all.cells.len() - 5));
    for at in record.wanted().filter(|at| !record.outcomes.contains_key(at)) {
        log.outcome(at, &outcome(at)).unwrap();
    }
    assert_eq!(std::fs::read(&cut).unwrap(), std::fs::read(&whole).unwrap());
    assert!(Log::create(&whole).unwrap_err().to_string().contains("--resume"), "it is not overwritten");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn shards_of_one_run_become_one_and_other_runs_stay_apart() {
    let folder = folder("shards");
    let mut files = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let path = folder.join(shard.replace('/', "-"));
        write(&path, &head(&["--cores", "2", "--shard", shard]), usize::MAX);
        files.push(log::read(&path).unwrap());
    }
    let other = folder.join("other");
    write(&other, &head(&["--cores", "2"]), 1);
    files.push(log::read(&other).unwrap());
    let runs = log::merged(files);
    assert_eq!(runs.iter().map(|run| run.outcomes.len()).collect::<Vec<_>>(), [2 * 5 * 5, 1]);
    assert_eq!(runs[0].missing(), 0);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_page_has_curves_for_what_there_is() {
    let record = |arguments: &[&str]| {
        let head = head(arguments);
        let outcomes = (0..cells(&head.axes).len()).map(|at| (at, outcome(at))).collect();
        Record { outcomes, ..Record::of(head) }
    };
    let page = page::render(&[record(&["--cores", "1..8", "--policy", "go,lifo", "--machine", "flat,2x2"])])
        .unwrap();
    for part in ["Who is fastest where", "Scaling", "Throughput", "Steals", "Fairness", "Raw figures"] {
        assert!(page.contains(&format!("<h3>{part}</h3>")), "{part}");
    }
    assert!(!page.contains("<h3>Wakes</h3>"), "there are no figures for it");
    assert!(page.contains("<title>gmp sim</title>") && page.contains("a on 2x2"));
    // Scaling and three figures, each for two workloads on two machines.
    assert_eq!(page.matches("<svg").count(), 4 * 4);
    let one = page::render(&[record(&["--cores", "8"])]).unwrap();
    assert_eq!(one.matches("<svg").count(), 0, "one number of processors makes no curve");
}

#[test]
fn a_program_is_believed_only_if_it_answers_every_cell() {
    let program = Program { path: "/bin/cat".into() };
    let head = head(&["--cores", "1", "--seeds", "1"]);
    let mut record = Record::of(head);
    let error = program.run(&mut record, &mut Log::none(), None).unwrap_err().to_string();
    assert!(error.contains("of 10 cells"), "{error}");
}
