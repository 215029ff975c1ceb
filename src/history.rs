//! `GET /history`: changes of all records, by account, day, kind of record and request. The history of one
//! record is under the record.

use std::collections::HashMap;

use actix_web::{get, web};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    prelude::Uuid,
    sea_query::{Condition, ExprTrait},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    accounts::account,
    http::{Answer, Database, Page, Paging, Query, Routes, Shape, SortKey, page::Listed},
    persian::Date,
    problem::Problem,
    store::{
        SqlKind,
        change_log::{ChangeKind, Column, Entity, FieldChange, Model},
        personal,
        registry::Registry,
    },
};

/// The routes of this module.
pub fn routes(config: &mut Routes<'_>) {
    config.service(list_history);
}

/// A change of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedChange {
    /// Its place in the order in which changes were made.
    #[schema(minimum = 1, example = 1042)]
    position: i64,
    /// Kind of record.
    #[schema(example = "cluster")]
    resource: String,
    /// The record.
    record_id: Uuid,
    /// The version that the change made.
    #[schema(minimum = 1, example = 2)]
    version: i64,
    /// Kind of change.
    kind: ChangeKind,
    /// The province that the record belongs to; null for the nation.
    #[schema(required, example = "IR-15")]
    province: Option<String>,
    /// Time of the change.
    changed_at: DateTime<Utc>,
    /// Account of the author; null for the service itself.
    #[schema(required)]
    changed_by: Option<Uuid>,
    /// Current name of that account.
    #[schema(required, example = "مدیر خوشه‌های لرستان")]
    changed_by_name: Option<String>,
    /// The `X-Request-Id` of the request that did it.
    #[schema(example = "0193f0a0-0000-7000-8000-00000000abcd")]
    request_id: String,
    /// Every field that differs from the version before.
    changes: Vec<FieldChange>,
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey::new("position", "change_log.seq", SqlKind::Integer, |row| row.seq.into())];
}

/// Filters of the list of changes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct HistoryFilter {
    /// By this account.
    account_id: Option<Uuid>,
    /// On this day of Iran.
    day: Option<Date>,
    /// Of this kind of record, such as `cluster` or `user`.
    #[param(max_length = 100, pattern = "^[a-z_]+$")]
    resource: Option<String>,
    /// Of this record.
    record_id: Option<Uuid>,
    /// In this request.
    #[param(max_length = 100, pattern = "^[!-~]( ?[!-~])*$")]
    request_id: Option<String>,
}

/// Offset of Iran's time from UTC.
const AHEAD: TimeDelta = TimeDelta::minutes(210);

impl HistoryFilter {
    fn condition(&self) -> Condition {
        let day = self.day.map(|day| day.naive().and_time(NaiveTime::MIN).and_utc() - AHEAD);
        Condition::all()
            .add_option(self.account_id.map(|id| Column::ChangedBy.eq(id)))
            .add_option(day.map(|begins| {
                Column::ChangedAt.gte(begins).and(Column::ChangedAt.lt(begins + TimeDelta::days(1)))
            }))
            .add_option(self.resource.as_ref().map(|resource| Column::Resource.eq(resource)))
            .add_option(self.record_id.map(|id| Column::RecordId.eq(id)))
            .add_option(self.request_id.as_ref().map(|id| Column::RequestId.eq(id)))
    }
}

/// List all changes
///
/// Author, time and content of each change, for records of every kind, accounts and API clients included;
/// filtered by account, day, kind of record, record and request. In the order in which changes were made;
/// `sort=-position` gives the newest first. Personal data is masked as everywhere; passwords and secrets are
/// never included.
#[utoipa::path(params(HistoryFilter, Paging<Model>), responses((status = 200, body = Page<RecordedChange>)), security(("oauth2" = ["history:read"])))]
#[get("/history")]
pub async fn list_history(
    filter: Query<HistoryFilter>,
    paging: Paging<Model>,
    shape: Shape,
    db: Database,
    registry: web::Data<Registry>,
) -> Result<Answer, Problem> {
    let mut page = paging.fetch(db.get_ref(), Entity::find().filter(filter.condition())).await?;
    let mut entries = std::mem::take(&mut page.items);
    personal::reveal_entries(db.get_ref(), entries.iter_mut()).await?;
    let before = before(db.get_ref(), &entries).await?;
    let names =
        account::display_names(db.get_ref(), entries.iter().map(|entry| entry.changed_by).collect()).await?;
    let items = entries.into_iter().map(|entry| {
        let kind = registry.iter().find(|kind| kind.resource() == entry.resource);
        let earlier = before.get(&(entry.record_id, entry.version - 1)).unwrap_or(&Value::Null);
        RecordedChange {
            position: entry.seq,
            changes: kind.map_or_else(Vec::new, |kind| (kind.differences)(earlier, &entry.data)),
            resource: entry.resource,
            record_id: entry.record_id,
            version: entry.version,
            kind: entry.kind,
            province: entry.province,
            changed_at: entry.changed_at,
            changed_by: Some(entry.changed_by).filter(|author| !author.is_nil()),
            changed_by_name: names.get(&entry.changed_by).cloned(),
            request_id: entry.request_id,
        }
    });
    let items = items.collect();
    shape.page(&page.with(items))
}

/// Content of the log entries before these changes, by record and version.
async fn before(
    db: &impl ConnectionTrait,
    entries: &[Model],
) -> Result<HashMap<(Uuid, i64), Value>, Problem> {
    let one = |entry: &Model| {
        let is_it = Column::Resource.eq(&entry.resource).and(Column::RecordId.eq(entry.record_id));
        is_it.and(Column::Version.eq(entry.version - 1))
    };
    let earlier =
        entries.iter().filter(|entry| entry.version > 1).map(one).fold(Condition::any(), Condition::add);
    if earlier.is_empty() {
        return Ok(HashMap::new());
    }
    let mut rows = Entity::find().filter(earlier).all(db).await?;
    personal::reveal_entries(db, rows.iter_mut()).await?;
    Ok(rows.into_iter().map(|row| ((row.record_id, row.version), row.data)).collect())
}
