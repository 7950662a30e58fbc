//! A tile for each contest: a bar for each contestant, with the spread of its processes.

use crate::bench::page::canvas::{self, FAINT, INK, colour, drawn, words};
use crate::bench::page::parts::{figure, part, tiled};
use crate::bench::report::{Report, Row};
use crate::bench::units::{bytes, quantity};
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: i32 = 360;
const ROW: i32 = 22;
const NAMES: i32 = 120;
const FIGURES: i32 = 80;

/// One bar: the contestant's number, its name, the value, its spread, the value in words.
struct Bar {
    at: usize,
    name: String,
    value: f64,
    spread: (f64, f64),
    shown: String,
}

/// The figures that count.
pub(super) fn section(report: &Report) -> Result<String> {
    let value = |row: &Row| {
        let value = row.figure()?;
        let figures = row.figures();
        let low = figures.iter().copied().fold(value, f64::min);
        let high = figures.iter().copied().fold(value, f64::max);
        Some((value, (low, high), quantity(value, &row.cell.unit)))
    };
    let about =
        "Shorter is better. Each bar is a median; the thin line spans the figures of all its processes.";
    Ok(part("Figures", about, &tiles(report, "Figures", value)?))
}

/// What a goroutine takes.
pub(super) fn memory(report: &Report) -> Result<String> {
    let value = |row: &Row| row.get("bytes_per_g").map(|count| (count, (count, count), bytes(count)));
    let about = "Growth of the peak resident memory for each goroutine, task or thread. Shorter is better.";
    Ok(part("Memory", about, &tiles(report, "Memory", value)?))
}

fn tiles(
    report: &Report,
    what: &str,
    value: impl Fn(&Row) -> Option<(f64, (f64, f64), String)>,
) -> Result<String> {
    let mut text = String::new();
    for contest in &report.contests {
        let bar = |row: &Row| {
            let name = row.cell.contestant();
            let at = report.contestants.iter().position(|known| *known == name)?;
            let (value, spread, shown) = value(row)?;
            Some(Bar { at, name, value, spread, shown })
        };
        let bars: Vec<Bar> = contest.rows.iter().filter_map(bar).collect();
        if bars.is_empty() {
            continue;
        }
        let cell = &contest.rows[0].cell;
        let title = match cell.n {
            0 => format!("{} on {}", cell.workload, cell.procs),
            n => {
                format!("{} on {}, n = {}", cell.workload, cell.procs, crate::bench::units::grouped(n as f64))
            }
        };
        let words: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.shown)).collect();
        text += &figure(&format!("{what} of {title}: {}", words.join(", ")), &title, &picture(&bars)?);
    }
    Ok(tiled(&text))
}

fn picture(bars: &[Bar]) -> Result<String> {
    let most = bars.iter().map(|bar| bar.spread.1).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| NAMES + (value / most * f64::from(WIDTH - NAMES - FIGURES)) as i32;
    let height = ROW * bars.len() as i32 + 4;
    canvas::svg((WIDTH as u32, height as u32), |area| {
        drawn(area.draw(&PathElement::new([(NAMES, 0), (NAMES, height)], FAINT.stroke_width(1))))?;
        for (row, bar) in bars.iter().enumerate() {
            let (top, middle) = (ROW * row as i32 + 3, ROW * row as i32 + ROW / 2);
            let right = words(13).pos(Pos::new(HPos::Right, VPos::Center));
            drawn(area.draw(&Text::new(bar.name.clone(), (NAMES - 6, middle), right)))?;
            let corners = [(NAMES, top), (x(bar.value), top + ROW - 6)];
            drawn(area.draw(&Rectangle::new(corners, colour(bar.at).filled())))?;
            let spread = [(x(bar.spread.0), middle), (x(bar.spread.1), middle)];
            drawn(area.draw(&PathElement::new(spread, INK.stroke_width(1))))?;
            let left = words(13).pos(Pos::new(HPos::Left, VPos::Center));
            drawn(area.draw(&Text::new(bar.shown.clone(), (x(bar.spread.1) + 6, middle), left)))?;
        }
        Ok(())
    })
}
