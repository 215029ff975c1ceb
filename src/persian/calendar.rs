//! Days, read and written in the Gregorian or the Persian calendar.
//!
//! The Persian (solar Hijri) calendar is the one in which Iran's government offices work
//! (Constitution, Article 17): six months of 31 days, five of 30, and Esfand of 29, or 30 in a leap
//! year (law of 11 Farvardin 1304). The year begins on the day of the vernal equinox as seen at
//! 52.5° E; `icu_calendar` holds the leap years, nothing here computes them.

use std::{error::Error, fmt};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use icu_calendar::{cal::Persian, types::RataDie};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use crate::presentation::Calendar;
use crate::presentation::Presentation;

use super::text::{digits, latin_digits};

type PersianDate = icu_calendar::Date<Persian>;

/// Runs `work` with `calendar` as the one in which a [`Date`] is parsed, serialized and deserialized; the rest
/// of the [`Presentation`] stays.
pub fn using<T>(calendar: Calendar, work: impl FnOnce() -> T) -> T {
    Presentation { calendar, ..Presentation::current() }.within(work)
}

/// The calendar of the innermost [`using`] on this thread; Gregorian outside of any.
pub fn current() -> Calendar {
    Presentation::current().calendar
}

/// A period of the Persian calendar, for [`Date::end_of`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// One day.
    Day,
    /// A month, of 29 to 31 days.
    Month,
    /// A quarter (فصل): three months, the first of them Farvardin, Tir, Mehr or Dey.
    Quarter,
    /// A year, from 1 Farvardin to the end of Esfand; the fiscal year too (Public Accounts Act of
    /// 1366, Article 6).
    Year,
}

/// A day, written `YYYY-MM-DD` in the [`current`] calendar.
///
/// Every `Date` is in the years 1000 to 8377 of the Persian calendar, 1621-03-21 to 8999-03-19 in the
/// Gregorian one. So each has a four-digit year in both calendars, and what was written in one can be read in
/// the other.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, DeriveValueType)]
pub struct Date(NaiveDate);

impl Date {
    /// 1000-01-01 in the Persian calendar. From here to [`Date::LAST`] years in both calendars begin with 1
    /// to 8, as the OpenAPI document requires of dates, and all dates of the programme are in this range.
    pub const FIRST: Self = Self::constant(1621, 3, 21);
    /// The last day of the Persian year 8377, the last year that ends within the Gregorian 8999.
    pub const LAST: Self = Self::constant(8999, 3, 19);

    const fn constant(year: i32, month: u32, day: u32) -> Self {
        match NaiveDate::from_ymd_opt(year, month, day) {
            Some(date) => Self(date),
            None => Self(NaiveDate::MIN),
        }
    }

    /// Reads `YYYY-MM-DD` in the [`current`] calendar: four, two and two digits, each ASCII,
    /// Persian (۰-۹) or Arabic (٠-٩).
    ///
    /// # Errors
    /// The text is malformed, the day does not exist (1392-12-30, or 2014-02-29), or lies outside
    /// [`Date::FIRST`] to [`Date::LAST`].
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let calendar = current();
        let (year, month, day) = fields(text).ok_or(DateError::Malformed(calendar))?;
        let date = match calendar {
            Calendar::Gregorian => NaiveDate::from_ymd_opt(year, month.into(), day.into()),
            Calendar::Persian => naive_from_persian(year, month, day),
        };
        let date = date.ok_or_else(|| DateError::Nonexistent(calendar, latin_digits(text)))?;
        Self::in_range(date).ok_or(DateError::OutOfRange(calendar))
    }

    /// The day of a Persian year (1000..=8377), month (1..=12) and day of the month; `None` when there
    /// is no such day.
    pub fn from_persian(year: i32, month: u8, day: u8) -> Option<Self> {
        naive_from_persian(year, month, day).and_then(Self::in_range)
    }

    /// Today in Iran, at UTC+03:30 the whole year round: the law of 1401 ended daylight saving, and
    /// the clocks were last changed on 2022-09-21 (IANA time zone database, `Asia/Tehran`).
    pub fn today_in_iran() -> Self {
        Self::in_iran(crate::clock::now())
    }

    /// The day in Iran at a moment; see [`Date::today_in_iran`].
    pub fn in_iran(moment: DateTime<Utc>) -> Self {
        Self::from((moment + TimeDelta::minutes(210)).date_naive())
    }

    /// The same day as chrono's type.
    pub fn naive(self) -> NaiveDate {
        self.0
    }

    /// Year, month (1..=12) and day of the month in the Persian calendar.
    pub fn persian(self) -> (i32, u8, u8) {
        let date = PersianDate::from_rata_die(RataDie::new(self.0.num_days_from_ce().into()), Persian);
        (date.year().extended_year(), date.month().ordinal, date.day_of_month().0)
    }

    /// The day as `YYYY-MM-DD` in `calendar`, with ASCII digits.
    pub fn in_calendar(self, calendar: Calendar) -> String {
        as_str(&self.written(calendar)).to_owned()
    }

    /// The last day of the *Persian* period that contains this day, in whichever calendar it is written.
    pub fn end_of(self, period: Period) -> Self {
        let (year, month, _) = self.persian();
        let last_month = match period {
            Period::Day => return self,
            Period::Month => month,
            Period::Quarter => month.div_ceil(3) * 3,
            Period::Year => 12,
        };
        // Every month has a day 29 and no period crosses `LAST`: the fallback is never used.
        let last_day = (29..=31).rev().find_map(|day| Self::from_persian(year, last_month, day));
        last_day.unwrap_or(self)
    }

    /// The first day of the *Persian* period that holds this day.
    pub fn start_of(self, period: Period) -> Self {
        let (year, month, _) = self.persian();
        let first_month = match period {
            Period::Day => return self,
            Period::Month => month,
            Period::Quarter => (month - 1) / 3 * 3 + 1,
            Period::Year => 1,
        };
        // Every month has a first day and `FIRST` begins a year: the fallback is never used.
        Self::from_persian(year, first_month, 1).unwrap_or(self)
    }

    fn in_range(date: NaiveDate) -> Option<Self> {
        (Self::FIRST.0..=Self::LAST.0).contains(&date).then_some(Self(date))
    }

    fn written(self, calendar: Calendar) -> [u8; 10] {
        match calendar {
            Calendar::Gregorian => ascii(self.0.year(), self.0.month() as u8, self.0.day() as u8),
            Calendar::Persian => {
                let (year, month, day) = self.persian();
                ascii(year, month, day)
            }
        }
    }
}

