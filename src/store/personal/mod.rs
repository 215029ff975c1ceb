//! The table of personal values, each encrypted and with its own salt. Records and their history contain a
//! *commitment* to each value instead, a hash over salt and value, so that the hashes of the history reveal
//! nothing, never change, and remain valid after a value and its salt are erased. The design is in
//! `docs/personal-data.md`.

pub mod adopt;
pub mod erase;
pub mod keys;
pub mod rotate;
pub mod verify;

use std::collections::{BTreeMap, HashMap};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{
    ActiveValue::Set,
    FromJsonQueryResult,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait, Query},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use self::keys::Keyring;
use super::{
    Record,
    change_log::{self, add_part, canonical},
};
use crate::{
    personal::{self, ERASED, ERASED_NAME, ERASED_USER},
    problem::Problem,
};

/// A personal value.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "personal_value")]
pub struct Model {
    /// The commitment to it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token: String,
    /// The kind of record that contains the value.
    pub resource: String,
    /// The record.
    pub record_id: Uuid,
    /// The field.
    pub field: String,
    /// Id of the encryption key.
    pub key_id: String,
    /// Salt and value, encrypted.
    pub sealed: String,
    /// Clear text of a name: names are searched and sorted.
    pub name: Option<String>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The fields with commitments of each kind of record. For those in [`Record::apart`] the record's table has
/// only the commitment; the others are names, which it stores in clear.
const FIELDS: &[(&str, &[&str])] = &[
    ("cda", &["national_code", "mobile", "email", "name_fa", "name_en", "education", "external_refs"]),
    ("organisation", &["legal_id", "phone", "email"]),
    ("supervision", &["person_name"]),
    ("user", &["username", "display_name"]),
];

/// The fields of a kind of record that are committed to.
pub fn fields(resource: &str) -> &'static [&'static str] {
    FIELDS.iter().find(|(kind, _)| *kind == resource).map_or(&[], |(_, fields)| fields)
}

/// The kinds of records that hold personal values.
pub fn resources() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(resource, _)| *resource)
}

/// The commitments of a record, by field. In memory they also remember their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Commitments {
    tokens: BTreeMap<String, String>,
    #[serde(skip)]
    known: BTreeMap<String, Value>,
}

impl Commitments {
    /// The commitment to a field.
    pub fn token(&self, field: &str) -> Option<&str> {
        self.tokens.get(field).map(String::as_str)
    }

    /// Field and commitment of each.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tokens.iter().map(|(field, token)| (field.as_str(), token.as_str()))
    }
}

/// A field of which the table of the record holds only the commitment.
pub struct Sealed<'a> {
    /// The name of the field.
    pub field: &'static str,
    /// The value as the record at hand has it.
    pub value: Option<&'a mut String>,
    /// The blind index of the value, for fields that are looked up.
    pub index: Option<&'a mut Option<String>>,
}

/// Personal data of a record.
pub struct Apart<'a> {
    /// The commitments; none before the record has any.
    pub commitments: &'a mut Option<Commitments>,
    /// The fields that are encrypted.
    pub sealed: Vec<Sealed<'a>>,
}

/// Whether the text is a commitment: no personal value has this form.
fn is_token(text: &str) -> bool {
    text.len() == 44 && text.starts_with('~')
}

