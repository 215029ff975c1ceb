//! Verifies each personal value against the commitments of its record and history.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryResult, QuerySelect,
    prelude::{ColumnTrait, Uuid},
    sea_query::{Alias, Expr, ExprTrait, Query},
};
use serde_json::Value;

use super::{Apart, Column, Entity, Model, is_token, opened};
use crate::store::{Record, change_log};

/// Personal data of a record as its row has it.
#[derive(Debug, Default)]
pub struct Said {
    /// Field and commitment.
    pub tokens: BTreeMap<String, String>,
    /// The names that its table has in clear, by field.
    pub names: BTreeMap<&'static str, Value>,
    /// The blind indexes, by field.
    pub indexes: BTreeMap<&'static str, String>,
}

impl Said {
    /// Reads the personal data from a row of a kind of record.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of<R: Record>(result: &QueryResult) -> Result<Self, DbErr> {
        let mut row = R::from_query_result(result, "")?;
        let view = super::in_clear(&row).map_err(|error| DbErr::Custom(error.to_string()))?;
        let Some(Apart { commitments: Some(commitments), sealed }) = row.apart() else {
            return Ok(Self::default());
        };
        let mut said = Self { tokens: std::mem::take(&mut commitments.tokens), ..Self::default() };
        for field in super::fields(R::RESOURCE) {
            let Some(sealed) = sealed.iter().find(|sealed| sealed.field == *field) else {
                said.names.insert(field, view.get(*field).cloned().unwrap_or_default());
                continue;
            };
            if let Some(index) = sealed.index.as_ref().and_then(|index| index.as_ref()) {
                said.indexes.insert(field, index.clone());
            }
        }
        Ok(said)
    }
}

/// A fault: the record and the description.
pub type Wrong = (Uuid, String);

/// Verifies the values of some records of a kind against the records and their histories; returns the number
/// of values.
///
/// # Errors
/// The database does not answer. The first value that is wrong is inside.
pub async fn check(
    db: &impl ConnectionTrait,
    resource: &str,
    records: &BTreeMap<Uuid, Said>,
) -> Result<Result<u64, Wrong>, DbErr> {
    let (Some((first, _)), Some((last, _))) = (records.first_key_value(), records.last_key_value()) else {
        return Ok(Ok(0));
    };
    let rows = Entity::find()
        .filter(Column::Resource.eq(resource))
        .filter(Column::RecordId.between(*first, *last))
        .all(db)
        .await?;
    let (count, mut of_record) = (rows.len() as u64, HashMap::<Uuid, HashMap<String, Model>>::new());
    for row in rows {
        of_record.entry(row.record_id).or_default().insert(row.token.clone(), row);
    }
    let keyring = super::keys::Keyring::of(db).await.map_err(|error| DbErr::Custom(error.to_string()))?;
    let told = told(db, resource, (*first, *last)).await?;
    let erased = erased(db, resource, (*first, *last)).await?;
    for (id, said) in records {
        let kept = of_record.remove(id).unwrap_or_default();
        let wrong = |what: String| Ok(Err((*id, what)));
        let mut values: HashMap<&str, (&str, Value)> = HashMap::new();
        for (token, row) in &kept {
            let Ok(committed) = opened(db, row).await else {
                return wrong(format!("the value of {} cannot be opened", row.field));
            };
            if committed.token(resource, *id, &row.field) != *token
                || row.name.as_ref().is_some_and(|name| *name != text(&committed.value))
            {
                return wrong(format!("the value of {} is not the one that is committed to", row.field));
            }
            values.insert(token, (&row.field, committed.value));
        }
        for token in
            said.tokens.values().chain(told.get(id).into_iter().flatten().filter(|_| !erased.contains(id)))
        {
            if !values.contains_key(token.as_str()) {
                return wrong("a value is missing that was not erased".to_owned());
            }
        }
        for (field, name) in &said.names {
            let committed = said
                .tokens
                .get(*field)
                .and_then(|token| values.get(token.as_str()))
                .map(|(_, value)| value.clone());
            if committed.unwrap_or(Value::Null) != *name && !super::is_erased(field, name) {
                return wrong(format!("the record itself has another {field}"));
            }
        }
        for (field, index) in &said.indexes {
            let value = said
                .tokens
                .get(*field)
                .and_then(|token| values.get(token.as_str()))
                .and_then(|(_, value)| value.as_str());
            if !value.is_some_and(|value| keyring.indexes(field, value).contains(index)) {
                return wrong(format!("{field} is not found by what it says"));
            }
        }
    }
    match of_record.into_keys().next() {
        Some(id) => Ok(Err((id, "a value of a record that is not there".to_owned()))),
        None => Ok(Ok(count)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The commitments in the entries of some records.
async fn told(
    db: &impl ConnectionTrait,
    resource: &str,
    (first, last): (Uuid, Uuid),
) -> Result<HashMap<Uuid, BTreeSet<String>>, DbErr> {
    use change_log::{Column, Entity};
    let entries = Entity::find()
        .select_only()
        .columns([Column::RecordId, Column::Data])
        .filter(Column::Resource.eq(resource));
    let entries: Vec<(Uuid, Value)> =
        entries.filter(Column::RecordId.between(first, last)).into_tuple().all(db).await?;
    let mut told = HashMap::<Uuid, BTreeSet<String>>::new();
    for (id, data) in entries {
        let tokens = super::fields(resource)
            .iter()
            .filter_map(|field| data[*field].as_str())
            .filter(|text| is_token(text));
        told.entry(id).or_default().extend(tokens.map(str::to_owned));
    }
    Ok(told)
}

/// The erased ones among some records.
async fn erased(
    db: &impl ConnectionTrait,
    resource: &str,
    (first, last): (Uuid, Uuid),
) -> Result<BTreeSet<Uuid>, DbErr> {
    let record_id = Expr::col(Alias::new("record_id"));
    let query = Query::select()
        .column(Alias::new("record_id"))
        .from(Alias::new("erasure"))
        .and_where(Expr::col(Alias::new("resource")).eq(resource))
        .and_where(record_id.between(first, last))
        .to_owned();
    db.query_all(&query).await?.iter().map(|row| row.try_get("", "record_id")).collect()
}
