//! Curves over periods.

use std::cmp::Reverse;

use plotters::style::RGBColor;

use super::{
    Chart, Curve, Error, Line,
    axis::Axis,
    canvas::{Anchor, Canvas, FAINT, GREY, INK, Lettering, MARGIN, PAPER, Pen, SMALL, WIDTH},
    drawable,
    heading::{self, Frame, Sample},
    words,
};
use crate::problem::{Language, Text};

/// The curves of a chart.
pub struct Curves<'a> {
    /// The names of the periods.
    pub periods: &'a [String],
    /// The curves.
    pub curves: &'a [Curve],
    /// The period of the as-of day.
    pub today: Option<usize>,
    /// Events, by the index of their period.
    pub marks: &'a [(usize, Text)],
}

/// A hundred years of months, and as many curves as can be distinguished.
const MOST_PERIODS: usize = 1_200;
const MOST_CURVES: usize = 10;
/// Maximum number of marks with labels above the curves, and of label rows.
const MOST_MARKS: usize = 24;
const MOST_ROWS: usize = 4;
const ROW: f64 = 17.0;
const LONGEST_WORDS: f64 = 240.0;
const LETTERS: Lettering = Lettering::new(SMALL, Anchor::Start);
const SHADE: RGBColor = RGBColor(0xee, 0xee, 0xe8);

impl Line {
    fn pen(self) -> Pen {
        match self {
            Self::Planned => Pen::dashed(RGBColor(0x3a, 0x7c, 0xb8), 2.2, 10.0, 5.0),
            Self::Superseded => Pen::dashed(RGBColor(0x8a, 0x8a, 0x8a), 1.2, 5.0, 4.0),
            Self::Earned => Pen::solid(RGBColor(0x12, 0x35, 0x5b), 3.6),
            Self::Cost => Pen::solid(RGBColor(0xd0, 0x6a, 0x1c), 1.7),
            Self::Forecast => Pen::dashed(RGBColor(0x55, 0x55, 0x55), 2.2, 2.5, 5.0),
        }
    }
}

/// Draws a chart of curves.
pub fn draw(canvas: &Canvas, chart: &Chart, all: &Curves) -> Result<(), Error> {
    let (shown, shown_curves) = (all.periods.len().min(MOST_PERIODS), all.curves.len().min(MOST_CURVES));
    let (periods, curves) = (&all.periods[..shown], &all.curves[..shown_curves]);
    let values =
        curves.iter().flat_map(|curve| curve.points.iter().take(shown)).filter_map(|point| drawable(*point));
    let axis = Axis::new(chart, canvas.language, values.clone());
    let legend: Vec<_> = curves.iter().map(|curve| (Sample::Line(curve.line.pen()), &curve.name)).collect();
    let frame = heading::draw(canvas, chart, &axis.unit, &legend)?;
    if values.count() == 0 {
        return heading::nothing(canvas, frame);
    }
    let marks = all.marks.len().min(MOST_MARKS);
    heading::left_out(
        canvas,
        &[
            (Text::new("دوره", "periods"), shown, all.periods.len()),
            (Text::new("منحنی", "curves"), shown_curves, all.curves.len()),
            (Text::new("رویداد", "marks"), marks, all.marks.len()),
        ],
    )?;
    let canvas = &canvas.upright();
    let widest =
        axis.steps((0.0, 0.0)).iter().map(|(_, text, _)| words::width(text, SMALL)).fold(0.0, f64::max);
    let left = frame.left + widest + 10.0;
    let place = (frame.right - left) / shown as f64;
    let middle = |period: usize| left + place * (period as f64 + 0.5);
    let flags = flags(canvas.language, all, shown, middle);
    let rows = flags.iter().filter_map(|flag| flag.row).max().map_or(0, |row| row + 1);
    let plot = Frame { left, top: frame.top + ROW * rows as f64, bottom: frame.bottom - 24.0, ..frame };
    let ends = (plot.bottom, plot.top);
    if let Some(today) = all.today.filter(|today| *today < shown) {
        let half = (place / 2.0).clamp(2.0, 20.0);
        canvas.rectangle((middle(today) - half, plot.top), (middle(today) + half, plot.bottom), SHADE)?;
    }
    for (y, text, is_zero) in axis.steps(ends) {
        canvas
            .line(&[(plot.left, y), (plot.right, y)], Pen::solid(if is_zero { GREY } else { FAINT }, 1.0))?;
        canvas.text(&text, (plot.left - 8.0, y), Lettering::new(SMALL, Anchor::End).in_colour(GREY))?;
    }
    name_periods(canvas, periods, plot, place)?;
    draw_flags(canvas, &flags, plot, middle)?;
    for curve in curves {
        draw_curve(canvas, curve, shown, |period, value| (middle(period), axis.place(value, ends)))?;
    }
    Ok(())
}

