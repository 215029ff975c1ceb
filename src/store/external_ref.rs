//! External references: identifiers of records in other systems. A system and a key identify one record.

use std::collections::BTreeSet;

use sea_orm::{FromJsonQueryResult, Set, entity::prelude::*};
use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, RefOr, Schema},
};

use super::{
    Record,
    sql::{Composer, look_up},
};
use crate::{
    persian::text,
    problem::{Problem, Text, Violation, problem_types},
};

/// Reference to the record in another system.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalRef {
    /// The other system.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", example = "lorestan-erp")]
    pub system: String,
    /// The record's key there.
    #[schema(
        pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f/?#%\\\\][^\\u0000-\\u001f\\u007f-\\u009f/?#%\\\\]{0,199}$",
        min_length = 1,
        max_length = 200,
        example = "K-17"
    )]
    pub key: String,
}

impl ExternalRef {
    /// Parses a reference from two path segments; 404 if they cannot be one.
    pub fn parse(system: String, key: String) -> Result<Self, Problem> {
        let key = text::nfc(&key).into_owned();
        let is_system = (1..=64).contains(&system.len())
            && system.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
            && system.as_bytes()[0].is_ascii_alphanumeric();
        let is_key = (1..=200).contains(&key.chars().count())
            && !key.starts_with(char::is_whitespace)
            && !key.contains(['/', '?', '#', '%', '\\'])
            && !key.contains(char::is_control);
        if is_system && is_key {
            Ok(Self { system, key })
        } else {
            Err(Problem::new(&problem_types::NOT_FOUND))
        }
    }
}

/// The references of a record, in its column and in its representation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct ExternalRefs(pub Vec<ExternalRef>);

/// The most references of a record.
const MOST: usize = 20;

impl ExternalRefs {
    /// Adds a reference unless it exists; 422 if there are too many then.
    pub fn add(&mut self, reference: ExternalRef) -> Result<(), Problem> {
        if self.0.contains(&reference) {
            return Ok(());
        }
        self.0.push(reference);
        if self.0.len() <= MOST {
            return Ok(());
        }
        Err(Problem::invalid(vec![Violation::body(
            "/external_refs",
            "too_many_items",
            Text::new(
                format!("با شناسهٔ نشانی بیش از {MOST} شناسهٔ بیرونی می‌شود."),
                format!("With the one of the address there are more than {MOST} references."),
            ),
        )]))
    }
}

impl PartialSchema for ExternalRefs {
    fn schema() -> RefOr<Schema> {
        let items = utoipa::openapi::Ref::from_schema_name("ExternalRef");
        ArrayBuilder::new()
            .items(items)
            .max_items(Some(MOST))
            .unique_items(true)
            .examples([serde_json::json!([])])
            .into()
    }
}

impl ToSchema for ExternalRefs {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("ExternalRef".into(), ExternalRef::schema()));
    }
}

/// Table that keeps references unique and finds a record by one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "external_ref")]
pub struct Model {
    /// The kind of record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: String,
    /// The other system.
    #[sea_orm(primary_key, auto_increment = false)]
    pub system: String,
    /// The key there.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reference: String,
    /// The record.
    pub record_id: Uuid,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The references of a record as rows.
pub fn of_record<R: Record>(row: &R) -> Vec<ActiveModel> {
    let reference = |reference: &ExternalRef| ActiveModel {
        resource: Set(R::RESOURCE.to_owned()),
        system: Set(reference.system.clone()),
        reference: Set(reference.key.clone()),
        record_id: Set(row.id()),
    };
    row.external_refs().iter().map(reference).collect()
}

/// Records of a kind by their keys in a system: the known keys, each with its record.
pub async fn of_keys(
    db: &impl ConnectionTrait,
    resource: &str,
    system: &str,
    keys: &BTreeSet<String>,
) -> Result<Vec<(String, Uuid)>, DbErr> {
    let mut sql = Composer::new(db);
    let (resource, system) = (sql.bind(resource), sql.bind(system));
    let record = |key: &str| {
        format!(
            "SELECT record_id FROM external_ref WHERE resource = {resource} AND system = {system} AND reference = {key}"
        )
    };
    look_up(db, sql, keys, record).await
}

/// Query for the record with a reference.
pub fn record_ids(resource: &str, reference: &ExternalRef) -> sea_orm::sea_query::SelectStatement {
    sea_orm::sea_query::Query::select()
        .column(Column::RecordId)
        .from(Entity)
        .and_where(Column::Resource.eq(resource))
        .and_where(Column::System.eq(&reference.system))
        .and_where(Column::Reference.eq(&reference.key))
        .to_owned()
}
