//! What a database error means to a client.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

use super::record::Unique;
use crate::http::{Problem, catalogue};

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        if is_away(&error) {
            tracing::warn!(%error, "the database is away");
            return Self::new(&catalogue::UNAVAILABLE).retry_after(2);
        }
        Self::internal(error)
    }
}

/// A unique index that a write has hit becomes its own problem.
pub fn of_write(error: DbErr, unique: &[Unique]) -> Problem {
    if let Some(SqlErr::UniqueConstraintViolation(message)) = error.sql_err() {
        let hit = unique.iter().find(|unique| message.contains(unique.index) || message.ends_with(unique.columns));
        return hit.map_or_else(|| Problem::new(&catalogue::DUPLICATE), |unique| Problem::new(&catalogue::DUPLICATE).violation((unique.violation)()));
    }
    error.into()
}

/// The connection could not be had, broke, or the database is too busy or shutting down.
fn is_away(error: &DbErr) -> bool {
    let cause = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(RuntimeErr::SqlxError(cause)) | DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause,
        DbErr::Conn(_) => return true,
        _ => return false,
    };
    match cause.as_ref() {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(fault) => match fault.code().as_deref() {
            // SQLite: busy, locked, cannot open; disk I/O error.
            Some("5" | "6" | "10" | "14" | "261" | "517") => true,
            // PostgreSQL: connection exceptions, insufficient resources, operator intervention, deadlock, serialization.
            Some(code) => ["08", "53", "57P", "40001", "40P01", "55P03"].iter().any(|class| code.starts_with(class)) || code == "3D000",
            None => false,
        },
        _ => false,
    }
}
