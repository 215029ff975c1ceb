//! Status events: when a record was in which state, and when the service learned of it.

use sea_orm::{QueryOrder, Set, entity::prelude::*};

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
pub struct Event<'a> {
    /// The state before.
    pub from: &'a str,
    /// The state after.
    pub to: &'a str,
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

/// Records a change of state.
pub async fn record<R: Record>(transaction: &Transaction, row: &R, event: Event<'_>) -> Result<(), Problem> {
    let event = ActiveModel {
        id: Set(Uuid::now_v7()),
        resource: Set(R::RESOURCE.to_owned()),
        record_id: Set(row.id()),
        from_state: Set(event.from.to_owned()),
        to_state: Set(event.to.to_owned()),
        effective_on: Set(event.effective_on.naive()),
        recorded_at: Set(transaction.now()),
        recorded_by: Set(transaction.author().id),
        decision_id: Set(event.decision_id),
        reason: Set(event.reason),
    };
    Entity::insert(event).exec_without_returning(&**transaction).await?;
    Ok(())
}
