//! The change log: one entry for each version of each record, chained by hashes.
//!
//! An entry contains the record after the change, so that history, change feed and point-in-time views read
//! the same rows.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use sea_orm::{
    ActiveValue::NotSet,
    FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait, Query},
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    Record, author, personal as personal_values,
    status_event::{self, RecordedTransition},
    verify::Chain,
};
use crate::{persian::Date, personal, policy::Scope, problem::Problem, values::hex};

/// One entry.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "change_log")]
pub struct Model {
    /// Sequence number; assigned before the commit.
    #[sea_orm(primary_key)]
    pub seq: i64,
    /// The transaction on PostgreSQL, from which the order of commits follows; 0 on SQLite, which has one
    /// writer.
    pub transaction_id: i64,
    /// The kind of record.
    pub resource: String,
    /// The record.
    pub record_id: Uuid,
    /// The version that the change made.
    pub version: i64,
    /// The kind of change.
    pub kind: ChangeKind,
    /// The province that the record belongs to.
    pub province: Option<String>,
    /// The province that it belonged to before, where the change has moved it.
    pub moved_from: Option<String>,
    /// Time of the change.
    pub changed_at: DateTimeUtc,
    /// Account of the author.
    pub changed_by: Uuid,
    /// Id of the request.
    pub request_id: String,
    /// The record after the change, in full.
    pub data: Json,
    /// The hash of the record's entry before; empty for the first.
    pub previous_hash: String,
    /// The hash of this entry.
    pub hash: String,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was created.
    Created,
    /// Fields were changed.
    Updated,
    /// Its state was changed.
    Transitioned,
    /// It was deleted.
    Deleted,
}

impl Model {
    /// The entry as an insert: the database assigns its sequence number.
    pub fn into_new(self) -> ActiveModel {
        ActiveModel { seq: NotSet, transaction_id: NotSet, ..self.into_active_model().reset_all() }
    }

    /// Hash of the entry: SHA-256 over the previous hash and the entry's content, in hexadecimal.
    pub fn compute_hash(&self) -> String {
        let mut hash = Sha256::new();
        let changed_at = self.changed_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        for part in [
            self.previous_hash.as_str(),
            &self.resource,
            &self.record_id.to_string(),
            &self.version.to_string(),
            &self.kind.to_value(),
            &changed_at,
            &self.changed_by.to_string(),
            &self.request_id,
            self.province.as_deref().unwrap_or_default(),
            &canonical(&self.data),
        ] {
            add_part(&mut hash, part);
        }
        hex(&hash.finalize())
    }
}

/// Whether a record of one of these kinds is in a scope according to its newest entry, or national; also true
/// if there is no entry.
///
/// # Errors
/// The database does not answer.
pub async fn is_within(
    db: &impl ConnectionTrait,
    resources: impl Iterator<Item = &'static str>,
    record_id: Uuid,
    scope: &Scope,
) -> Result<bool, DbErr> {
    let Scope::Province(own) = scope else { return Ok(true) };
    let entries =
        Entity::find().filter(Column::Resource.is_in(resources)).filter(Column::RecordId.eq(record_id));
    let newest = entries.order_by_desc(Column::Version);
    let province =
        newest.select_only().column(Column::Province).into_tuple::<Option<String>>().one(db).await?;
    Ok(province.flatten().is_none_or(|province| province == *own))
}

/// Adds a text with its length to a hash, so that different lists of texts never collide.
pub(super) fn add_part(hash: &mut Sha256, part: &str) {
    hash.update(part.len().to_string());
    hash.update(":");
    hash.update(part);
}

/// Canonical JSON with sorted names (after RFC 8785), because a database may reorder the members of an
/// object.
pub(super) fn canonical(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

/// The content of a history entry: the full, unmasked representation of the record, without fields derived
/// from other records, and with commitments in place of personal values.
pub fn data<R: Record>(row: &R) -> Result<Value, serde_json::Error> {
    let mut data = personal::in_clear(|| serde_json::to_value(row.view()))?;
    if let Some(fields) = data.as_object_mut() {
        fields.retain(|name, _| !R::DERIVED.contains(&name.as_str()));
        personal_values::cover(row, fields);
    }
    Ok(data)
}

/// When, by whom and in which request an entry is made.
pub struct Entry<'a> {
    /// Time of the change.
    pub at: DateTimeUtc,
    /// Account of the author.
    pub by: Uuid,
    /// Id of the request.
    pub request_id: &'a str,
}

