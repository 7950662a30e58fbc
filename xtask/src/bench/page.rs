//! `--html FILE`: one self-contained page with pictures of one run or of several.
//!
//! The page needs no network, and works without scripts: a script only sorts the table of raw figures. Pictures are SVG
//! in the colour of the text around them, so they follow the reader's light or dark theme; whatever a picture shows stands
//! in a table, too.

mod canvas;
pub(crate) mod curves;
pub(crate) mod heat;
pub(crate) mod overview;
mod parts;
mod ratios;
pub(crate) mod raw;
mod tiles;

use crate::bench::report::Report;
use crate::bench::table;
use anyhow::Result;
pub(crate) use parts::escaped;

/// The page of these runs.
pub(crate) fn render(reports: &[Report]) -> Result<String> {
    let mut body = String::new();
    for (at, report) in reports.iter().enumerate() {
        body += &run(report, at)?;
    }
    Ok(document("gmp bench", &body))
}

/// A whole page around what it shows.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{}</style>\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n{body}</main>\n<script>\n{}</script>\n</body>\n</html>\n",
        include_str!("page/page.css"),
        include_str!("page/page.js"),
    )
}

/// Everything about one run.
fn run(report: &Report, at: usize) -> Result<String> {
    let mut text = format!(
        "<section aria-labelledby=\"run{at}\">\n<h2 id=\"run{at}\">Run of commit {}</h2>\n",
        escaped(&report.head.commit)
    );
    text += &format!("<pre tabindex=\"0\">{}</pre>\n", escaped(table::head(report).trim_end()));
    if let Some(verdict) = table::verdict(report) {
        text += &format!("<p class=\"verdict\">{}.</p>\n", escaped(&verdict));
    }
    if report.missing() > 0 {
        text += &format!("<p class=\"verdict\">{} cells were not measured.</p>\n", report.missing());
    }
    text += &ratios::section(report)?;
    text += &heat::section(report);
    text += &tiles::section(report)?;
    text += &curves::scaling(report)?;
    text += &curves::latencies(report)?;
    text += &tiles::memory(report)?;
    text += &raw::section(report);
    Ok(text + "</section>\n")
}

#[cfg(test)]
pub(crate) mod tests;