fn naive_from_persian(year: i32, month: u8, day: u8) -> Option<NaiveDate> {
    let date = PersianDate::try_new_persian(year, month, day).ok()?;
    NaiveDate::from_num_days_from_ce_opt(date.to_rata_die().to_i64_date().try_into().ok()?)
}

fn fields(text: &str) -> Option<(i32, u8, u8)> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let year = digits::<4>(year)?.iter().fold(0, |year, &digit| year * 10 + i32::from(digit));
    let [month, day] = [digits::<2>(month)?, digits::<2>(day)?].map(|[tens, ones]| tens * 10 + ones);
    Some((year, month, day))
}

// Lists write several dates per row, and bytes on the stack cost half of `format!`.
fn ascii(year: i32, month: u8, day: u8) -> [u8; 10] {
    let mut text = *b"0000-00-00";
    let pairs = [(year / 100) as u8, (year % 100) as u8, month, day];
    for (place, pair) in [0, 2, 5, 8].into_iter().zip(pairs) {
        text[place] += pair / 10;
        text[place + 1] += pair % 10;
    }
    text
}

fn as_str(written: &[u8; 10]) -> &str {
    // ASCII always is UTF-8.
    str::from_utf8(written).unwrap_or_default()
}

/// ISO 8601, for text that says that the day is Gregorian.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A day outside [`Date::FIRST`] to [`Date::LAST`], which no input can name, becomes the nearer of
/// the two.
impl From<NaiveDate> for Date {
    fn from(date: NaiveDate) -> Self {
        Self(date).clamp(Self::FIRST, Self::LAST)
    }
}

impl From<Date> for NaiveDate {
    fn from(date: Date) -> Self {
        date.0
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(as_str(&self.written(current())))
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Date;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a date as text, YYYY-MM-DD")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Date, E> {
                Date::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Errors of parsing a [`Date`], with the calendar in which it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DateError {
    /// Not four, two and two digits with hyphens between them.
    Malformed(Calendar),
    /// Well formed, but the calendar has no such day; the text, with ASCII digits.
    Nonexistent(Calendar, String),
    /// A day before [`Date::FIRST`] or after [`Date::LAST`].
    OutOfRange(Calendar),
}

impl DateError {
    /// The reason in Persian, for the `detail` of a problem.
    pub fn detail_fa(&self) -> String {
        // Without the isolates (U+2066, U+2069) a date inside Persian text is shown with its parts
        // in reverse order.
        match self {
            Self::Malformed(calendar) => format!(
                "تاریخ باید به تقویم {} و به صورت سال، ماه و روز با چهار، دو و دو رقم نوشته شود؛ \
                 برای نمونه \u{2066}{}\u{2069}.",
                name_fa(*calendar),
                example(*calendar),
            ),
            Self::Nonexistent(calendar, day) => {
                format!("تاریخ \u{2066}{day}\u{2069} در تقویم {} وجود ندارد.", name_fa(*calendar),)
            }
            Self::OutOfRange(calendar) => format!(
                "تاریخ در تقویم {} باید از \u{2066}{}\u{2069} تا \u{2066}{}\u{2069} باشد.",
                name_fa(*calendar),
                Date::FIRST.in_calendar(*calendar),
                Date::LAST.in_calendar(*calendar),
            ),
        }
    }

    /// The reason in English, for the `detail` of a problem.
    pub fn detail_en(&self) -> String {
        match self {
            Self::Malformed(calendar) => format!(
                "A date is written YYYY-MM-DD in the {calendar:?} calendar, for example {}.",
                example(*calendar),
            ),
            Self::Nonexistent(calendar, day) => {
                format!("The date {day} does not exist in the {calendar:?} calendar.")
            }
            Self::OutOfRange(calendar) => format!(
                "A date in the {calendar:?} calendar lies from {} to {}.",
                Date::FIRST.in_calendar(*calendar),
                Date::LAST.in_calendar(*calendar),
            ),
        }
    }
}

/// The official names: "هجری شمسی" is the Constitution's.
fn name_fa(calendar: Calendar) -> &'static str {
    match calendar {
        Calendar::Gregorian => "میلادی",
        Calendar::Persian => "هجری شمسی",
    }
}

fn example(calendar: Calendar) -> &'static str {
    match calendar {
        Calendar::Gregorian => "2014-03-20",
        Calendar::Persian => "1392-12-29",
    }
}

impl fmt::Display for DateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.detail_en())
    }
}

impl Error for DateError {}

#[cfg(test)]
mod tests;
