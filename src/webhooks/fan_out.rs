//! Creates deliveries from changes. Each webhook follows the feed from its position like any follower; its
//! deliveries and its new position are written in one transaction, so that each change becomes one delivery,
//! even after a crash.

use rand::seq::SliceRandom;
use sea_orm::{ColumnTrait, ConnectionTrait, sea_query::Condition};

use super::{
    entity::{self, DisabledReason, Model},
    payload,
};
use crate::{
    changes::{Change, kinds::Entry},
    problem::Problem,
    store::{
        Database,
        feed::{self, Followed, Seen},
        lock,
        outbox::{self, SubscriptionCursor},
    },
};

/// Number of changes read for a webhook at a time,
const PAGE: usize = 500;

/// and approximate number of deliveries written per transaction.
const MOST: usize = 2_000;

/// Does one step, if there is one and no other instance is doing it; returns whether there is more.
pub async fn step(db: &Database) -> Result<bool, Problem> {
    if !has_news(db).await? {
        return Ok(false);
    }
    let transaction = db.begin_to_write().await?;
    if !lock::try_for_transaction(&transaction, "webhooks").await? {
        transaction.roll_back().await;
        return Ok(false);
    }
    let mut cursors = outbox::cursors(&transaction).await?;
    // Random order, so that each webhook has its turn if there is more than one step takes.
    cursors.shuffle(&mut rand::rng());
    // Before the accounts are read: an account disabled before a change must not receive it.
    let present = feed::present(&transaction).await?;
    let active =
        Condition::all().add(entity::Column::IsActive.eq(true)).add(entity::Column::DeletedAt.is_null());
    let mut webhooks = Model::with_accounts(&transaction, active).await?;
    let shut_out: Vec<_> =
        webhooks.extract_if(|_, (webhook, account)| webhook.permissions(account).is_empty()).collect();
    let (mut written, mut has_more) = (0, false);
    for cursor in cursors {
        let Some((webhook, account)) = webhooks.get(&cursor.webhook_id) else { continue };
        if written >= MOST {
            has_more = true;
            break;
        }
        outbox::hold(&transaction, cursor.webhook_id).await?;
        // Numbers that the log has not reached: the database was put back to before them.
        let cursor = if present.is_behind(&cursor.seen) {
            tracing::warn!(webhook = %cursor.webhook_id, "the database was put back: a webhook begins anew with what is changed from now on");
            SubscriptionCursor { seen: present.seen.clone(), until: None, ..cursor }
        } else {
            cursor
        };
        let (count, next) =
            follow(&transaction, webhook, &webhook.kinds(account), &cursor, &present.seen).await?;
        written += count;
        has_more |= next.until.is_some() || next.seen != present.seen;
        outbox::advance(&transaction, &next).await?;
    }
    transaction.commit().await?;
    for (id, (webhook, _)) in shut_out {
        if let Err(problem) = webhook.switch_off(db, DisabledReason::NotPermitted).await {
            tracing::warn!(%problem, webhook = %id, "a webhook whose account is shut out is not switched off");
        }
    }
    Ok(has_more)
}

async fn has_news(db: &Database) -> Result<bool, Problem> {
    let cursors = outbox::cursors(db).await?;
    if cursors.iter().any(|cursor| cursor.until.is_some()) {
        return Ok(true);
    }
    let mut places: Vec<&Seen> = cursors.iter().map(|cursor| &cursor.seen).collect();
    places.sort_by_key(|seen| seen.to_string());
    places.dedup();
    if places.is_empty() {
        return Ok(false);
    }
    let present = feed::present(db).await?;
    for seen in places {
        if present.is_behind(seen) || feed::has_news(db, seen, &present.seen).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes the next deliveries of a webhook; returns their number and its new position.
async fn follow(
    db: &impl ConnectionTrait,
    webhook: &Model,
    kinds: &[&Entry],
    cursor: &SubscriptionCursor,
    present: &Seen,
) -> Result<(usize, SubscriptionCursor), Problem> {
    let arrived =
        |seen: &Seen| SubscriptionCursor { webhook_id: cursor.webhook_id, seen: seen.clone(), until: None };
    if kinds.is_empty() {
        return Ok((0, arrived(present)));
    }
    let names = |is_wanted: fn(&Entry) -> bool| {
        kinds.iter().filter(|kind| is_wanted(kind)).map(|kind| kind.resource).collect::<Vec<_>>()
    };
    let followed = Followed {
        kinds: names(|_| true),
        shared: names(|kind| kind.is_shared),
        province: webhook.province.as_deref(),
    };
    let (until, position) =
        cursor.until.as_ref().map_or((present, None), |(until, position)| (until, Some(*position)));
    let rows = feed::changes(db, &followed, (Some(&cursor.seen), until), position, PAGE as u64).await?;
    let last = rows.last().map(|row| row.entry.seq).filter(|_| rows.len() == PAGE);
    let now = outbox::moment(db).await?;
    let deliveries: Vec<_> = rows
        .into_iter()
        .filter_map(|row| {
            let seq = row.entry.seq;
            payload::of_change(webhook.id, seq, &Change::new(row.entry, row.is_within)?, now)
        })
        .collect();
    let count = deliveries.len();
    outbox::add(db, webhook.id, deliveries).await?;
    Ok((
        count,
        last.map_or_else(
            || arrived(until),
            |position| SubscriptionCursor { until: Some((until.clone(), position)), ..cursor.clone() },
        ),
    ))
}
