//! Transaction locks across all instances. On SQLite the write transaction itself is exclusive.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sha2::{Digest, Sha256};

/// Takes a named lock until the end of the transaction; false if another transaction holds it.
pub async fn try_for_transaction(transaction: &impl ConnectionTrait, name: &str) -> Result<bool, DbErr> {
    if transaction.get_database_backend() == DbBackend::Sqlite {
        return Ok(true);
    }
    let row =
        transaction.query_one_raw(statement("SELECT pg_try_advisory_xact_lock($1) AS taken", name)).await?;
    row.map_or(Ok(false), |row| row.try_get("", "taken"))
}

/// Waits for a named lock and takes it until the transaction ends.
pub async fn for_transaction(transaction: &impl ConnectionTrait, name: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_raw(statement("SELECT pg_advisory_xact_lock($1)", name)).await?;
    }
    Ok(())
}

/// Takes a named lock in shared mode until the end of the transaction; waits for an exclusive holder.
pub async fn shared_for_transaction(transaction: &impl ConnectionTrait, name: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_raw(statement("SELECT pg_advisory_xact_lock_shared($1)", name)).await?;
    }
    Ok(())
}

/// A lock id of PostgreSQL: the first 64 bits of the name's hash.
fn statement(sql: &str, name: &str) -> Statement {
    let hash = Sha256::digest(name.as_bytes());
    let number = hash.iter().take(8).fold(0, |number: i64, byte| (number << 8) | i64::from(*byte));
    Statement::from_sql_and_values(DbBackend::Postgres, sql, [number.into()])
}
