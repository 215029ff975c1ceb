//! The list of erasures, stored outside of the database and its backups: a file with a line of JSON each. It
//! contains ids and no personal data. Its erasures are repeated after the restore of an older backup.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::Path,
};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Uuid};
use serde::{Deserialize, Serialize};

use super::{ErasureInput, Subject};
use crate::{
    attachments,
    config::Config,
    policy::Caller,
    problem::{Problem, problem_types},
    store::{Database, Files, Transaction, lock, personal::erase},
};

/// The reason of an erasure that is done again.
const REASON: &str = "فهرست پاک‌شدگان";

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The kind of record.
    pub resource: Subject,
    /// The record.
    pub record_id: Uuid,
    /// The attachments that were about the person.
    #[serde(default)]
    pub attachments: Vec<Uuid>,
    /// Time of the erasure.
    pub erased_at: DateTime<Utc>,
}

impl Entry {
    /// Appends the line to a list, and waits until it is on the disk.
    ///
    /// # Errors
    /// The file cannot be written: then nothing may be erased.
    pub fn add_to(&self, path: &Path) -> Result<(), Problem> {
        let line = serde_json::to_string(self).map_err(Problem::internal)?;
        let written = OpenOptions::new().append(true).create(true).open(path).and_then(|mut file| {
            writeln!(file, "{line}")?;
            file.sync_all()
        });
        written.map_err(|error| {
            Problem::internal(format!("the list of erasures {} cannot be written: {error}", path.display()))
        })
    }
}

/// Reads a list; one that is missing is empty.
///
/// # Errors
/// A line that is none, with its number; a file that cannot be read.
pub fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let fault = |what: String| format!("the list of erasures {}: {what}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(error.to_string())),
    };
    let mut entries = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| fault(error.to_string()))?;
        if !line.trim().is_empty() {
            entries.push(
                serde_json::from_str(&line)
                    .map_err(|error| fault(format!("line {}: {error}", number + 1)))?,
            );
        }
    }
    Ok(entries)
}

/// Erases again what is on the list of the configuration and not erased in the database, as after an older
/// backup was restored. How many it were.
///
/// # Errors
/// The list cannot be read, or the database does not answer.
pub async fn apply(db: &Database, config: &Config) -> Result<usize, Problem> {
    let Some(path) = &config.erasure_list else { return Ok(0) };
    let entries = read(path).map_err(Problem::internal)?;
    let (mut count, mut attachments) = (0, Vec::new());
    for entry in entries {
        attachments.extend(entry.attachments.iter().copied());
        count += usize::from(again(db, config, entry).await?);
    }
    // Also those that were erased by a process that has ended before it removed the file.
    if count > 0 {
        super::finish(db, &Files::open(config)?, &attachments).await?;
    } else if let Some(files) = Files::open_existing(config)?.filter(|_| !attachments.is_empty()) {
        attachments::content::remove_unreferred(db, &files, &attachments).await?;
    }
    Ok(count)
}

/// Erases a record again, with its attachments; false where that is done, or the database does not know it.
async fn again(db: &Database, config: &Config, entry: Entry) -> Result<bool, Problem> {
    let known = attachments::entity::Entity::find()
        .filter(attachments::entity::Column::Id.is_in(entry.attachments))
        .all(db)
        .await?;
    let input = ErasureInput {
        resource: entry.resource,
        record_id: entry.record_id,
        reason: REASON.to_owned(),
        attachments: known.into_iter().map(|attachment| attachment.id).collect(),
    };
    let transaction = Transaction::begin(db, Caller::service(), "list of erasures".to_owned()).await?;
    // Another instance may be at it.
    lock::for_transaction(&*transaction, "list of erasures").await?;
    if erase::is_erased_since(&*transaction, &resource(entry.resource)?, entry.record_id, entry.erased_at)
        .await?
    {
        transaction.roll_back().await;
        return Ok(false);
    }
    // It is on the list.
    let unlisted = Config { erasure_list: None, ..config.clone() };
    match super::erase(&transaction, &input, &unlisted).await {
        Ok(_) => {
            transaction.commit().await?;
            Ok(true)
        }
        Err(problem) => {
            transaction.roll_back().await;
            // The backup is older than the record.
            if problem.code() == problem_types::VALIDATION_FAILED.code { Ok(false) } else { Err(problem) }
        }
    }
}

fn resource(subject: Subject) -> Result<String, Problem> {
    let name = serde_json::to_value(subject).map_err(Problem::internal)?;
    name.as_str().map(str::to_owned).ok_or_else(|| Problem::internal("a kind of record has no name"))
}
