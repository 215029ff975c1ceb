//! Delivery attempts and their results.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An attempt.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_attempt")]
pub struct Model {
    /// The delivery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: Uuid,
    /// Counted from 1; a number that is missing is that of an attempt that was cut off.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// Start time.
    pub attempted_at: DateTimeUtc,
    /// Duration in milliseconds.
    pub duration_ms: i64,
    /// The status code of the answer, where there was one.
    pub status: Option<i64>,
    /// Reason of the failure; none if it succeeded.
    pub fault: Option<Fault>,
    /// The beginning of the answer.
    pub answer: Option<String>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Reasons for a failed delivery attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryFault)]
pub enum Fault {
    /// The receiver has answered with another status code than 2xx.
    Refused,
    /// It has answered with a redirect, which is not followed.
    Redirected,
    /// It has answered with 410: the webhook is switched off.
    Gone,
    /// It has not answered in time.
    TimedOut,
    /// No connection, a broken connection, or an invalid certificate; or a name without an address, or with a
    /// private or special one, to which nothing was sent.
    Unreachable,
    /// The address itself is private or special: nothing was sent.
    AddressRefused,
    /// The account behind the webhook may not see the record any more: nothing was sent.
    NotPermitted,
}
