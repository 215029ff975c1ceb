//! Import files: their columns, and their rows one after the other, from any position on.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    cells,
    columns::{Column, Columns, KEY},
    fault::Fault,
};
use crate::problem::{Problem, Text, Violation, Violations};

/// File formats.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportFormat)]
pub enum Format {
    /// A table with headings, with commas, semicolons or tabs as delimiters (RFC 4180).
    #[default]
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// Maximum bytes of a row. Longer rows only arise from a missing quotation mark.
pub const MOST_BYTES_OF_ROW: usize = 64 * 1024;

/// Layout of a file.
#[derive(Debug)]
pub struct Layout {
    /// File format.
    pub format: Format,
    /// Cell delimiter of a table.
    pub delimiter: u8,
    /// Column of each cell of a table; none for ignored cells.
    pub headings: Vec<Option<String>>,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub bytes: usize,
    /// Line ends before it.
    pub lines: usize,
}

/// A row of a file.
#[derive(Debug)]
pub struct Row {
    /// The number of its first line, from 1.
    pub line: usize,
    /// Position of the next row.
    pub end: Place,
    /// The content, or the error.
    pub content: Result<Map<String, Value>, Fault>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Layout {
    /// Detects the layout from the beginning of a file, and the start of its first row.
    ///
    /// # Errors
    /// 422 if it is not UTF-8 text, or its headings do not match the columns.
    pub fn read(format: Format, columns: &Columns, head: &[u8]) -> Result<(Self, Place), Problem> {
        let start = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || head.contains(&0) {
            return Err(refused("", "not_utf8", no_text()));
        }
        let mut layout = Self { format, delimiter: b',', headings: Vec::new() };
        if format == Format::Ndjson {
            return Ok((layout, Place { bytes: start, lines: 0 }));
        }
        layout.delimiter = delimiter(&head[start..]);
        let text = &head[start..];
        let mut cells = csv::ByteRecord::new();
        let mut table = layout.table(text);
        if !table.read_byte_record(&mut cells).unwrap_or(false) {
            return Err(refused(
                "",
                "empty_file",
                Text::new("پرونده سطر عنوان ندارد.", "The file has no headings."),
            ));
        }
        let length = table.position().byte() as usize;
        if length > MOST_BYTES_OF_ROW {
            return Err(refused("", "row_too_long", too_long()));
        }
        let mut faults = Violations::default();
        for (place, cell) in cells.iter().enumerate() {
            match layout.heading(cell, columns) {
                Ok(name) => layout.headings.push(name),
                Err((code, detail)) => {
                    faults.push(|| Violation::body(format!("/headings/{place}"), code, detail))
                }
            }
            if faults.is_full() {
                break;
            }
        }
        if faults.is_empty() && !layout.headings.iter().flatten().any(|name| name == KEY) {
            let detail = Text::new(
                "ستون «شناسه در سامانهٔ مبدأ» (key) لازم است: رکوردها با آن بازشناخته می‌شوند.",
                "The column 'key' is needed: by it records are found again.",
            );
            faults.push(|| Violation::body("/headings", "required", detail));
        }
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        Ok((layout, Place { bytes: start + length, lines: newlines(&text[..length]) }))
    }

    /// The column of a heading; none if it is empty or begins with `#`, so that its cells are ignored.
    fn heading(&self, cell: &[u8], columns: &Columns) -> Result<Option<String>, (&'static str, Text)> {
        let Ok(heading) = std::str::from_utf8(cell).map(str::trim) else {
            return Err(("not_utf8", no_text()));
        };
        if heading.is_empty() || heading.starts_with('#') {
            return Ok(None);
        }
        let Some(column) = columns.headed(heading) else {
            let detail = Text::new(
                format!("ستونی به نام «{heading}» نیست؛ با # در آغاز عنوان نادیده گرفته می‌شود."),
                format!("There is no column '{heading}'; with # before its heading it is passed over."),
            );
            return Err(("unknown_column", detail));
        };
        if self.headings.iter().flatten().any(|name| name == column.name) {
            let detail = Text::new(
                format!("ستون «{heading}» دو بار آمده است."),
                format!("The column '{heading}' is given twice."),
            );
            return Err(("repeated", detail));
        }
        Ok(Some(column.name.to_owned()))
    }

    /// The complete rows of a part of the file that begins with a row, at a place. `is_last` means that the
    /// file ends with the part. The second value is where to continue. Empty rows are skipped.
    pub fn rows(
        &self,
        part: &[u8],
        before: Place,
        is_last: bool,
        most: usize,
        columns: &Columns,
    ) -> (Vec<Row>, Place) {
        let (mut rows, mut end) = (Vec::new(), Place::default());
        let (mut table, mut offset, mut cells) = (self.table(part), 0, csv::ByteRecord::new());
        let columns: Vec<Option<&Column>> =
            self.headings.iter().map(|name| columns.named(name.as_ref()?)).collect();
        while rows.len() < most {
            let blank = part[end.bytes..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let start = end.after(&part[end.bytes..end.bytes + blank]);
            end = start;
            let rest = &part[start.bytes..];
            if rest.is_empty() {
                break;
            }
            let line_end = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let length = match self.format {
                Format::Ndjson => line_end.unwrap_or(rest.len()),
                Format::Csv if table.read_byte_record(&mut cells).unwrap_or(false) => {
                    offset + table.position().byte() as usize - start.bytes
                }
                Format::Csv => rest.len(),
            };
            let swallowed = if length > MOST_BYTES_OF_ROW {
                Some(Fault::new(None, "row_too_long", too_long()))
            } else if self.format == Format::Csv
                && is_last
                && length == rest.len()
                && self.is_open_at_end(rest)
            {
                Some(Fault::new(None, "unclosed_quotation", unclosed()))
            } else {
                None
            };
            let (length, content) = if let Some(fault) = swallowed {
                // Text swallowed by an unmatched quotation mark may contain complete rows.
                let length = line_end.unwrap_or(rest.len());
                offset = start.bytes + length;
                table = self.table(&part[offset..]);
                (length, Some(Err(fault)))
            } else if length == rest.len() && !is_last {
                break;
            } else {
                let content = match self.format {
                    Format::Csv => table_row(&cells, &columns),
                    Format::Ndjson => Some(json_row(&rest[..length])),
                };
                (length, content)
            };
            end = start.after(&rest[..length]);
            rows.extend(content.map(|content| Row {
                line: before.lines + start.lines + 1,
                end: before.and(end),
                content,
            }));
        }
        (rows, before.and(end))
    }

    /// Whether the file ends within quotation marks, so that following text would belong to the same row.
    fn is_open_at_end(&self, row: &[u8]) -> bool {
        row.contains(&b'"') && self.table(&[row, b"\nend"].concat()).byte_records().count() == 1
    }

    fn table<'a>(&self, part: &'a [u8]) -> csv::Reader<&'a [u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(part)
    }
}

impl Place {
    /// The place so much further on.
    fn and(self, more: Self) -> Self {
        Self { bytes: self.bytes + more.bytes, lines: self.lines + more.lines }
    }

