//! The outbox: the position of each webhook in the change log, its pending deliveries, and the claims of
//! workers.
//!
//! Each webhook has a lane. A worker locks the lane while it claims deliveries, and skips lanes locked by
//! others (`FOR UPDATE SKIP LOCKED`; SQLite has one writer at a time): so any number of workers, in many
//! instances, claim each delivery once, and no more of one webhook at a time than its share. Nothing is
//! locked while a delivery is sent: the claim lapses by itself if its worker is gone.

pub mod attempt;
pub mod delivery;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Statement,
    prelude::{Expr, Uuid},
    sea_query::{Condition, ExprTrait},
};

use self::{
    attempt::Fault,
    delivery::{Column, Entity, Model, State},
};
use super::{
    Database,
    feed::{self, Seen},
    now,
    sql::{Composer, columns},
};

/// Maximum number of concurrent deliveries per webhook.
const IN_FLIGHT: i64 = 4;

/// Maximum number of deliveries replayed at once: it is one write.
const REPLAYED: u64 = 10_000;

/// Position of a webhook in the change log.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionCursor {
    /// The webhook.
    pub webhook_id: Uuid,
    /// Every change that was visible then has been delivered,
    pub seen: Seen,
    /// and, while it moves to a later moment, those before a position in between.
    pub until: Option<(Seen, i64)>,
}

#[derive(FromQueryResult)]
struct LaneRow {
    webhook_id: Uuid,
    seen: String,
    until: Option<String>,
    position: Option<i64>,
}

/// Current time by the clock of the database, which all instances share.
pub async fn moment(db: &impl ConnectionTrait) -> Result<DateTime<Utc>, DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        return Ok(now());
    }
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS moment"))
        .await?;
    row.map_or_else(|| Ok(now()), |row| row.try_get("", "moment"))
}

/// Opens the lane of a new webhook, at the current end of the change log.
pub async fn open(db: &impl ConnectionTrait, webhook_id: Uuid) -> Result<(), DbErr> {
    let (seen, moment) = (feed::present(db).await?.seen, moment(db).await?);
    let mut sql = Composer::new(db);
    let (id, seen, moment) = (sql.bind(webhook_id), sql.bind(seen.snapshot()), sql.moment(moment));
    let query = format!(
        "INSERT INTO webhook_lane (webhook_id, seen, failures, served_at) VALUES ({id}, {seen}, 0, {moment})"
    );
    db.execute_raw(sql.statement(query)).await.map(|_| ())
}

/// The lanes of the webhooks that are switched on.
pub async fn cursors(db: &impl ConnectionTrait) -> Result<Vec<SubscriptionCursor>, DbErr> {
    let query = "SELECT l.webhook_id, l.seen, l.until, l.position FROM webhook_lane l JOIN webhook w ON w.id = l.webhook_id \
                 WHERE w.is_active AND w.deleted_at IS NULL";
    let rows =
        LaneRow::find_by_statement(Statement::from_string(db.get_database_backend(), query)).all(db).await?;
    let seen = |text: String| text.parse::<Seen>().map_err(|fault| DbErr::Type(format!("'{text}': {fault}")));
    let cursors = rows.into_iter().map(|row| {
        let until = row
            .until
            .zip(row.position)
            .map(|(until, position)| Ok::<_, DbErr>((seen(until)?, position)))
            .transpose()?;
        Ok(SubscriptionCursor { webhook_id: row.webhook_id, seen: seen(row.seen)?, until })
    });
    cursors.collect()
}

/// Stores the position of a webhook.
pub async fn advance(db: &impl ConnectionTrait, cursor: &SubscriptionCursor) -> Result<(), DbErr> {
    let mut sql = Composer::new(db);
    let (id, seen) = (sql.bind(cursor.webhook_id), sql.bind(cursor.seen.snapshot()));
    let (until, position) = (
        cursor.until.as_ref().map(|(until, _)| until.snapshot()),
        cursor.until.as_ref().map(|(_, position)| *position),
    );
    let (until, position) = (sql.bind(until), sql.bind(position));
    let query = format!(
        "UPDATE webhook_lane SET seen = {seen}, until = {until}, position = {position} WHERE webhook_id = {id}"
    );
    db.execute_raw(sql.statement(query)).await.map(|_| ())
}

/// Locks the lane of a webhook, waiting for it: needed to change which of its deliveries are pending.
pub async fn hold(db: &impl ConnectionTrait, webhook_id: Uuid) -> Result<(), DbErr> {
    let mut sql = Composer::new(db);
    if sql.is_postgres() {
        let id = sql.bind(webhook_id);
        db.execute_raw(
            sql.statement(format!("SELECT 1 FROM webhook_lane WHERE webhook_id = {id} FOR UPDATE")),
        )
        .await?;
    }
    Ok(())
}

