//! One picture of a whole run, for a document: the other libraries' times as multiples of the first contestant's.

use crate::bench::cell::CellSpec;
use crate::bench::page::canvas::{self, FAINT, INK, colour, drawn, words};
use crate::bench::plan::OURS;
use crate::bench::report::{Contest, Report};
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: i32 = 760;
const NAMES: i32 = 230;
const ROW: i32 = 16;
const TOP: i32 = 48;
/// How much room a name in the list of colours takes.
const KEY: i32 = 90;

/// A document shows the picture as an image, which does not know the colour of the text around it.
const STYLE: &str = "<style>svg{color:#1b1f24}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>";

/// One contest, and the multiples of its contestants, by their numbers.
type Line = (String, Vec<(usize, f64)>);

pub(crate) fn svg(report: &Report) -> Result<String> {
    let rivals: Vec<(usize, &String)> =
        report.contestants.iter().enumerate().filter(|(_, name)| is_rival(report, name)).collect();
    let lines: Vec<Line> =
        report.contests.iter().filter_map(|contest| line(report, contest, &rivals)).collect();
    let all = || lines.iter().flat_map(|(_, ratios)| ratios.iter().map(|(_, ratio)| *ratio));
    let range = (all().fold(0.5, f64::min) * 0.9, all().fold(2.0, f64::max) * 1.1);
    let x = |ratio: f64| NAMES + (canvas::on_log_scale(ratio, range) * f64::from(WIDTH - NAMES - 20)) as i32;
    let height = TOP + ROW * lines.len() as i32 + 8;
    let picture = canvas::svg((WIDTH as u32, height as u32), |area| {
        for (place, (at, name)) in rivals.iter().enumerate() {
            let left = NAMES + KEY * place as i32;
            drawn(area.draw(&Circle::new((left, 10), 4, colour(*at).filled())))?;
            let style = words(13).pos(Pos::new(HPos::Left, VPos::Center));
            drawn(area.draw(&Text::new((*name).clone(), (left + 9, 10), style)))?;
        }
        for tick in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
            if tick < range.0 || tick > range.1 {
                continue;
            }
            let style = if tick == 1.0 { INK.stroke_width(1) } else { FAINT.mix(0.4).stroke_width(1) };
            drawn(area.draw(&PathElement::new([(x(tick), TOP - 4), (x(tick), height)], style)))?;
            let style = words(12).pos(Pos::new(HPos::Center, VPos::Bottom));
            drawn(area.draw(&Text::new(format!("{tick}"), (x(tick), TOP - 6), style)))?;
        }
        for (row, (name, ratios)) in lines.iter().enumerate() {
            let y = TOP + ROW * row as i32 + ROW / 2;
            let style = words(12).pos(Pos::new(HPos::Right, VPos::Center));
            drawn(area.draw(&Text::new(name.clone(), (NAMES - 10, y), style)))?;
            for (at, ratio) in ratios {
                drawn(area.draw(&Circle::new((x(*ratio), y), 4, colour(*at).filled())))?;
            }
        }
        Ok(())
    })?;
    Ok(picture.replacen('>', &format!(">{STYLE}"), 1))
}

/// Whether a contestant is another library.
fn is_rival(report: &Report, name: &str) -> bool {
    report.head.cells.iter().any(|cell| cell.lib != OURS && cell.contestant() == name)
}

fn line(report: &Report, contest: &Contest, rivals: &[(usize, &String)]) -> Option<Line> {
    let first: &CellSpec = &contest.rows[0].cell;
    let ratio = |(at, name): &(usize, &String)| {
        let row = contest.rows.iter().find(|row| row.cell.contestant() == **name)?;
        Some((*at, contest.ratio(row)?.mean))
    };
    let ratios: Vec<(usize, f64)> = rivals.iter().filter_map(ratio).collect();
    let counts = first.contestant() == report.contestants[0] && !ratios.is_empty();
    counts.then(|| (format!("{} on {}", first.workload, first.procs), ratios))
}
