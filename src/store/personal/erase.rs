//! Permanent erasure of the personal values of a record: the values with their salts, their copies elsewhere,
//! and the former head of its history, from which they could be computed. The commitments stay; without the
//! salts they reveal nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    QueryOrder,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait, Query, SimpleExpr},
};
use serde_json::Value;

use super::{Entity as Values, Model as PersonalValue, opened};
use crate::{
    clock::new_id,
    problem::{Problem, Text, problem_types},
    store::{Database, Record, Transaction, idempotent_answer, security_event},
};

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure")]
pub struct Model {
    /// The id (UUIDv7).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Of which kind of record.
    pub resource: String,
    /// Of which record.
    pub record_id: Uuid,
    /// Time of the erasure.
    pub erased_at: DateTimeUtc,
    /// Account of the author.
    pub erased_by: Uuid,
    /// Id of the request.
    pub request_id: String,
    /// Reason.
    pub reason: String,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Erases the personal values of a record in any state: the record gets a version without them, and copies of
/// them are deleted.
///
/// # Errors
/// 412 where somebody changes the record meanwhile; the database does not answer.
pub async fn erase<R: Record>(
    transaction: &Transaction,
    before: &R,
    reason: &str,
) -> Result<(Model, R), Problem> {
    let id = before.id();
    let row = transaction.erase(before).await?;
    forget(transaction, R::RESOURCE, id).await?;
    let erasure = Model {
        id: new_id(),
        resource: R::RESOURCE.to_owned(),
        record_id: id,
        erased_at: transaction.now(),
        erased_by: transaction.author().id,
        request_id: transaction.request_id().to_owned(),
        reason: reason.to_owned(),
    };
    Entity::insert(ActiveModel::from(erasure.clone()).reset_all())
        .exec_without_returning(&**transaction)
        .await?;
    Ok((erasure, row))
}

/// Deletes the stored personal values of a record.
async fn forget(transaction: &Transaction, resource: &str, id: Uuid) -> Result<(), Problem> {
    let of_record = super::Column::Resource.eq(resource).and(super::Column::RecordId.eq(id));
    let mut said = BTreeSet::from([id.to_string()]);
    let mut keys = Vec::new();
    for kept in Values::find().filter(of_record.clone()).all(&**transaction).await? {
        match value(transaction, &kept).await {
            // An education is shared by many people: it identifies nobody.
            Some(Value::String(text)) if kept.field != "education" => said.extend([text]),
            Some(Value::Array(references)) => keys.extend(references),
            _ => {}
        }
    }
    idempotent_answer::forget_about(&**transaction, &said).await?;
    Values::delete_many().filter(of_record).exec(&**transaction).await?;
    let record = |table: &'static str| {
        Query::delete()
            .from_table(Alias::new(table))
            .and_where(Expr::col(Alias::new("record_id")).eq(id))
            .to_owned()
    };
    transaction
        .execute_statement(record("former_head").and_where(Expr::col(Alias::new("resource")).eq(resource)))
        .await?;
    // External references of the record, and errors reported for its import rows.
    let column = |name: &'static str| Expr::col(Alias::new(name));
    forget_rows(transaction, column("record_id").eq(id)).await?;
    for reference in keys {
        forget_key(transaction, resource, &reference).await?;
    }
    security_event::forget_names(&**transaction, security_event::Column::AccountId.eq(id)).await?;
    let sessions = Query::update()
        .table(Alias::new("session"))
        .value(Alias::new("address"), Option::<String>::None)
        .value(Alias::new("user_agent"), Option::<String>::None)
        .and_where(column("account_id").eq(id))
        .to_owned();
    transaction.execute_statement(&sessions).await?;
    // A receiver may have echoed the event in its response.
    let deliveries = Query::select()
        .column(Alias::new("id"))
        .from(Alias::new("webhook_delivery"))
        .and_where(Expr::col(Alias::new("record_id")).eq(id))
        .to_owned();
    let attempts = Query::update()
        .table(Alias::new("webhook_attempt"))
        .value(Alias::new("answer"), Option::<String>::None)
        .and_where(Expr::col(Alias::new("delivery_id")).in_subquery(deliveries))
        .to_owned();
    transaction.execute_statement(&attempts).await
}

/// Erases the external key of the record in import rows without a record: of a validation, or failed.
async fn forget_key(transaction: &Transaction, resource: &str, reference: &Value) -> Result<(), Problem> {
    let (Some(system), Some(key)) = (reference["system"].as_str(), reference["key"].as_str()) else {
        return Ok(());
    };
    let column = |name: &'static str| Expr::col(Alias::new(name));
    let imports = Query::select()
        .column(Alias::new("id"))
        .from(Alias::new("import"))
        .and_where(column("system").eq(system))
        .and_where(column("resource").eq(format!("{resource}s")))
        .to_owned();
    forget_rows(transaction, column("reference").eq(key).and(column("import_id").in_subquery(imports))).await
}

/// Erases the keys and errors of some import rows.
async fn forget_rows(transaction: &Transaction, which: SimpleExpr) -> Result<(), Problem> {
    let rows = Query::update()
        .table(Alias::new("import_row"))
        .value(Alias::new("reference"), Option::<String>::None)
        .value(Alias::new("errors"), Value::Array(Vec::new()))
        .and_where(which)
        .to_owned();
    transaction.execute_statement(&rows).await
}

/// Decrypts a value. One whose key is lost is lost anyway.
async fn value(db: &Transaction, kept: &PersonalValue) -> Option<Value> {
    opened(&**db, kept).await.ok().map(|committed| committed.value)
}

/// Whether the values of a record were erased at some moment, or later.
///
/// # Errors
/// The database does not answer.
pub async fn is_erased_since(
    db: &impl ConnectionTrait,
    resource: &str,
    id: Uuid,
    moment: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let found = Entity::find()
        .filter(Column::Resource.eq(resource))
        .filter(Column::RecordId.eq(id))
        .filter(Column::ErasedAt.gte(moment));
    Ok(found.one(db).await?.is_some())
}

/// All erasures, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn all(db: &Database) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Id).all(db).await
}

/// Makes the database release the bytes of erased values, as far as possible during writes.
///
/// # Errors
/// 503: the values are erased, but may still be in the files of the database; repeat the erasure to retry.
pub async fn finish_erasures(db: &Database) -> Result<(), Problem> {
    super::adopt::release(db).await.map_err(|error| {
        tracing::warn!(%error, "what was erased may still be in the files of the database");
        let detail = Text::new(
            "دادهٔ شخصی پاک شد، ولی ممکن است هنوز در پرونده‌های پایگاه داده مانده باشد؛ همین درخواست را کمی بعد تکرار کنید.",
            "The personal data is erased, but may still be in the files of the database: repeat the request a little later.",
        );
        Problem::new(&problem_types::UNAVAILABLE).detail(detail).cause(error).retry_after(10)
    })
}