/// Adds deliveries to the outbox of a webhook whose lane is locked, in the order of the changes. Existing
/// ones are left unchanged.
pub async fn add(db: &impl ConnectionTrait, webhook_id: Uuid, deliveries: Vec<Model>) -> Result<(), DbErr> {
    let first = deliveries.iter().filter_map(|delivery| delivery.seq).min();
    // A statement takes a limited number of parameters.
    for some in deliveries.chunks(500) {
        let rows = some.iter().cloned().map(|row| row.into_active_model().reset_all());
        Entity::insert_many(rows)
            .on_conflict_do_nothing_on([Column::WebhookId, Column::Seq])
            .exec_without_returning(db)
            .await?;
    }
    match first {
        Some(first) => arrange(db, webhook_id, Among::From(first)).await,
        None => Ok(()),
    }
}

/// Selection of deliveries to reschedule.
#[derive(Clone, Copy)]
enum Among<'a> {
    /// All of a webhook.
    All,
    /// Those from an entry of the change log onwards.
    From(i64),
    /// Those of one record.
    Record(&'a Model),
}

/// Schedules the first pending delivery of each record; those after it have no time, and wait for it. So one
/// index finds everything claimable, regardless of the number waiting.
async fn arrange(db: &impl ConnectionTrait, webhook_id: Uuid, among: Among<'_>) -> Result<(), DbErr> {
    let moment = moment(db).await?;
    let mut sql = Composer::new(db);
    let (id, moment) = (sql.bind(webhook_id), sql.moment(moment));
    let some = match among {
        Among::All => String::new(),
        Among::From(seq) => format!("AND d.seq >= {}", sql.bind(seq)),
        Among::Record(delivery) => {
            format!(
                "AND d.resource = {} AND d.record_id = {}",
                sql.bind(delivery.resource.clone()),
                sql.bind(delivery.record_id)
            )
        }
    };
    let is_first = "NOT EXISTS (SELECT 1 FROM webhook_delivery e WHERE e.state = 'pending' AND e.webhook_id = d.webhook_id \
                    AND e.resource = d.resource AND e.record_id = d.record_id AND e.seq < d.seq)";
    let query = format!(
        "UPDATE webhook_delivery AS d SET next_attempt_at = CASE WHEN d.next_attempt_at IS NULL THEN {moment} END \
         WHERE d.webhook_id = {id} AND d.state = 'pending' AND d.record_id IS NOT NULL {some} AND (d.next_attempt_at IS NULL) = ({is_first})"
    );
    db.execute_raw(sql.statement(query)).await.map(|_| ())
}

/// Condition that a delivery `d` can be claimed: it is due, and not claimed.
fn is_claimable(moment: &str) -> String {
    format!(
        "d.state = 'pending' AND d.next_attempt_at <= {moment} AND (d.claimed_until IS NULL OR d.claimed_until <= {moment})"
    )
}

/// Lanes whose deliveries a worker claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Those of responsive receivers.
    Prompt,
    /// Those of receivers that failed or were slow recently. Each occupies a worker for long, so they get
    /// only a part of the workers.
    Lagging,
}

/// SQL for the number of further deliveries that a lane `l` takes: one at a time for a failing receiver.
fn room(moment: &str) -> String {
    format!(
        "(CASE WHEN l.failures > 0 THEN 1 ELSE {IN_FLIGHT} END \
          - (SELECT count(*) FROM webhook_delivery f WHERE f.webhook_id = l.webhook_id AND f.claimed_until > {moment}))"
    )
}

/// Claims up to `most` deliveries of due webhooks for a time.
pub async fn claim(db: &Database, lanes: Lanes, most: usize, lease: TimeDelta) -> Result<Vec<Model>, DbErr> {
    // An idle check takes no write lock.
    if most == 0 || waiting(db, lanes, 1, moment(db).await?, false).await?.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = db.begin_to_write().await?;
    let moment = moment(&transaction).await?;
    let mut claimed: Vec<Model> = Vec::new();
    for webhook_id in waiting(&transaction, lanes, most, moment, true).await? {
        claimed
            .extend(claim_of(&transaction, webhook_id, (most - claimed.len()) as i64, moment, lease).await?);
        if claimed.len() >= most {
            break;
        }
    }
    transaction.commit().await?;
    Ok(claimed)
}

