//! A place to draw: plotters' SVG, in the colour of the text around it.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

/// What is drawn with these is drawn in the reader's text colour.
pub(super) const INK: RGBColor = BLACK;
/// Lines behind everything.
pub(super) const FAINT: RGBColor = RGBColor(0x88, 0x88, 0x88);

/// Contestants' colours, which most people can tell apart on both backgrounds (after M. Okabe and K. Ito, "Color
/// universal design", 2008; the yellow, which is pale on white, is left out), and some more for large contests.
const PALETTE: [RGBColor; 12] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x80, 0x80, 0x80),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0xaa, 0x44, 0x99),
    RGBColor(0xa0, 0x61, 0x3c),
    RGBColor(0x7b, 0x7b, 0xe8),
    RGBColor(0xd6, 0x3a, 0x5a),
];

pub(super) fn colour(at: usize) -> RGBColor {
    PALETTE[at % PALETTE.len()]
}

/// The area that pictures are drawn on.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a picture of this many pixels; it shrinks with the page.
pub(super) fn svg(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area)?;
        area.present().map_err(|error| anyhow!("cannot draw: {error}"))?;
    }
    Ok(text.replace("#000000", "currentColor"))
}

/// plotters' errors borrow from the text that is drawn to.
pub(super) fn drawn<T, E: std::fmt::Display>(result: std::result::Result<T, E>) -> Result<T> {
    result.map_err(|error| anyhow!("cannot draw: {error}"))
}

pub(super) fn words<'a>(size: i32) -> TextStyle<'a> {
    ("sans-serif", size).into_font().color(&INK)
}

/// Where a value lies between two others on a logarithmic scale, as a share from 0 to 1.
pub(super) fn on_log_scale(value: f64, (low, high): (f64, f64)) -> f64 {
    ((value / low).ln() / (high / low).ln()).clamp(0.0, 1.0)
}
