//! Each contestant against the first one: a point for the ratio of each contest, with its confidence interval.

use crate::bench::page::canvas::{self, FAINT, INK, colour, drawn, words};
use crate::bench::page::parts::{figure, part};
use crate::bench::ratio::Ratio;
use crate::bench::report::Report;
use crate::bench::units::give_or_take;
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: i32 = 760;
const ROW: i32 = 20;
/// The names' share of the width.
const NAMES: i32 = 230;
/// The ratio in figures, on the right.
const FIGURES: i32 = 130;
const TOP: i32 = 26;

pub(super) fn section(report: &Report) -> Result<String> {
    let mut content = String::new();
    for (at, name) in report.contestants.iter().enumerate().skip(1) {
        let rows: Vec<(String, Ratio)> = report
            .contests
            .iter()
            .filter_map(|contest| {
                let row = contest.rows.iter().find(|row| row.cell.contestant() == *name)?;
                let cell = &row.cell;
                Some((format!("{} on {}", cell.workload, cell.procs), contest.ratio(row)?))
            })
            .collect();
        if !rows.is_empty() {
            let first = &report.contestants[0];
            let label = format!("Times of {name} as multiples of those of {first}, workload by workload");
            let picture = figure(&label, &format!("{name} / {first}"), &picture(&rows, at)?);
            content += &format!("<div class=\"wide\" tabindex=\"0\">{picture}</div>\n");
        }
    }
    let about = "Right of the line the other one takes longer. A point is the geometric mean of the turns' ratios; its line is \
                 the 95 % confidence interval; a hollow point's interval includes 1.";
    Ok(part("Ratios", about, &content))
}

fn picture(rows: &[(String, Ratio)], at: usize) -> Result<String> {
    let ends = |ratio: &Ratio| ratio.interval.unwrap_or((ratio.mean, ratio.mean));
    let low = rows.iter().map(|(_, ratio)| ends(ratio).0.max(1e-3)).fold(0.5, f64::min);
    let high = rows.iter().map(|(_, ratio)| ends(ratio).1.min(1e3)).fold(2.0, f64::max);
    let x = |ratio: f64| {
        let width = f64::from(WIDTH - NAMES - FIGURES);
        NAMES + (canvas::on_log_scale(ratio, (low, high)) * width) as i32
    };
    let height = TOP + ROW * rows.len() as i32 + 8;
    canvas::svg((WIDTH as u32, height as u32), |area| {
        for tick in ticks(low, high) {
            let style = if tick == 1.0 { INK.stroke_width(1) } else { FAINT.mix(0.4).stroke_width(1) };
            drawn(area.draw(&PathElement::new([(x(tick), TOP - 4), (x(tick), height)], style)))?;
            let middle = words(12).pos(Pos::new(HPos::Center, VPos::Bottom));
            drawn(area.draw(&Text::new(format!("{tick}"), (x(tick), TOP - 6), middle)))?;
        }
        for (row, (name, ratio)) in rows.iter().enumerate() {
            let y = TOP + ROW * row as i32 + ROW / 2;
            let right = words(13).pos(Pos::new(HPos::Right, VPos::Center));
            drawn(area.draw(&Text::new(name.clone(), (NAMES - 10, y), right)))?;
            let (from, to) = ends(ratio);
            drawn(area.draw(&PathElement::new([(x(from), y), (x(to), y)], colour(at).stroke_width(3))))?;
            let style = if ratio.may_be_one() { colour(at).stroke_width(2) } else { colour(at).filled() };
            drawn(area.draw(&Circle::new((x(ratio.mean), y), 5, style)))?;
            let left = words(13).pos(Pos::new(HPos::Left, VPos::Center));
            drawn(area.draw(&Text::new(shown(*ratio), (WIDTH - FIGURES + 12, y), left)))?;
        }
        Ok(())
    })
}

fn shown(ratio: Ratio) -> String {
    let sure = ratio.uncertainty().map_or(String::new(), give_or_take);
    format!("{:.2}{sure}", ratio.mean)
}

/// Round ratios in the range: 1, and its multiples by 2, 5 and 10.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps = [0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0];
    steps.into_iter().filter(|tick| (low..=high).contains(tick)).collect()
}
