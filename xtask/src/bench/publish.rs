//! `bench report FILE --publish NAME`: keeps a run in `docs/results`, with its page, and makes the figures of the README.
//!
//! README's figures stand between two marks, and nobody edits them: a test makes them anew from the run that they name.

use crate::bench::log::{self, Record};
use crate::bench::page::{self, overview};
use crate::bench::plan::OURS;
use crate::bench::report::{Contest, Report, Row};
use crate::bench::units::{bytes, figure, grouped, percent, quantity};
use crate::output::Output;
use crate::{marked, root};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::path::Path;

/// The name of the marks in the README.
const PART: &str = "figures";
const FOLDER: &str = "docs/results";

/// Keeps the run that wrote `file` under `name`.
pub(crate) fn publish(file: &Path, name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    ensure!(
        !name.is_empty() && name.chars().all(is_plain),
        "--publish {name}: letters, digits, points and hyphens make a name"
    );
    let Record { head, samples } = log::read(file)?;
    let record = Record { head: head.without_files(), samples };
    let report = Report::new(&record);
    check(&report).with_context(|| format!("{} is not to be published", file.display()))?;
    let folder = root::root().join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let path = |kind: &str| folder.join(format!("{name}.{kind}"));
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(&path("json"), log::text(&record)?)?;
    write(&path("svg"), overview::svg(&report)?)?;
    let page = Output::create(&path("html"))?;
    marked::write(&root::root().join("README.md"), PART, &text(&report, name))?;
    page.write(&page::render(&[report])?)
}

/// Refuses a run that would not be worth keeping.
fn check(report: &Report) -> Result<()> {
    let head = &report.head;
    ensure!(!head.args.quick, "it was a smoke run");
    ensure!(!head.commit.ends_with("with changes"), "nobody can measure it again: {}", head.commit);
    let missing = report.missing();
    ensure!(missing == 0, "{missing} cells were not measured: --resume goes on");
    Ok(())
}

/// What stands in the README.
fn text(report: &Report, name: &str) -> String {
    let (head, machine) = (&report.head, &report.head.machine);
    let first = &report.contestants[0];
    let modes: Vec<&str> = head.args.mode.iter().map(|mode| mode.name()).collect();
    let mut text = format!(
        "One run of `{}`\nat commit `{}`: {}, {} cores, {}, {}; {} thread-locals; medians of {} processes\ntaken in turn; the machine wavered by {}.\n\n\
         Under `{first}` stands its figure, under the others the multiple of it that they take; what is smallest is\nbold, \
         and `=` says that no difference has been shown. Two values are those on the two numbers of processors.\nIntervals, \
         latencies and raw figures are on the page [{FOLDER}/{name}.html]({FOLDER}/{name}.html).\n\n\
         ![Times of the other libraries as multiples of those of {first}; right of 1 they take longer]({FOLDER}/{name}.svg)\n",
        head.command,
        head.commit,
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.rustc,
        modes.join(" and "),
        head.runs,
        report.noise().map_or_else(|| "an unknown share".to_owned(), percent),
    );
    let is_ours = |name: &str| head.cells.iter().any(|cell| cell.lib == OURS && cell.contestant() == name);
    let rest = || report.contestants.iter().skip(1);
    let rivals: Vec<&String> = rest().filter(|name| !is_ours(name)).collect();
    let policies: Vec<&String> = rest().filter(|name| is_ours(name)).collect();
    text += &table(report, &rivals);
    let own = table(report, &policies);
    if !own.is_empty() {
        let _ =
            write!(text, "\n<details>\n<summary>The policies, side by side</summary>\n{own}\n</details>\n");
    }
    let failures: String = report
        .rows()
        .filter_map(|row| Some(format!("- {}: {}\n", row.cell, row.failure()?.replace('|', "/"))))
        .collect();
    if !failures.is_empty() {
        let _ = write!(text, "\nThese failed:\n\n{failures}");
    }
    text
}

/// The first contestant and some others; a line for each workload at one size, its processors in it.
fn table(report: &Report, others: &[&String]) -> String {
    let first = &report.contestants[0];
    let columns: Vec<&String> = std::iter::once(first).chain(others.iter().copied()).collect();
    let takes_part = |contest: &&Contest| {
        let has = |name: &String| find(contest, name).is_some();
        contest.rows[0].cell.contestant() == *first && others.iter().any(|name| has(name))
    };
    let contests: Vec<&Contest> = report.contests.iter().filter(takes_part).collect();
    let mut lines = String::new();
    let same = |a: &&Contest, b: &&Contest| {
        let of = |contest: &Contest| (contest.rows[0].cell.workload.clone(), contest.rows[0].cell.n);
        of(a) == of(b)
    };
    for group in contests.chunk_by(same) {
        let cell = &group[0].rows[0].cell;
        let n = if cell.n == 0 { String::new() } else { format!(", {}", grouped(cell.n as f64)) };
        let procs: Vec<String> = group.iter().map(|contest| contest.rows[0].cell.procs.to_string()).collect();
        for value in VALUES {
            let shown = |name: &&String| {
                let parts: Vec<String> =
                    group.iter().map(|contest| entry(contest, &columns, name, value)).collect();
                if parts.iter().all(String::is_empty) { String::new() } else { parts.join(" / ") }
            };
            let entries: Vec<String> = columns.iter().map(shown).collect();
            if entries.iter().all(String::is_empty) {
                continue;
            }
            let name = format!("{}{n}{}", cell.workload, value.suffix);
            let _ = writeln!(lines, "| {name} | {} | {} |", procs.join(" / "), entries.join(" | "));
        }
    }
    if lines.is_empty() {
        return lines;
    }
    let names: Vec<&str> = columns.iter().map(|name| name.as_str()).collect();
    format!(
        "\n| workload | procs | {} |\n| --- | ---: |{}\n{lines}",
        names.join(" | "),
        " ---: |".repeat(names.len())
    )
}

