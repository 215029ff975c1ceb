//! SQL: values in cursors, and composed statements.

use crate::{persian::Date, values::Amount};
use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, Statement, TryGetable,
    Value as SqlValue,
};
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

/// Years that both databases can store and sort.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

impl SqlKind {
    /// Parses the value in a cursor from JSON; none if it has another type.
    pub fn from_json(self, value: &Value) -> Option<SqlValue> {
        Some(match self {
            Self::Text => value.as_str().filter(|text| !text.contains('\0'))?.into(),
            Self::Integer => value.as_i64()?.into(),
            Self::Uuid => value.as_str()?.parse::<Uuid>().ok()?.into(),
            Self::Timestamp => value
                .as_str()?
                .parse::<DateTime<Utc>>()
                .ok()
                .filter(|moment| YEARS.contains(&moment.year()))?
                .into(),
            Self::Date => {
                value.as_str()?.parse::<NaiveDate>().ok().filter(|day| YEARS.contains(&day.year()))?.into()
            }
        })
    }

    /// The JSON that [`SqlKind::from_json`] reads.
    pub fn to_json(value: SqlValue) -> Value {
        match value {
            SqlValue::String(text) => json!(text),
            SqlValue::BigInt(number) => json!(number),
            SqlValue::Int(number) => json!(number),
            SqlValue::Uuid(id) => json!(id),
            SqlValue::ChronoDateTimeUtc(moment) => {
                json!(moment.map(|m| m.to_rfc3339_opts(SecondsFormat::Micros, true)))
            }
            SqlValue::ChronoDate(day) => json!(day),
            _ => Value::Null,
        }
    }
}

/// A type of columns that a list can be sorted by.
pub trait SortValue {
    /// The type in the database.
    const KIND: SqlKind;
    /// The value in the database.
    fn value(&self) -> SqlValue;
}

macro_rules! sort_values {
    ($($kind:ident: $($type:ty),*;)*) => {$($(
        impl SortValue for $type {
            const KIND: SqlKind = SqlKind::$kind;
            fn value(&self) -> SqlValue {
                self.clone().into()
            }
        }
    )*)*};
}

sort_values! {
    Text: String;
    Integer: i32, i64, Amount;
    Uuid: Uuid;
    Timestamp: DateTime<Utc>;
    Date: Date;
}

/// `$first, $second, …`: `count` placeholders, numbered from `first`.
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

/// A statement about some records on a day: `$1` is the day, `{ids}` is replaced by their ids.
pub fn about<R: Columns>(db: &impl ConnectionTrait, sql: &str, on: NaiveDate, rows: &[R]) -> Statement {
    let ids = if rows.is_empty() { "NULL".to_owned() } else { placeholders(2, rows.len()) };
    let values = std::iter::once(SqlValue::from(on)).chain(rows.iter().map(|row| row.id().into()));
    Statement::from_sql_and_values(db.get_database_backend(), sql.replace("{ids}", &ids), values)
}

/// Looks up the values of some texts, without those that have none: `lookup` builds the query for one value
/// from the placeholder of a text, with the bindings in `sql`. Each text is looked up separately: for a list,
/// PostgreSQL may scan a table that has grown since its statistics were computed.
pub async fn look_up<T: TryGetable>(
    db: &impl ConnectionTrait,
    mut sql: Composer,
    texts: &BTreeSet<String>,
    lookup: impl FnOnce(&str) -> String,
) -> Result<Vec<(String, T)>, DbErr> {
    let array = sql.bind(json!(texts));
    let text = sql.text("k.value");
    let query = format!("SELECT {text} AS text, ({}) AS found FROM {}", lookup(&text), sql.each(&array, "k"));
    let rows = db.query_all_raw(sql.statement(query)).await?;
    let mut known = Vec::new();
    for row in rows {
        if let Some(found) = row.try_get("", "found")? {
            known.push((row.try_get("", "text")?, found));
        }
    }
    Ok(known)
}