/// Webhooks with claimable deliveries, the longest unserved first. Their lanes may be locked until the end of
/// the transaction; then those locked by others are skipped.
async fn waiting(
    db: &impl ConnectionTrait,
    lanes: Lanes,
    most: usize,
    moment: DateTime<Utc>,
    is_held: bool,
) -> Result<Vec<Uuid>, DbErr> {
    let mut sql = Composer::new(db);
    let moment = sql.moment(moment);
    let hold = if is_held && sql.is_postgres() { "FOR UPDATE OF l SKIP LOCKED" } else { "" };
    let failures = match lanes {
        Lanes::Prompt => "= 0",
        Lanes::Lagging => "> 0",
    };
    // In the order of the index, so that a planner does not scan all pending ones for the first.
    let query = format!(
        "SELECT l.webhook_id FROM webhook_lane l JOIN webhook w ON w.id = l.webhook_id WHERE w.is_active AND w.deleted_at IS NULL \
         AND l.failures {failures} AND {} > 0 AND (SELECT d.next_attempt_at FROM webhook_delivery d WHERE d.webhook_id = l.webhook_id AND {} \
           ORDER BY d.next_attempt_at, d.seq LIMIT 1) IS NOT NULL \
         ORDER BY l.served_at, l.webhook_id LIMIT {most} {hold}",
        room(&moment),
        is_claimable(&moment),
    );
    let rows = db.query_all_raw(sql.statement(query)).await?;
    rows.iter().map(|row| row.try_get("", "webhook_id")).collect()
}

/// Claims deliveries of a webhook within its limit. The lane is locked, so that the count stays valid.
async fn claim_of(
    transaction: &DatabaseTransaction,
    webhook_id: Uuid,
    most: i64,
    moment: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Vec<Model>, DbErr> {
    let mut sql = Composer::new(transaction);
    let (id, at) = (sql.bind(webhook_id), sql.moment(moment));
    let query =
        format!("SELECT CAST({} AS bigint) AS room FROM webhook_lane l WHERE l.webhook_id = {id}", room(&at));
    let row = transaction.query_one_raw(sql.statement(query)).await?;
    let room: i64 = row.map_or(Ok(0), |row| row.try_get("", "room"))?;

    let mut sql = Composer::new(transaction);
    let (id, at) = (sql.bind(webhook_id), sql.moment(moment));
    let hold = if sql.is_postgres() { "FOR UPDATE OF d SKIP LOCKED" } else { "" };
    let query = format!(
        "SELECT {} FROM webhook_delivery d WHERE d.webhook_id = {id} AND {} ORDER BY d.next_attempt_at, d.seq LIMIT {} {hold}",
        columns::<Entity>("d"),
        is_claimable(&at),
        room.clamp(0, most),
    );
    let mut claimed = Model::find_by_statement(sql.statement(query)).all(transaction).await?;
    for delivery in &mut claimed {
        delivery.attempts += 1;
        delivery.tries += 1;
        delivery.claimed_until = Some(moment + lease);
    }
    Entity::update_many()
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .col_expr(Column::ClaimedUntil, Expr::value(moment + lease))
        .filter(Column::Id.is_in(claimed.iter().map(|delivery| delivery.id)))
        .exec(transaction)
        .await?;
    let mut sql = Composer::new(transaction);
    let (id, at) = (sql.bind(webhook_id), sql.moment(moment));
    transaction
        .execute_raw(
            sql.statement(format!("UPDATE webhook_lane SET served_at = {at} WHERE webhook_id = {id}")),
        )
        .await?;
    Ok(claimed)
}

/// Results of a delivery attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered.
    Delivered {
        /// Whether the receiver was slow.
        slowly: bool,
    },
    /// It failed: retry after this time.
    Again(TimeDelta),
    /// It has not, and is given up.
    Dead,
}

/// Records the result of an attempt; returns since when the receiver has been failing, if it has. If the
/// claim has lapsed meanwhile, the delivery belongs to another worker, and only the attempt is recorded.
pub async fn record_outcome(
    db: &Database,
    delivery: &Model,
    attempt: attempt::Model,
    outcome: Outcome,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    let transaction = db.begin_to_write().await?;
    hold(&transaction, delivery.webhook_id).await?;
    let moment = moment(&transaction).await?;
    let (state, next, settled) = match outcome {
        Outcome::Delivered { .. } => (State::Delivered, None, Some(moment)),
        Outcome::Again(pause) => (State::Pending, Some(moment + pause), None),
        Outcome::Dead => (State::Dead, None, Some(moment)),
    };
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::NextAttemptAt, Expr::value(next))
        .col_expr(Column::SettledAt, Expr::value(settled))
        .col_expr(Column::ClaimedUntil, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::Id.eq(delivery.id))
        .filter(Column::ClaimedUntil.eq(delivery.claimed_until))
        .exec(&transaction)
        .await?;
    arrange(&transaction, delivery.webhook_id, Among::Record(delivery)).await?;
    let failing_since = match (outcome, attempt.fault) {
        // What was not sent reveals nothing about the receiver.
        (_, Some(Fault::NotPermitted)) => None,
        (Outcome::Delivered { slowly }, _) => {
            succeeded(&transaction, delivery.webhook_id, slowly).await?;
            None
        }
        _ => failed(&transaction, delivery.webhook_id, moment).await?,
    };
    attempt::Entity::insert(attempt.into_active_model().reset_all())
        .exec_without_returning(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(failing_since)
}

