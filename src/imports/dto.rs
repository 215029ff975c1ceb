//! Imports as clients see them.

use chrono::{DateTime, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    columns::Resource,
    entity::{Model, row},
    fault::{self, FaultView},
    file::Format,
};
use crate::{persian::Calendar, problem::Text, provinces::ProvinceCode};

/// What is to be done with a file.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportMode)]
pub enum Mode {
    /// Say what would become of each row, and change nothing.
    #[default]
    Validate,
    /// Write the rows.
    Apply,
}

/// How far an import is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportState)]
pub enum State {
    /// It waits for its turn.
    #[default]
    Waiting,
    /// Some rows are done.
    Running,
    /// Every row is done: written, or seen to be wrong.
    Finished,
    /// It was atomic and some rows are wrong: nothing was written.
    Refused,
    /// It was given up, see `problem`; rows that are told as done were written.
    Failed,
}

impl State {
    /// Whether nothing more will come.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// What became of a row; in an import that only validates, or was refused, what would have.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportOutcome)]
pub enum Outcome {
    /// It made a new record.
    Created,
    /// It changed a record.
    Updated,
    /// The record was already as the row says.
    Unchanged,
    /// It was refused, and nothing of it was written.
    #[default]
    Failed,
}

/// An import: a file of records, and what has become of it so far.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Import {
    /// Its id, a UUIDv7.
    id: Uuid,
    /// What the file holds.
    resource: Resource,
    /// How it is written.
    format: Format,
    /// What is to be done with it.
    mode: Mode,
    /// Whether a row that fails keeps all others from being written.
    atomic: bool,
    /// The other system, whose keys the rows have.
    #[schema(example = "lorestan-erp")]
    system: String,
    /// The calendar of the dates in the file.
    #[schema(value_type = String, example = "persian")]
    calendar: Calendar,
    /// The province of the account that sent it; null for the nation.
    #[schema(required)]
    province: Option<ProvinceCode>,
    /// How far it is.
    #[schema(example = "running")]
    state: State,
    /// The code of the problem that it was given up for.
    #[schema(required, example = json!(null))]
    problem: Option<String>,
    /// How many bytes the file has.
    #[schema(minimum = 0, example = 104857)]
    bytes_total: i64,
    /// How many of them are done with.
    #[schema(minimum = 0, example = 52428)]
    bytes_done: i64,
    /// How many rows are done with.
    #[schema(minimum = 0, example = 500)]
    rows_done: i64,
    /// How many of them made a new record, or would have.
    #[schema(minimum = 0, example = 480)]
    created: i64,
    /// How many changed a record, or would have.
    #[schema(minimum = 0, example = 10)]
    updated: i64,
    /// How many found the record as they say.
    #[schema(minimum = 0, example = 7)]
    unchanged: i64,
    /// How many failed.
    #[schema(minimum = 0, example = 3)]
    failed: i64,
    /// When the file had come.
    created_at: DateTime<Utc>,
    /// The account that sent it.
    created_by: Uuid,
    /// When work on it began.
    #[schema(required)]
    started_at: Option<DateTime<Utc>>,
    /// When nothing was left to do.
    #[schema(required, example = json!(null))]
    finished_at: Option<DateTime<Utc>>,
}

impl From<&Model> for Import {
    fn from(row: &Model) -> Self {
        Self {
            id: row.id,
            resource: row.resource,
            format: row.format,
            mode: row.mode,
            atomic: row.is_atomic,
            system: row.system.clone(),
            calendar: row.calendar,
            province: row.province.clone().map(ProvinceCode),
            state: row.state,
            problem: row.problem.clone(),
            bytes_total: row.bytes_total,
            bytes_done: row.bytes_done,
            rows_done: row.rows_done,
            created: row.created,
            updated: row.updated,
            unchanged: row.unchanged,
            failed: row.failed,
            created_at: row.created_at,
            created_by: row.account_id,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

/// What became of a row of the file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportRow {
    /// Which row it is, from 1; headings and empty rows do not count.
    #[schema(minimum = 1, example = 1)]
    number: i64,
    /// The line of the file in which it begins, from 1, as an editor shows it.
    #[schema(minimum = 1, example = 2)]
    line: i64,
    /// What the other system calls the record.
    #[schema(required, example = "K-17")]
    key: Option<String>,
    /// What became of it.
    #[schema(example = "failed")]
    outcome: Outcome,
    /// The record; null where none was written.
    #[schema(required, example = json!(null))]
    record_id: Option<Uuid>,
    /// What is wrong with it.
    errors: Vec<FaultView>,
    /// The same for people, in one text.
    #[schema(required, value_type = Option<String>, example = "name_fa: This field is required.")]
    message: Option<Text>,
}

impl From<row::Model> for ImportRow {
    fn from(row: row::Model) -> Self {
        Self {
            number: row.number,
            line: row.line,
            key: row.reference,
            outcome: row.outcome,
            record_id: row.record_id,
            message: fault::told(&row.errors.0),
            errors: row.errors.0.into_iter().map(FaultView::from).collect(),
        }
    }
}

/// What a file is, and what is to be done with it.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Order {
    /// What the file holds.
    #[param(inline)]
    pub resource: Resource,
    /// What is to be done with it: `validate` first, `apply` then.
    #[param(inline)]
    pub mode: Mode,
    /// Whether one row that fails keeps all others from being written.
    #[serde(default)]
    #[param(default = false)]
    pub atomic: bool,
    /// The other system, whose keys the rows have.
    #[param(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", max_length = 64, example = "lorestan-erp")]
    pub system: String,
}

/// Which imports to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ImportFilter {
    /// Those of this kind of record.
    #[param(inline)]
    pub resource: Option<Resource>,
    /// Any of these states.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 5)]
    pub state: Option<Vec<State>>,
}

/// Which rows to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct RowFilter {
    /// Any of these outcomes.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 4)]
    pub outcome: Option<Vec<Outcome>>,
}

/// Of what kind of record.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ColumnsOf {
    /// What the file is to hold.
    #[param(inline)]
    pub resource: Resource,
}

/// The language of headings.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Headings {
    /// Persian.
    #[default]
    Persian,
    /// English.
    English,
    /// The names that the API has for the fields.
    Names,
}

/// Which template.
#[derive(Debug, Deserialize, IntoParams)]
pub struct TemplateOf {
    /// What the file is to hold.
    #[param(inline)]
    pub resource: Resource,
    /// The language of its headings; `persian` when left out.
    #[serde(default)]
    #[param(inline)]
    pub headings: Headings,
}

/// The columns that a file may have.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportColumns {
    /// In the order of the template.
    pub items: Vec<super::columns::Column>,
}

/// A file to import: UTF-8.
pub struct ImportFile;
