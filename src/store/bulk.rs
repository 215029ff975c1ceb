//! Many rows at once.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityName, EntityTrait, IdenStatic,
    Iterable, RuntimeErr, Statement, Value,
    sea_query::{Alias, Query},
};

use super::connection;

/// SQLite takes so many parameters in a statement, PostgreSQL twice as many.
const MOST_PARAMETERS: usize = 32_766;

/// Inserts rows of a table in as few statements as they take.
pub async fn insert_all<A: ActiveModelTrait>(db: &impl ConnectionTrait, mut rows: Vec<A>) -> Result<(), DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let most = MOST_PARAMETERS / <A::Entity as EntityTrait>::Column::iter().count();
    while !rows.is_empty() {
        let rest = rows.split_off(most.min(rows.len()));
        let part = std::mem::replace(&mut rows, rest);
        if is_postgres && part.len() > FEW {
            insert_as_json(db, part).await?;
        } else {
            A::Entity::insert_many(part).exec_without_returning(db).await?;
        }
    }
    Ok(())
}

/// From so many rows on, one parameter is less work for PostgreSQL than one for each value: the statement has the same text
/// however many rows there are, and is planned once.
const FEW: usize = 16;

async fn insert_as_json<A: ActiveModelTrait>(db: &impl ConnectionTrait, rows: Vec<A>) -> Result<(), DbErr> {
    let (mut names, mut objects) = (Vec::new(), Vec::new());
    for mut row in rows {
        let mut object = serde_json::Map::new();
        for column in <A::Entity as EntityTrait>::Column::iter() {
            if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = row.take(column) {
                if objects.is_empty() {
                    names.push(column.as_str());
                }
                object.insert(column.as_str().to_owned(), json(value)?);
            }
        }
        objects.push(serde_json::Value::Object(object));
    }
    let (table, names) = (A::Entity::default().table_name(), names.join(", "));
    let sql = format!("INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, $1)");
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [serde_json::Value::Array(objects).into()])).await.map(|_| ())
}

/// A value as `jsonb_populate_recordset` reads it.
fn json(value: Value) -> Result<serde_json::Value, DbErr> {
    Ok(match value {
        Value::String(Some(text)) => text.into(),
        Value::Json(Some(json)) => *json,
        Value::Uuid(Some(id)) => id.to_string().into(),
        Value::Bool(Some(is_so)) => is_so.into(),
        Value::Int(Some(number)) => number.into(),
        Value::BigInt(Some(number)) => number.into(),
        Value::Double(Some(number)) => number.into(),
        Value::ChronoDate(Some(day)) => day.to_string().into(),
        Value::ChronoDateTimeUtc(Some(moment)) => moment.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
        value if value == value.as_null() => serde_json::Value::Null,
        // No record has a column of another type.
        other => return Err(DbErr::Custom(format!("{other:?} is no value of a record"))),
    })
}

/// Rows of several tables, which go into the database together: for data that is made, not entered. The rules of the service are not held
/// against it.
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
    /// No rows yet. The tables come in the order in which they are to be written: what refers to another one after it.
    pub fn new(tables: &[&'static str]) -> Self {
        Self { tables: tables.iter().map(|name| Table { name, columns: Vec::new(), values: Vec::new() }).collect() }
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

    /// How many rows there are of each table.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.tables.iter().filter(|table| !table.columns.is_empty()).map(|table| (table.name, table.values.len() / table.columns.len()))
    }

    /// How many rows there are.
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
    pub async fn write(self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let tables = self.tables.into_iter().filter(|table| !table.columns.is_empty());
        if db.get_database_backend() == DbBackend::Postgres {
            return copy(db, tables).await.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())));
        }
        let transaction = connection::begin_to_write(db).await?;
        for table in tables {
            table.insert(&transaction).await?;
        }
        transaction.commit().await
    }
}

impl Table {
    /// In statements of several rows, each as long as it can be.
    async fn insert(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        let (width, columns) = (self.columns.len(), self.columns.iter().map(|column| Alias::new(*column)));
        let columns: Vec<_> = columns.collect();
        let mut values = self.values.into_iter();
        while values.len() > 0 {
            let mut insert = Query::insert().into_table(Alias::new(self.name)).columns(columns.clone()).to_owned();
            for _ in 0..(values.len() / width).min(MOST_PARAMETERS / width) {
                insert.values(values.by_ref().take(width).map(Into::into)).map_err(|error| DbErr::Custom(error.to_string()))?;
            }
            transaction.execute(&insert).await?;
        }
        Ok(())
    }
}

/// PostgreSQL takes any number of rows at once in the text format of its `COPY`.
async fn copy(db: &DatabaseConnection, tables: impl Iterator<Item = Table>) -> Result<(), sqlx::Error> {
    let mut transaction = db.get_postgres_connection_pool().begin().await?;
    for table in tables {
        let statement = format!("COPY {} ({}) FROM STDIN", table.name, table.columns.join(", "));
        let lines = table.lines()?;
        let mut rows = transaction.copy_in_raw(&statement).await?;
        rows.send(lines.into_bytes()).await?;
        rows.finish().await?;
    }
    transaction.commit().await
}

impl Table {
    /// A line for each row, its values with tabs between them.
    fn lines(&self) -> Result<String, sqlx::Error> {
        let mut lines = String::new();
        for row in self.values.chunks(self.columns.len()) {
            for (place, value) in row.iter().enumerate() {
                if place > 0 {
                    lines.push('\t');
                }
                write_text(&mut lines, value).map_err(|error| sqlx::Error::Encode(error.into()))?;
            }
            lines.push('\n');
        }
        Ok(lines)
    }
}

/// A value as `COPY` reads it: `\N` where there is none, and with a backslash before what would end it.
fn write_text(lines: &mut String, value: &Value) -> Result<(), std::fmt::Error> {
    match value {
        Value::String(Some(text)) => escape(lines, text),
        Value::Json(Some(json)) => escape(lines, &json.to_string()),
        Value::Uuid(Some(id)) => write!(lines, "{}", id.as_hyphenated())?,
        Value::Bool(Some(is_so)) => write!(lines, "{is_so}")?,
        Value::Int(Some(number)) => write!(lines, "{number}")?,
        Value::BigInt(Some(number)) => write!(lines, "{number}")?,
        Value::Double(Some(number)) => write!(lines, "{number}")?,
        Value::ChronoDate(Some(day)) => write!(lines, "{day}")?,
        Value::ChronoDateTimeUtc(Some(moment)) => lines.push_str(&moment.to_rfc3339_opts(SecondsFormat::Micros, true)),
        value if value == &value.as_null() => lines.push_str("\\N"),
        // No record has a column of another type.
        _ => return Err(std::fmt::Error),
    }
    Ok(())
}

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
