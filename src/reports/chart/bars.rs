//! Bars side by side, upright or lying.

use plotters::style::RGBColor;

use super::{
    Chart, Error, Series,
    axis::Axis,
    canvas::{Anchor, Canvas, FAINT, GREY, Lettering, MEDIUM, Pen, SMALL},
    categories::Names,
    drawable,
    heading::{self, Frame, Sample},
    words,
};
use crate::problem::Text;

/// Colours that are apart in brightness, and so in grey and for every eye.
pub const COLOURS: [RGBColor; 5] = [
    RGBColor(0x12, 0x35, 0x5b),
    RGBColor(0xe0, 0x8a, 0x2c),
    RGBColor(0x3a, 0x8a, 0xb4),
    RGBColor(0xbf, 0xd7, 0xea),
    RGBColor(0x93, 0x30, 0x5a),
];
/// As many upright groups as have room for their names, and as many lying ones.
const MOST_UPRIGHT: usize = 70;
const MOST_LYING: usize = 40;
const THICKEST: f64 = 54.0;
/// The size of the number at a bar.
const NUMBER: f64 = 11.0;
const LONGEST_NAME: f64 = 250.0;

/// The part of a chart that is drawn.
struct Bars<'a> {
    labels: &'a [Text],
    series: &'a [Series],
    axis: Axis,
}

impl Bars<'_> {
    /// The bars of a group: how many thicknesses each begins after the middle, its colour and its value.
    fn group(&self, label: usize) -> impl Iterator<Item = (f64, RGBColor, Option<f64>)> {
        let half = self.series.len() as f64 / 2.0;
        let value = move |series: &Series| series.values.get(label).copied().and_then(drawable);
        self.series
            .iter()
            .zip(COLOURS)
            .enumerate()
            .map(move |(place, (series, colour))| (place as f64 - half, colour, value(series)))
    }

    fn has_negative(&self) -> bool {
        self.axis.steps((0.0, 1.0)).first().is_some_and(|(_, _, is_zero)| !is_zero)
    }

    /// The width of the widest number at a bar.
    fn number_width(&self) -> f64 {
        let values =
            (0..self.labels.len()).flat_map(|label| self.group(label)).filter_map(|(.., value)| value);
        values.map(|value| words::width(&self.axis.number(value), NUMBER)).fold(0.0, f64::max)
    }
}

/// Draws a chart of bars.
pub fn draw(
    canvas: &Canvas,
    chart: &Chart,
    labels: &[Text],
    series: &[Series],
    horizontal: bool,
) -> Result<(), Error> {
    let shown = labels.len().min(if horizontal { MOST_LYING } else { MOST_UPRIGHT });
    let shown_series = series.len().min(COLOURS.len());
    let drawn = &series[..shown_series];
    let values =
        drawn.iter().flat_map(|series| series.values.iter().take(shown)).filter_map(|value| drawable(*value));
    let bars = Bars {
        labels: &labels[..shown],
        series: drawn,
        axis: Axis::new(chart, canvas.language, values.clone()),
    };
    let legend: Vec<_> =
        COLOURS.iter().zip(drawn).map(|(colour, series)| (Sample::Surface(*colour), &series.name)).collect();
    let frame = heading::draw(canvas, chart, &bars.axis.unit, &legend)?;
    if values.count() == 0 {
        return heading::nothing(canvas, frame);
    }
    heading::left_out(
        canvas,
        &[
            (Text::new("ردیف", "rows"), shown, labels.len()),
            (Text::new("سری", "series"), shown_series, series.len()),
        ],
    )?;
    if horizontal { draw_lying(canvas, &bars, frame) } else { draw_upright(canvas, &bars, frame) }
}

