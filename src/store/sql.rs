//! SQL values as they go into a cursor and come back.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait, Statement, Value as SqlValue};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Columns;

/// The type of something a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlKind {
    /// Text.
    Text,
    /// A 64-bit integer.
    Integer,
    /// A UUID.
    Uuid,
    /// A moment in UTC.
    Timestamp,
    /// A day.
    Date,
}

/// The years that both databases keep and sort.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

impl SqlKind {
    /// The value that a cursor holds as JSON; none where it is of another type.
    pub fn from_json(self, value: &Value) -> Option<SqlValue> {
        Some(match self {
            Self::Text => value.as_str().filter(|text| !text.contains('\0'))?.into(),
            Self::Integer => value.as_i64()?.into(),
            Self::Uuid => value.as_str()?.parse::<Uuid>().ok()?.into(),
            Self::Timestamp => value.as_str()?.parse::<DateTime<Utc>>().ok().filter(|moment| YEARS.contains(&moment.year()))?.into(),
            Self::Date => value.as_str()?.parse::<NaiveDate>().ok().filter(|day| YEARS.contains(&day.year()))?.into(),
        })
    }

    /// The JSON that [`SqlKind::from_json`] reads.
    pub fn to_json(value: SqlValue) -> Value {
        match value {
            SqlValue::String(text) => json!(text),
            SqlValue::BigInt(number) => json!(number),
            SqlValue::Int(number) => json!(number),
            SqlValue::Uuid(id) => json!(id),
            SqlValue::ChronoDateTimeUtc(moment) => json!(moment.map(|m| m.to_rfc3339_opts(SecondsFormat::Micros, true))),
            SqlValue::ChronoDate(day) => json!(day),
            _ => Value::Null,
        }
    }
}

/// `$first, $second, …`: the places of so many values in a statement, counted from one number on.
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

/// A statement about some records on a day: `$1` is the day, `{ids}` stands for their ids.
pub fn about<R: Columns>(db: &impl ConnectionTrait, sql: &str, on: NaiveDate, rows: &[R]) -> Statement {
    let ids = if rows.is_empty() { "NULL".to_owned() } else { placeholders(2, rows.len()) };
    let values = std::iter::once(SqlValue::from(on)).chain(rows.iter().map(|row| row.id().into()));
    Statement::from_sql_and_values(db.get_database_backend(), sql.replace("{ids}", &ids), values)
}
