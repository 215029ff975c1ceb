//! DTOs of progress reports: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::{Issue, ProgressReportInput};
use super::{entity::Model, rules::State};
use crate::{
    checks,
    lifecycle::AllowedTransition,
    persian::{Date, Quarter},
    problem::{Problem, Text, Violation},
    projects::{belonging, dto::Project},
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// A progress report (گزارش پیشرفت) of a project for a quarter of the Persian calendar.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProgressReport {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    #[schema(ignore)]
    due_on: Date,
    /// Allowed transitions.
    #[schema(ignore)]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// The project; with `include=project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub project: Option<Project>,
}

impl From<&Model> for ProgressReport {
    fn from(row: &Model) -> Self {
        Self { row: row.clone(), due_on: row.due_on(), allowed_transitions: Vec::new(), project: None }
    }
}

impl Input<Model> for ProgressReportInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let quarter = self.quarter.0;
        let mut faults: Vec<_> = belonging::misnamed(self.project_id, row.project_id).into_iter().collect();
        if quarter.first_day() > Date::today_in_iran() {
            let detail = Text::new("این فصل هنوز آغاز نشده است.", "The quarter has not begun yet.");
            faults.push(Violation::body("/quarter", "in_future", detail));
        }
        checks::all_or_none(faults)?;
        Ok(Model { period_start: quarter.first_day(), period_end: quarter.last_day(), ..self.over(row) })
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