    /// The place after some bytes that follow it.
    fn after(self, bytes: &[u8]) -> Self {
        self.and(Self { bytes: bytes.len(), lines: newlines(bytes) })
    }
}

/// Parses the cells of a row; none if all are empty. Cells without a column are ignored.
fn table_row(
    cells: &csv::ByteRecord,
    columns: &[Option<&Column>],
) -> Option<Result<Map<String, Value>, Fault>> {
    if cells.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace)) {
        return None;
    }
    if cells.len() > columns.len() {
        let detail = Text::new(
            "این سطر از عنوان‌ها خانهٔ بیشتری دارد.",
            "The row has more cells than there are headings.",
        );
        return Some(Err(Fault::new(None, "too_many_cells", detail)));
    }
    let mut row = Map::new();
    for (column, cell) in columns.iter().zip(cells) {
        let Some(column) = column else { continue };
        match std::str::from_utf8(cell) {
            Ok(cell) if cell.trim().contains(['\n', '\r']) && !column.takes_lines() => {
                let detail = Text::new(
                    "این خانه بیش از یک سطر دارد؛ شاید علامت نقل قولی بسته نشده باشد.",
                    "The cell has several lines: perhaps a quotation mark is not closed.",
                );
                return Some(Err(Fault::new(Some(column.name), "several_lines", detail)));
            }
            Ok(cell) => cells::put(&mut row, column, cell),
            Err(_) => return Some(Err(Fault::new(Some(column.name), "not_utf8", no_text()))),
        }
    }
    Some(Ok(row))
}

fn json_row(line: &[u8]) -> Result<Map<String, Value>, Fault> {
    let line = std::str::from_utf8(line).map_err(|_| Fault::new(None, "not_utf8", no_text()))?;
    serde_json::from_str(line).map_err(|error| {
        let at = error.column();
        // The library's message would repeat the content of the line.
        let detail = Text::new(
            format!("این سطر در بایت {at} شیء JSON درستی نیست."),
            format!("The line is no well-formed JSON object at byte {at}."),
        );
        Fault::new(None, "malformed_json", detail)
    })
}

