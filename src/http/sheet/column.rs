//! The columns as they are printed.

use std::borrow::Cow;

use rust_xlsxwriter::{Worksheet, XlsxError};
use serde_json::Value;

use super::{
    About, Heading, Kind,
    cell::{Cell, lines},
    say,
    style::Style,
};
use crate::{persian::Calendar, problem::Language};

/// The most digits that a column of texts is wide; longer ones take several lines.
const WIDEST_TEXT: usize = 40;
/// Width of the filter button in digits.
const ROOM_FOR_FILTER: usize = 4;

/// A printed column; a day has two in the Persian calendar.
pub(super) struct Column {
    /// The member of a row that it shows.
    pub name: Cow<'static, str>,
    pub title: String,
    kind: Kind,
    is_persian: bool,
    style: Style,
    /// The width of the widest value so far.
    widest: usize,
}

impl Column {
    /// The columns of all headings.
    pub fn all(about: &About) -> Vec<Self> {
        about.columns.iter().flat_map(|heading| Self::of(heading, about)).collect()
    }

    fn of(heading: &Heading, about: &About) -> Vec<Self> {
        let column = |is_persian: bool, calendar: &str| Self {
            name: heading.name.clone(),
            title: format!("{}{calendar}", heading.title.in_language(about.language)),
            kind: heading.kind,
            is_persian,
            style: Style::of(heading.kind, about.language),
            widest: 0,
        };
        if heading.kind == Kind::Day && about.calendar == Calendar::Persian {
            let [persian, gregorian] = [(" (شمسی)", " (Persian)"), (" (میلادی)", " (Gregorian)")]
                .map(|(fa, en)| say(about.language, fa, en));
            vec![column(true, persian), column(false, gregorian)]
        } else {
            vec![column(heading.kind == Kind::Word && about.language == Language::Persian, "")]
        }
    }

    /// The cell of a value.
    pub fn cell<'a>(&self, value: &'a Value) -> Cell<'a> {
        match (self.kind, self.is_persian) {
            (Kind::Word, true) => Cell::persian_word(value),
            (_, true) => Cell::persian_day(value),
            (kind, false) => Cell::new(kind, value),
        }
    }

    /// Number of lines of a value.
    pub fn lines(&self, cell: &Cell<'_>) -> usize {
        if self.kind == Kind::Text { cell.lines(WIDEST_TEXT) } else { 1 }
    }

    /// Writes a value.
    pub fn write(
        &mut self,
        cell: &Cell<'_>,
        sheet: &mut Worksheet,
        row: u32,
        place: u16,
    ) -> Result<(), XlsxError> {
        self.widest = self.widest.max(cell.width());
        cell.write(sheet, row, place, &self.style)
    }

    /// Writes a total.
    pub fn write_total(
        &mut self,
        cell: &Cell<'_>,
        sheet: &mut Worksheet,
        row: u32,
        place: u16,
    ) -> Result<(), XlsxError> {
        self.widest = self.widest.max(cell.width());
        cell.write(sheet, row, place, &self.style.of_total())
    }

    /// Column width in digits: that of its values, within limits, and of its heading.
    pub fn width(&self) -> f64 {
        let values = match self.kind {
            Kind::Text => self.widest.min(WIDEST_TEXT),
            Kind::Id => self.widest * 2 / 3,
            _ => self.widest.min(28),
        };
        (values + 1).max(self.heading_width() + ROOM_FOR_FILTER) as f64
    }

    /// Maximum number of lines of its heading.
    pub fn heading_lines(&self) -> usize {
        lines(&self.title, self.heading_width())
    }

    /// The width at which the heading takes at most three lines, without breaking words.
    fn heading_width(&self) -> usize {
        let longest_word =
            self.title.split_whitespace().map(|word| word.chars().count()).max().unwrap_or_default();
        (longest_word.max(1)..).find(|width| lines(&self.title, *width) <= 3).unwrap_or(longest_word)
    }
}
