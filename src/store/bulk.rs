//! Bulk inserts.

use std::borrow::Cow;

use chrono::SecondsFormat;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityName,
    EntityTrait, IdenStatic, Iterable, QueryTrait, RuntimeErr, Statement, Value,
    sea_query::{Alias, Query},
};

use super::Database;

/// Maximum number of parameters of an SQLite statement; PostgreSQL takes twice as many.
const MOST_PARAMETERS: usize = 32_766;

/// Inserts rows of a table in as few statements as possible.
pub async fn insert_all<A: ActiveModelTrait>(db: &impl ConnectionTrait, rows: Vec<A>) -> Result<(), DbErr> {
    for statement in inserts(db.get_database_backend(), rows)? {
        db.execute_raw(statement).await?;
    }
    Ok(())
}

/// Insert statements for rows of a table, as few as possible.
pub fn inserts<A: ActiveModelTrait>(backend: DbBackend, mut rows: Vec<A>) -> Result<Vec<Statement>, DbErr> {
    let most = MOST_PARAMETERS / <A::Entity as EntityTrait>::Column::iter().count();
    let mut statements = Vec::new();
    while !rows.is_empty() {
        let rest = rows.split_off(most.min(rows.len()));
        let part = std::mem::replace(&mut rows, rest);
        let is_by_columns = backend == DbBackend::Postgres && part.len() > FEW;
        statements.push(if is_by_columns {
            insert_of_arrays(part)?
        } else {
            A::Entity::insert_many(part).build(backend)
        });
    }
    Ok(statements)
}

/// From this number of rows on, PostgreSQL works faster with one parameter per column than with one per
/// value: the statement text does not depend on the number of rows.
const FEW: usize = 16;

/// Inserts each column as an array text, which PostgreSQL parses in half the time of the same rows as JSON.
fn insert_of_arrays<A: ActiveModelTrait>(rows: Vec<A>) -> Result<Statement, DbErr> {
    let mut columns: Vec<(&str, &str, String)> = Vec::new();
    for (number, mut row) in rows.into_iter().enumerate() {
        let mut place = 0;
        for column in <A::Entity as EntityTrait>::Column::iter() {
            if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = row.take(column) {
                if number == 0 {
                    columns.push((column.as_str(), type_of(&value)?, String::new()));
                }
                let (_, _, array) = columns
                    .get_mut(place)
                    .ok_or_else(|| DbErr::Custom("a row has more columns than the first".to_owned()))?;
                array.push(if number == 0 { '{' } else { ',' });
                match text(&value)? {
                    Some(text) => quote(array, &text),
                    None => array.push_str("NULL"),
                }
                place += 1;
            }
        }
    }
    let names: Vec<_> = columns.iter().map(|(name, ..)| *name).collect();
    let arrays: Vec<_> =
        columns.iter().zip(1..).map(|((_, kind, _), number)| format!("${number}::{kind}[]")).collect();
    let (table, names, arrays) =
        (A::Entity::default().table_name().to_owned(), names.join(", "), arrays.join(", "));
    let sql = format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})");
    let values = columns.into_iter().map(|(.., array)| Value::from(array + "}"));
    Ok(Statement::from_sql_and_values(DbBackend::Postgres, sql, values))
}

/// Quotes an array element for PostgreSQL.
fn quote(array: &mut String, text: &str) {
    array.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\']) {
        array.push_str(&rest[..at]);
        array.push('\\');
        array.push_str(&rest[at..=at]);
        rest = &rest[at + 1..];
    }
    array.push_str(rest);
    array.push('"');
}

/// The PostgreSQL type name of a value.
fn type_of(value: &Value) -> Result<&'static str, DbErr> {
    Ok(match value {
        Value::String(_) => "text",
        Value::Json(_) => "jsonb",
        Value::Uuid(_) => "uuid",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::BigInt(_) => "bigint",
        Value::Double(_) => "double precision",
        Value::ChronoDate(_) => "date",
        Value::ChronoDateTimeUtc(_) => "timestamptz",
        other => return Err(unknown(other)),
    })
}

/// PostgreSQL text of a value; none for null.
fn text(value: &Value) -> Result<Option<Cow<'_, str>>, DbErr> {
    Ok(Some(match value {
        Value::String(Some(text)) => text.as_str().into(),
        Value::Json(Some(json)) => json.to_string().into(),
        Value::Uuid(Some(id)) => id.to_string().into(),
        Value::Bool(Some(is_so)) => is_so.to_string().into(),
        Value::Int(Some(number)) => number.to_string().into(),
        Value::BigInt(Some(number)) => number.to_string().into(),
        Value::Double(Some(number)) => number.to_string().into(),
        Value::ChronoDate(Some(day)) => day.to_string().into(),
        Value::ChronoDateTimeUtc(Some(moment)) => moment.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
        value if *value == value.as_null() => return Ok(None),
        other => return Err(unknown(other)),
    }))
}

