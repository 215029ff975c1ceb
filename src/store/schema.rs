//! Schema migrations: their state, and applying them.
//!
//! During an upgrade several versions of the program serve one database. So a program serves a database that
//! has all migrations it knows, and possibly newer ones, unless one of these is marked as breaking: see
//! expanding and contracting in `migration/README.md`.

use std::{collections::BTreeSet, fmt};

use migration::{BREAKING, Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Database, connection, lock, personal};

/// State of the schema, compared with this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// All known migrations are applied; newer ones, if any, are compatible.
    Fits {
        /// Whether there are newer ones.
        is_newer: bool,
    },
    /// Migrations are missing.
    Behind,
    /// A newer migration is marked as incompatible with older programs.
    TooNew {
        /// Its name.
        migration: String,
    },
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits { is_newer: false } => f.write_str("the tables are up to date"),
            Self::Fits { is_newer: true } => {
                f.write_str("the database is newer than this program, which can serve it")
            }
            Self::Behind => f.write_str("the tables are not up to date: run `khoosheh migrate up`"),
            Self::TooNew { migration } => {
                write!(
                    f,
                    "the database is newer than this program, which cannot serve it since `{migration}`: start the newer program"
                )
            }
        }
    }
}

/// A schema migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its name, which begins with its day and number.
    pub name: String,
    /// Its state.
    pub state: State,
}

/// State of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is applied.
    Applied,
    /// It is to be applied.
    Missing,
    /// It was applied by a newer program.
    Newer,
}

/// Names of the applied migrations; none without tables.
async fn applied(db: &impl ConnectionTrait) -> Result<BTreeSet<String>, DbErr> {
    let is_there = match db.get_database_backend() {
        DbBackend::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    let statement = |sql: &str| Statement::from_string(db.get_database_backend(), sql);
    if db.query_one_raw(statement(is_there)).await?.is_none() {
        return Ok(BTreeSet::new());
    }
    let rows = db.query_all_raw(statement("SELECT version FROM seaql_migrations")).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect()
}

/// Names of the known migrations, oldest first.
pub fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// Compares the schema with this build. Read-only, so that an account without rights on the schema can serve.
///
/// # Errors
/// The database does not answer.
pub async fn look(db: &impl ConnectionTrait) -> Result<Schema, DbErr> {
    let (mut applied, known) = (applied(db).await?, known());
    if !known.iter().all(|name| applied.remove(name)) {
        return Ok(Schema::Behind);
    }
    let breaking = applied.iter().find(|name| name.ends_with(BREAKING)).cloned();
    Ok(breaking
        .map_or(Schema::Fits { is_newer: !applied.is_empty() }, |migration| Schema::TooNew { migration }))
}

/// All migrations, those of newer programs last.
///
/// # Errors
/// The database does not answer.
pub async fn migrations(db: &impl ConnectionTrait) -> Result<Vec<Migration>, DbErr> {
    let mut applied = applied(db).await?;
    let mut migrations = Vec::new();
    for name in known() {
        let state = if applied.remove(&name) { State::Applied } else { State::Missing };
        migrations.push(Migration { name, state });
    }
    migrations.extend(applied.into_iter().map(|name| Migration { name, state: State::Newer }));
    Ok(migrations)
}

/// Applies missing migrations in one transaction; returns whether there were any. Safe to call from several
/// instances at once: one migrates, the others wait. Schemas of a newer build are left alone.
///
/// # Errors
/// The database does not answer, or refuses a change: nothing is changed then.
pub async fn migrate(db: &Database) -> Result<bool, DbErr> {
    let transaction = connection::begin_to_rebuild(db).await?;
    lock::for_transaction(&transaction, "migrate").await?;
    let migrations = migrations(&transaction).await?;
    let has = |state| migrations.iter().any(|migration| migration.state == state);
    if has(State::Newer) {
        let missing = has(State::Missing);
        transaction.roll_back().await;
        // The missing ones cannot be applied between newer ones in a defined order.
        return if missing { Err(newer()) } else { Ok(false) };
    }
    Migrator::up(&*transaction, None).await?;
    transaction.commit().await?;
    Ok(has(State::Missing))
}

/// Reverts the last migration.
///
/// # Errors
/// The last migration is unknown to this program, or the database does not answer.
pub async fn migrate_down(db: &Database) -> Result<(), DbErr> {
    let transaction = connection::begin_to_rebuild(db).await?;
    lock::for_transaction(&transaction, "migrate").await?;
    let migrations = migrations(&transaction).await?;
    if migrations.iter().any(|migration| migration.state == State::Newer) {
        transaction.roll_back().await;
        return Err(newer());
    }
    let last = migrations.iter().rfind(|migration| migration.state == State::Applied);
    if last.is_some_and(|last| last.name.contains("_personal_values_")) {
        personal::adopt::give_back(&transaction).await?;
    }
    Migrator::down(&*transaction, Some(1)).await?;
    transaction.commit().await
}

fn newer() -> DbErr {
    DbErr::Custom("the database is newer than this program: change its tables with the newer one".to_owned())
}
