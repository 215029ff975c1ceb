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
    /// Number of the attempt, from 1; a missing number is that of an interrupted attempt.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// Start time.
    pub attempted_at: DateTimeUtc,
    /// Duration in milliseconds.
    pub duration_ms: i64,
    /// Status code of the response, if there was one.
    pub status: Option<i64>,
    /// Reason of the failure; none if it succeeded.
    pub fault: Option<Fault>,
    /// Beginning of the response.
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
    /// Response with a status code other than 2xx.
    Refused,
    /// Redirect, which is not followed.
    Redirected,
    /// Response 410: the webhook is switched off.
    Gone,
    /// No response in time.
    TimedOut,
    /// No connection, a broken connection, or an invalid certificate; or a name without an address, or with a
    /// private or special one, to which nothing was sent.
    Unreachable,
    /// Private or special address: nothing was sent.
    AddressRefused,
    /// The account of the webhook may no longer see the record: nothing was sent.
    NotPermitted,
}
