//! The table: one contestant with all its figures, or several side by side with the winner marked.

use crate::bench::report::{Contest, Report};
use crate::bench::row::Row;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Lines above the table.
pub(crate) fn head(report: &Report) -> String {
    let machine = &report.machine;
    let mut head = format!(
        "commit   {}\nmachine  {}, {} cores, {}, {}\ncommand  {}\nmode     {} thread-locals, {} allocator; {}\n",
        report.commit,
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.rustc,
        report.command,
        report.mode,
        report.allocator,
        match report.runs {
            1 => "one process a cell, median of its repetitions".to_owned(),
            runs => format!("medians of {runs} processes a cell, taken in turn"),
        },
    );
    if report.quick {
        head.push_str("quick    a smoke run: these figures mean little\n");
    }
    head
}

pub(crate) fn render(report: &Report) -> String {
    let mut table = if report.contestants.len() == 1 { alone(report) } else { side_by_side(report) };
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    let text = table.to_string();
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut text = trimmed.join("\n") + "\n";
    if report.contestants.len() > 1 {
        text.push_str("* fastest; ratios are to the row's first figure; B: bytes a goroutine\n");
        text.push_str(&failures(report));
    }
    text
}

/// A column for each figure.
fn alone(report: &Report) -> Table {
    let mut table = Table::new();
    table.set_header(["workload", "procs", "n", "ns an op", "spread", "cpu ns", "bytes", "notes"]);
    for row in report.contests.iter().flat_map(|contest| &contest.rows) {
        let cell = &row.cell;
        let text = |name: &str| row.get(name).map_or(String::new(), figure);
        let spread = match (row.get("min"), row.get("max")) {
            (Some(min), Some(max)) if min < max => format!("{} .. {}", figure(min), figure(max)),
            _ => String::new(),
        };
        table.add_row([
            cell.workload.clone(),
            cell.procs.to_string(),
            if cell.n == 0 { String::new() } else { grouped(cell.n as f64) },
            row.ns_per_op.map_or_else(|| "-".to_owned(), figure),
            spread,
            text("cpu_ns_per_op"),
            text("bytes_per_g"),
            notes(row),
        ]);
    }
    right_aligned(&mut table, 1..7);
    table
}

/// A column for each contestant.
fn side_by_side(report: &Report) -> Table {
    let mut table = Table::new();
    let head = ["workload", "procs", "n"].map(str::to_owned);
    table.set_header(head.into_iter().chain(report.contestants.iter().cloned()));
    for contest in &report.contests {
        let cell = &contest.rows[0].cell;
        let size = if cell.n == 0 { String::new() } else { grouped(cell.n as f64) };
        let mut line = vec![cell.workload.clone(), cell.procs.to_string(), size];
        line.extend(report.contestants.iter().map(|name| entry(contest, name)));
        table.add_row(line);
    }
    right_aligned(&mut table, 1..3 + report.contestants.len());
    table
}

/// One contestant's figure, its ratio to the row's first one, its bytes.
fn entry(contest: &Contest, name: &str) -> String {
    let Some(row) = contest.rows.iter().find(|row| row.cell.contestant() == name) else {
        return String::new();
    };
    let Some(ns) = row.ns_per_op else { return "FAILED".to_owned() };
    let best = contest.rows.iter().filter_map(|row| row.ns_per_op).fold(f64::INFINITY, f64::min);
    let mut text = figure(ns);
    let first = contest.rows[0].ns_per_op.filter(|_| !std::ptr::eq(row, &contest.rows[0]));
    if let Some(first) = first {
        text += &format!(" x{:.2}", ns / first);
    }
    if let Some(bytes) = row.get("bytes_per_g") {
        text += &format!(" {}B", figure(bytes));
    }
    if let (Some(p50), Some(p99)) = (row.get("p50_ns"), row.get("p99_ns")) {
        text += &format!(" (p50 {}, p99 {})", duration(p50), duration(p99));
    }
    if ns == best && contest.rows.len() > 1 { format!("*{text}") } else { text }
}

/// Why cells of a side-by-side table have no figure.
fn failures(report: &Report) -> String {
    let rows = report.contests.iter().flat_map(|contest| &contest.rows);
    rows.filter_map(|row| Some(format!("FAILED {}: {}\n", row.cell, row.failure.as_ref()?))).collect()
}

/// What else is worth a word about a row.
fn notes(row: &Row) -> String {
    if let Some(why) = &row.failure {
        return format!("FAILED {why}");
    }
    let mut notes = Vec::new();
    for (name, label) in
        [("p50_ns", "p50"), ("p99_ns", "p99"), ("max_ns", "max"), ("with_thief", "with a thief")]
    {
        notes.extend(row.get(name).map(|ns| format!("{label} {}", duration(ns))));
    }
    notes.extend(row.get("all_started_ns").map(|ns| format!("all started {}", duration(ns))));
    notes.extend(row.get("cpu_s_per_s").map(|share| format!("{:.1} CPU ms/s", share * 1e3)));
    notes.extend(row.get("submitter_ns").map(|ns| format!("submitter {}", duration(ns))));
    notes.extend(row.get("efficiency").map(|share| format!("efficiency {share:.2}")));
    notes.extend(row.get("maps").map(|maps| format!("{} mappings", grouped(maps))));
    if row.cell.workload == "hog_fairness" && starved(row) {
        notes.push("no preemption: the hog was waited out".to_owned());
    }
    notes.join(", ")
}

/// The ticker's longest gap is the hog's whole life (`n` milliseconds), give or take a fifth.
fn starved(row: &Row) -> bool {
    row.ns_per_op.is_some_and(|gap| gap > 0.8e6 * row.cell.n as f64)
}

fn right_aligned(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Three figures count: more is noise on these machines.
fn figure(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { grouped(value) }
}

/// 1,234,567
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn duration(ns: f64) -> String {
    match ns {
        ..1e4 => format!("{} ns", figure(ns)),
        ..1e6 => format!("{:.1} us", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}
