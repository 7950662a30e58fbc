//! Curves: figures against the number of processors, and latencies against the share of operations that were no slower.

use crate::bench::page::canvas::{self, FAINT, INK, colour, drawn, words};
use crate::bench::page::parts::{escaped, figure, part, tiled};
use crate::bench::report::{Contest, Report, Row};
use crate::bench::units::{duration, quantity};
use anyhow::Result;
use plotters::prelude::*;
use std::collections::BTreeSet;

const SIZE: (u32, u32) = (360, 260);

/// One curve: the contestant's number, its name, its points.
struct Curve {
    at: usize,
    name: String,
    points: Vec<(f64, f64)>,
}

/// A picture for each workload that was measured on more than one number of processors.
pub(crate) fn scaling(report: &Report) -> Result<String> {
    let about = "The figure against the number of processors; lower is better, both axes are logarithmic.";
    against_procs(report, "Scaling", about, &|row| row.figure(), &quantity)
}

/// Some value against the number of processors: a picture for each workload that has it for more than one number.
pub(crate) fn against_procs(
    report: &Report,
    title: &str,
    about: &str,
    value: &dyn Fn(&Row) -> Option<f64>,
    words: &dyn Fn(f64, &str) -> String,
) -> Result<String> {
    let key = |contest: &Contest| {
        let cell = &contest.rows[0].cell;
        (cell.workload.clone(), cell.n, cell.unit.clone())
    };
    let mut keys: Vec<(String, u64, String)> = report.contests.iter().map(key).collect();
    keys.dedup();
    let mut text = String::new();
    for (workload, n, unit) in keys {
        let rows = || report.rows().filter(|row| row.cell.workload == workload && row.cell.n == n);
        let procs: BTreeSet<u64> = rows().map(|row| row.cell.procs).collect();
        if procs.len() < 2 {
            continue;
        }
        let point = |row: &Row| Some((row.cell.procs as f64, value(row)?));
        let curves = curves(report, |name| {
            rows().filter(|row| row.cell.contestant() == name).filter_map(point).collect()
        });
        if curves.is_empty() {
            continue;
        }
        let ticks: Vec<f64> = procs.iter().map(|procs| *procs as f64).collect();
        let svg = picture(&curves, &ticks, "processors", &|x| format!("{x:.0}"), &|y| words(y, &unit))?;
        let label = format!("{title}: {workload} against the number of processors: {}", said(&curves));
        text += &figure(&label, &workload, &svg);
    }
    Ok(part(title, about, &keyed(report, &tiled(&text))))
}

/// What the name of a latency begins with; the percentage follows.
const LATENCY: &str = "latency_";

/// A picture for each contest whose cells print latencies.
pub(super) fn latencies(report: &Report) -> Result<String> {
    let mut text = String::new();
    for contest in &report.contests {
        let of = |name: &str| -> Vec<(f64, f64)> {
            let row = contest.rows.iter().find(|row| row.cell.contestant() == name);
            row.map(distribution).unwrap_or_default()
        };
        let curves = curves(report, of);
        if curves.is_empty() {
            continue;
        }
        let cell = &contest.rows[0].cell;
        let title = format!("{} on {}", cell.workload, cell.procs);
        let ticks: Vec<f64> = [50.0, 90.0, 99.0, 99.9].map(later).to_vec();
        let svg = picture(&curves, &ticks, "per cent", &|x| format!("{}", share(x)), &duration)?;
        text += &figure(&format!("Latencies of {title}: {}", said(&curves)), &title, &svg);
    }
    let about = "So many per cent of the operations took no longer than this; both axes are logarithmic, and each step to \
                 the right leaves a tenth as many that took longer.";
    Ok(part("Latencies", about, &keyed(report, &tiled(&text))))
}

fn distribution(row: &Row) -> Vec<(f64, f64)> {
    let names: BTreeSet<&String> = row
        .samples
        .iter()
        .filter_map(|sample| match &sample.outcome {
            crate::bench::sample::Outcome::Measured(line) => Some(line.extra.keys()),
            crate::bench::sample::Outcome::Failed(_) => None,
        })
        .flatten()
        .filter(|name| name.starts_with(LATENCY))
        .collect();
    let point = |name: &&String| {
        let percent: f64 = name.strip_prefix(LATENCY)?.parse().ok()?;
        Some((later(percent), row.get(name)?))
    };
    let mut points: Vec<(f64, f64)> = names.iter().filter_map(point).filter(|(_, ns)| *ns > 0.0).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// One divided by the share that takes longer than this many per cent. The longest latency of all stands at 99.99.
fn later(percent: f64) -> f64 {
    1.0 / (1.0 - percent.min(99.99) / 100.0)
}

fn share(later: f64) -> f64 {
    ((1.0 - 1.0 / later) * 1e5).round() / 1e3
}

fn curves(report: &Report, points: impl Fn(&str) -> Vec<(f64, f64)>) -> Vec<Curve> {
    let curve = |(at, name): (usize, &String)| Curve { at, name: name.clone(), points: points(name) };
    report.contestants.iter().enumerate().map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

/// Pictures below a list that says which contestant has which colour: inside them it would lie over the curves.
fn keyed(report: &Report, pictures: &str) -> String {
    if pictures.is_empty() {
        return String::new();
    }
    let key = |(at, name): (usize, &String)| {
        let RGBColor(red, green, blue) = colour(at);
        let name = escaped(name);
        format!("<li><span style=\"background:rgb({red} {green} {blue})\"></span>{name}</li>")
    };
    let keys: String = report.contestants.iter().enumerate().map(key).collect();
    format!("<ul class=\"key\" aria-label=\"Colours\">{keys}</ul>\n{pictures}")
}

fn said(curves: &[Curve]) -> String {
    curves.iter().map(|curve| curve.name.clone()).collect::<Vec<_>>().join(", ")
}

fn picture(
    curves: &[Curve],
    ticks: &[f64],
    below: &str,
    x_words: &dyn Fn(f64) -> String,
    y_words: &dyn Fn(f64) -> String,
) -> Result<String> {
    let all = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        (low * 0.8, high * 1.25)
    };
    let (left, right) = range(&mut all().map(|point| point.0));
    let (bottom, top) = range(&mut all().map(|point| point.1));
    canvas::svg(SIZE, |area| {
        let mut builder = ChartBuilder::on(area);
        builder.margin(6).margin_right(14).x_label_area_size(34).y_label_area_size(66);
        let x = (left..right).log_scale().with_key_points(ticks.to_vec());
        let y = (bottom..top).log_scale().with_key_points(round_values(bottom, top));
        let mut chart = drawn(builder.build_cartesian_2d(x, y))?;
        let mut mesh = chart.configure_mesh();
        mesh.axis_style(INK)
            .bold_line_style(FAINT.mix(0.3))
            .light_line_style(TRANSPARENT)
            .label_style(words(12));
        let (x_label, y_label) = (|x: &f64| x_words(*x), |y: &f64| y_words(*y));
        mesh.x_desc(below).x_label_formatter(&x_label).y_label_formatter(&y_label);
        drawn(mesh.draw())?;
        for curve in curves {
            let colour = colour(curve.at);
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)).point_size(3);
            drawn(chart.draw_series(line))?;
        }
        Ok(())
    })
}

/// Values with one digit between two others: some four of them.
fn round_values(low: f64, high: f64) -> Vec<f64> {
    let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let digits: &[f64] = match high / low {
        ..4.0 => &[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        4.0..100.0 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let values = decades.flat_map(|decade| digits.iter().map(move |digit| digit * 10_f64.powi(decade)));
    values.filter(|value| (low..=high).contains(value)).collect()
}
