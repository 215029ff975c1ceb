//! DTOs of progress reports: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::Issue;
use super::{
    entity::{Issues, Model},
    rules::State,
};
use crate::{
    checks,
    lifecycle::AllowedTransition,
    persian::{Date, Quarter},
    problem::{Problem, Text, Violation},
    projects::{belonging, dto::Project},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
};

/// A progress report (گزارش پیشرفت) of a project for a quarter of the Persian calendar.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProgressReport {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// The province, which is that of the project.
    province: ProvinceCode,
    /// The quarter, in the Persian calendar always.
    quarter: Quarter,
    /// The first day of the quarter.
    #[schema(example = "2014-06-22")]
    period_start: Date,
    /// The last day of the quarter.
    #[schema(example = "2014-09-22")]
    period_end: Date,
    /// Deadline for submission.
    #[schema(example = "2014-10-07")]
    due_on: Date,
    /// Work done, in Persian.
    #[schema(example = "دو نشست اعتمادسازی برگزار شد.")]
    narrative_fa: String,
    /// Obstacles.
    issues: Vec<Issue>,
    /// State. It changes only by `POST /progress-reports/{id}/transitions`.
    state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they also depend
    /// on the day.
    #[schema(example = json!([{"to": "submitted", "needs": [], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// Date of submission; null while it is a draft.
    #[schema(required, example = json!(null))]
    submitted_on: Option<Date>,
    /// Date of national acceptance.
    #[schema(required, example = json!(null))]
    accepted_on: Option<Date>,
    /// The project; with `include=project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub project: Option<Project>,
}

impl From<&Model> for ProgressReport {
    fn from(row: &Model) -> Self {
        let input = ProgressReportInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            province: ProvinceCode(row.province.clone()),
            quarter: input.quarter,
            period_start: row.period_start.into(),
            period_end: row.period_end.into(),
            due_on: row.due_on().into(),
            narrative_fa: input.narrative_fa,
            issues: input.issues,
            state: row.state,
            allowed_transitions: Vec::new(),
            submitted_on: row.submitted_on.map(Date::from),
            accepted_on: row.accepted_on.map(Date::from),
            project: None,
        }
    }
}

/// Input of a progress report. `project_id`, `quarter` and `narrative_fa` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "quarter": "1393-Q2", "narrative_fa": "دو نشست اعتمادسازی برگزار شد.",
    "issues": [{ "text": "تأخیر در تخصیص اعتبار آموزش", "action": "پیگیری در کارگروه استانی" }],
}))]
pub struct ProgressReportInput {
    /// The project: needed for a new report. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// The quarter, in the Persian calendar always: one that has begun.
    pub quarter: Quarter,
    /// Work done, in Persian.
    #[schema(
        min_length = 1,
        max_length = 20_000,
        pattern = "[\\p{L}\\p{N}]",
        example = "دو نشست اعتمادسازی برگزار شد."
    )]
    pub narrative_fa: String,
    /// Obstacles.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub issues: Vec<Issue>,
    /// Identifiers of the report in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for ProgressReportInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            project_id: Some(row.project_id),
            quarter: Quarter(row.quarter),
            narrative_fa: row.narrative_fa,
            issues: row.issues.0,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for ProgressReportInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let Quarter(quarter) = self.quarter;
        let mut faults: Vec<_> = belonging::misnamed(self.project_id, row.project_id).into_iter().collect();
        if quarter.first_day() > Date::today_in_iran() {
            let detail = Text::new("این فصل هنوز آغاز نشده است.", "The quarter has not begun yet.");
            faults.push(Violation::body("/quarter", "in_future", detail));
        }
        checks::all_or_none(faults)?;
        Ok(Model {
            project_id: self.project_id.unwrap_or(row.project_id),
            quarter,
            period_start: quarter.first_day().naive(),
            period_end: quarter.last_day().naive(),
            narrative_fa: self.narrative_fa,
            issues: Issues(self.issues),
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of progress reports.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ProgressReportFilter {
    /// The reports of this project.
    pub project_id: Option<Uuid>,
    /// Any of these states.
    #[param(style = Form, explode = false, min_items = 1, max_items = 6)]
    pub state: Option<Vec<State>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Any of these quarters.
    #[param(style = Form, explode = false, min_items = 1, max_items = 40)]
    pub quarter: Option<Vec<Quarter>>,
    /// With `true` only your own work: for CDAs and supervisors the projects that are assigned to them today.
    pub mine: Option<bool>,
}
