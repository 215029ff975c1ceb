//! Cell values: native spreadsheet types wherever there is one.

use std::borrow::Cow;

use chrono::{Datelike, NaiveDate};
use rust_xlsxwriter::{Worksheet, XlsxError};
use serde_json::Value;

use super::{Kind, style::Style};
use crate::http::{csv, glossary};
use crate::persian::{Calendar, Date, calendar::using};

/// The most UTF-16 units that a cell can hold (Excel specifications and limits).
const LONGEST: usize = 32_767;
/// Number of significant digits that a spreadsheet keeps of binary floats (Excel specifications and limits).
const DIGITS: usize = 15;

/// The content of a cell.
#[derive(Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Empty,
    Text(Cow<'a, str>),
    Number(f64),
    Day(NaiveDate),
    Truth(bool),
}

impl<'a> Cell<'a> {
    /// A value of a column.
    pub fn new(kind: Kind, value: &'a Value) -> Self {
        let real = match kind {
            Kind::Text | Kind::Word | Kind::Id => None,
            Kind::Day => day(value).map(Date::naive).filter(|day| day.year() >= 1900).map(Self::Day),
            Kind::BasisPoints => number(value).map(|points| Self::Number(points / 10_000.0)),
            Kind::Count | Kind::Days | Kind::Ratio | Kind::Rials | Kind::Number => {
                number(value).map(Self::Number)
            }
        };
        real.unwrap_or_else(|| match value {
            Value::Bool(truth) => Self::Truth(*truth),
            _ => Self::text(csv::flat(value, |text| text.into())),
        })
    }

    /// The Persian term for a code, or the value itself if there is none.
    pub fn persian_word(value: &'a Value) -> Self {
        match value {
            Value::Bool(truth) => Self::Truth(*truth),
            _ => Self::text(csv::flat(value, |text| {
                glossary::in_persian(text).map_or(text.into(), Cow::Borrowed)
            })),
        }
    }

    /// A day in the Persian calendar, as people in Iran write it: 1392/12/29.
    pub fn persian_day(value: &'a Value) -> Self {
        match day(value) {
            Some(day) => Self::Text(day.in_calendar(Calendar::Persian).replace('-', "/").into()),
            None => Self::text(csv::flat(value, |text| text.into())),
        }
    }

    /// A text cell, truncated to the maximum length.
    pub fn text(text: Cow<'a, str>) -> Self {
        let text = clean(text);
        if text.is_empty() { Self::Empty } else { Self::Text(cut(text, LONGEST)) }
    }

    /// Writes the cell. Text is always text, even if it looks like a formula.
    pub fn write(
        &self,
        sheet: &mut Worksheet,
        row: u32,
        column: u16,
        style: &Style,
    ) -> Result<(), XlsxError> {
        match self {
            Self::Empty => sheet.write_blank(row, column, &style.value)?,
            Self::Text(text) => sheet.write_string_with_format(row, column, &**text, style.of_text(text))?,
            Self::Number(number) => sheet.write_number_with_format(row, column, *number, &style.value)?,
            Self::Day(day) => sheet.write_date_with_format(row, column, day, &style.value)?,
            Self::Truth(truth) => sheet.write_boolean_with_format(row, column, *truth, &style.value)?,
        };
        Ok(())
    }

    /// Number of lines in a column of `width` digits.
    pub fn lines(&self, width: usize) -> usize {
        match self {
            Self::Text(text) => lines(text, width),
            _ => 1,
        }
    }

    /// Approximate width in digits.
    pub fn width(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Text(text) => text.lines().map(|line| line.chars().count()).max().unwrap_or_default(),
            Self::Number(number) => {
                let digits = number.abs().max(1.0).log10() as usize + 1;
                digits + digits / 3 + 3
            }
            Self::Day(_) => 10,
            Self::Truth(_) => 6,
        }
    }
}

