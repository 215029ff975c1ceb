//! DTOs of milestones: representation and input.

pub use super::entity::MilestoneInput;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{entity::Model, rules::State};
use crate::{
    checks,
    lifecycle::{AllowedTransition, Transition},
    persian::{Date, calendar::Period},
    problem::{Problem, Text, Violation},
    projects::{belonging, dto::Project, phases::PhaseName, pillar::Pillar},
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// A milestone (نقطهٔ عطف): a result that a project has to reach by a day, with its weight in the project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Milestone {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    /// Allowed transitions.
    #[schema(ignore)]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// Whether it was due before today and is not accepted. Not part of the history, because it depends on
    /// the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false, example = false)]
    pub is_overdue: Option<bool>,
    /// The project; with `include=project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub project: Option<Project>,
}

impl From<&Model> for Milestone {
    fn from(row: &Model) -> Self {
        Self { row: row.clone(), allowed_transitions: Vec::new(), is_overdue: None, project: None }
    }
}

impl Input<Model> for MilestoneInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> =
            checks::in_order(self.planned_start, Some(self.due_on), "/due_on").into_iter().collect();
        faults.extend(belonging::misnamed(self.project_id, row.project_id));
        faults.extend(checks::each_once(&self.predecessors, |index| format!("/predecessors/{index}")));
        checks::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

/// A change of a milestone's state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "to": "in_progress", "effective_on": "2014-04-21" }))]
pub struct MilestoneTransition {
    /// The new state, one of the milestone's `allowed_transitions`.
    #[schema(example = "in_progress")]
    pub to: State,
    /// The day from which it was so, today when left out: not in the future, and not before the change before
    /// it.
    #[serde(default)]
    pub effective_on: Option<Date>,
    /// The decision behind it.
    #[serde(default)]
    pub decision_id: Option<Uuid>,
    /// Why; needed to return a milestone, and to reopen one that was accepted.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "گزارش کامل است")]
    pub reason: Option<String>,
    /// Accepted fraction, in basis points; the whole by default. Only with `accepted`.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000)]
    pub accepted_fraction_bp: Option<i32>,
}

impl MilestoneTransition {
    /// The transition, and how much is accepted by it.
    pub fn into_parts(self) -> Result<(Transition<State>, Option<i32>), Problem> {
        if self.accepted_fraction_bp.is_some() && self.to != State::Accepted {
            let detail = Text::new(
                "این فیلد تنها هنگام پذیرش معنا دارد.",
                "This field has a meaning with an acceptance only.",
            );
            return Err(Problem::invalid(vec![Violation::body(
                "/accepted_fraction_bp",
                "not_applicable",
                detail,
            )]));
        }
        let transition = Transition {
            to: self.to,
            effective_on: self.effective_on,
            decision_id: self.decision_id,
            reason: self.reason,
        };
        Ok((transition, self.accepted_fraction_bp))
    }
}

/// The present period of the Persian calendar.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PresentPeriod {
    /// The month that today belongs to.
    ThisMonth,
    /// The quarter that today belongs to.
    ThisQuarter,
    /// The year that today belongs to.
    ThisYear,
}

impl From<PresentPeriod> for Period {
    fn from(period: PresentPeriod) -> Self {
        match period {
            PresentPeriod::ThisMonth => Self::Month,
            PresentPeriod::ThisQuarter => Self::Quarter,
            PresentPeriod::ThisYear => Self::Year,
        }
    }
}

/// Filters of the list of milestones.
#[derive(Debug, Deserialize, IntoParams)]
pub struct MilestoneFilter {
    /// The milestones of this project.
    pub project_id: Option<Uuid>,
    /// Any of these states.
    #[param(style = Form, explode = false, min_items = 1, max_items = 6)]
    pub state: Option<Vec<State>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Any of these phases.
    #[param(style = Form, explode = false, min_items = 1, max_items = 6)]
    pub phase: Option<Vec<PhaseName>>,
    /// Any of these pillars.
    #[param(style = Form, explode = false, min_items = 1, max_items = 3)]
    pub pillar: Option<Vec<Pillar>>,
    /// Due on this day or later.
    pub due_from: Option<Date>,
    /// Due before this day.
    pub due_before: Option<Date>,
    /// Due in the present month, quarter or year of the Persian calendar, today in Iran deciding.
    #[param(inline)]
    pub due_in: Option<PresentPeriod>,
    /// With `true` only overdue milestones; with `false` only the others.
    pub overdue: Option<bool>,
    /// With `true` only your own work: for CDAs and supervisors the projects that are assigned to them today.
    pub mine: Option<bool>,
}
