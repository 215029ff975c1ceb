//! Deliveries: one event for one webhook.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A delivery.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_delivery")]
pub struct Model {
    /// The id (UUIDv7), which the receiver gets as `webhook-id` at every attempt.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The webhook.
    pub webhook_id: Uuid,
    /// Event type, such as `cluster.upsert`.
    pub event: String,
    /// Kind of the changed record; none for a test.
    pub resource: Option<String>,
    /// The record.
    pub record_id: Option<Uuid>,
    /// The version that the change made.
    pub version: Option<i64>,
    /// The change-log entry from which the body is made.
    pub seq: Option<i64>,
    /// Delivery state.
    pub state: State,
    /// Number of attempts started.
    pub attempts: i64,
    /// Number of attempts since the delivery was created or last replayed.
    pub tries: i64,
    /// Earliest time of the next attempt; none if settled, or waiting for an earlier delivery of the same
    /// record.
    pub next_attempt_at: Option<DateTimeUtc>,
    /// Until then the current attempt belongs to its worker.
    pub claimed_until: Option<DateTimeUtc>,
    /// Creation time.
    pub created_at: DateTimeUtc,
    /// Time of delivery or of giving up.
    pub settled_at: Option<DateTimeUtc>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Delivery states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryState)]
pub enum State {
    /// Pending: attempted until it succeeds.
    Pending,
    /// Delivered: the receiver has answered with 2xx.
    Delivered,
    /// It was given up after the last attempt (a dead letter), until a replay.
    Dead,
}
