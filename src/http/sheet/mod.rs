//! Lists and reports as a spreadsheet (XLSX): real numbers and dates, in Persian from right to left.
//!
//! Rows are written to disk one by one, so that memory use does not depend on the length. All files are
//! unnamed and vanish with the process in any case.
//!
//! The first row has the column names, so that filters, pivot tables and other programs find them; the title
//! is on the tab, above each printed page, and on the last sheet, which describes the provenance of the rows.

mod cell;
mod column;
mod provenance;
mod style;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    fs::File,
    io::{BufWriter, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
};

use rust_xlsxwriter::{DocProperties, IgnoreError, Workbook, Worksheet, XlsxError};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use self::{
    cell::{Cell, clean, cut},
    column::Column,
    style::Style,
};
use super::{csv, temporary};
use crate::{
    persian::Calendar,
    problem::{Language, Problem, Text},
};

/// The most rows of a sheet (Excel specifications and limits).
const MOST_ROWS: u32 = 1_048_576;
/// LibreOffice needs an explicit height for a row of several lines. The library keeps all heights in memory,
/// so they are set for at most this many rows: as many as somebody may print.
const MOST_TALL_ROWS: u32 = 20_000;
/// The most UTF-16 units of the name of a sheet.
const LONGEST_NAME: usize = 31;

/// Type of the values of a column, by which a front end chooses how to display them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportColumnKind)]
pub enum Kind {
    /// Text, also several texts.
    Text,
    /// A word of a list, such as a state.
    Word,
    /// The id of a record.
    Id,
    /// A whole number of things.
    Count,
    /// A number of days.
    Days,
    /// Basis points: 10,000 are the whole.
    BasisPoints,
    /// A ratio as a decimal in a string, such as an index of earned value.
    Ratio,
    /// Whole rials in a string.
    Rials,
    /// A day.
    Day,
    /// Degrees, and other numbers with a fraction.
    Number,
}

/// Heading of a column.
#[derive(Clone, Debug)]
pub struct Heading {
    /// The name of the member that it shows; `a.b` for a member of a member.
    pub name: Cow<'static, str>,
    /// Displayed title.
    pub title: Text,
    /// Type of the values.
    pub kind: Kind,
}

/// Metadata of a workbook.
#[derive(Clone, Debug)]
pub struct About {
    /// Title of the sheet.
    pub title: Text,
    /// The columns, in their order.
    pub columns: Vec<Heading>,
    /// Provenance of the rows, as label and value: caller, time, day, parameters. The first few are printed
    /// as page headers, so the most important come first.
    pub provenance: Vec<(Text, String)>,
    /// The language of headings and labels; Persian also turns the sheets from right to left.
    pub language: Language,
    /// In the Persian calendar each day has two columns: as text for people, and as a date for the
    /// spreadsheet, because not all spreadsheets can show Persian dates.
    pub calendar: Calendar,
}

/// A workbook being written.
///
/// It blocks, so it belongs on a blocking thread. If a temporary file cannot be written, every function fails
/// with a problem (503), and nothing is left behind.
pub struct Sheet {
    about: About,
    book: Workbook,
    columns: Vec<Column>,
    /// The most rows of a sheet, with the heading and a row for the totals.
    most_rows: u32,
    /// The next row of the last sheet.
    next: u32,
    rows: u64,
    tall_rows: u32,
}

impl Sheet {
    /// Begins a sheet.
    pub fn new(about: About) -> Result<Self, Problem> {
        written(|| Self::with_most_rows(about, MOST_ROWS))
    }

    fn with_most_rows(about: About, most_rows: u32) -> Result<Self, XlsxError> {
        let mut book = Workbook::new();
        let title = clean(about.title.in_language(about.language).into());
        book.set_properties(&DocProperties::new().set_title(title).set_author("Khoosheh"));
        let columns = Column::all(&about);
        let mut sheet = Self { about, book, columns, most_rows, next: 0, rows: 0, tall_rows: 0 };
        sheet.begin()?;
        Ok(sheet)
    }

    /// Adds one row: its JSON, with Gregorian days.
    ///
    /// A spreadsheet keeps 15 significant digits. A number with more, such as an amount over a quadrillion
    /// rials that is not round, is written as text, exactly.
    ///
    /// # Errors
    /// 503 if the file cannot be written, as in all functions here.
    pub fn row(&mut self, row: &Value) -> Result<(), Problem> {
        written(|| self.add(row))
    }

    fn add(&mut self, row: &Value) -> Result<(), XlsxError> {
        if self.next + 1 == self.most_rows {
            self.begin()?;
        }
        let sheet = last(&mut self.book)?;
        let mut lines = 1;
        for (place, column) in (0..).zip(&mut self.columns) {
            let cell = column.cell(csv::member(row, &column.name));
            column.write(&cell, sheet, self.next, place)?;
            lines = lines.max(column.lines(&cell));
        }
        if lines > 1 && self.tall_rows < MOST_TALL_ROWS {
            sheet.set_row_height(self.next, style::height(lines))?;
            self.tall_rows += 1;
        }
        self.next += 1;
        self.rows += 1;
        Ok(())
    }

