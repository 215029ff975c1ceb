//! Progress reports: table and queries.

use chrono::Days;
use macros::record;
use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    lifecycle::{self, AllowedTransition},
    persian::{Date, Quarter},
    provinces::ProvinceCode,
    values::List,
};

/// Number of days after the end of its quarter by which a report is due (proposed).
pub const DAYS_TO_REPORT: u32 = 15;

/// A progress report (گزارش پیشرفت) of a project for a quarter of the Persian calendar.
#[record(
    table = "progress_report", shown, input = ProgressReportInput,
    sort(period_end, created_at, updated_at)
)]
#[input(
    about = "Input of a progress report. `project_id`, `quarter` and `narrative_fa` are required.",
    example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "quarter": "1393-Q2", "narrative_fa": "دو نشست اعتمادسازی برگزار شد.",
    "issues": [{ "text": "تأخیر در تخصیص اعتبار آموزش", "action": "پیگیری در کارگروه استانی" }],
})
)]
pub struct Model {
    /// The project: needed for a new report. It never changes.
    #[input(optional)]
    pub project_id: Uuid,
    /// The province, which is that of the project.
    #[shown]
    pub province: ProvinceCode,
    /// The quarter, in the Persian calendar always: one that has begun.
    pub quarter: Quarter,
    /// The first day of the quarter.
    #[shown]
    #[schema(example = "2014-06-22")]
    pub period_start: Date,
    /// The last day of the quarter.
    #[shown]
    #[schema(example = "2014-09-22")]
    pub period_end: Date,
    /// Deadline for submission.
    #[computed]
    #[schema(example = "2014-10-07")]
    pub due_on: Date,
    /// Work done, in Persian.
    #[schema(example = "دو نشست اعتمادسازی برگزار شد.")]
    #[input(min_length = 1, max_length = 20_000, pattern = "[\\p{L}\\p{N}]")]
    pub narrative_fa: String,
    /// Obstacles.
    #[input(default, max_items = 50)]
    pub issues: List<Issue>,
    /// State. It changes only by `POST /progress-reports/{id}/transitions`.
    #[shown]
    pub state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they also depend
    /// on the day.
    #[computed]
    #[schema(example = json!([{"to": "submitted", "needs": [], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// Date of submission; null while it is a draft.
    #[shown]
    #[schema(example = json!(null))]
    pub submitted_on: Option<Date>,
    /// Date of national acceptance.
    #[shown]
    #[schema(example = json!(null))]
    pub accepted_on: Option<Date>,
}

impl Model {
    /// Deadline for submission.
    pub fn due_on(&self) -> Date {
        (self.period_end.naive() + Days::new(DAYS_TO_REPORT.into())).into()
    }
}

/// An obstacle to a project, and the action taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReportedIssue)]
pub struct Issue {
    /// Description of the issue.
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "تأخیر در تخصیص اعتبار آموزش")]
    pub text: String,
    /// Action taken; null if not known yet.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "پیگیری در کارگروه استانی")]
    pub action: Option<String>,
}

/// States of a progress report.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ProgressReportState)]
pub enum State {
    /// Being written.
    #[default]
    Draft,
    /// Handed in for review.
    Submitted,
    /// Found good by the supervisor.
    SupervisorReviewed,
    /// Approved by the province.
    ProvinceApproved,
    /// Accepted by the nation. It does not change any more.
    NationallyAccepted,
    /// Sent back by one of the reviews, with a reason.
    Returned,
}

impl lifecycle::State for State {}
