//! Point-in-time views of records: the knowledge of the service at a moment, and the states on a day.
//!
//! The change log contains the knowledge, the status events the states: together they reproduce any earlier
//! answer.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    QueryOrder,
    entity::prelude::*,
    sea_query::{ExprTrait, Query},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Record,
    change_log::{self, ChangeKind, Shown},
    personal, status_event,
};
use crate::persian::Date;

/// A day, and the moment up to which knowledge counts.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The day whose states are shown.
    pub as_of: Date,
    /// Later records are excluded.
    pub known_at: DateTime<Utc>,
}

/// A kind of record with point-in-time views.
pub trait Retrospective: Record {
    /// Fields that are valid from the effective date of a state change, not from its recording.
    const STATE_FIELDS: &'static [&'static str];
    /// Derived fields as of the past day.
    type Derived: Serialize;

    /// Sets the fields that other records determined.
    fn adjust(
        &self,
        _: &impl ConnectionTrait,
        _: Past,
        _: &mut Fields,
    ) -> impl Future<Output = Result<(), DbErr>> {
        std::future::ready(Ok(()))
    }

    /// Computes the derived fields as of the past day; `fields` is the record itself as of then.
    fn derived(
        &self,
        db: &impl ConnectionTrait,
        past: Past,
        fields: &Fields,
    ) -> impl Future<Output = Result<Self::Derived, DbErr>>;
}

/// A past view of a record: its fields and derived fields. Read-only.
#[derive(Serialize)]
pub struct PastView<D> {
    #[serde(flatten)]
    fields: BTreeMap<String, Shown>,
    allowed_transitions: [(); 0],
    #[serde(flatten)]
    derived: D,
}

/// The past view of a record; none if it was unknown or deleted then.
pub async fn view<R: Retrospective>(
    db: &impl ConnectionTrait,
    row: &R,
    past: Past,
) -> Result<Option<PastView<R::Derived>>, DbErr> {
    let found = records(db, R::RESOURCE, R::STATE_FIELDS, vec![row.id()], past).await?.remove(&row.id());
    let Some(mut fields) = found else { return Ok(None) };
    row.adjust(db, past, &mut fields).await?;
    let derived = row.derived(db, past, &fields).await?;
    let fields = fields.iter().map(|(name, value)| (name.clone(), Shown::new::<R>(name, value))).collect();
    Ok(Some(PastView { fields, allowed_transitions: [], derived }))
}

/// The fields of a record.
pub type Fields = Map<String, Value>;

/// The past fields of some records of a kind that were known and not deleted, in two statements.
pub async fn records(
    db: &impl ConnectionTrait,
    resource: &str,
    state_fields: &[&str],
    ids: Vec<Uuid>,
    past: Past,
) -> Result<HashMap<Uuid, Fields>, DbErr> {
    use change_log::{Column, Entity};
    let entries = Entity::find()
        .filter(Column::Resource.eq(resource))
        .filter(Column::RecordId.is_in(ids.iter().copied()));
    let entries = entries.filter(Column::ChangedAt.lte(past.known_at)).order_by_asc(Column::Version);
    let mut versions: HashMap<Uuid, Vec<change_log::Model>> = HashMap::new();
    let mut entries = entries.all(db).await?;
    personal::reveal_entries(db, entries.iter_mut()).await?;
    for entry in entries {
        versions.entry(entry.record_id).or_default().push(entry);
    }
    let entered =
        if state_fields.is_empty() { HashMap::new() } else { entered(db, resource, ids, past).await? };
    let mut found = HashMap::new();
    for (id, mut versions) in versions {
        // Before its first change of state a record is as created.
        let entered = entered.get(&id).copied().unwrap_or(1);
        let then = versions.iter().find(|entry| entry.version == entered).map(|entry| entry.data.clone());
        let Some(last) = versions.pop().filter(|last| last.kind != ChangeKind::Deleted) else { continue };
        let Value::Object(mut fields) = last.data else { continue };
        for name in state_fields {
            if let Some(value) = then.as_ref().and_then(|then| then.get(*name)) {
                fields.insert((*name).to_owned(), value.clone());
            }
        }
        found.insert(id, fields);
    }
    Ok(found)
}

/// The versions in which some records entered their past states.
async fn entered(
    db: &impl ConnectionTrait,
    resource: &str,
    ids: Vec<Uuid>,
    past: Past,
) -> Result<HashMap<Uuid, i64>, DbErr> {
    use status_event::{Column, Entity};
    let events = Entity::find()
        .filter(Column::Resource.eq(resource))
        .filter(Column::RecordId.is_in(ids))
        .filter(Column::EffectiveOn.lte(past.as_of.naive()))
        .filter(Column::RecordedAt.lte(past.known_at))
        .order_by_asc(Column::EffectiveOn)
        .order_by_asc(Column::Id);
    // The last one of each record counts.
    Ok(events.all(db).await?.into_iter().map(|event| (event.record_id, event.version)).collect())
}

/// The ids of the records of a table that refer to another one, including deleted ones.
pub async fn referring(
    db: &impl ConnectionTrait,
    table: &'static str,
    column: &'static str,
    id: Uuid,
) -> Result<Vec<Uuid>, DbErr> {
    let query = Query::select().column("id").from(table).and_where(Expr::col(column).eq(id)).to_owned();
    db.query_all(&query).await?.iter().map(|row| row.try_get("", "id")).collect()
}

/// A day in the fields of a record.
pub fn day(fields: &Fields, name: &str) -> Option<chrono::NaiveDate> {
    fields.get(name)?.as_str()?.parse().ok()
}

/// Text in the fields of a record.
pub fn text(fields: &Fields, name: &str) -> String {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Text in the fields of a record that may be missing.
pub fn optional(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// A whole number in the fields of a record.
pub fn number(fields: &Fields, name: &str) -> i64 {
    fields.get(name).and_then(Value::as_i64).unwrap_or_default()
}
