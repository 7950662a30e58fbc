//! Several contestants: a column for each. Where the columns are wider than the terminal, the table becomes several below
//! each other, each with the same rows.

use super::parts;
use crate::bench::report::{Contest, Report, Row};
use crate::bench::units::{bytes, duration, figure, give_or_take, quantity};

/// Columns in front of the contestants' ones.
const KEYS: [&str; 3] = ["workload", "procs", "n"];
/// What a column takes beside its text.
const FRAME: usize = 3;

pub(super) fn render(report: &Report, width: usize) -> String {
    let keys = |contest: &Contest| {
        let cell = &contest.rows[0].cell;
        [cell.workload.clone(), cell.procs.to_string(), parts::size(cell.n)]
    };
    let rows: Vec<[String; 3]> = report.contests.iter().map(keys).collect();
    let widest =
        |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let key_width: usize = (0..KEYS.len())
        .map(|at| widest(&mut rows.iter().map(|row| row[at].as_str()).chain([KEYS[at]])) + FRAME)
        .sum();
    let columns: Vec<Vec<String>> = report
        .contestants
        .iter()
        .map(|name| {
            let entries = report.contests.iter().map(|contest| entry(contest, name));
            std::iter::once(name.clone()).chain(entries).collect()
        })
        .collect();
    let widths: Vec<usize> =
        columns.iter().map(|column| widest(&mut column.iter().map(String::as_str)) + FRAME).collect();
    let mut text = String::new();
    for block in blocks(&widths, width.saturating_sub(key_width + 1)) {
        let header = KEYS.iter().map(|key| (*key).to_owned());
        let names = columns[block.clone()].iter().map(|column| column[0].clone());
        let mut table = parts::new(&header.chain(names).collect::<Vec<_>>());
        for (at, row) in rows.iter().enumerate() {
            let entries = columns[block.clone()].iter().map(|column| column[at + 1].clone());
            table.add_row(row.iter().cloned().chain(entries));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text += &parts::lines(table, 1..KEYS.len() + block.len());
    }
    text +=
        "* smallest; xN: N times the row's first figure, with its 95 % confidence; = no difference shown\n";
    text + &failures(report)
}

/// Consecutive columns that fit into the width together; one that is too wide stands alone.
fn blocks(widths: &[usize], width: usize) -> Vec<std::ops::Range<usize>> {
    let mut blocks: Vec<std::ops::Range<usize>> = Vec::new();
    for at in 0..widths.len() {
        match blocks.last_mut() {
            Some(last) if widths[last.start..=at].iter().sum::<usize>() <= width => last.end = at + 1,
            _ => blocks.push(at..at + 1),
        }
    }
    blocks
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

/// Where the first contestant stands.
pub(super) fn verdict(report: &Report) -> Option<String> {
    let name = report.contestants.first()?;
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

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn columns_stand_in_blocks_that_fit() {
        assert_eq!(blocks(&[10, 10, 10], 25), [0..2, 2..3]);
        assert_eq!(blocks(&[10, 50, 10], 25), [0..1, 1..2, 2..3]);
        assert_eq!(blocks(&[5, 5], 0), [0..1, 1..2]);
    }
}