/// Detects the delimiter in the first line: the most frequent of comma, semicolon and tab.
fn delimiter(text: &[u8]) -> u8 {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| line.iter().filter(|byte| *byte == delimiter).count();
    b"\t;,".iter().copied().max_by_key(count).unwrap_or(b',')
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn no_text() -> Text {
    Text::new("پرونده باید متن UTF-8 باشد.", "The file must be text in UTF-8.")
}

fn unclosed() -> Text {
    Text::new(
        "علامت نقل قولی در این سطر باز شده و تا پایان پرونده بسته نشده است.",
        "A quotation mark of this row is not closed before the file ends.",
    )
}

fn too_long() -> Text {
    Text::new(
        "این سطر از ۶۴ کیلوبایت بیشتر است؛ شاید علامت نقل قولی بسته نشده باشد.",
        "The row has more than 64 KiB: perhaps a quotation mark is not closed.",
    )
}

fn refused(pointer: &str, code: &'static str, detail: Text) -> Problem {
    Problem::invalid(vec![Violation::body(pointer, code, detail)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::{api, imports::columns::Resource};

    fn columns() -> Columns {
        Columns::of(Resource::Clusters, &api::contract().unwrap())
    }

    /// All rows of a file that is read in parts of a size: line, and name or fault.
    fn read(format: Format, file: &[u8], window: usize) -> Vec<(usize, String)> {
        let columns = columns();
        let (layout, mut place) = Layout::read(format, &columns, file).unwrap();
        let mut found = Vec::new();
        while place.bytes < file.len() {
            let until = (place.bytes + window).min(file.len());
            let (rows, end) = layout.rows(&file[place.bytes..until], place, until == file.len(), 3, &columns);
            assert!(end.bytes > place.bytes, "it goes on from {place:?}");
            place = end;
            found.extend(rows.into_iter().map(|row| {
                let said = row.content.map_or_else(
                    |fault| fault.code,
                    |row| row.get("name_fa").unwrap_or(&json!("")).as_str().unwrap().to_owned(),
                );
                (row.line, said)
            }));
        }
        found
    }

    #[test]
    fn rows_have_the_lines_that_an_editor_shows() {
        let file = "\u{feff}key;نام فارسي;#\r\nA;سنگ;1\r\n\r\n;;\r\nB;\"دو\nسطر\";2\r\nC;\"او گفت \"\"نه\"\"\"\r\nD;1;2;3\r\nE;پایان";
        let expected =
            [(2, "سنگ"), (5, "several_lines"), (7, "او گفت \"نه\""), (8, "too_many_cells"), (9, "پایان")];
        for window in [40, 64, 1_000] {
            let found = read(Format::Csv, file.as_bytes(), window);
            assert_eq!(found, expected.map(|(line, said)| (line, said.to_owned())), "{window}");
        }
    }

    #[test]
    fn a_quotation_mark_without_its_pair_costs_one_row() {
        let long = "x".repeat(MOST_BYTES_OF_ROW);
        let file = format!("key,name_fa\nA,\"open\nB,one\nC,two\nD,{long}\nE,three\n");
        let found = read(Format::Csv, file.as_bytes(), 2 * MOST_BYTES_OF_ROW);
        let expected = [(2, "row_too_long"), (3, "one"), (4, "two"), (5, "row_too_long"), (6, "three")];
        assert_eq!(found, expected.map(|(line, said)| (line, said.to_owned())));
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_swallows_nothing() {
        let found = read(Format::Csv, "key,name_fa\nA,\"open\nB,one\nC,two".as_bytes(), 1_000);
        let expected = [(2, "unclosed_quotation"), (3, "one"), (4, "two")];
        assert_eq!(found, expected.map(|(line, said)| (line, said.to_owned())));
        assert_eq!(
            read(Format::Csv, "key,name_fa\nA,6\" pipe".as_bytes(), 1_000),
            [(2, "6\" pipe".to_owned())]
        );
    }

    #[test]
    fn lines_of_json_are_rows() {
        let file = "{\"name_fa\": \"سنگ\"}\n\n[1]\n{\"name_fa\": \"مرمر\"}";
        for window in [30, 1_000] {
            let found = read(Format::Ndjson, file.as_bytes(), window);
            assert_eq!(
                found,
                [(1, "سنگ"), (3, "malformed_json"), (4, "مرمر")].map(|(line, said)| (line, said.to_owned())),
                "{window}"
            );
        }
    }

    #[test]
    fn headings_are_known_in_both_languages_and_no_others() {
        let columns = columns();
        let read = |file: &str| Layout::read(Format::Csv, &columns, file.as_bytes());
        let (layout, place) = read("شناسه در سامانه مبدا\tName in Persian\t#any\tکد استان\n").unwrap();
        assert_eq!(layout.delimiter, b'\t');
        assert_eq!(
            layout.headings,
            [Some("key".to_owned()), Some("name_fa".to_owned()), None, Some("province".to_owned())]
        );
        assert_eq!(place.lines, 1);
        for (file, pointer, code) in [
            ("", "", "empty_file"),
            ("name_fa\n", "/headings", "required"),
            ("key,نام\n", "/headings/1", "unknown_column"),
            ("key,name_fa,نام فارسی\n", "/headings/2", "repeated"),
        ] {
            assert!(read(file).unwrap_err().names(pointer, code), "{file}");
        }
        assert!(Layout::read(Format::Csv, &columns, b"\xff\xfek\0").unwrap_err().names("", "not_utf8"));
    }
}
