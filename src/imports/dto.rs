//! Import DTOs.

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

/// Modes of an import.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportMode)]
pub enum Mode {
    /// Validate each row and report the result, without changes.
    #[default]
    Validate,
    /// Write the rows.
    Apply,
}

/// States of an import.
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
    /// Every row was processed: written or rejected.
    Finished,
    /// The import is atomic and some rows are wrong: nothing was written.
    Refused,
    /// It was aborted, see `problem`; rows reported as done were written.
    Failed,
}

impl State {
    /// Whether the state is final.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// Outcome of a row; for an import that only validates, or was refused, the outcome that it would have had.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportOutcome)]
pub enum Outcome {
    /// A record was created.
    Created,
    /// A record was changed.
    Updated,
    /// The record already had these values.
    Unchanged,
    /// It was rejected, and nothing of it was written.
    #[default]
    Failed,
}

/// An import: a file of records, and its progress.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Import {
    /// Its id, a UUIDv7.
    id: Uuid,
    /// Resource of the records.
    resource: Resource,
    /// File format.
    format: Format,
    /// Mode: validate or apply.
    mode: Mode,
    /// Whether one failed row prevents all others from being written.
    atomic: bool,
    /// The other system, to which the keys of the rows belong.
    #[schema(example = "lorestan-erp")]
    system: String,
    /// The calendar of the dates in the file.
    #[schema(value_type = String, example = "persian")]
    calendar: Calendar,
    /// The province of the account that sent it; null for the nation.
    #[schema(required)]
    province: Option<ProvinceCode>,
    /// State of the import.
    #[schema(example = "running")]
    state: State,
    /// Code of the problem that ended it.
    #[schema(required, example = json!(null))]
    problem: Option<String>,
    /// Size of the file in bytes.
    #[schema(minimum = 0, example = 104857)]
    bytes_total: i64,
    /// Number of bytes processed.
    #[schema(minimum = 0, example = 52428)]
    bytes_done: i64,
    /// Number of rows processed.
    #[schema(minimum = 0, example = 500)]
    rows_done: i64,
    /// Number of records created, or to be created in a validation.
    #[schema(minimum = 0, example = 480)]
    created: i64,
    /// Number of records changed, or to be changed in a validation.
    #[schema(minimum = 0, example = 10)]
    updated: i64,
    /// Number of rows whose record already had their values.
    #[schema(minimum = 0, example = 7)]
    unchanged: i64,
    /// Number of failed rows.
    #[schema(minimum = 0, example = 3)]
    failed: i64,
    /// Time at which the upload was complete.
    created_at: DateTime<Utc>,
    /// The account that sent it.
    created_by: Uuid,
    /// Start of processing.
    #[schema(required)]
    started_at: Option<DateTime<Utc>>,
    /// End of processing.
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

/// Result of a row of the file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportRow {
    /// Number of the row, from 1; headings and empty rows do not count.
    #[schema(minimum = 1, example = 1)]
    number: i64,
    /// First line of the row in the file, from 1, as an editor shows it.
    #[schema(minimum = 1, example = 2)]
    line: i64,
    /// Key of the record in the other system.
    #[schema(required, example = "K-17")]
    key: Option<String>,
    /// Outcome.
    #[schema(example = "failed")]
    outcome: Outcome,
    /// Id of the record; null if none was written.
    #[schema(required, example = json!(null))]
    record_id: Option<Uuid>,
    /// Errors of the row.
    errors: Vec<FaultView>,
    /// The errors as one text for people.
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

/// Parameters of a new import.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Order {
    /// Resource of the records in the file.
    #[param(inline)]
    pub resource: Resource,
    /// Mode: first `validate`, then `apply`.
    #[param(inline)]
    pub mode: Mode,
    /// Whether one failed row prevents all others from being written.
    #[serde(default)]
    #[param(default = false)]
    pub atomic: bool,
    /// The other system, to which the keys of the rows belong.
    #[param(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", max_length = 64, example = "lorestan-erp")]
    pub system: String,
}

/// Filters of the list of imports.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ImportFilter {
    /// Only imports of this resource.
    #[param(inline)]
    pub resource: Option<Resource>,
    /// Any of these states.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 5)]
    pub state: Option<Vec<State>>,
}

/// Filters of the list of rows.
#[derive(Debug, Deserialize, IntoParams)]
pub struct RowFilter {
    /// Any of these outcomes.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 4)]
    pub outcome: Option<Vec<Outcome>>,
}

/// Parameters of the list of columns.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ColumnsOf {
    /// Resource of the records.
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

/// Parameters of the template.
#[derive(Debug, Deserialize, IntoParams)]
pub struct TemplateOf {
    /// Resource of the records.
    #[param(inline)]
    pub resource: Resource,
    /// The language of its headings; `persian` when left out.
    #[serde(default)]
    #[param(inline)]
    pub headings: Headings,
}

/// Columns of an import file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportColumns {
    /// In the order of the template.
    pub items: Vec<super::columns::Column>,
}

/// A file to import: UTF-8.
pub struct ImportFile;
