//! Readiness probe: checks the schema and writes a row, on connections of its own.

use std::time::Instant;

use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::Mutex;

use super::{
    Database, connection, fault, now,
    schema::{self, Schema},
    sql::Composer,
};
use crate::config::DatabaseUrl;

/// Database health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It reads and writes.
    Ready,
    /// Readable, but the database is configured read-only, as a standby is.
    ReadOnly,
    /// The schema does not fit this build.
    Tables(Schema),
    /// No answer, or failed writes.
    Away,
}

/// A probe of one database.
pub struct Probe {
    db: Database,
    /// Result of the last check, with its start time.
    seen: Mutex<Option<(Instant, Health)>>,
}

impl Probe {
    /// A probe with connections of its own.
    ///
    /// # Errors
    /// An address that cannot be read.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, DbErr> {
        Ok(Self { db: connection::connect_to_probe(url).await?, seen: Mutex::default() })
    }

    /// The connections of the probe.
    pub fn database(&self) -> Database {
        self.db.clone()
    }

    /// Checks the health of the database. Callers during a running check share the next one.
    pub async fn look(&self) -> Health {
        let asked = Instant::now();
        let mut seen = self.seen.lock().await;
        match seen.as_ref() {
            Some((began, health)) if *began >= asked => health.clone(),
            _ => {
                let began = Instant::now();
                let health = self.health().await;
                *seen = Some((began, health.clone()));
                health
            }
        }
    }

    async fn health(&self) -> Health {
        match schema::look(&self.db).await {
            Ok(Schema::Fits { .. }) => {}
            Ok(schema) => return Health::Tables(schema),
            Err(error) => return away(&error),
        }
        match write(&self.db).await {
            Ok(()) => Health::Ready,
            // A busy database counts as ready: other writers only take long.
            Err(error) if fault::is_busy(&error) => Health::Ready,
            Err(error) if fault::is_read_only(&error) => Health::ReadOnly,
            Err(error) => away(&error),
        }
    }
}

/// Writes a probe row: only an actual write shows that the database accepts writes. A standby lets a write
/// transaction begin.
///
/// # Errors
/// It takes none, or does not answer.
pub async fn write(db: &Database) -> Result<(), DbErr> {
    let transaction = db.begin_to_write().await?;
    let mut sql = Composer::new(&transaction);
    let moment = sql.moment(now());
    let write = format!(
        "INSERT INTO write_probe (id, written_at) VALUES (1, {moment}) ON CONFLICT (id) DO UPDATE SET written_at = excluded.written_at"
    );
    transaction.execute_raw(sql.statement(write)).await?;
    transaction.commit().await
}

fn away(error: &DbErr) -> Health {
    tracing::warn!(%error, "not ready");
    Health::Away
}
