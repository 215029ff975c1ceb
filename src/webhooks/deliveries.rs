//! Deliveries of a webhook: their log, results and replay.

use actix_web::{HttpRequest, get, post};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, prelude::Uuid, sea_query::Condition,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{entity::Model, payload};
use crate::{
    changes::kinds::{KINDS, Kind},
    http::{
        Answer, Body, CurrentCaller, Database, Page, Paging, Query, Shape, SortKey, Visible, Write,
        page::Listed, record_extractor,
    },
    personal,
    problem::{Problem, Text, Violation, problem_types},
    store::{
        SqlKind, connection,
        outbox::{
            self,
            attempt::{self, Fault},
            delivery::{self, Column, Entity, State},
        },
    },
};

/// Delivery of an event to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The id, which the receiver gets as `webhook-id` at every attempt.
    id: Uuid,
    /// The `type` of the event.
    #[schema(example = "cluster.upsert")]
    event: String,
    /// Kind of the changed record; null for a test.
    #[schema(required)]
    resource: Option<Kind>,
    /// The record; null for a test.
    #[schema(required)]
    record_id: Option<Uuid>,
    /// The version of the record; null for a test.
    #[schema(required, minimum = 1, example = 3)]
    version: Option<i64>,
    /// Delivery state.
    state: State,
    /// Number of attempts started.
    #[schema(minimum = 0, example = 1)]
    attempts: i64,
    /// Earliest time of the next attempt; null if the delivery is settled, or waits for an earlier one of the
    /// same record.
    #[schema(required)]
    next_attempt_at: Option<DateTime<Utc>>,
    /// Creation time.
    created_at: DateTime<Utc>,
    /// Time of delivery or of giving up; null until then.
    #[schema(required, example = json!(null))]
    settled_at: Option<DateTime<Utc>>,
}

impl From<&delivery::Model> for Delivery {
    fn from(row: &delivery::Model) -> Self {
        Self {
            id: row.id,
            event: row.event.clone(),
            resource: KINDS
                .iter()
                .find(|entry| Some(entry.resource) == row.resource.as_deref())
                .map(|entry| entry.kind),
            record_id: row.record_id,
            version: row.version,
            state: row.state,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            created_at: row.created_at,
            settled_at: row.settled_at,
        }
    }
}

/// A delivery with the log of its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryWithLog {
    #[serde(flatten)]
    delivery: Delivery,
    /// The attempts whose outcome is known, oldest first.
    log: Vec<DeliveryAttempt>,
}

/// An attempt at a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryAttempt {
    /// Counted from 1. A number that is missing is that of an attempt that was cut off.
    #[schema(minimum = 1, example = 1)]
    number: i64,
    /// Start time.
    attempted_at: DateTime<Utc>,
    /// Duration in milliseconds.
    #[schema(minimum = 0, example = 84)]
    duration_ms: i64,
    /// The status code of the answer; null where there was none.
    #[schema(required, minimum = 100, maximum = 999, example = 503)]
    status: Option<i64>,
    /// Reason of the failure; null if it succeeded.
    #[schema(required)]
    fault: Option<Fault>,
    /// The first 1,024 bytes of the receiver's response; null if there was none, and for callers without
    /// `personal-data:read`, because a receiver may echo the event.
    #[schema(required, example = "Down for maintenance")]
    answer: Option<String>,
}

impl From<attempt::Model> for DeliveryAttempt {
    fn from(row: attempt::Model) -> Self {
        Self {
            number: row.number,
            attempted_at: row.attempted_at,
            duration_ms: row.duration_ms,
            status: row.status,
            fault: row.fault,
            answer: row.answer,
        }
    }
}

impl Listed for delivery::Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey::new("id", "webhook_delivery.id", SqlKind::Uuid, |row| row.id.into())];
}

/// Filters of the list of deliveries.
#[derive(Debug, Deserialize, IntoParams)]
pub struct DeliveryFilter {
    /// In any of these states.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 3)]
    state: Option<Vec<State>>,
    /// Of records of any of these kinds.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 30)]
    resource: Option<Vec<Kind>>,
    /// Of this record.
    record_id: Option<Uuid>,
}

impl DeliveryFilter {
    fn condition(&self) -> Condition {
        let names = |kinds: &Vec<Kind>| {
            KINDS
                .iter()
                .filter(|entry| kinds.contains(&entry.kind))
                .map(|entry| entry.resource)
                .collect::<Vec<_>>()
        };
        Condition::all()
            .add_option(self.state.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
            .add_option(self.resource.as_ref().map(|kinds| Column::Resource.is_in(names(kinds))))
            .add_option(self.record_id.map(|id| Column::RecordId.eq(id)))
    }
}

/// Deliveries to send again: `state`, `since`, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Only deliveries in this state; all by default.
    #[schema(example = "dead")]
    state: Option<ReplayedState>,
    /// Only deliveries created at this moment or later.
    since: Option<DateTime<Utc>>,
}

/// The state of deliveries that can be sent again together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayedState {
    /// Deliveries that were given up.
    Dead,
    /// Successful deliveries.
    Delivered,
}

/// Response of a replay.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replayed {
    /// Number of deliveries sent again.
    #[schema(minimum = 0, example = 12)]
    count: u64,
    /// Value of `since` for the next request if there are more deliveries than one request sends again; null
    /// otherwise.
    #[schema(required, example = json!(null))]
    next_since: Option<DateTime<Utc>>,
}

