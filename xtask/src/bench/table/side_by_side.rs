//! Several contestants: a column for each.

use super::parts;
use crate::bench::report::{Contest, Report, Row};
use crate::bench::units::{bytes, duration, figure, give_or_take, quantity};

pub(super) fn render(report: &Report, width: usize) -> String {
    let rows: Vec<&Row> = report.contests.iter().map(|contest| &contest.rows[0]).collect();
    let column = |name: &String| {
        let entries = report.contests.iter().map(|contest| entry(contest, name));
        std::iter::once(name.clone()).chain(entries).collect()
    };
    let mut text =
        parts::render(&rows, &report.contestants.iter().map(column).collect::<Vec<_>>(), "", width);
    text +=
        "* smallest; xN: N times the row's first figure, with its 95 % confidence; = no difference shown\n";
    text + &failures(report)
}

/// One contestant's figure, its ratio to the row's first one and how sure that is, its bytes.
fn entry(contest: &Contest, name: &str) -> String {
    let Some(row) = contest.rows.iter().find(|row| row.cell.contestant() == name) else {
        return String::new();
    };
    let Some(value) = row.figure() else {
        return if row.samples.is_empty() { "-".to_owned() } else { "FAILED".to_owned() };
    };
    let mut text = quantity(value, &row.cell.unit);
    if let Some(ratio) = contest.ratio(row) {
        text += &format!(" {}{:.2}", if ratio.may_be_one() { "=" } else { "x" }, ratio.mean);
        text += &ratio.uncertainty().map_or(String::new(), give_or_take);
    }
    if let Some(count) = row.get("bytes_per_g") {
        text += &format!(", {}", bytes(count));
    }
    if let (Some(p50), Some(p99)) = (row.get("p50_ns"), row.get("p99_ns")) {
        text += &format!(" (p50 {}, p99 {})", duration(p50), duration(p99));
    }
    if let Some(count) = row.get("instructions") {
        text += &format!(", {} instr", figure(count));
    }
    let won = contest.winner().is_some_and(|winner| std::ptr::eq(winner, row));
    if won { format!("*{text}") } else { text }
}

/// Why cells have no figure.
fn failures(report: &Report) -> String {
    report.rows().filter_map(|row| Some(format!("FAILED {}: {}\n", row.cell, row.failure()?))).collect()
}

/// Where the first contestant stands; where an earlier commit is the first one, the comparison with it says more.
pub(super) fn verdict(report: &Report) -> Option<String> {
    let name = report.contestants.first().filter(|_| report.head.args.against.is_empty())?;
    let (mut fastest, mut level, mut behind, mut all) = (0, 0, Vec::new(), 0);
    for contest in &report.contests {
        let ours = &contest.rows[0];
        let (true, Some(winner)) = (ours.cell.contestant() == *name, contest.winner()) else { continue };
        let Some(figure) = ours.figure() else { continue };
        all += 1;
        match contest.ratio(winner) {
            None => fastest += 1,
            Some(ratio) if ratio.may_be_one() => level += 1,
            Some(_) => behind.push(lag(winner, figure)),
        }
    }
    if all == 0 {
        return None;
    }
    let mut text = format!("{name} is fastest in {fastest} of {all} rows");
    if level > 0 {
        text += &format!("; no difference shown to the fastest in {level}");
    }
    if !behind.is_empty() {
        text += &format!("; behind: {}", behind.join(", "));
    }
    Some(text)
}

/// A row in which another one is ahead.
fn lag(winner: &Row, ours: f64) -> String {
    let cell = &winner.cell;
    let factor = winner.figure().map_or(f64::NAN, |best| ours / best);
    format!("{} on {} ({} {factor:.2} times as fast)", cell.workload, cell.procs, cell.contestant())
}