/// A text without the characters that XML forbids, and without other controls; lines end with a line feed.
pub(super) fn clean(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_forbidden =
        |c: char| (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(is_forbidden) { text.replace(is_forbidden, "").into() } else { text }
}

/// Number of lines of a text at a width.
pub(super) fn lines(text: &str, width: usize) -> usize {
    let of_paragraph = |paragraph: &str| {
        let (lines, _) = paragraph.split_whitespace().map(|word| word.chars().count()).fold(
            (1, 0),
            |(lines, used), word| match used {
                0 => (lines + word.saturating_sub(1) / width, word),
                used if used + 1 + word <= width => (lines, used + 1 + word),
                _ => (lines + word.div_ceil(width), word),
            },
        );
        lines
    };
    text.lines().map(of_paragraph).sum()
}

/// Truncates a text to a number of UTF-16 units, with an ellipsis.
pub(super) fn cut(text: Cow<'_, str>, most: usize) -> Cow<'_, str> {
    // No text has more UTF-16 units than bytes.
    if text.len() <= most || text.encode_utf16().count() <= most {
        return text;
    }
    let mut units = 0;
    let kept = text.chars().take_while(|c| {
        units += c.len_utf16();
        units < most
    });
    kept.chain(['…']).collect::<String>().into()
}

fn day(value: &Value) -> Option<Date> {
    using(Calendar::Gregorian, || Date::parse(value.as_str()?).ok())
}

/// A number, unless a spreadsheet would show other digits. Floats have no more precision than a spreadsheet.
fn number(value: &Value) -> Option<f64> {
    let digits = match value {
        Value::Number(number) if number.is_f64() => return number.as_f64(),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::String(text) => Cow::Borrowed(text.as_str()),
        _ => return None,
    };
    let significant = digits.trim_start_matches('-').replacen('.', "", 1);
    let is_decimal = !significant.is_empty() && significant.bytes().all(|byte| byte.is_ascii_digit());
    let is_exact = significant.trim_matches('0').len() <= DIGITS;
    digits.parse().ok().filter(|_| is_decimal && is_exact)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(text.into())
    }

    #[test]
    fn numbers_are_numbers_while_every_digit_is_shown() {
        assert_eq!(Cell::new(Kind::Rials, &json!("120000000000")), Cell::Number(120e9));
        assert_eq!(Cell::new(Kind::Rials, &json!("999999999999999")), Cell::Number(999_999_999_999_999.0));
        assert_eq!(Cell::new(Kind::Rials, &json!("9007199254740993")), text("9007199254740993"));
        assert_eq!(Cell::new(Kind::Rials, &json!("-1000000000000000000")), Cell::Number(-1e18));
        assert_eq!(Cell::new(Kind::Count, &json!(9_007_199_254_740_993_i64)), text("9007199254740993"));
        assert_eq!(Cell::new(Kind::Ratio, &json!("0.9300")), Cell::Number(0.93));
        assert_eq!(Cell::new(Kind::Number, &json!("123456789012.345678")), text("123456789012.345678"));
        assert_eq!(
            Cell::new(Kind::Number, &json!(48.353_100_000_000_005)),
            Cell::Number(48.353_100_000_000_005)
        );
        assert_eq!(Cell::new(Kind::BasisPoints, &json!(8_525)), Cell::Number(0.8525));
        for not_a_number in ["NaN", "inf", "1e5", "", "-", "1.2.3", "۱۲"] {
            assert!(
                !matches!(Cell::new(Kind::Number, &json!(not_a_number)), Cell::Number(_)),
                "{not_a_number}"
            );
        }
    }

    #[test]
    fn days_are_days_where_a_spreadsheet_has_them() {
        assert_eq!(
            Cell::new(Kind::Day, &json!("2014-03-20")),
            Cell::Day(NaiveDate::from_ymd_opt(2014, 3, 20).unwrap())
        );
        assert_eq!(Cell::new(Kind::Day, &json!("1899-12-31")), text("1899-12-31"));
        assert_eq!(Cell::new(Kind::Day, &json!("soon")), text("soon"));
        assert_eq!(Cell::new(Kind::Day, &json!(null)), Cell::Empty);
        // The calendar of the request does not matter: rows have Gregorian days.
        let day = json!("2014-03-20");
        assert_eq!(using(Calendar::Persian, || Cell::persian_day(&day)), text("1392/12/29"));
    }

    #[test]
    fn lines_break_between_words() {
        for (text, expected) in [
            ("", 0),
            ("one", 1),
            ("one two", 1),
            ("one two three", 2),
            ("seventeen_letters", 3),
            ("a seventeen_letters", 4),
            ("a\nb c", 2),
        ] {
            assert_eq!(lines(text, 7), expected, "{text}");
        }
    }

    #[test]
    fn texts_are_whole_and_storable() {
        assert_eq!(Cell::new(Kind::Text, &json!(["=1+1", { "code": "2396" }])), text("=1+1;2396"));
        assert_eq!(Cell::new(Kind::Text, &json!("a\u{0}\u{8}b\r\nc\td\u{ffff}")), text("ab\nc\td"));
        assert_eq!(Cell::new(Kind::Text, &json!(true)), Cell::Truth(true));
        let Cell::Text(long) = Cell::text("خ🌾".repeat(20_000).into()) else { panic!("it is text") };
        assert_eq!(
            long.encode_utf16().count(),
            LONGEST,
            "a plant is two units: 10,922 pairs and an ellipsis"
        );
        assert!(long.ends_with("🌾…"));
        assert_eq!(Cell::text("x".repeat(LONGEST).into()), text(&"x".repeat(LONGEST)));
    }
}