fn draw_curve(
    canvas: &Canvas,
    curve: &Curve,
    shown: usize,
    at: impl Fn(usize, f64) -> (f64, f64),
) -> Result<(), Error> {
    let pen = curve.line.pen();
    let points: Vec<Option<(f64, f64)>> = curve
        .points
        .iter()
        .take(shown)
        .enumerate()
        .map(|(period, point)| drawable(*point).map(|value| at(period, value)))
        .collect();
    for run in points.split(Option::is_none) {
        let run: Vec<(f64, f64)> = run.iter().flatten().copied().collect();
        match run[..] {
            [] => {}
            // A single point has no line to be seen by.
            [point] => canvas.dot(point, 4.0, pen.colour)?,
            _ => canvas.line(&run, pen)?,
        }
    }
    Ok(())
}

/// Names as many periods as have room, a year's first one rather than another.
fn name_periods(canvas: &Canvas, periods: &[String], plot: Frame, place: f64) -> Result<(), Error> {
    let names: Vec<String> = periods.iter().map(|period| words::period(canvas.language, period)).collect();
    let widest = names.iter().map(|name| words::width(name, SMALL)).fold(1.0, f64::max) + 14.0;
    let apart = [1, 2, 3, 4, 6, 12, 24, 36, 60, 120, 240]
        .into_iter()
        .find(|&apart| apart as f64 * place >= widest)
        .unwrap_or(480);
    let starts_year = |period: &String| ["-01", "-Q1", "-H1"].iter().any(|first| period.ends_with(first));
    let first = periods.iter().position(starts_year).unwrap_or(0) % apart;
    for (period, name) in names.iter().enumerate() {
        let x = plot.left + place * (period as f64 + 0.5);
        let is_named = period % apart == first;
        if is_named || place >= 6.0 {
            canvas.line(
                &[(x, plot.bottom), (x, plot.bottom + if is_named { 6.0 } else { 3.0 })],
                Pen::solid(GREY, 1.0),
            )?;
        }
        if is_named {
            canvas.text(
                name,
                (x, plot.bottom + 17.0),
                Lettering::new(SMALL, Anchor::Middle).in_colour(GREY),
            )?;
        }
    }
    Ok(())
}

/// Label of a single period, above the curves and to the right of the period's line.
struct Flag {
    period: usize,
    words: String,
    is_today: bool,
    /// Row of the label, counted upwards; none if all rows are taken, so that the line has no label.
    row: Option<usize>,
    /// Start and end of the label.
    span: (f64, f64),
}

/// Places the labels, each in a row without overlapping labels or lines of other periods.
fn flags(language: Language, all: &Curves, shown: usize, middle: impl Fn(usize) -> f64) -> Vec<Flag> {
    let today = match language {
        Language::Persian => "تاریخ گزارش",
        Language::English => "As of",
    };
    let marks = all
        .marks
        .iter()
        .take(MOST_MARKS)
        .map(|(period, words)| (*period, words::clean(language, words), false));
    let today = all.today.map(|period| (period, today.to_owned(), true));
    let mut said: Vec<_> = today.into_iter().chain(marks).filter(|(period, ..)| *period < shown).collect();
    said.sort_by_key(|(period, ..)| Reverse(*period));
    let mut flags: Vec<Flag> = Vec::new();
    for (period, words, is_today) in said {
        let words = words::cut(&words, LETTERS.size, LONGEST_WORDS);
        let width = words::width(&words, LETTERS.size) + 12.0;
        let start = middle(period).min(WIDTH - MARGIN - width);
        let span = (start, start + width);
        let in_the_way = flags.iter().filter(|flag| flag.span.0 < span.1 && span.0 < flag.span.1);
        let row = in_the_way.map(|flag| flag.row.map_or(MOST_ROWS, |row| row + 1)).max().unwrap_or(0);
        flags.push(Flag { period, words, is_today, row: Some(row).filter(|row| *row < MOST_ROWS), span });
    }
    flags
}

fn draw_flags(
    canvas: &Canvas,
    flags: &[Flag],
    plot: Frame,
    middle: impl Fn(usize) -> f64,
) -> Result<(), Error> {
    let top = |row: usize| plot.top - 4.0 - ROW * row as f64;
    for flag in flags {
        let x = middle(flag.period);
        canvas.line(&[(x, top(flag.row.unwrap_or(0)) - ROW + 2.0), (x, plot.top)], Pen::solid(GREY, 1.0))?;
        if !flag.is_today {
            canvas.line(&[(x, plot.top), (x, plot.bottom)], Pen::dashed(INK, 1.0, 2.0, 3.0))?;
        }
    }
    for flag in flags {
        let Some(row) = flag.row else { continue };
        let (start, end) = flag.span;
        // Near the edge of the page words lie upon their own line and perhaps upon another.
        canvas.rectangle((start + 2.0, top(row) - ROW + 3.0), (end, top(row)), PAPER)?;
        canvas.text(
            &flag.words,
            (start + 5.0, top(row) - ROW / 2.0 + 1.0),
            Lettering { bold: flag.is_today, ..LETTERS },
        )?;
    }
    Ok(())
}