/// Test a webhook
///
/// Sends an event of the type `ping`, which is signed, logged and repeated like any other. The result is in
/// the delivery. While the webhook is switched off, the event waits.
#[utoipa::path(responses((status = 200, body = Delivery, description = "It is on its way")), security(("oauth2" = ["webhooks:manage"])))]
#[post("/webhooks/{id}/test")]
pub async fn test_webhook(webhook: Visible<Model>, write: Write) -> Result<Answer, Problem> {
    write
        .perform(async |transaction| {
            let ping = payload::ping(webhook.id, outbox::moment(&**transaction).await?);
            outbox::add(&**transaction, webhook.id, vec![ping.clone()]).await?;
            Ok(Delivery::from(&ping))
        })
        .await
}

/// Send deliveries again
///
/// Those that were given up, or all since a moment, at most the oldest 10,000, with their former `webhook-id`
/// and in the order of the changes. The content of an event is read again: the same version of the record,
/// masked as the account behind the webhook may see it today. Successful deliveries are kept for 30 days,
/// those that were given up for 90.
#[utoipa::path(request_body = Replay, responses((status = 200, body = Replayed)), security(("oauth2" = ["webhooks:manage"])))]
#[post("/webhooks/{id}/replay")]
pub async fn replay_webhook(
    webhook: Visible<Model>,
    which: Body<Replay>,
    write: Write,
) -> Result<Answer, Problem> {
    let Replay { state, since } = which.0;
    if state.is_none() && since.is_none() {
        let detail =
            Text::new("یکی از «state» و «since» لازم است.", "One of 'state' and 'since' is required.");
        return Err(Problem::invalid(vec![Violation::body("", "nothing_chosen", detail)]));
    }
    let states = match state {
        Some(ReplayedState::Dead) => vec![State::Dead],
        Some(ReplayedState::Delivered) => vec![State::Delivered],
        None => vec![State::Dead, State::Delivered],
    };
    let chosen = Condition::all()
        .add(Column::State.is_in(states))
        .add_option(since.map(|since| Column::CreatedAt.gte(since)));
    write
        .perform(async |transaction| {
            let (count, next_since) = outbox::replay(&**transaction, webhook.id, chosen).await?;
            Ok(Replayed { count, next_since })
        })
        .await
}

/// List the deliveries of a webhook
///
/// Oldest first; `sort=-id` gives the newest first.
#[utoipa::path(params(DeliveryFilter, Paging<delivery::Model>), responses((status = 200, body = Page<Delivery>)), security(("oauth2" = ["webhooks:manage"])))]
#[get("/webhooks/{id}/deliveries")]
pub async fn list_webhook_deliveries(
    webhook: Visible<Model>,
    filter: Query<DeliveryFilter>,
    paging: Paging<delivery::Model>,
    shape: Shape,
    db: Database,
) -> Result<Answer, Problem> {
    let select = Entity::find().filter(Column::WebhookId.eq(webhook.id)).filter(filter.condition());
    let page = paging.fetch(db.get_ref(), select).await?;
    let views = page.items.iter().map(Delivery::from).collect();
    shape.page(&page.with(views))
}

/// Read a delivery
///
/// With the log of its attempts.
#[utoipa::path(responses((status = 200, body = DeliveryWithLog)), security(("oauth2" = ["webhooks:manage"])))]
#[get("/webhooks/{id}/deliveries/{delivery_id}")]
pub async fn get_webhook_delivery(
    webhook: Visible<Model>,
    request: HttpRequest,
    caller: CurrentCaller,
    shape: Shape,
    db: Database,
) -> Result<Answer, Problem> {
    // As of one moment: an attempt may end meanwhile.
    let db = connection::begin_to_read(db.get_ref()).await?;
    let row = find(&db, &webhook, &request).await?;
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::DeliveryId.eq(row.id))
        .order_by_asc(attempt::Column::Number);
    let told = |attempt: attempt::Model| {
        let attempt = DeliveryAttempt::from(attempt);
        if caller.may(personal::PERMISSION) { attempt } else { DeliveryAttempt { answer: None, ..attempt } }
    };
    let log = attempts.all(&db).await?.into_iter().map(told).collect();
    shape.value(&DeliveryWithLog { delivery: Delivery::from(&row), log })
}

/// Send a delivery again
///
/// At once, also where it has arrived or still waits for its next attempt.
#[utoipa::path(responses((status = 200, body = Delivery, description = "It is on its way")), security(("oauth2" = ["webhooks:manage"])))]
#[post("/webhooks/{id}/deliveries/{delivery_id}/replay")]
pub async fn replay_webhook_delivery(
    webhook: Visible<Model>,
    request: HttpRequest,
    write: Write,
) -> Result<Answer, Problem> {
    write
        .perform(async |transaction| {
            let row = find(&**transaction, &webhook, &request).await?;
            outbox::replay(&**transaction, webhook.id, Condition::all().add(Column::Id.eq(row.id))).await?;
            Ok(Delivery::from(&find(&**transaction, &webhook, &request).await?))
        })
        .await
}

/// The delivery of a webhook that a path names; 404 where there is none.
async fn find(
    db: &impl ConnectionTrait,
    webhook: &Model,
    request: &HttpRequest,
) -> Result<delivery::Model, Problem> {
    let named = Entity::find_by_id(record_extractor::id_in(request, "delivery_id")?)
        .filter(Column::WebhookId.eq(webhook.id));
    named.one(db).await?.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))
}
