//! What a database error means to a client.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

use super::record::Unique;
use crate::http::{Problem, catalogue};

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        if is_away(&error) {
            tracing::warn!(%error, "the database is away");
            return Self::new(&catalogue::UNAVAILABLE).retry_after(2).cause(error);
        }
        Self::internal(error)
    }
}

/// A unique index or a foreign key that a write has hit becomes its own problem.
pub fn of_write(error: DbErr, unique: &[Unique]) -> Problem {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(message)) => {
            let hit = unique.iter().find(|unique| message.contains(unique.index) || message.ends_with(unique.columns));
            hit.map_or_else(|| Problem::new(&catalogue::DUPLICATE), |unique| Problem::new(&catalogue::DUPLICATE).violation((unique.violation)()))
        }
        // What a record refers to was looked up before: only its own province, to which others hold, can be in the way.
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Problem::new(&catalogue::MOVED_AWAY),
        _ => error.into(),
    }
}

/// The connection could not be had, broke, or the database is too busy, read-only, full or shutting down.
fn is_away(error: &DbErr) -> bool {
    let cause = match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause,
        _ => return false,
    };
    match cause.as_ref() {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(fault) if fault.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() => {
            // Busy, locked, read-only, I/O error, full, cannot open; the upper bits say more (SQLite result codes).
            let code = fault.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
        }
        sqlx::Error::Database(fault) => {
            // Classes and codes of PostgreSQL: connection, resources, operator, deadlock, serialization, lock, read-only,
            // refused and cancelled statements, a database that is not there.
            const AWAY: [&str; 11] = ["08", "53", "57", "28", "40001", "40P01", "55P03", "55000", "25006", "3D000", "58"];
            fault.code().is_some_and(|code| AWAY.iter().any(|away| code.starts_with(away)))
        }
        _ => false,
    }
}
