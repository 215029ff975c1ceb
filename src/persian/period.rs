//! Periods of the Persian calendar, named as in `1393`, `1393-H1`, `1393-Q2`, `1393-05`. The calendar that
//! dates are written in does not change them.

use std::{fmt, str::FromStr};

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use super::{Date, calendar::Period};

/// A year, or an even part of one, from its first to its last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, DeriveValueType)]
#[sea_orm(value_type = "String")]
pub struct PersianPeriod {
    year: i32,
    months: u8,
    number: u8,
}

impl PersianPeriod {
    /// Number of months: 1, 3, 6 or 12.
    pub fn months(self) -> u8 {
        self.months
    }

    /// The period of this length (1, 3, 6 or 12 months) that contains a day.
    pub fn of(day: Date, months: u8) -> Self {
        let (year, month, _) = day.persian();
        Self { year, months, number: (month - 1) / months + 1 }
    }

    /// The period of the same length that follows.
    pub fn next(self) -> Self {
        match self.number * self.months {
            12 => Self { year: self.year + 1, number: 1, ..self },
            _ => Self { number: self.number + 1, ..self },
        }
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        // Every valid year has these months: the fallback is never used.
        Date::from_persian(self.year, (self.number - 1) * self.months + 1, 1).unwrap_or(Date::FIRST)
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        let last_month = Date::from_persian(self.year, self.number * self.months, 1);
        last_month.unwrap_or(Date::FIRST).end_of(Period::Month)
    }
}

/// A row that is not filled in yet has some period.
impl Default for PersianPeriod {
    fn default() -> Self {
        Self { year: 1300, months: 12, number: 1 }
    }
}

/// The text is not a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPeriod;

impl fmt::Display for NotAPeriod {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a period is written as 1393, 1393-H1, 1393-Q2 or 1393-05, in the years 1200 to 1599")
    }
}

impl std::error::Error for NotAPeriod {}

impl FromStr for PersianPeriod {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let (year, part) = text.split_at_checked(4).ok_or(NotAPeriod)?;
        let (months, number) = match part.as_bytes() {
            [] => (12, 1),
            [b'-', b'H', half @ b'1'..=b'2'] => (6, half - b'0'),
            [b'-', b'Q', quarter @ b'1'..=b'4'] => (3, quarter - b'0'),
            [b'-', b'0', month @ b'1'..=b'9'] => (1, month - b'0'),
            [b'-', b'1', month @ b'0'..=b'2'] => (1, month - b'0' + 10),
            _ => return Err(NotAPeriod),
        };
        let year = year.parse().ok().filter(|year| (1200..=1599).contains(year)).ok_or(NotAPeriod)?;
        Ok(Self { year, months, number })
    }
}

impl fmt::Display for PersianPeriod {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, months, number } = self;
        match months {
            1 => write!(out, "{year}-{number:02}"),
            3 => write!(out, "{year}-Q{number}"),
            6 => write!(out, "{year}-H{number}"),
            _ => write!(out, "{year}"),
        }
    }
}

/// No database numbers periods.
impl TryFromU64 for PersianPeriod {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("PersianPeriod"))
    }
}

impl Serialize for PersianPeriod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PersianPeriod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for PersianPeriod {
    fn schema() -> RefOr<Schema> {
        let about =
            "A year, half, quarter or month of the Persian calendar, in whatever calendar dates are written.";
        schema("^1[2-5][0-9]{2}(-(H[12]|Q[1-4]|0[1-9]|1[0-2]))?$", "1393-H1", about).into()
    }
}

impl ToSchema for PersianPeriod {}

/// A period that is a quarter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, DeriveValueType)]
#[serde(transparent)]
pub struct Quarter(pub PersianPeriod);

impl PartialSchema for Quarter {
    fn schema() -> RefOr<Schema> {
        schema(
            "^1[2-5][0-9]{2}-Q[1-4]$",
            "1393-Q2",
            "A quarter of the Persian calendar, in whatever calendar dates are written.",
        )
        .into()
    }
}

impl ToSchema for Quarter {}

fn schema(pattern: &str, example: &str, about: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .examples([example])
        .description(Some(about))
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::persian::Calendar;

    #[test]
    fn a_period_lies_between_its_first_and_its_last_day() {
        for (text, months, first, last) in [
            ("1393", 12, "1393-01-01", "1393-12-29"),
            ("1403", 12, "1403-01-01", "1403-12-30"),
            ("1393-H1", 6, "1393-01-01", "1393-06-31"),
            ("1393-H2", 6, "1393-07-01", "1393-12-29"),
            ("1393-Q1", 3, "1393-01-01", "1393-03-31"),
            ("1393-Q3", 3, "1393-07-01", "1393-09-30"),
            ("1403-Q4", 3, "1403-10-01", "1403-12-30"),
            ("1393-06", 1, "1393-06-01", "1393-06-31"),
            ("1393-09", 1, "1393-09-01", "1393-09-30"),
            ("1393-10", 1, "1393-10-01", "1393-10-30"),
            ("1403-12", 1, "1403-12-01", "1403-12-30"),
            ("1200", 12, "1200-01-01", "1200-12-29"),
            ("1599-Q4", 3, "1599-10-01", "1599-12-29"),
        ] {
            let period: PersianPeriod = text.parse().unwrap();
            assert_eq!((period.to_string().as_str(), period.months()), (text, months));
            let [begins, ends] =
                [period.first_day(), period.last_day()].map(|day| day.in_calendar(Calendar::Persian));
            assert_eq!((begins.as_str(), ends.as_str()), (first, last), "{text}");
        }
    }

    #[test]
    fn the_parts_of_a_year_follow_one_another() {
        for (months, names) in [
            (1, (1..=12).map(|month| format!("-{month:02}")).collect::<Vec<_>>()),
            (3, (1..=4).map(|quarter| format!("-Q{quarter}")).collect()),
            (6, vec!["-H1".to_owned(), "-H2".to_owned()]),
            (12, vec![String::new()]),
        ] {
            let mut all = (1200..=1599).flat_map(|year| {
                names.iter().map(move |name| format!("{year}{name}").parse::<PersianPeriod>().unwrap())
            });
            let mut before = all.next().unwrap();
            for period in all {
                assert_eq!(
                    (
                        before.next(),
                        PersianPeriod::of(period.first_day(), months),
                        PersianPeriod::of(period.last_day(), months)
                    ),
                    (period, period, period)
                );
                assert_eq!(
                    (before.last_day().naive().succ_opt().unwrap(), period.months()),
                    (period.first_day().naive(), months),
                    "{period}"
                );
                before = period;
            }
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        let wrong = "x 139 13933 1393- 1393-H3 1393-H0 1393-Q5 1393-q1 1393-00 1393-13 1393-5 1393-050 1199 1600 2014 +393 ۱۳۹۳ 1393-01-01 سال";
        for text in wrong.split(' ').chain([""]) {
            assert_eq!(text.parse::<PersianPeriod>(), Err(NotAPeriod), "{text}");
        }
    }
}
