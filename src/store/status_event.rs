//! Status events: when a record was in which state, and when the service learned of it.

use std::collections::HashMap;

use sea_orm::{QueryOrder, Set, entity::prelude::*};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Record, Transaction};
use crate::{http::Problem, persian::Date};

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "status_event")]
pub struct Model {
    /// The id (UUIDv7, so that of two events of a day the later recorded one is the greater).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Which kind of record.
    pub resource: String,
    /// The record.
    pub record_id: Uuid,
    /// The version of the record that the change made.
    pub version: i64,
    /// The state before.
    pub from_state: String,
    /// The state after.
    pub to_state: String,
    /// The day from which it was so.
    pub effective_on: ChronoDate,
    /// When the service learned of it.
    pub recorded_at: DateTimeUtc,
    /// From which account.
    pub recorded_by: Uuid,
    /// The decision behind it.
    pub decision_id: Option<Uuid>,
    /// Why.
    pub reason: Option<String>,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is to be recorded.
pub struct Event {
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// The day from which it was so.
    pub effective_on: Date,
    /// The decision behind it.
    pub decision_id: Option<Uuid>,
    /// Why.
    pub reason: Option<String>,
}

/// The day of a record's latest change of state, before which the next one cannot lie.
pub async fn latest<R: Record>(db: &impl ConnectionTrait, row: &R) -> Result<Option<Date>, Problem> {
    let event = Entity::find()
        .filter(Column::Resource.eq(R::RESOURCE))
        .filter(Column::RecordId.eq(row.id()))
        .order_by_desc(Column::EffectiveOn)
        .order_by_desc(Column::Id)
        .one(db)
        .await?;
    Ok(event.map(|event| Date::from(event.effective_on)))
}

/// A change of state as the history tells it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedTransition {
    /// The state before.
    #[schema(example = "submitted")]
    from: String,
    /// The state after.
    #[schema(example = "returned")]
    to: String,
    /// The day from which it was so.
    effective_on: Date,
    /// The decision behind it.
    #[schema(required, example = json!(null))]
    decision_id: Option<Uuid>,
    /// Why.
    #[schema(required, example = "فهرست شرکت‌کنندگان نیست")]
    reason: Option<String>,
}

/// The changes of a record's state, by the version that each has made.
pub async fn of_record<R: Record>(db: &impl ConnectionTrait, row: &R) -> Result<HashMap<i64, RecordedTransition>, DbErr> {
    let events = Entity::find().filter(Column::Resource.eq(R::RESOURCE)).filter(Column::RecordId.eq(row.id())).all(db).await?;
    let told = |event: Model| RecordedTransition {
        from: event.from_state,
        to: event.to_state,
        effective_on: event.effective_on.into(),
        decision_id: event.decision_id,
        reason: event.reason,
    };
    Ok(events.into_iter().map(|event| (event.version, told(event))).collect())
}

/// A record's latest recorded change into a state.
pub async fn latest_into<R: Record>(db: &impl ConnectionTrait, row: &R, state: &str) -> Result<Option<Model>, DbErr> {
    let events = Entity::find().filter(Column::Resource.eq(R::RESOURCE)).filter(Column::RecordId.eq(row.id()));
    events.filter(Column::ToState.eq(state)).order_by_desc(Column::Id).one(db).await
}

/// Records a change of state, of which `row` is the outcome.
pub async fn record<R: Record>(transaction: &Transaction, row: &R, event: &Event) -> Result<(), Problem> {
    let event = ActiveModel {
        id: Set(Uuid::now_v7()),
        resource: Set(R::RESOURCE.to_owned()),
        record_id: Set(row.id()),
        version: Set(row.version()),
        from_state: Set(event.from.clone()),
        to_state: Set(event.to.clone()),
        effective_on: Set(event.effective_on.naive()),
        recorded_at: Set(transaction.now()),
        recorded_by: Set(transaction.author().id),
        decision_id: Set(event.decision_id),
        reason: Set(event.reason.clone()),
    };
    Entity::insert(event).exec_without_returning(&**transaction).await?;
    Ok(())
}