/// The columns of a table, by name: a prepared statement must not return other rows when a newer program adds
/// a column.
pub fn columns<E: EntityTrait>(alias: &str) -> String {
    E::Column::iter().map(|column| format!("{alias}.{}", column.as_str())).collect::<Vec<_>>().join(", ")
}

/// SQL for the number of rows of a group that meet a condition.
pub fn count_where(condition: &str) -> String {
    format!("CAST(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS bigint)")
}

/// Composer of a statement in the dialect of the connected database. Values are always bound, never part of
/// the text.
pub struct Composer {
    backend: DbBackend,
    values: Vec<SqlValue>,
}

impl Composer {
    /// Begins a statement.
    pub fn new(db: &impl ConnectionTrait) -> Self {
        Self { backend: db.get_database_backend(), values: Vec::new() }
    }

    /// Binds a value; the returned placeholder can be used several times.
    pub fn bind(&mut self, value: impl Into<SqlValue>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// The place of a day.
    pub fn day(&mut self, day: NaiveDate) -> String {
        let place = self.bind(day);
        self.on(&format!("CAST({place} AS date)"), &place)
    }

    /// The place of a moment.
    pub fn moment(&mut self, moment: DateTime<Utc>) -> String {
        let place = self.bind(moment);
        self.on(&format!("CAST({place} AS timestamptz)"), &place)
    }

    /// The places of some texts, as a list in parentheses; of none, a list that holds nothing.
    pub fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> String {
        let places: Vec<_> = texts.into_iter().map(|text| self.bind(text)).collect();
        if places.is_empty() { "(NULL)".to_owned() } else { format!("({})", places.join(", ")) }
    }

    /// A member of JSON as a value of a kind; `isic.0.code` is a member of members. Text sorts by its bytes.
    pub fn member(&self, json: &str, path: &str, kind: Member) -> String {
        let (outer, last) = path.rsplit_once('.').unwrap_or(("", path));
        let step = |part: &str| {
            if part.bytes().all(|byte| byte.is_ascii_digit()) { part.to_owned() } else { format!("'{part}'") }
        };
        let outer: String = outer
            .split('.')
            .filter(|part| !part.is_empty())
            .map(|part| format!("->{}", step(part)))
            .collect();
        let text = format!("{json}{outer}->>{}", step(last));
        match kind {
            // As columns of names and codes do.
            Member::Text => self.bytewise(&format!("({text})")),
            // The log contains a commitment, unless the value was erased by then.
            Member::Name => {
                let value = format!("(SELECT p.name FROM personal_value p WHERE p.token = ({text}))");
                self.bytewise(&format!(
                    "COALESCE({value}, CASE WHEN ({text}) NOT LIKE '~%' THEN ({text}) END)"
                ))
            }
            Member::Integer => format!("CAST({text} AS bigint)"),
            Member::Float => format!("CAST({text} AS double precision)"),
            Member::Boolean => self.on(&format!("CAST({text} AS boolean)"), &text),
            Member::Date => self.on(&format!("CAST({text} AS date)"), &text),
            Member::Uuid => self.uuid(&text),
            Member::Timestamp => self.on(&format!("CAST({text} AS timestamptz)"), &text),
            Member::Millionths => {
                self.on(&format!("CAST(CAST({text} AS numeric) * 1000000 AS bigint)"), &millionths(&text))
            }
            Member::Json => format!("{json}{outer}->{}", step(last)),
        }
    }

    /// Text as the id of a record.
    pub fn uuid(&self, text: &str) -> String {
        self.on(&format!("CAST({text} AS uuid)"), &format!("unhex(replace({text}, '-', ''))"))
    }

    /// The items of a JSON array as rows, each in the column `value`.
    pub fn each(&self, array: &str, alias: &str) -> String {
        self.on(
            &format!("jsonb_array_elements({array}) AS {alias}(value)"),
            &format!("json_each({array}) AS {alias}"),
        )
    }

    /// The text of a JSON value that is text, such as an item of [`Composer::each`].
    pub fn text(&self, value: &str) -> String {
        self.on(&format!("({value} #>> '{{}}')"), value)
    }

    /// The values of a group as a JSON array, in an order.
    pub fn array_of(&self, value: &str, order: &str) -> String {
        self.on(
            &format!("jsonb_agg({value} ORDER BY {order})"),
            &format!("json_group_array({value} ORDER BY {order})"),
        )
    }

    /// Text that sorts by its bytes, the same on both databases.
    pub fn bytewise(&self, text: &str) -> String {
        self.on(&format!("{text} COLLATE \"C\""), text)
    }

    /// A JSON object of names and values.
    pub fn object(&self, members: &[(&str, &str)]) -> String {
        let members =
            members.iter().map(|(name, value)| format!("'{name}', {value}")).collect::<Vec<_>>().join(", ");
        self.on(&format!("jsonb_build_object({members})"), &format!("json_object({members})"))
    }

    /// Suffix of a subquery that is to be evaluated separately, before the outer statement.
    pub fn kept_apart(&self) -> String {
        self.on(" OFFSET 0", "")
    }

    /// Suffix of a subquery that SQLite is to evaluate once, regardless of joins; PostgreSQL chooses by cost.
    pub fn worked_out_once(&self) -> String {
        self.on("", " LIMIT -1")
    }

    /// A table that SQLite is to read by an index, regardless of its statistics; PostgreSQL chooses by
    /// itself.
    pub fn by_index(&self, table: &str, index: &str) -> String {
        self.on(table, &format!("{table} INDEXED BY {index}"))
    }

    /// SQL for the number of days between two days.
    pub fn days_between(&self, later: &str, earlier: &str) -> String {
        self.on(
            &format!("CAST({later} - {earlier} AS bigint)"),
            &format!("CAST(julianday({later}) - julianday({earlier}) AS bigint)"),
        )
    }

    /// The day of a moment in Iran.
    pub fn day_in_iran(&self, moment: &str) -> String {
        self.on(
            &format!("CAST({moment} AT TIME ZONE 'UTC' + INTERVAL '210 minutes' AS date)"),
            &format!("date({moment}, '+210 minutes')"),
        )
    }

    /// The earlier of two values that are there.
    pub fn least(&self, one: &str, other: &str) -> String {
        self.on(&format!("LEAST({one}, {other})"), &format!("MIN({one}, {other})"))
    }

    /// The later of two values that are there.
    pub fn greatest(&self, one: &str, other: &str) -> String {
        self.on(&format!("GREATEST({one}, {other})"), &format!("MAX({one}, {other})"))
    }

    /// The statement.
    pub fn statement(self, sql: impl Into<String>) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, self.values)
    }

    /// Whether the statement is for PostgreSQL.
    pub(super) fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    fn on(&self, postgres: &str, sqlite: &str) -> String {
        if self.is_postgres() { postgres.to_owned() } else { sqlite.to_owned() }
    }
}

/// Decimal text in millionths on SQLite, which has no exact decimals: its digits, with six behind the point.
fn millionths(text: &str) -> String {
    format!(
        "CAST(CASE WHEN instr({text}, '.') = 0 THEN {text} || '000000' ELSE substr({text}, 1, instr({text}, '.') - 1) \
         || substr(substr({text}, instr({text}, '.') + 1) || '000000', 1, 6) END AS bigint)"
    )
}

/// Types of JSON members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Text.
    Text,
    /// The name of a natural person, which is kept apart; none where it was erased.
    Name,
    /// A whole number, also one in a string.
    Integer,
    /// A number with a fraction.
    Float,
    /// Yes or no.
    Boolean,
    /// A day.
    Date,
    /// The id of a record.
    Uuid,
    /// A moment.
    Timestamp,
    /// Decimal text, in millionths.
    Millionths,
    /// JSON.
    Json,
}
