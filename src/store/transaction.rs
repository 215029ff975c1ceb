//! The one way in which records change.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait},
};
use uuid::Uuid;

use super::{
    Record,
    change_log::{self, ChangeKind},
    connection, external_ref, fault, now,
    record::Unique,
    search,
};
use crate::http::{Problem, Text, Violation, catalogue};

/// A transaction that knows who writes, when, and in which request.
pub struct Transaction {
    inner: DatabaseTransaction,
    account_id: Uuid,
    request_id: String,
    now: DateTime<Utc>,
}

impl Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Transaction {
    /// Begins to write.
    pub async fn begin(db: &DatabaseConnection, account_id: Uuid, request_id: String) -> Result<Self, Problem> {
        let inner = connection::begin_to_write(db).await?;
        Ok(Self { inner, account_id, request_id, now: now() })
    }

    /// Makes everything durable.
    pub async fn commit(self) -> Result<(), Problem> {
        Ok(self.inner.commit().await?)
    }

    /// The moment of the write.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Who writes.
    pub fn account_id(&self) -> Uuid {
        self.account_id
    }

    /// Creates a record. Its columns of identity and version are set here.
    pub async fn insert<R: Record>(&self, mut row: R) -> Result<R, Problem> {
        let columns = row.columns_mut();
        *columns.id = Uuid::now_v7();
        *columns.version = 1;
        *columns.created_at = self.now;
        *columns.created_by = self.account_id;
        *columns.updated_at = self.now;
        *columns.updated_by = self.account_id;
        self.log(&mut row, ChangeKind::Created, "").await?;
        let active = row.clone().into_active_model().reset_all();
        let inserted = R::Entity::insert(active).exec_without_returning(&self.inner).await;
        inserted.map_err(|error| fault::of_write(error, R::UNIQUE))?;
        self.index(&row).await?;
        Ok(row)
    }

    /// Changes a record that was read before. 412 when somebody else has changed it meanwhile.
    pub async fn update<R: Record>(&self, before: &R, row: R) -> Result<R, Problem> {
        self.change(before, row, ChangeKind::Updated).await
    }

    /// Changes the state of a record that was read before.
    pub async fn transition<R: Record>(&self, before: &R, row: R) -> Result<R, Problem> {
        self.change(before, row, ChangeKind::Transitioned).await
    }

    /// Leaves a tombstone.
    pub async fn delete<R: Record>(&self, before: &R) -> Result<R, Problem> {
        let mut row = before.clone();
        *row.columns_mut().deleted_at = Some(self.now);
        self.change(before, row, ChangeKind::Deleted).await
    }

    async fn change<R: Record>(&self, before: &R, mut row: R, kind: ChangeKind) -> Result<R, Problem> {
        let columns = row.columns_mut();
        *columns.version = before.version() + 1;
        *columns.updated_at = self.now;
        *columns.updated_by = self.account_id;
        // The row first: of many writers with the same version, all but one stop here.
        row.columns_mut().history_hash.clear();
        let entry = self.entry(&row, kind, before.history_hash())?;
        *row.columns_mut().history_hash = entry.hash.clone();
        let active = row.clone().into_active_model().reset_all();
        let updated = R::Entity::update_many()
            .set(active)
            .filter(R::is(before.id()))
            .filter(Expr::col((R::Entity::default(), Alias::new("version"))).eq(before.version()))
            .exec(&self.inner)
            .await
            .map_err(|error| fault::of_write(error, R::UNIQUE))?;
        if updated.rows_affected == 0 {
            return Err(self.stale(before).await?);
        }
        self.append(entry).await?;
        if before.terms() != row.terms() || before.external_refs() != row.external_refs() || kind == ChangeKind::Deleted {
            self.unindex(&row).await?;
            if kind != ChangeKind::Deleted {
                self.index(&row).await?;
            }
        }
        Ok(row)
    }

    /// 412 with the ETag that the record has by now.
    async fn stale<R: Record>(&self, before: &R) -> Result<Problem, Problem> {
        let current = R::Entity::find().filter(R::is(before.id())).one(&self.inner).await?;
        let problem = Problem::new(&catalogue::STALE_VERSION);
        Ok(match current {
            Some(row) => problem.header(actix_web::http::header::ETAG, crate::http::shape::etag(row.version())),
            None => problem,
        })
    }

    async fn log<R: Record>(&self, row: &mut R, kind: ChangeKind, previous_hash: &str) -> Result<(), Problem> {
        let entry = self.entry(row, kind, previous_hash)?;
        *row.columns_mut().history_hash = entry.hash.clone();
        self.append(entry).await
    }

    fn entry<R: Record>(&self, row: &R, kind: ChangeKind, previous_hash: &str) -> Result<change_log::Model, Problem> {
        let mut entry = change_log::Model {
            seq: 0,
            transaction_id: 0,
            resource: R::RESOURCE.to_owned(),
            record_id: row.id(),
            version: row.version(),
            kind,
            province: row.province().map(str::to_owned),
            changed_at: self.now,
            changed_by: self.account_id,
            request_id: self.request_id.clone(),
            data: serde_json::to_value(row.view()).map_err(Problem::internal)?,
            previous_hash: previous_hash.to_owned(),
            hash: String::new(),
        };
        entry.hash = entry.compute_hash();
        Ok(entry)
    }

    async fn append(&self, entry: change_log::Model) -> Result<(), Problem> {
        let mut active = change_log::ActiveModel::from(entry).reset_all();
        active.seq = NotSet;
        active.transaction_id = NotSet;
        change_log::Entity::insert(active).exec_without_returning(&self.inner).await?;
        Ok(())
    }

    async fn index<R: Record>(&self, row: &R) -> Result<(), Problem> {
        let mut terms = row.terms();
        terms.sort();
        terms.dedup();
        // A statement takes a limited number of parameters.
        for some in terms.chunks(1_000) {
            let terms = some.iter().map(|(field, term)| search::ActiveModel {
                resource: Set(R::RESOURCE.to_owned()),
                field: Set((*field).to_owned()),
                term: Set(term.clone()),
                record_id: Set(row.id()),
            });
            search::Entity::insert_many(terms).exec_without_returning(&self.inner).await?;
        }
        let references = row.external_refs().iter().map(|reference| external_ref::ActiveModel {
            resource: Set(R::RESOURCE.to_owned()),
            system: Set(reference.system.clone()),
            reference: Set(reference.key.clone()),
            record_id: Set(row.id()),
        });
        let written = external_ref::Entity::insert_many(references).exec_without_returning(&self.inner).await;
        written.map_err(|error| fault::of_write(error, EXTERNAL_REF))?;
        Ok(())
    }

    async fn unindex<R: Record>(&self, row: &R) -> Result<(), Problem> {
        search::Entity::delete_many()
            .filter(search::Column::Resource.eq(R::RESOURCE))
            .filter(search::Column::RecordId.eq(row.id()))
            .exec(&self.inner)
            .await?;
        external_ref::Entity::delete_many()
            .filter(external_ref::Column::Resource.eq(R::RESOURCE))
            .filter(external_ref::Column::RecordId.eq(row.id()))
            .exec(&self.inner)
            .await?;
        Ok(())
    }
}

const EXTERNAL_REF: &[Unique] = &[Unique {
    index: "external_ref_pkey",
    columns: "external_ref.resource, external_ref.system, external_ref.reference",
    violation: || Violation::body("/external_refs", "duplicate", Text::new("این شناسهٔ بیرونی آزاد نیست.", "This external reference is not free.")),
}];
