//! The heat map: workload by contestant, each cell the multiple of the row's smallest figure.

use crate::bench::page::parts::{escaped, part};
use crate::bench::report::{Contest, Report};
use std::fmt::Write;

pub(crate) fn section(report: &Report) -> String {
    if report.contestants.len() < 2 {
        return String::new();
    }
    let mut text =
        "<div class=\"wide\" tabindex=\"0\"><table class=\"heat\"><thead><tr><th scope=\"col\">workload</th>"
            .to_owned();
    for name in &report.contestants {
        let _ = write!(text, "<th scope=\"col\">{}</th>", escaped(name));
    }
    text += "</tr></thead><tbody>\n";
    for contest in &report.contests {
        let cell = &contest.rows[0].cell;
        let _ = write!(text, "<tr><th scope=\"row\">{} on {}</th>", escaped(&cell.workload), cell.procs);
        for name in &report.contestants {
            text += &entry(contest, name);
        }
        text += "</tr>\n";
    }
    text += "</tbody></table></div>\n";
    part(
        "Who is fastest where",
        "Multiples of the smallest figure in the row: 1 is the fastest, and the stronger the colour, the slower.",
        &text,
    )
}

fn entry(contest: &Contest, name: &str) -> String {
    let row = contest.rows.iter().find(|row| row.cell.contestant() == name);
    let Some(row) = row else { return "<td></td>".to_owned() };
    let best = contest.rows.iter().filter_map(|row| row.figure()).fold(f64::INFINITY, f64::min);
    match row.figure() {
        None if row.samples.is_empty() => "<td>-</td>".to_owned(),
        None => "<td class=\"failed\">failed</td>".to_owned(),
        Some(figure) => {
            let multiple = figure / best;
            // Sixteen times as slow has the strongest colour.
            let heat = (multiple.log2() / 4.0).clamp(0.0, 1.0) * 100.0;
            format!("<td style=\"--heat:{heat:.0}%\">{multiple:.2}</td>")
        }
    }
}
