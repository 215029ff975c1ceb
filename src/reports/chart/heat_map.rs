//! Cells that are darker the greater their value is.

use plotters::style::RGBColor;

use super::{
    Chart, Error,
    axis::Axis,
    canvas::{Anchor, Canvas, GREY, INK, Lettering, MEDIUM, PAPER, Pen, SMALL},
    categories::Names,
    drawable,
    heading::{self, Frame},
    words,
};
use crate::problem::{Language, Text};

const MOST_ROWS: usize = 40;
const MOST_COLUMNS: usize = 70;
const LONGEST_NAME: f64 = 250.0;
const NUMBER: f64 = 11.0;
/// Colours of the least and of the greatest value: one hue, so that only brightness differs.
const LIGHT: RGBColor = RGBColor(0xea, 0xf1, 0xf7);
const GAP: RGBColor = RGBColor(0xb0, 0xb0, 0xb0);
const DARK: RGBColor = RGBColor(0x0b, 0x2b, 0x52);

/// The least and the greatest value.
#[derive(Clone, Copy)]
struct Span {
    least: f64,
    greatest: f64,
}

impl Span {
    /// Position of a value between the least (0) and the greatest (1).
    fn share(self, value: f64) -> f64 {
        // Halved, so that the difference of two numbers is a number too.
        let length = self.greatest / 2.0 - self.least / 2.0;
        if length > 0.0 { (value / 2.0 - self.least / 2.0) / length } else { 0.5 }
    }
}

fn colour(share: f64) -> RGBColor {
    let between =
        |light: u8, dark: u8| (f64::from(light) + (f64::from(dark) - f64::from(light)) * share).round() as u8;
    RGBColor(between(LIGHT.0, DARK.0), between(LIGHT.1, DARK.1), between(LIGHT.2, DARK.2))
}

/// Draws a heat map.
pub fn draw(
    canvas: &Canvas,
    chart: &Chart,
    rows: &[Text],
    columns: &[Text],
    cells: &[Vec<Option<f64>>],
) -> Result<(), Error> {
    let (shown_rows, shown_columns) = (rows.len().min(MOST_ROWS), columns.len().min(MOST_COLUMNS));
    let cell = |row: usize, column: usize| cells.get(row)?.get(column).copied().and_then(drawable);
    let values: Vec<f64> = (0..shown_rows)
        .flat_map(|row| (0..shown_columns).filter_map(move |column| cell(row, column)))
        .collect();
    let axis = Axis::new(chart, canvas.language, values.iter().copied());
    let frame = heading::draw(canvas, chart, &axis.unit, &[])?;
    if values.is_empty() {
        return heading::nothing(canvas, frame);
    }
    heading::left_out(
        canvas,
        &[
            (Text::new("ردیف", "rows"), shown_rows, rows.len()),
            (Text::new("ستون", "columns"), shown_columns, columns.len()),
        ],
    )?;
    let span = Span {
        least: values.iter().copied().fold(f64::INFINITY, f64::min),
        greatest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    draw_scale(canvas, &axis, span, values.len() < shown_rows * shown_columns, frame)?;
    let frame = Frame { top: frame.top + 24.0, ..frame };
    draw_cells(canvas, frame, &rows[..shown_rows], &columns[..shown_columns], |row, column| {
        cell(row, column).map(|value| (span.share(value), axis.number(value)))
    })
}

fn draw_cells(
    canvas: &Canvas,
    frame: Frame,
    rows: &[Text],
    columns: &[Text],
    cell: impl Fn(usize, usize) -> Option<(f64, String)>,
) -> Result<(), Error> {
    let names: Vec<String> = rows.iter().map(|name| words::clean(canvas.language, name)).collect();
    let widest = names.iter().map(|name| words::width(name, MEDIUM)).fold(0.0, f64::max).min(LONGEST_NAME);
    let left = frame.left + widest + 10.0;
    let wide = ((frame.right - left) / columns.len() as f64).min(150.0);
    let under = Names::new(canvas, columns, wide);
    let high = ((frame.bottom - under.height - frame.top) / rows.len() as f64).min(80.0);
    let size = (high * 0.75).min(MEDIUM);
    for (row, name) in names.iter().enumerate() {
        let y = frame.top + high * row as f64;
        canvas.text(
            &words::cut(name, size, LONGEST_NAME),
            (left - 8.0, y + high / 2.0),
            Lettering::new(size, Anchor::End),
        )?;
        for column in 0..columns.len() {
            let x = left + wide * column as f64;
            let (corner, other, middle) =
                ((x + 0.5, y + 0.5), (x + wide - 0.5, y + high - 0.5), (x + wide / 2.0, y + high / 2.0));
            let Some((share, number)) = cell(row, column) else {
                draw_gap(canvas, corner, other)?;
                continue;
            };
            canvas.rectangle(corner, other, colour(share))?;
            if high >= 14.0 && words::width(&number, NUMBER) <= wide - 3.0 {
                let ink = if share > 0.45 { PAPER } else { INK };
                canvas.text(&number, middle, Lettering::new(NUMBER, Anchor::Middle).in_colour(ink))?;
            }
        }
    }
    under.draw(canvas, frame.top + high * rows.len() as f64, |column| left + wide * (column as f64 + 0.5))
}

/// Crosses out a missing value, to distinguish it from a small one.
fn draw_gap(canvas: &Canvas, (left, top): (f64, f64), (right, bottom): (f64, f64)) -> Result<(), Error> {
    canvas.line(&[(left, bottom), (right, top)], Pen::solid(GAP, 1.0))
}

/// Shows which colour is which value.
fn draw_scale(canvas: &Canvas, axis: &Axis, span: Span, has_gaps: bool, frame: Frame) -> Result<(), Error> {
    let (y, parts, wide) = (frame.top - 4.0, 24, 9.0);
    let least = axis.number(span.least);
    let start = frame.left + words::width(&least, SMALL) + 6.0;
    canvas.text(&least, (frame.left, y), Lettering::new(SMALL, Anchor::Start).in_colour(GREY))?;
    for part in 0..parts {
        let x = start + wide * f64::from(part);
        canvas.rectangle(
            (x, y - 7.0),
            (x + wide, y + 7.0),
            colour(f64::from(part) / f64::from(parts - 1)),
        )?;
    }
    let end = start + wide * f64::from(parts);
    let greatest = axis.number(span.greatest);
    canvas.text(&greatest, (end + 6.0, y), Lettering::new(SMALL, Anchor::Start).in_colour(GREY))?;
    if !has_gaps {
        return Ok(());
    }
    let gap = end + 6.0 + words::width(&greatest, SMALL) + 30.0;
    draw_gap(canvas, (gap, y - 7.0), (gap + 24.0, y + 7.0))?;
    let missing = match canvas.language {
        Language::Persian => "بدون داده",
        Language::English => "no data",
    };
    canvas.text(missing, (gap + 32.0, y), Lettering::new(SMALL, Anchor::Start).in_colour(GREY))
}
