//! Progress reports: table and queries.

use chrono::Days;
use sea_orm::{DeriveActiveEnum, EnumIter, FromJsonQueryResult, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{lifecycle, persian::PersianPeriod};

/// Number of days after the end of its quarter by which a report is due (proposed).
pub const DAYS_TO_REPORT: u32 = 15;

crate::store::record_table! {
    /// A progress report.
    "progress_report" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// The quarter.
        quarter: PersianPeriod,
        /// Its first day.
        period_start: ChronoDate,
        /// Its last day.
        period_end: ChronoDate,
        /// Work done.
        narrative_fa: String,
        /// Obstacles.
        issues: Issues,
        /// State.
        state: State,
        /// Date of submission.
        submitted_on: Option<ChronoDate>,
        /// Date of national acceptance.
        accepted_on: Option<ChronoDate>,
    }
}

/// Several issues in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Issues(pub Vec<Issue>);

impl Model {
    /// Deadline for submission.
    pub fn due_on(&self) -> ChronoDate {
        self.period_end + Days::new(DAYS_TO_REPORT.into())
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
