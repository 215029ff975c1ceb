//! Consistent copies of the whole database during writes, and their restore.
//!
//! SQLite is copied by its backup API, PostgreSQL by its own programs `pg_dump` and `pg_restore`.

mod postgres;
mod sqlite;

use std::path::Path;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Statement};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Database engine of a backup. A backup can be restored only to the same engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The embedded one.
    Sqlite,
    /// A server.
    Postgres,
}

impl Kind {
    /// The kind that the configuration names.
    pub fn of(config: &Config) -> Self {
        if config.database_url.file().is_some() { Self::Sqlite } else { Self::Postgres }
    }

    /// The name of the file that a copy is in.
    pub fn part(self) -> &'static str {
        match self {
            Self::Sqlite => "database.sqlite",
            Self::Postgres => "database.dump",
        }
    }
}

/// Error shown to the operator; contains no secrets.
pub type Failure = Box<dyn std::error::Error>;

/// Fails if the programs for copying the database are missing.
pub async fn check_tools(config: &Config) -> Result<(), Failure> {
    match Kind::of(config) {
        Kind::Sqlite => Ok(()),
        Kind::Postgres => postgres::check_tools(config).await,
    }
}

/// Copies the database to an existing empty file; `read` sees the same snapshot.
pub async fn copy<T>(
    config: &Config,
    part: &Path,
    read: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match config.database_url.file() {
        Some(database) => sqlite::copy(database, part, read).await,
        None => postgres::copy(config, part, read).await,
    }
}

/// Fails if the database is not empty.
pub async fn check_empty(config: &Config) -> Result<(), Failure> {
    match config.database_url.file() {
        Some(database) => sqlite::check_empty(database),
        None => postgres::check_empty(config).await,
    }
}

/// Restores a copy into an empty database; `finish` checks and changes it before anybody else can use it.
pub async fn put_back<T>(
    config: &Config,
    part: &Path,
    finish: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match config.database_url.file() {
        Some(database) => sqlite::put_back(database, part, finish).await,
        None => postgres::put_back(config, part, finish).await,
    }
}

/// Names of the applied migrations.
pub async fn migrations(db: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Applied {
        version: String,
    }
    let query = Statement::from_string(
        db.get_database_backend(),
        "SELECT version FROM seaql_migrations ORDER BY version",
    );
    Ok(Applied::find_by_statement(query).all(db).await?.into_iter().map(|applied| applied.version).collect())
}

/// The kind and version of the database, such as `PostgreSQL 15.14`.
pub async fn server(db: &DatabaseTransaction) -> Result<String, DbErr> {
    let (name, sql) = match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => ("PostgreSQL", "SELECT current_setting('server_version') AS version"),
        _ => ("SQLite", "SELECT sqlite_version() AS version"),
    };
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let version: String =
        row.ok_or_else(|| DbErr::RecordNotFound("the version".to_owned()))?.try_get("", "version")?;
    Ok(format!("{name} {version}"))
}
