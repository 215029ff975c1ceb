//! Maps database errors to problem responses.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

use super::record::Unique;
use crate::problem::{Problem, problem_types};

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        if is_away(&error) {
            tracing::warn!(%error, "the database is away");
            return Self::new(&problem_types::UNAVAILABLE).retry_after(2).cause(error);
        }
        Self::internal(error)
    }
}

/// Maps a violated unique index or foreign key to its problem.
pub fn of_write(error: DbErr, unique: &[Unique]) -> Problem {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(message)) => {
            let hit = unique
                .iter()
                .find(|unique| message.contains(unique.index) || message.ends_with(unique.columns));
            hit.map_or_else(
                || Problem::new(&problem_types::DUPLICATE),
                |unique| Problem::new(&problem_types::DUPLICATE).violation(unique.violation()),
            )
        }
        // References were checked before; only the record's own province, which other records depend on, can
        // violate a constraint.
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Problem::new(&problem_types::MOVED_AWAY),
        _ => error.into(),
    }
}

/// Whether the same statement may succeed later.
pub fn is_temporary(error: &DbErr) -> bool {
    is_away(error)
}

/// No connection is available, it broke, or the database is too busy, read-only, full or shutting down.
fn is_away(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) {
        return true;
    }
    // Classes and codes of PostgreSQL: connection, resources, operator, deadlock, serialization, lock,
    // read-only, refused and cancelled statements, a database that is not there.
    const POSTGRES: [&str; 11] =
        ["08", "53", "57", "28", "40001", "40P01", "55P03", "55000", "25006", "3D000", "58"];
    match code(error) {
        Code::Sqlite(code) => matches!(code, BUSY | LOCKED | READONLY | IOERR | FULL | CANTOPEN | INTERRUPT),
        Code::Postgres(code) => POSTGRES.iter().any(|away| code.starts_with(away)),
        Code::Driver(cause) => {
            use sqlx::Error::{BeginFailed, Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
            matches!(cause, Io(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed | BeginFailed)
        }
        Code::None => false,
    }
}

/// Whether the connection may continue to fail after the cause of this error is gone: it is read-only, its
/// server is shutting down or has become a standby, or its file or disk fails.
pub fn spoils_connections(error: &DbErr) -> bool {
    match code(error) {
        Code::Sqlite(code) => matches!(code, READONLY | IOERR | CORRUPT | FULL | CANTOPEN | NOTADB),
        Code::Postgres(code) => {
            code.starts_with("08")
                || matches!(
                    code.as_str(),
                    "25001" | "25006" | "25P02" | "57P01" | "57P02" | "57P03" | "57P05"
                )
        }
        Code::Driver(_) | Code::None => false,
    }
}

/// Whether SQLite may have rolled back the transaction that gave this error.
pub fn may_roll_back(error: &DbErr) -> bool {
    matches!(code(error), Code::Sqlite(BUSY | NOMEM | INTERRUPT | IOERR | FULL))
}

/// Whether the database is readable but takes no writes: it is read-only, or its disk is full or fails.
pub fn takes_no_writes(error: &DbErr) -> bool {
    is_read_only(error)
        || matches!(code(error), Code::Sqlite(READONLY | IOERR | FULL))
        || matches!(code(error), Code::Postgres(code) if code == "53100")
}

/// Whether PostgreSQL is a standby, or set to be read-only.
pub fn is_read_only(error: &DbErr) -> bool {
    matches!(code(error), Code::Postgres(code) if code == "25006")
}

/// Whether SQLite waits for another writer, or PostgreSQL for a lock.
pub fn is_busy(error: &DbErr) -> bool {
    match code(error) {
        Code::Sqlite(code) => matches!(code, BUSY | LOCKED),
        Code::Postgres(code) => code == "55P03",
        Code::Driver(_) | Code::None => false,
    }
}

// Primary result codes of SQLite (<https://www.sqlite.org/rescode.html>).
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const NOMEM: u32 = 7;
const READONLY: u32 = 8;
const INTERRUPT: u32 = 9;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;

/// The code that an error carries.
enum Code<'a> {
    /// The primary result code of SQLite.
    Sqlite(u32),
    /// SQLSTATE.
    Postgres(String),
    /// No error code of the database.
    Driver(&'a sqlx::Error),
    None,
}

fn code(error: &DbErr) -> Code<'_> {
    let cause = match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause,
        _ => return Code::None,
    };
    let sqlx::Error::Database(fault) = cause.as_ref() else { return Code::Driver(cause) };
    let code = fault.code().unwrap_or_default();
    if fault.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_none() {
        return Code::Postgres(code.into_owned());
    }
    // The upper bits are the extended code.
    code.parse::<u32>().map_or(Code::None, |code| Code::Sqlite(code & 0xff))
}
