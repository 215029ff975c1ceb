//! Bulk creation of records with their full history, as the service would have recorded it: for generated
//! data.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::NotSet, IntoActiveModel};
use uuid::Uuid;

use super::{
    Record,
    bulk::Bulk,
    change_log::{self, ChangeKind, Entry},
    external_ref,
    personal::{self, keys::Keyring},
    search,
    status_event::{self, Event},
};
use crate::problem::Problem;

/// Records with their histories, to be written together.
pub struct Annals {
    bulk: Bulk,
    entries: Vec<change_log::Model>,
    author: Uuid,
    request_id: String,
    keyring: Arc<Keyring>,
}

impl Annals {
    /// Creates an empty seed with this author. `tables` are in write order.
    pub fn new(tables: &[&'static str], author: Uuid, request_id: &str, keyring: Arc<Keyring>) -> Self {
        Self {
            bulk: Bulk::new(tables),
            entries: Vec::new(),
            author,
            request_id: request_id.to_owned(),
            keyring,
        }
    }

    /// Records the creation of a record.
    pub fn create<R: Record>(&mut self, mut row: R, id: Uuid, at: DateTime<Utc>) -> Result<R, Problem> {
        let columns = row.columns_mut();
        *columns.id = id;
        *columns.created_at = at;
        *columns.created_by = self.author;
        self.enter(&mut row, ChangeKind::Created, at)?;
        Ok(row)
    }

    /// Records an update of a record to this row.
    pub fn update<R: Record>(&mut self, row: &mut R, at: DateTime<Utc>) -> Result<(), Problem> {
        self.enter(row, ChangeKind::Updated, at)
    }

    /// Records a change of state of a record to this row. `id` becomes that of the status event.
    pub fn transition<R: Record>(
        &mut self,
        row: &mut R,
        id: Uuid,
        event: Event,
        at: DateTime<Utc>,
    ) -> Result<(), Problem> {
        self.enter(row, ChangeKind::Transitioned, at)?;
        self.bulk.add(status_event::model(row, id, event, (at, self.author)).into_active_model().reset_all());
        Ok(())
    }

    /// Adds the final row of a record. Each created record needs this once.
    pub fn keep<R: Record>(&mut self, row: R) {
        search::of_record(&row).into_iter().for_each(|term| self.bulk.add(term));
        external_ref::of_record(&row).into_iter().for_each(|reference| self.bulk.add(reference));
        self.bulk.add(personal::stored(&row).into_active_model().reset_all());
    }

    fn enter<R: Record>(&mut self, row: &mut R, kind: ChangeKind, at: DateTime<Utc>) -> Result<(), Problem> {
        let columns = row.columns_mut();
        *columns.version += 1;
        *columns.updated_at = at;
        *columns.updated_by = self.author;
        personal::commit(&self.keyring, row, None)?.into_iter().for_each(|kept| self.bulk.add(kept));
        let columns = row.columns_mut();
        let previous_hash = std::mem::take(columns.history_hash);
        let entry = change_log::entry(
            row,
            kind,
            previous_hash,
            Entry { at, by: self.author, request_id: &self.request_id },
        )?;
        row.columns_mut().history_hash.clone_from(&entry.hash);
        self.entries.push(entry);
        Ok(())
    }

    /// Approximate number of rows.
    pub fn len(&self) -> usize {
        self.bulk.len() + self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows, the entries of the change log in the order of time.
    pub fn into_bulk(mut self) -> Bulk {
        self.entries.sort_by_key(|entry| entry.changed_at);
        for entry in self.entries {
            let mut active = change_log::ActiveModel::from(entry).reset_all();
            (active.seq, active.transaction_id) = (NotSet, NotSet);
            self.bulk.add(active);
        }
        self.bulk
    }
}
