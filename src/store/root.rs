//! One hash over the heads of all record chains: a copy kept elsewhere proves later that no chain was
//! exchanged, truncated or removed.

use futures_util::TryStreamExt;
use sea_orm::{DbErr, Statement, StreamTrait, prelude::Uuid};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::values::hex;

/// The newest entry of each record, in the order of kinds and ids as bytes, which is the same on both
/// databases.
const HEADS: &str = "SELECT c.resource, c.record_id, c.version, c.hash FROM change_log c WHERE NOT EXISTS \
                     (SELECT 1 FROM change_log n WHERE n.resource = c.resource AND n.record_id = c.record_id AND n.version > c.version) \
                     ORDER BY c.resource, c.record_id";

/// The root of all chains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// SHA-256, in hexadecimal, over a line for each record: kind, id, version and hash of its newest entry,
    /// between tabs.
    pub sha256: String,
    /// Number of records.
    pub chains: u64,
}

/// Computes the root of a transaction's snapshot, record by record.
pub async fn root(db: &impl StreamTrait) -> Result<Root, DbErr> {
    let (mut hash, mut chains) = (Sha256::new(), 0);
    let mut rows =
        std::pin::pin!(db.stream_raw(Statement::from_string(db.get_database_backend(), HEADS)).await?);
    while let Some(row) = rows.try_next().await? {
        let (resource, id): (String, Uuid) = (row.try_get("", "resource")?, row.try_get("", "record_id")?);
        let (version, head): (i64, String) = (row.try_get("", "version")?, row.try_get("", "hash")?);
        hash.update(format!("{resource}\t{id}\t{version}\t{head}\n"));
        chains += 1;
    }
    Ok(Root { sha256: hex(&hash.finalize()), chains })
}