/// Placeholder for an erased value; not a personal value itself, and without a commitment.
pub fn erased(field: &str) -> Value {
    match field {
        "national_code" => ERASED.into(),
        "name_fa" | "display_name" => ERASED_NAME.into(),
        "username" => ERASED_USER.into(),
        "external_refs" => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

fn is_erased(field: &str, value: &Value) -> bool {
    // A user name is followed by the id: no two accounts have the same.
    let is_of_id = |name: &str| name.strip_prefix(ERASED_USER).is_some_and(|id| Uuid::try_parse(id).is_ok());
    *value == erased(field) || field == "username" && value.as_str().is_some_and(is_of_id)
}

/// A value with its salt.
struct Committed {
    salt: [u8; 32],
    value: Value,
}

impl Committed {
    fn new(value: Value) -> Result<Self, Problem> {
        let mut salt = [0; 32];
        SystemRandom::new().fill(&mut salt).map_err(Problem::internal)?;
        Ok(Self { salt, value })
    }

    /// SHA-256 over the salt, which is secret, the place, and the value.
    fn token(&self, resource: &str, record_id: Uuid, field: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        for part in [resource, &record_id.to_string(), field, &canonical(&self.value)] {
            add_part(&mut hash, part);
        }
        format!("~{}", URL_SAFE_NO_PAD.encode(hash.finalize()))
    }

    fn bytes(&self) -> Vec<u8> {
        [self.salt.as_slice(), self.value.to_string().as_bytes()].concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (salt, value) = bytes.split_first_chunk()?;
        Some(Self { salt: *salt, value: serde_json::from_slice(value).ok()? })
    }
}

/// Creates the commitment to a value of a record, and the row that stores the value. Names stay readable in
/// it.
fn keep(
    keyring: &Keyring,
    (resource, record_id, field): (&str, Uuid, &str),
    value: &Value,
    is_name: bool,
) -> Result<(String, ActiveModel), Problem> {
    let committed = Committed::new(value.clone())?;
    let token = committed.token(resource, record_id, field);
    let key = keyring.current();
    let name = is_name.then(|| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let row = ActiveModel {
        token: Set(token.clone()),
        resource: Set(resource.to_owned()),
        record_id: Set(record_id),
        field: Set(field.to_owned()),
        key_id: Set(key.id().to_owned()),
        sealed: Set(key.seal(&token, committed.bytes())?),
        name: Set(name),
    };
    Ok((token, row))
}

/// The representation of a row in clear.
fn in_clear<R: Record>(row: &R) -> Result<Map<String, Value>, Problem> {
    match personal::in_clear(|| serde_json::to_value(row.view())).map_err(Problem::internal)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// Updates the commitments and blind indexes of a row before it is written. An unchanged value keeps its
/// commitment. Returns the values to store.
///
/// # Errors
/// There is no randomness, or the row cannot be represented.
pub fn commit<R: Record>(
    keyring: &Keyring,
    row: &mut R,
    before: Option<&R>,
) -> Result<Vec<ActiveModel>, Problem> {
    let fields = fields(R::RESOURCE);
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let (view, id, mut kept) = (in_clear(row)?, row.id(), Vec::new());
    let before = before.map(in_clear).transpose()?;
    let Some(Apart { commitments, sealed }) = row.apart() else { return Ok(kept) };
    let commitments = commitments.get_or_insert_default();
    let former = std::mem::take(commitments);
    for field in fields {
        let Some(value) = view.get(*field).filter(|value| !value.is_null() && !is_erased(field, value))
        else {
            continue;
        };
        let was = before.as_ref().map_or_else(|| former.known.get(*field), |before| before.get(*field));
        let token = match former.tokens.get(*field) {
            Some(token) if was == Some(value) => token.clone(),
            _ => {
                let is_name = sealed.iter().all(|sealed| sealed.field != *field);
                let (token, row) = keep(keyring, (R::RESOURCE, id, field), value, is_name)?;
                kept.push(row);
                token
            }
        };
        commitments.tokens.insert((*field).to_owned(), token);
        commitments.known.insert((*field).to_owned(), value.clone());
    }
    for Sealed { field, value, index } in sealed {
        let Some(index) = index else { continue };
        match value {
            // It was not read: the index is still that of its value.
            Some(value) if is_token(value) => {}
            Some(value) if *value != ERASED => *index = Some(keyring.current().index(field, value)),
            _ => *index = None,
        }
    }
    Ok(kept)
}

/// The row as stored in its table: with commitments in place of encrypted values.
pub fn stored<R: Record>(row: &R) -> R {
    let mut row = row.clone();
    if let Some(Apart { commitments, sealed }) = row.apart() {
        for Sealed { field, value, .. } in sealed {
            if let (Some(value), Some(token)) =
                (value, commitments.as_ref().and_then(|commitments| commitments.token(field)))
            {
                token.clone_into(value);
            }
        }
    }
    row
}

/// Replaces the values by commitments, as in the history.
pub fn cover<R: Record>(row: &R, data: &mut Map<String, Value>) {
    if fields(R::RESOURCE).is_empty() {
        return;
    }
    let mut row = row.clone();
    let Some(commitments) = row.apart().and_then(|apart| apart.commitments.take()) else { return };
    for (field, token) in commitments.tokens() {
        data.insert(field.to_owned(), token.into());
    }
}

/// Values per lookup.
const MOST: usize = 1_000;

/// The values of some commitments, without erased ones.
async fn values(
    db: &impl ConnectionTrait,
    tokens: impl IntoIterator<Item = String>,
) -> Result<HashMap<String, Model>, DbErr> {
    let tokens: Vec<String> = tokens.into_iter().collect();
    let mut found = HashMap::new();
    for tokens in tokens.chunks(MOST) {
        let rows = Entity::find().filter(Column::Token.is_in(tokens)).all(db).await?;
        found.extend(rows.into_iter().map(|row| (row.token.clone(), row)));
    }
    Ok(found)
}

/// Opens the value in a row.
async fn opened(db: &impl ConnectionTrait, row: &Model) -> Result<Committed, DbErr> {
    let bytes = keys::open(db, &row.token, &row.sealed).await?;
    Committed::read(&bytes).ok_or_else(|| DbErr::Custom("a personal value is not written as one".to_owned()))
}

/// Replaces the commitments of some rows by their values, in a constant number of statements.
///
/// # Errors
/// A key is missing, a value was changed outside the service, or the database does not answer.
pub async fn reveal<R: Record>(db: &impl ConnectionTrait, rows: &mut [R]) -> Result<(), DbErr> {
    let of_row = |row: &mut R| {
        let sealed = row.apart().map(|apart| apart.sealed).unwrap_or_default();
        sealed
            .into_iter()
            .filter_map(|sealed| sealed.value)
            .filter(|value| is_token(value))
            .map(|value| value.clone())
            .collect::<Vec<_>>()
    };
    let tokens: Vec<String> = rows.iter_mut().flat_map(of_row).collect();
    if tokens.is_empty() {
        return Ok(());
    }
    let found = values(db, tokens).await?;
    for row in rows {
        for value in row
            .apart()
            .map(|apart| apart.sealed)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|sealed| sealed.value)
        {
            if !is_token(value) {
                continue;
            }
            *value = match found.get(value.as_str()) {
                Some(kept) => opened(db, kept).await?.value.as_str().unwrap_or(ERASED).to_owned(),
                None => ERASED.to_owned(),
            };
        }
    }
    Ok(())
}

/// Replaces the commitments in change-log entries by their values.
///
/// # Errors
/// As of [`reveal`].
pub async fn reveal_entries<'a>(
    db: &impl ConnectionTrait,
    entries: impl Iterator<Item = &'a mut change_log::Model>,
) -> Result<(), DbErr> {
    let mut entries: Vec<_> = entries.filter(|entry| !fields(&entry.resource).is_empty()).collect();
    let of_entry = |entry: &change_log::Model| {
        let said = fields(&entry.resource).iter().filter_map(|field| entry.data[*field].as_str());
        said.filter(|text| is_token(text)).map(str::to_owned).collect::<Vec<_>>()
    };
    let tokens: std::collections::BTreeSet<String> =
        entries.iter().flat_map(|entry| of_entry(entry)).collect();
    if tokens.is_empty() {
        return Ok(());
    }
    let found = values(db, tokens).await?;
    let mut known: HashMap<&str, Value> = HashMap::new();
    for (token, row) in &found {
        known.insert(token, opened(db, row).await?.value);
    }
    for entry in &mut entries {
        for field in fields(&entry.resource) {
            let Some(token) = entry.data[*field].as_str().filter(|text| is_token(text)) else { continue };
            entry.data[*field] = known.get(token).cloned().unwrap_or_else(|| erased(field));
        }
    }
    Ok(())
}

/// The unique personal fields of a row, each with its value.
pub fn unique_values<R: Record>(row: &R) -> Vec<(&'static str, Option<String>)> {
    let mut row = row.clone();
    let unique =
        row.apart().into_iter().flat_map(|apart| apart.sealed).filter(|sealed| sealed.index.is_some());
    unique.map(|sealed| (sealed.field, sealed.value.cloned())).collect()
}

/// Whether a row has another value of a unique personal field than before.
pub fn names_another<R: Record>(row: &R, before: Option<&R>) -> bool {
    let earlier = before.map(unique_values).unwrap_or_default();
    unique_values(row)
        .iter()
        .any(|unique| unique.1.as_ref().is_some_and(|value| value != ERASED) && !earlier.contains(unique))
}

/// Whether another live record has the value of a unique field under the index of a former key, which the
/// unique index of the table cannot detect.
///
/// # Errors
/// The database does not answer.
pub async fn is_taken<R: Record>(
    db: &impl ConnectionTrait,
    keyring: &Keyring,
    row: &mut R,
) -> Result<bool, DbErr> {
    if !keyring.has_former() {
        return Ok(false);
    }
    let id = row.id();
    let within = R::UNIQUE_IN_PROVINCE
        .then(|| Expr::col(Alias::new("province")).eq(row.province().map(str::to_owned)));
    for Sealed { field, value, index } in row.apart().map(|apart| apart.sealed).unwrap_or_default() {
        let (Some(value), Some(_)) = (value, index) else { continue };
        let column = Alias::new(format!("{field}_index"));
        let other = Query::select()
            .expr(Expr::val(1))
            .from(R::Entity::default())
            .and_where(Expr::col(column).is_in(keyring.indexes(field, value)))
            .and_where(Expr::col(Alias::new("deleted_at")).is_null())
            .and_where(Expr::col(Alias::new("id")).ne(id))
            .and_where_option(within.clone())
            .limit(1)
            .to_owned();
        if db.query_one(&other).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