/// The entry for a change that resulted in this row.
pub fn entry<R: Record>(
    row: &R,
    kind: ChangeKind,
    previous_hash: String,
    made: Entry<'_>,
) -> Result<Model, Problem> {
    let mut entry = Model {
        seq: 0,
        transaction_id: 0,
        resource: R::RESOURCE.to_owned(),
        record_id: row.id(),
        version: row.version(),
        kind,
        province: row.province().map(str::to_owned),
        moved_from: None,
        changed_at: made.at,
        changed_by: made.by,
        request_id: made.request_id.to_owned(),
        data: data(row).map_err(Problem::internal)?,
        previous_hash,
        hash: String::new(),
    };
    entry.hash = entry.compute_hash();
    Ok(entry)
}

/// The entries that were the newest of their records at a moment, of records that were not deleted then.
pub fn known_at(resource: &str, moment: DateTimeUtc) -> Select<Entity> {
    let newer = Alias::new("newer");
    let overtaken = Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, newer.clone())
        .and_where(Expr::col((newer.clone(), Column::Resource)).eq(resource))
        .and_where(Expr::col((newer.clone(), Column::RecordId)).equals((Entity, Column::RecordId)))
        .and_where(Expr::col((newer.clone(), Column::Version)).gt(Expr::col((Entity, Column::Version))))
        .and_where(Expr::col((newer, Column::ChangedAt)).lte(moment))
        .to_owned();
    Entity::find()
        .filter(Column::Resource.eq(resource))
        .filter(Column::ChangedAt.lte(moment))
        .filter(Column::Kind.ne(ChangeKind::Deleted))
        .filter(Expr::exists(overtaken).not())
        .order_by_asc(Column::RecordId)
}

/// One change of a record, field by field.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// The version that the change made.
    #[schema(minimum = 1, example = 2)]
    pub version: i64,
    /// The kind of change.
    pub kind: ChangeKind,
    /// Time of the change.
    pub changed_at: DateTime<Utc>,
    /// Account of the author.
    pub changed_by: Uuid,
    /// Current name of that account; null for the service itself.
    #[schema(required, example = "مدیر خوشه‌های لرستان")]
    pub changed_by_name: Option<String>,
    /// The `X-Request-Id` of the request that did it.
    #[schema(example = "0193f0a0-0000-7000-8000-00000000abcd")]
    pub request_id: String,
    /// The change of state that it was, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transition: Option<RecordedTransition>,
    /// Every field that differs from the version before.
    pub changes: Vec<FieldChange>,
    /// The hash of the entry before; empty for the first.
    #[schema(example = "")]
    pub previous_hash: String,
    /// Hash of this entry: SHA-256 over the previous hash and the content of the entry.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub hash: String,
}

/// One field, before and after.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldChange {
    /// The field.
    #[schema(example = "name_en")]
    pub field: String,
    /// Its value before; null where there was none.
    #[schema(value_type = Value, example = json!("Stone"))]
    pub from: Shown,
    /// Its value after.
    #[schema(value_type = Value, example = json!("Stone and marble"))]
    pub to: Shown,
}

/// A value in the log. Days are shown in the calendar that the caller requests, personal data as the caller
/// may see it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// A day.
    Day(Date),
    /// Personal data, in clear or masked.
    Personal(#[serde(serialize_with = "masked")] String),
    /// Several values.
    List(Vec<Self>),
    /// An object.
    Object(BTreeMap<String, Self>),
    /// Any other value.
    Other(Value),
}

fn masked<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    personal::serialize(text, serializer)
}

impl Shown {
    /// Reads a record from the log.
    pub fn record<R: Record>(data: &Value) -> Self {
        let fields = data.as_object().into_iter().flatten();
        Self::Object(fields.map(|(name, value)| (name.clone(), Self::new::<R>(name, value))).collect())
    }

    /// A value of a field.
    pub fn new<R: Record>(field: &str, value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(|item| Self::new::<R>(field, item)).collect()),
            Value::Object(members) => Self::Object(
                members.iter().map(|(name, member)| (name.clone(), Self::new::<R>(name, member))).collect(),
            ),
            Value::String(text) if R::PERSONAL.contains(&field) => Self::Personal(text.clone()),
            Value::String(text) if R::DAYS.contains(&field) => text
                .parse::<NaiveDate>()
                .map_or_else(|_| Self::Other(value.clone()), |day| Self::Day(day.into())),
            _ => Self::Other(value.clone()),
        }
    }
}

/// The whole history of a record, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// One entry for each version.
    pub items: Vec<HistoryEntry>,
    /// Whether the history is intact: the recomputed hashes agree, each entry has the hash of the previous
    /// one, and the newest one is the record's own. False means that the database was changed outside the
    /// service.
    #[schema(example = true)]
    pub is_intact: bool,
}

/// An entry with the name of its author, and the hash in its record.
#[derive(FromQueryResult)]
struct Told {
    #[sea_orm(nested)]
    entry: Model,
    changed_by_name: Option<String>,
    own_hash: Option<String>,
}

