//! Verifies the stored files against the attachments.

use std::{collections::BTreeMap, fmt};

use sea_orm::{DbErr, QueryOrder, QuerySelect, entity::prelude::*};

use super::entity::{Column, Entity, Model};
use crate::{
    config::Config,
    problem::Problem,
    store::{Database, Files, files::ReadError},
};

/// Attachments per page.
const PAGE: u64 = 500;

/// Statistics of the verified files.
#[derive(Debug, Default)]
pub struct WholeFiles {
    /// Number of attachments with content.
    pub attachments: u64,
    /// Number of bytes read.
    pub bytes: u64,
}

impl fmt::Display for WholeFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the files are whole: those of {} attachments, {} bytes", self.attachments, self.bytes)
    }
}

/// Faults of the stored files.
#[derive(Debug)]
pub enum FileFault {
    /// The first one that is not.
    Damaged {
        /// The attachment.
        attachment: Uuid,
        /// Its name in the store.
        sha256: String,
        /// The error.
        error: ReadError,
    },
    /// The attachments could not be read.
    Database(DbErr),
    /// The store could not be opened.
    Store(Problem),
}

impl From<DbErr> for FileFault {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { attachment, sha256, error: ReadError::Damaged(damage) } => {
                write!(f, "the files are damaged at attachment {attachment}, file {sha256}: {damage}")
            }
            Self::Damaged { attachment, error, .. } => {
                write!(f, "the files cannot be read at attachment {attachment}: {error}")
            }
            Self::Database(error) => write!(f, "the files cannot be verified: {error}"),
            Self::Store(problem) => write!(f, "the files cannot be read: {problem}"),
        }
    }
}

impl std::error::Error for FileFault {}

/// Verifies size and SHA-256 of the file of every attachment with content, including deleted ones, in
/// constant memory. Files without an attachment are no fault: their records may have been announced again.
pub async fn verify(db: &Database, config: &Config) -> Result<WholeFiles, FileFault> {
    let (mut whole, mut after, mut store) = (WholeFiles::default(), Uuid::nil(), None);
    loop {
        let page = Entity::find()
            .filter(Column::Id.gt(after))
            .filter(Column::ReceivedAt.is_not_null())
            .order_by_asc(Column::Id)
            .limit(PAGE);
        let page: Vec<Model> = page.all(db).await?;
        let Some(last) = page.last() else { return Ok(whole) };
        after = last.id;
        let files = match &store {
            Some(files) => files,
            None => match Files::open_existing(config).map_err(FileFault::Store)? {
                Some(files) => store.insert(files),
                None => {
                    return Err(FileFault::Store(Problem::internal(format!(
                        "there is nothing at {}",
                        config.attachments_url
                    ))));
                }
            },
        };
        whole.attachments += page.len() as u64;
        // A file shared by several attachments is read once.
        let mut named: BTreeMap<_, Vec<Model>> = BTreeMap::new();
        page.into_iter()
            .for_each(|row| named.entry((row.sha256.clone(), row.size_bytes)).or_default().push(row));
        let mut first: Vec<Model> = named.into_values().filter_map(|rows| rows.into_iter().next()).collect();
        first.sort_by_key(|row| row.id);
        for row in first {
            let damaged =
                |error| FileFault::Damaged { attachment: row.id, sha256: row.sha256.clone(), error };
            files.check(&row.recorded(), || {}).await.map_err(damaged)?;
            whole.bytes += row.size_bytes.unsigned_abs();
        }
    }
}