    /// Writes the totals, by column name, and the provenance sheet with the hash of the rows. The file is
    /// positioned at its beginning.
    ///
    /// Totals are numbers, not formulas: they are the service's own counts, independent of filters, and are
    /// visible in programs that calculate nothing.
    pub fn finish(mut self, totals: &Value, hash: &str) -> Result<File, Problem> {
        let mut writer = BufWriter::new(temporary::file()?);
        written(|| {
            self.end(totals, hash)?;
            self.book.save_to_writer(&mut writer)
        })?;
        let mut file = writer.into_inner().map_err(temporary::refused)?;
        file.rewind().map_err(temporary::refused)?;
        Ok(file)
    }

    fn end(&mut self, totals: &Value, hash: &str) -> Result<(), XlsxError> {
        self.total(totals)?;
        let sheets = self.book.worksheets().len();
        for (number, sheet) in (1..).zip(self.book.worksheets_mut()) {
            let last_row = if number == sheets { self.next - 1 } else { self.most_rows - 2 };
            for (place, column) in (0..).zip(&self.columns) {
                sheet.set_column_width(place, column.width())?;
            }
            if let Some(last) = self.columns.len().checked_sub(1) {
                sheet.autofilter(0, 0, last_row, last as u16)?;
                sheet.ignore_error_range(0, 0, last_row + 1, last as u16, IgnoreError::NumberStoredAsText)?;
            }
        }
        provenance::write(self.book.add_worksheet(), &self.about, self.rows, hash)
    }

    fn total(&mut self, totals: &Value) -> Result<(), XlsxError> {
        if totals.as_object().is_none_or(|totals| totals.is_empty()) {
            return Ok(());
        }
        let sheet = last(&mut self.book)?;
        let label = self.columns.iter().position(|column| column.cell(&totals[&*column.name]) == Cell::Empty);
        let (total, style) =
            (say(self.about.language, "جمع", "Total"), Style::of(Kind::Word, self.about.language).of_total());
        for (place, column) in self.columns.iter_mut().enumerate() {
            if Some(place) == label {
                Cell::text(total.into()).write(sheet, self.next, place as u16, &style)?;
            } else {
                column.write_total(&column.cell(&totals[&*column.name]), sheet, self.next, place as u16)?;
            }
        }
        Ok(())
    }

    /// Begins a sheet of the book: the first one, and one more when that is full.
    fn begin(&mut self) -> Result<(), XlsxError> {
        let number = self.book.worksheets().len() + 1;
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        style::set_up(sheet, self.about.language);
        sheet
            .set_name(name(&self.about, number))?
            .set_header(style::page_header(&self.about))
            .set_landscape()
            .set_freeze_panes(1, 0)?
            .set_repeat_rows(0, 0)?;
        let lines = self.columns.iter().map(Column::heading_lines).max().unwrap_or(1);
        sheet.set_row_height(0, style::height(lines) + 8.0)?;
        let format = style::heading(self.about.language);
        for (place, column) in (0..).zip(&self.columns) {
            sheet.write_string_with_format(0, place, &column.title, &format)?;
        }
        self.next = 1;
        Ok(())
    }
}

/// Calls the library, which keeps rows in files of its own, and panics if one of them cannot be written.
fn written<T>(work: impl FnOnce() -> Result<T, XlsxError>) -> Result<T, Problem> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error @ (XlsxError::TempFileError(..) | XlsxError::IoError(_) | XlsxError::ZipError(_)))) => {
            Err(temporary::refused(error))
        }
        Ok(Err(error)) => Err(Problem::internal(error)),
        Err(panic) => Err(temporary::of_panic(panic)),
    }
}

fn last(book: &mut Workbook) -> Result<&mut Worksheet, XlsxError> {
    let last = book.worksheets().len() - 1;
    book.worksheet_from_index(last)
}

/// Name of a sheet: the title, adapted to Excel's rules for sheet names.
fn name(about: &About, number: usize) -> String {
    let is_between_words = |c: char| c.is_whitespace() || c.is_control() || r"*?:[]\/'".contains(c);
    let words: Vec<_> = about
        .title
        .in_language(about.language)
        .split(is_between_words)
        .filter(|word| !word.is_empty())
        .collect();
    let title = words.join(" ");
    let taken = ["", "History", provenance::name(about.language)];
    let title = if taken.iter().any(|name| name.eq_ignore_ascii_case(&title)) {
        say(about.language, "گزارش", "Report")
    } else {
        &title
    };
    let suffix = if number > 1 { format!(" ({number})") } else { String::new() };
    let short = cut(title.into(), LONGEST_NAME - suffix.len());
    match short.strip_suffix('…').and_then(|short| short.rsplit_once(' ')) {
        Some((whole_words, _)) => format!("{whole_words}{suffix}"),
        None => format!("{short}{suffix}"),
    }
}

fn say(language: Language, persian: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::Persian => persian,
        Language::English => english,
    }
}