/// Reads the history of a record.
pub async fn history<R: Record>(db: &impl ConnectionTrait, row: &R) -> Result<History, Problem> {
    let author = Expr::col((author::Entity, author::Column::Id)).equals((Entity, Column::ChangedBy));
    let name =
        Query::select().column(author::Column::DisplayName).from(author::Entity).and_where(author).to_owned();
    // In the same statement as the entries, because of concurrent writes.
    let own_hash = Query::select()
        .column("history_hash")
        .from(R::Entity::default())
        .and_where(R::is(row.id()))
        .to_owned();
    let mut entries: Vec<Told> = Entity::find()
        .expr_as(name, "changed_by_name")
        .expr_as(own_hash, "own_hash")
        .filter(Column::Resource.eq(R::RESOURCE))
        .filter(Column::RecordId.eq(row.id()))
        .order_by_asc(Column::Version)
        .into_model()
        .all(db)
        .await?;
    let own_hash = entries.last().and_then(|told| told.own_hash.clone()).unwrap_or_default();
    let mut transitions = status_event::of_record(db, row).await?;
    let mut chain = Chain::default();
    let is_intact = entries.iter().all(|told| chain.add(&told.entry).is_ok()) && chain.ends_in(&own_hash);
    personal_values::reveal_entries(db, entries.iter_mut().map(|told| &mut told.entry)).await?;
    let mut before = Value::Null;
    let items = entries.into_iter().map(|Told { entry, changed_by_name, .. }| {
        let changes = differences::<R>(&before, &entry.data);
        before = entry.data;
        HistoryEntry {
            transition: transitions.remove(&entry.version),
            changed_by_name,
            version: entry.version,
            kind: entry.kind,
            changed_at: entry.changed_at,
            changed_by: entry.changed_by,
            request_id: entry.request_id,
            changes,
            previous_hash: entry.previous_hash,
            hash: entry.hash,
        }
    });
    Ok(History { items: items.collect(), is_intact })
}

/// Differences between the fields of a record before and after a change, without the fields that the entry
/// itself contains.
pub fn differences<R: Record>(before: &Value, after: &Value) -> Vec<FieldChange> {
    const OF_THE_ENTRY: [&str; 7] =
        ["id", "version", "created_at", "created_by", "updated_at", "updated_by", "allowed_transitions"];
    let fields =
        after.as_object().into_iter().flatten().filter(|(name, _)| !OF_THE_ENTRY.contains(&name.as_str()));
    fields
        .filter(|(name, value)| before[name.as_str()] != **value)
        .map(|(name, value)| {
            let shown = |value| Shown::new::<R>(name, value);
            FieldChange { field: name.clone(), from: shown(&before[name.as_str()]), to: shown(value) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;
    use uuid::uuid;

    use super::*;

    /// The hashes were computed apart from this code: histories of today stay verifiable by every later
    /// version.
    #[test]
    fn hashes_of_a_history_stay_what_they_are() {
        let changes = [
            (
                ChangeKind::Created,
                "2026-11-30T08:30:00.000001Z",
                Some("IR-15"),
                json!({"name_fa": "سنگ", "employment_total": 4_500}),
            ),
            (
                ChangeKind::Updated,
                "2026-11-30T09:00:00Z",
                Some("IR-08"),
                json!({"name_fa": "سنگ", "employment_total": null}),
            ),
            (ChangeKind::Deleted, "2026-12-01T00:00:00Z", None, json!({})),
        ];
        let hashes = [
            "10b7c8569d282526a46d4376390bdbd0c067ed9f42ed9ba675c084ca3c025e3b",
            "59c51715cb4fe40e3e663962cfa1820c9f258984f9cbd6ed5dbd1b790b172722",
            "77e4a88bcb1a4511fad06df8328c99f93609d84f87d73cca851b1578a420d275",
        ];
        let mut previous_hash = String::new();
        for (version, ((kind, changed_at, province, data), hash)) in
            (1..).zip(changes.into_iter().zip(hashes))
        {
            let entry = Model {
                seq: 0,
                transaction_id: 0,
                resource: "cluster".to_owned(),
                record_id: uuid!("019a0000-0000-7000-8000-000000000001"),
                version,
                kind,
                province: province.map(str::to_owned),
                moved_from: None,
                changed_at: changed_at.parse().unwrap(),
                changed_by: uuid!("019a0000-0000-7000-8000-0000000000aa"),
                request_id: format!("request-{version}"),
                data,
                previous_hash,
                hash: String::new(),
            };
            previous_hash = entry.compute_hash();
            assert_eq!(previous_hash, hash, "version {version}");
        }
    }
}
