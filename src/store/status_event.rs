//! Status events: states of records, with effective date and recording time.

use std::collections::HashMap;

use sea_orm::{IntoActiveModel, QueryOrder, entity::prelude::*};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Record, Transaction};
use crate::{clock::new_id, persian::Date, problem::Problem};

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "status_event")]
pub struct Model {
    /// The id (UUIDv7, so that of two events of a day the later recorded one is the greater).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The kind of record.
    pub resource: String,
    /// The record.
    pub record_id: Uuid,
    /// The version of the record that the change made.
    pub version: i64,
    /// Former state.
    pub from_state: String,
    /// New state.
    pub to_state: String,
    /// Effective date.
    pub effective_on: ChronoDate,
    /// Recording time in the service.
    pub recorded_at: DateTimeUtc,
    /// Account of the author.
    pub recorded_by: Uuid,
    /// The decision behind it.
    pub decision_id: Option<Uuid>,
    /// Reason.
    pub reason: Option<String>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A status event to record.
#[derive(Clone, Debug)]
pub struct Event {
    /// Former state.
    pub from: String,
    /// New state.
    pub to: String,
    /// Effective date.
    pub effective_on: Date,
    /// The decision behind it.
    pub decision_id: Option<Uuid>,
    /// Reason.
    pub reason: Option<String>,
}

/// Effective date of a record's latest change of state, before which the next one cannot be.
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

/// A change of state in the history.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedTransition {
    /// Former state.
    #[schema(example = "submitted")]
    from: String,
    /// New state.
    #[schema(example = "returned")]
    to: String,
    /// Effective date.
    effective_on: Date,
    /// The decision behind it.
    #[schema(required, example = json!(null))]
    decision_id: Option<Uuid>,
    /// Reason.
    #[schema(required, example = "فهرست شرکت‌کنندگان نیست")]
    reason: Option<String>,
}

/// The changes of a record's state, by the version that each has made.
pub async fn of_record<R: Record>(
    db: &impl ConnectionTrait,
    row: &R,
) -> Result<HashMap<i64, RecordedTransition>, DbErr> {
    let events = Entity::find()
        .filter(Column::Resource.eq(R::RESOURCE))
        .filter(Column::RecordId.eq(row.id()))
        .all(db)
        .await?;
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
pub async fn latest_into<R: Record>(
    db: &impl ConnectionTrait,
    row: &R,
    state: &str,
) -> Result<Option<Model>, DbErr> {
    let events =
        Entity::find().filter(Column::Resource.eq(R::RESOURCE)).filter(Column::RecordId.eq(row.id()));
    events.filter(Column::ToState.eq(state)).order_by_desc(Column::Id).one(db).await
}

/// A change of state as a row, of which `row` is the outcome; recorded at a moment by an account.
pub fn model<R: Record>(
    row: &R,
    id: Uuid,
    event: Event,
    (recorded_at, recorded_by): (DateTimeUtc, Uuid),
) -> Model {
    Model {
        id,
        resource: R::RESOURCE.to_owned(),
        record_id: row.id(),
        version: row.version(),
        from_state: event.from,
        to_state: event.to,
        effective_on: event.effective_on.naive(),
        recorded_at,
        recorded_by,
        decision_id: event.decision_id,
        reason: event.reason,
    }
}

/// Records a change of state, of which `row` is the outcome.
pub async fn record<R: Record>(transaction: &Transaction, row: &R, event: &Event) -> Result<(), Problem> {
    let event = model(row, new_id(), event.clone(), (transaction.now(), transaction.author().id));
    Entity::insert(event.into_active_model().reset_all()).exec_without_returning(&**transaction).await?;
    Ok(())
}