fn draw_upright(canvas: &Canvas, bars: &Bars, frame: Frame) -> Result<(), Error> {
    let steps = bars.axis.steps((0.0, 0.0));
    let left =
        frame.left + steps.iter().map(|(_, text, _)| words::width(text, SMALL)).fold(0.0, f64::max) + 10.0;
    let place = (frame.right - left) / bars.labels.len() as f64;
    let names = Names::new(canvas, bars.labels, place);
    let thick = (place * 0.8 / bars.series.len() as f64).min(THICKEST);
    let has_numbers = bars.number_width() <= thick + 6.0;
    let (top, bottom) = (frame.top + 6.0, frame.bottom - names.height);
    let ends = (if has_numbers && bars.has_negative() { bottom - 16.0 } else { bottom }, top);
    for (y, text, is_zero) in bars.axis.steps(ends) {
        canvas.line(&[(left, y), (frame.right, y)], Pen::solid(if is_zero { GREY } else { FAINT }, 1.0))?;
        canvas.text(&text, (left - 8.0, y), Lettering::new(SMALL, Anchor::End).in_colour(GREY))?;
    }
    let zero = bars.axis.place(0.0, ends);
    for label in 0..bars.labels.len() {
        let middle = left + place * (label as f64 + 0.5);
        for (begin, colour, value) in bars.group(label) {
            let x = middle + thick * begin;
            let y = bars.axis.place(value.unwrap_or_default(), ends);
            if value.is_some() {
                canvas.rectangle((x + thick * 0.04, zero), (x + thick * 0.96, y), colour)?;
            }
            if has_numbers {
                let above = if value.is_some_and(|value| value < 0.0) { 9.0 } else { -9.0 };
                canvas.text(
                    &number(bars, value),
                    (x + thick / 2.0, y + above),
                    Lettering::new(NUMBER, Anchor::Middle),
                )?;
            }
        }
    }
    names.draw(canvas, bottom, |label| left + place * (label as f64 + 0.5))
}

fn draw_lying(canvas: &Canvas, bars: &Bars, frame: Frame) -> Result<(), Error> {
    let (top, bottom) = (frame.top - 6.0, frame.bottom - 22.0);
    let place = (bottom - top) / bars.labels.len() as f64;
    let size = (place * 0.75).min(MEDIUM);
    let names: Vec<String> = bars.labels.iter().map(|name| words::clean(canvas.language, name)).collect();
    let lines = ((place / (size * 1.3)) as usize).clamp(1, 3);
    let names: Vec<_> = names.iter().map(|name| words::lines(name, size, LONGEST_NAME, lines)).collect();
    let widest = names.iter().flatten().map(|line| words::width(line, size)).fold(0.0, f64::max);
    let thick = (place * 0.76 / bars.series.len() as f64).min(THICKEST);
    let has_numbers = thick >= NUMBER - 1.0;
    let beside = if has_numbers { bars.number_width() + 10.0 } else { 12.0 };
    let left = frame.left + widest + 10.0 + if bars.has_negative() { beside } else { 0.0 };
    let ends = (left, frame.right - beside);
    for (x, text, is_zero) in bars.axis.steps(ends) {
        canvas.line(&[(x, top), (x, bottom)], Pen::solid(if is_zero { GREY } else { FAINT }, 1.0))?;
        canvas.text(&text, (x, bottom + 13.0), Lettering::new(SMALL, Anchor::Middle).in_colour(GREY))?;
    }
    let zero = bars.axis.place(0.0, ends);
    for (label, lines) in names.iter().enumerate() {
        let middle = top + place * (label as f64 + 0.5);
        for (line, text) in lines.iter().enumerate() {
            let y = middle + size * 1.3 * (line as f64 - (lines.len() as f64 - 1.0) / 2.0);
            canvas.text(text, (frame.left + widest, y), Lettering::new(size, Anchor::End))?;
        }
        for (begin, colour, value) in bars.group(label) {
            let y = middle + thick * begin;
            let x = bars.axis.place(value.unwrap_or_default(), ends);
            if value.is_some() {
                canvas.rectangle((zero, y + thick * 0.05), (x, y + thick * 0.95), colour)?;
            }
            if has_numbers {
                let (side, anchor) = if value.is_some_and(|value| value < 0.0) {
                    (-5.0, Anchor::End)
                } else {
                    (5.0, Anchor::Start)
                };
                canvas.text(
                    &number(bars, value),
                    (x + side, y + thick / 2.0),
                    Lettering::new(NUMBER, anchor),
                )?;
            }
        }
    }
    Ok(())
}

/// Label of a bar; a dash if there is no value, to distinguish it from zero.
fn number(bars: &Bars, value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| bars.axis.number(value))
}