fn unknown(value: &Value) -> DbErr {
    DbErr::Custom(format!("no record has a column for {value:?}"))
}

/// Rows of several tables, inserted together, for generated data. The rules of the service are not checked.
pub struct Bulk {
    tables: Vec<Table>,
}

/// Some rows of a table: for each of them a value for each of the columns.
struct Table {
    name: &'static str,
    columns: Vec<&'static str>,
    values: Vec<Value>,
}

impl Bulk {
    /// Creates an empty bulk. `tables` are in write order: a table comes after those it refers to.
    pub fn new(tables: &[&'static str]) -> Self {
        Self {
            tables: tables
                .iter()
                .map(|name| Table { name, columns: Vec::new(), values: Vec::new() })
                .collect(),
        }
    }

    /// Adds a row. All rows of a table set the same columns.
    pub fn add<A: ActiveModelTrait>(&mut self, mut row: A) {
        let name = A::Entity::default().table_name();
        let table = match self.tables.iter().position(|table| table.name == name) {
            Some(place) => &mut self.tables[place],
            None => self.tables.push_mut(Table { name, columns: Vec::new(), values: Vec::new() }),
        };
        let is_first = table.columns.is_empty();
        for column in <A::Entity as sea_orm::EntityTrait>::Column::iter() {
            if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = row.take(column) {
                table.values.push(value);
                if is_first {
                    table.columns.push(column.as_str());
                }
            }
        }
    }

    /// Number of rows per table.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.tables
            .iter()
            .filter(|table| !table.columns.is_empty())
            .map(|table| (table.name, table.values.len() / table.columns.len()))
    }

    /// Total number of rows.
    pub fn len(&self) -> usize {
        self.counts().map(|(_, count)| count).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes all rows in one transaction.
    ///
    /// # Errors
    /// A broken constraint, or a database that does not answer. Nothing is written then.
    pub async fn write(self, db: &Database) -> Result<(), DbErr> {
        let tables = self.tables.into_iter().filter(|table| !table.columns.is_empty());
        if db.get_database_backend() == DbBackend::Postgres {
            return copy(db, tables).await;
        }
        let transaction = db.begin_to_write().await?;
        for table in tables {
            table.insert(&transaction).await?;
        }
        transaction.commit().await
    }
}

impl Table {
    /// Inserts in statements with as many rows as possible.
    async fn insert(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        let (width, columns) = (self.columns.len(), self.columns.iter().map(|column| Alias::new(*column)));
        let columns: Vec<_> = columns.collect();
        let mut values = self.values.into_iter();
        while values.len() > 0 {
            let mut insert =
                Query::insert().into_table(Alias::new(self.name)).columns(columns.clone()).to_owned();
            for _ in 0..(values.len() / width).min(MOST_PARAMETERS / width) {
                insert
                    .values(values.by_ref().take(width).map(Into::into))
                    .map_err(|error| DbErr::Custom(error.to_string()))?;
            }
            transaction.execute(&insert).await?;
        }
        Ok(())
    }
}

/// Inserts any number of rows in the text format of PostgreSQL's `COPY`.
async fn copy(db: &Database, tables: impl Iterator<Item = Table>) -> Result<(), DbErr> {
    let failed = |error: sqlx::Error| DbErr::Exec(RuntimeErr::SqlxError(error.into()));
    let mut transaction =
        db.write_connections().get_postgres_connection_pool().begin().await.map_err(failed)?;
    for table in tables {
        let statement = format!("COPY {} ({}) FROM STDIN", table.name, table.columns.join(", "));
        let lines = table.lines()?;
        let mut rows = transaction.copy_in_raw(&statement).await.map_err(failed)?;
        rows.send(lines.into_bytes()).await.map_err(failed)?;
        rows.finish().await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

impl Table {
    /// A line for each row, its values with tabs between them.
    fn lines(&self) -> Result<String, DbErr> {
        let mut lines = String::new();
        for row in self.values.chunks(self.columns.len()) {
            for (place, value) in row.iter().enumerate() {
                if place > 0 {
                    lines.push('\t');
                }
                match text(value)? {
                    Some(text) => escape(&mut lines, &text),
                    None => lines.push_str("\\N"),
                }
            }
            lines.push('\n');
        }
        Ok(lines)
    }
}

/// Escapes a value for `COPY` with backslashes.
fn escape(lines: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => lines.push_str("\\\\"),
            '\n' => lines.push_str("\\n"),
            '\r' => lines.push_str("\\r"),
            '\t' => lines.push_str("\\t"),
            c => lines.push(c),
        }
    }
}