/// Resets the failures of a receiver; it may still be slow.
async fn succeeded(db: &impl ConnectionTrait, webhook_id: Uuid, slowly: bool) -> Result<(), DbErr> {
    let mut sql = Composer::new(db);
    let id = sql.bind(webhook_id);
    // After many failures, the first success does not permit several deliveries at once.
    let failures = if slowly { "1" } else { "failures / 2" };
    let query = format!(
        "UPDATE webhook_lane SET failures = {failures}, failing_since = NULL \
         WHERE webhook_id = {id} AND (failures <> {failures} OR failing_since IS NOT NULL)"
    );
    db.execute_raw(sql.statement(query)).await.map(|_| ())
}

/// Records a failure of the receiver; returns since when it has been failing.
async fn failed(
    db: &impl ConnectionTrait,
    webhook_id: Uuid,
    moment: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    let mut sql = Composer::new(db);
    let (moment, id) = (sql.moment(moment), sql.bind(webhook_id));
    let query = format!(
        "UPDATE webhook_lane SET failures = failures + 1, failing_since = COALESCE(failing_since, {moment}) WHERE webhook_id = {id} \
         RETURNING failing_since"
    );
    let row = db.query_one_raw(sql.statement(query)).await?;
    row.map(|row| row.try_get("", "failing_since")).transpose()
}

/// Resets the failures of a receiver after somebody has fixed it.
pub async fn begin_anew(db: &impl ConnectionTrait, webhook_id: Uuid) -> Result<(), DbErr> {
    let mut sql = Composer::new(db);
    let id = sql.bind(webhook_id);
    db.execute_raw(
        sql.statement(format!("UPDATE webhook_lane SET failing_since = NULL WHERE webhook_id = {id}")),
    )
    .await
    .map(|_| ())
}

/// Schedules the oldest [`REPLAYED`] of some deliveries again; returns their number, and the creation time of
/// the first remaining one. They are sent in the order of the changes.
pub async fn replay(
    db: &impl ConnectionTrait,
    webhook_id: Uuid,
    which: Condition,
) -> Result<(u64, Option<DateTime<Utc>>), DbErr> {
    hold(db, webhook_id).await?;
    let moment = moment(db).await?;
    let chosen = Entity::find().filter(Column::WebhookId.eq(webhook_id)).filter(which.clone());
    let last = chosen.clone().order_by_asc(Column::Id).offset(REPLAYED - 1).limit(1).one(db).await?;
    let (mut which, mut next_since) = (which, None);
    if let Some(last) = last {
        let next =
            chosen.filter(Column::Id.gt(last.id)).order_by_asc(Column::CreatedAt).limit(1).one(db).await?;
        next_since = next.map(|delivery| delivery.created_at);
        which = which.add(Column::Id.lte(last.id));
    }
    let again = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Pending))
        .col_expr(Column::Tries, Expr::value(0_i64))
        .col_expr(Column::NextAttemptAt, Expr::value(Some(moment)))
        .col_expr(Column::SettledAt, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::WebhookId.eq(webhook_id))
        .filter(which)
        .exec(db)
        .await?;
    arrange(db, webhook_id, Among::All).await?;
    Ok((again.rows_affected, next_since))
}

/// Deletes old successful deliveries, failed ones after three times as long, and pending ones of deleted
/// webhooks.
pub async fn forget_old(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut sql = Composer::new(db);
    let (long_before, before) = (sql.moment(before - (now() - before) * 2), sql.moment(before));
    let query = format!(
        "DELETE FROM webhook_delivery WHERE state = 'delivered' AND settled_at < {before} OR state = 'dead' AND settled_at < {long_before} \
         OR webhook_id IN (SELECT id FROM webhook WHERE deleted_at < {before})"
    );
    Ok(db.execute_raw(sql.statement(query)).await?.rows_affected())
}
