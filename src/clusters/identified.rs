//! Identification dates of clusters: sources are uncertain, so a date has a precision and a bound.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use crate::{
    persian::{Date, calendar::Period},
    problem::{Text, Violation},
};

/// Precisions of a date.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, utoipa::ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = DatePrecision)]
pub enum Precision {
    /// To the day.
    Day,
    /// To the Persian month.
    Month,
    /// To the Persian quarter.
    Quarter,
    /// To the Persian year.
    Year,
    /// Only its upper bound is known.
    NotLaterThan,
}

impl Precision {
    /// The period of a date of this precision; none if only the upper bound is known.
    pub fn period(self) -> Option<Period> {
        match self {
            Self::Day => Some(Period::Day),
            Self::Month => Some(Period::Month),
            Self::Quarter => Some(Period::Quarter),
            Self::Year => Some(Period::Year),
            Self::NotLaterThan => None,
        }
    }
}

/// Identification date of a cluster, as far as known.
pub struct Identified {
    /// The day, or a day in the month, quarter or year.
    pub on: Option<Date>,
    /// Precision of the date.
    pub precision: Option<Precision>,
    /// Latest possible day.
    pub not_later_than: Option<Date>,
}

impl Identified {
    /// Validates the date: "by the end of 1392" is a bound without a day; a day, month, quarter or year
    /// implies its own bound.
    pub fn check(
        on: Option<Date>,
        precision: Option<Precision>,
        not_later_than: Option<Date>,
        faults: &mut Vec<Violation>,
    ) -> Self {
        let today = Date::today_in_iran();
        let mut fault = |field: &str, code, fa: &'static str, en: &'static str| {
            faults.push(Violation::body(format!("/{field}"), code, Text::new(fa, en)));
        };
        let period = precision.unwrap_or(Precision::Day).period();
        if on.is_some_and(|day| day > today) {
            fault(
                "identified_on",
                "in_future",
                "تاریخ شناسایی نمی‌تواند در آینده باشد.",
                "The identification cannot lie in the future.",
            );
        }
        match (on, period) {
            (Some(_), None) => {
                fault(
                    "identified_on",
                    "not_applicable",
                    "با دقت not_later_than روز شناسایی دانسته نیست.",
                    "With the precision not_later_than there is no day.",
                );
                Self { on, precision, not_later_than }
            }
            (Some(day), Some(period)) => {
                if not_later_than.is_some_and(|bound| bound < day) {
                    fault(
                        "identified_not_later_than",
                        "too_early",
                        "کران بالا پیش از روز شناسایی است.",
                        "The upper bound lies before the day.",
                    );
                }
                let precision = Some(precision.unwrap_or(Precision::Day));
                Self { on, precision, not_later_than: not_later_than.or(Some(day.end_of(period))) }
            }
            (None, _) => {
                if precision.is_some_and(|precision| precision != Precision::NotLaterThan) {
                    fault(
                        "identified_on",
                        "required",
                        "این دقت تاریخ شناسایی می‌خواهد.",
                        "This precision needs a day.",
                    );
                }
                if precision == Some(Precision::NotLaterThan) && not_later_than.is_none() {
                    fault(
                        "identified_not_later_than",
                        "required",
                        "کران بالای تاریخ لازم است.",
                        "The upper bound is needed.",
                    );
                }
                Self { on, precision: not_later_than.map(|_| Precision::NotLaterThan), not_later_than }
            }
        }
    }
}
