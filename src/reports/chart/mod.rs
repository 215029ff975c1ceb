//! SVG charts for all reports: a report gives words and numbers, and the renderer chooses positions, colours
//! and units.
//!
//! A chart is always one A4 page in landscape: what does not fit is omitted, with a note on the page
//! (`heading`). Text stays text, so that the viewer shapes it and a reader can search and copy it; no font is
//! needed to create it, so widths are estimated (`words`). The library draws and computes the steps of axes;
//! it does not support writing directions, so a chart is laid out from left to right and a Persian one is
//! mirrored, with its words in isolates (`canvas`). Curves are not mirrored: ministries and project planners
//! draw time from left to right in Persian too, and an S-curve rising to the left would be misread.

mod axis;
mod bars;
mod canvas;
mod categories;
mod curves;
mod heading;
mod heat_map;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod words;

use std::io;

use plotters::drawing::DrawingAreaErrorKind;

use crate::problem::{Language, Text};

/// The greatest value that is drawn, far beyond any sum of rials.
pub const GREATEST: f64 = 1e21;

/// Drawing error. The page is kept in memory, where none can occur.
pub type Error = DrawingAreaErrorKind<io::Error>;

/// A chart of a report, in words and numbers.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Title.
    pub title: Text,
    /// Scope, and the day that it is of.
    pub note: Text,
    /// Unit of the values, such as rials; the renderer adds thousand, million and so on for large values.
    pub unit: Text,
    /// The numbers.
    pub figure: Figure,
}

/// The numbers of a chart. One that is missing, not finite or beyond [`GREATEST`] is not drawn. Of very many
/// the first are drawn: 70 groups of upright bars, 40 of lying ones, 5 series; 40 rows and 70 columns; 1,200
/// periods, 10 curves and 24 marks.
#[derive(Clone, Debug)]
pub enum Figure {
    /// Curves over periods, such as an S-curve.
    Curves {
        /// The periods as they are named in the API, such as `1392-05` or `1392-Q2`.
        periods: Vec<String>,
        /// The curves, each with a point for each period.
        curves: Vec<Curve>,
        /// Index of the period with the as-of day.
        today: Option<usize>,
        /// Events such as a new baseline, by the index of their period.
        marks: Vec<(usize, Text)>,
    },
    /// Bars side by side.
    Bars {
        /// Labels of the groups of bars.
        labels: Vec<Text>,
        /// The bars of each group, each series with a value for each label.
        series: Vec<Series>,
        /// Whether the groups lie below each other.
        horizontal: bool,
    },
    /// Cells that are darker the greater their value is.
    HeatMap {
        /// Row labels.
        rows: Vec<Text>,
        /// Column labels.
        columns: Vec<Text>,
        /// The values, row by row.
        cells: Vec<Vec<Option<f64>>>,
    },
}

/// A curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Legend entry.
    pub name: Text,
    /// A point for each period. A missing one ends or interrupts it.
    pub points: Vec<Option<f64>>,
    /// Line style.
    pub line: Line,
}

/// Kind of a curve, which determines its line style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Planned: dashed.
    Planned,
    /// A plan no longer in force: thin grey dashes.
    Superseded,
    /// Earned: solid and thick.
    Earned,
    /// Paid: solid and thin.
    Cost,
    /// Forecast: dotted.
    Forecast,
}

/// Bars of one kind.
#[derive(Clone, Debug)]
pub struct Series {
    /// Legend entry.
    pub name: Text,
    /// A value for each label.
    pub values: Vec<Option<f64>>,
}

/// A value, if it can be drawn.
fn drawable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.abs() <= GREATEST)
}

impl Chart {
    /// The SVG document in a language: Persian from right to left with Persian digits, English from left to
    /// right. The output is deterministic.
    pub fn svg(&self, language: Language) -> Result<String, Error> {
        let title = words::clean(language, &self.title);
        let description = [&self.note, &self.unit].map(|text| words::clean(language, text)).join("\n");
        canvas::document(language, &title, &description, |canvas| match &self.figure {
            Figure::Curves { periods, curves, today, marks } => {
                curves::draw(canvas, self, &curves::Curves { periods, curves, today: *today, marks })
            }
            Figure::Bars { labels, series, horizontal } => {
                bars::draw(canvas, self, labels, series, *horizontal)
            }
            Figure::HeatMap { rows, columns, cells } => heat_map::draw(canvas, self, rows, columns, cells),
        })
    }
}