/// A figure that has lines of its own.
struct Value {
    suffix: &'static str,
    of: fn(&Row) -> Option<f64>,
    words: fn(f64, &Row) -> String,
}

const VALUES: &[Value] = &[
    Value { suffix: "", of: Row::figure, words: |value, row| quantity(value, &row.cell.unit) },
    Value { suffix: ": memory of one", of: |row| row.get("bytes_per_g"), words: |value, _| bytes(value) },
];

fn find<'a>(contest: &'a Contest, name: &str) -> Option<&'a Row> {
    contest.rows.iter().find(|row| row.cell.contestant() == name)
}

fn entry(contest: &Contest, columns: &[&String], name: &str, value: &Value) -> String {
    let Some(row) = find(contest, name) else { return String::new() };
    let first = &contest.rows[0];
    let is_main = value.suffix.is_empty();
    let text = match ((value.of)(row), (value.of)(first)) {
        (None, _) if is_main => return "failed".to_owned(),
        (None, _) => return String::new(),
        (Some(own), _) if std::ptr::eq(row, first) => (value.words)(own, row),
        (Some(own), None) => (value.words)(own, row),
        (Some(own), Some(of_first)) => match contest.ratio(row).filter(|_| is_main) {
            Some(ratio) => format!("{}{}", if ratio.may_be_one() { "=" } else { "" }, figure(ratio.mean)),
            None => figure(own / of_first),
        },
    };
    let all = columns.iter().filter_map(|name| (value.of)(find(contest, name)?));
    let least = all.fold(f64::INFINITY, f64::min);
    if (value.of)(row) == Some(least) { format!("**{text}**") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The run from which the README's figures were made, if it is one that is kept.
    fn named(part: &str) -> Option<&str> {
        part.split_once(&format!("]({FOLDER}/"))?.1.split_once(".html)").map(|(name, _)| name)
    }

    #[test]
    fn the_readme_says_what_its_run_says() {
        let readme = std::fs::read_to_string(root::root().join("README.md")).unwrap();
        let part = marked::part(&readme, PART).unwrap();
        let Some(name) = named(part) else { return };
        let file = root::root().join(format!("{FOLDER}/{name}.json"));
        let report = Report::new(&log::read(&file).unwrap());
        assert_eq!(part.trim(), text(&report, name).trim(), "`bench report --publish` writes this part");
    }

    #[test]
    fn libraries_and_policies_have_tables_and_the_smallest_is_bold() {
        let report = crate::bench::page::tests::report();
        let text = text(&report, "1.0");
        assert_eq!(named(&text), Some("1.0"));
        for line in [
            "| workload | procs | gmp | rival |",
            "| spawn | 1 / 2 | **51.0 ns** / **25.5 ns** | 3.00 / 3.00 |",
            "| spawn: memory of one | 1 / 2 | **4.00 KiB** / **4.00 KiB** | 3.00 / 3.00 |",
            "| <crash> | 1 | failed | failed |",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        let picture = overview::svg(&report).unwrap();
        assert!(picture.contains("<style>") && picture.contains("spawn on 2"));
    }

    #[test]
    fn no_names_of_files_go_along() {
        let mut head = crate::bench::page::tests::report().head;
        head.command =
            "cargo xtask bench --go V/bin/go --json a.json --lib gmp,go --html=b.html --short".into();
        head.args.go = Some("V/bin/go".into());
        let head = head.without_files();
        assert_eq!(head.command, "cargo xtask bench --go PATH --lib gmp,go --short");
        assert_eq!(head.args.go, Some("PATH".into()));
    }

    #[test]
    fn a_run_that_says_little_is_not_kept() {
        let mut report = crate::bench::page::tests::report();
        assert!(check(&report).is_ok());
        report.head.commit += " with changes";
        assert!(check(&report).unwrap_err().to_string().contains("nobody can measure it again"));
        report.contests[0].rows[0].samples.clear();
        report.head.commit = "0123".into();
        assert!(check(&report).unwrap_err().to_string().contains("1 cells were not measured"));
    }
}
