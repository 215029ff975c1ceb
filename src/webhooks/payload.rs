//! Request bodies of webhook deliveries: the event, masked for the account behind the webhook, with its
//! address and secrets.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, prelude::Uuid, sea_query::Condition};
use serde::Serialize;
use serde_json::json;

use super::entity::{self, Model};
use crate::{
    accounts::account,
    changes::{Change, FeedEventKind, kinds::KINDS},
    clock::new_id,
    personal,
    presentation::Presentation,
    problem::Problem,
    store::{
        change_log,
        outbox::delivery::{self, State},
        personal as values,
    },
};

/// The type of an event that tests a webhook.
const PING: &str = "ping";

/// Event type suffix for a record that no longer exists for the receiver.
const OUT_OF_SCOPE: &str = ".out_of_scope";

/// A delivery with its request body.
pub struct Payload {
    /// The delivery.
    pub delivery: delivery::Model,
    /// The current webhook.
    pub webhook: Model,
    /// Whether the account behind it may do nothing for it any more.
    pub is_shut_out: bool,
    /// The body; none where the account may not see it any more.
    pub body: Option<String>,
    /// Number of personal values shown in clear.
    pub shown: u64,
    /// The account behind it.
    pub account: account::Model,
}

/// The body after Standard Webhooks.
#[derive(Serialize)]
struct Event<'a, D> {
    r#type: &'a str,
    timestamp: DateTime<Utc>,
    data: D,
}

/// The delivery of a change to a webhook.
pub fn of_change(webhook_id: Uuid, seq: i64, change: &Change, now: DateTime<Utc>) -> Option<delivery::Model> {
    let entry = KINDS.iter().find(|entry| entry.kind == change.resource)?;
    let suffix = match change.kind {
        FeedEventKind::Upsert => ".upsert",
        FeedEventKind::Deleted => ".deleted",
        FeedEventKind::OutOfScope => OUT_OF_SCOPE,
    };
    Some(delivery::Model {
        event: format!("{}{suffix}", entry.resource),
        resource: Some(entry.resource.to_owned()),
        record_id: Some(change.id),
        version: Some(change.version),
        seq: Some(seq),
        // Earlier deliveries of the same record come first.
        next_attempt_at: None,
        ..ping(webhook_id, now)
    })
}

/// The delivery of a test to a webhook.
pub fn ping(webhook_id: Uuid, now: DateTime<Utc>) -> delivery::Model {
    delivery::Model {
        id: new_id(),
        webhook_id,
        event: PING.to_owned(),
        resource: None,
        record_id: None,
        version: None,
        seq: None,
        state: State::Pending,
        attempts: 0,
        tries: 0,
        next_attempt_at: Some(now),
        claimed_until: None,
        created_at: now,
        settled_at: None,
    }
}

/// Prepares claimed deliveries, in a constant number of statements.
pub async fn payloads(
    db: &impl ConnectionTrait,
    claimed: Vec<delivery::Model>,
) -> Result<Vec<Payload>, Problem> {
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let which = entity::Column::Id.is_in(claimed.iter().map(|delivery| delivery.webhook_id));
    let webhooks = Model::with_accounts(db, Condition::all().add(which)).await?;
    let seqs = claimed.iter().filter_map(|delivery| delivery.seq);
    let mut entries = change_log::Entity::find().filter(change_log::Column::Seq.is_in(seqs)).all(db).await?;
    values::reveal_entries(db, entries.iter_mut()).await?;
    let entries: HashMap<i64, change_log::Model> =
        entries.into_iter().map(|entry| (entry.seq, entry)).collect();
    let names = account::display_names(db, entries.values().map(|entry| entry.changed_by).collect()).await?;
    let payloads = claimed.into_iter().filter_map(|delivery| {
        let (webhook, account) = webhooks.get(&delivery.webhook_id)?;
        let permissions = webhook.permissions(account);
        let entry = delivery.seq.and_then(|seq| entries.get(&seq).cloned());
        let body = body(&delivery, entry, &names, &permissions).map_err(Problem::internal);
        let is_shut_out = permissions.is_empty();
        Some(body.map(|(body, shown)| Payload {
            delivery,
            webhook: webhook.clone(),
            is_shut_out,
            body,
            shown,
            account: account.clone(),
        }))
    });
    payloads.collect()
}

/// Event body for an account with these permissions, if any, and the number of personal values shown in
/// clear.
fn body(
    delivery: &delivery::Model,
    entry: Option<change_log::Model>,
    names: &HashMap<Uuid, String>,
    permissions: &[String],
) -> Result<(Option<String>, u64), serde_json::Error> {
    let may = |permission: &str| permissions.iter().any(|held| held == permission);
    if delivery.event == PING {
        let ping = Event {
            r#type: PING,
            timestamp: delivery.created_at,
            data: json!({ "webhook_id": delivery.webhook_id }),
        };
        let body = may(super::PERMISSION).then(|| serde_json::to_string(&ping));
        return Ok((body.transpose()?, 0));
    }
    let is_permitted =
        KINDS.iter().any(|kind| Some(kind.resource) == delivery.resource.as_deref() && may(kind.permission));
    let change = entry
        .filter(|_| is_permitted)
        .and_then(|entry| Change::new(entry, !delivery.event.ends_with(OUT_OF_SCOPE)));
    let told = |mut change: Change| {
        change.changed_by_name = change.changed_by.and_then(|author| names.get(&author).cloned());
        let event = Event { r#type: &delivery.event, timestamp: change.changed_at, data: &change };
        Presentation { in_clear: may(personal::PERMISSION), ..Presentation::default() }
            .counted(|| serde_json::to_string(&event))
    };
    let Some((body, shown)) = change.map(told) else { return Ok((None, 0)) };
    Ok((Some(body?), shown))
}
