//! DTOs of milestones: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    entity::{Model, Predecessors},
    rules::State,
};
use crate::{
    checks,
    lifecycle::{AllowedTransition, Transition},
    persian::{Date, calendar::Period},
    problem::{Problem, Text, Violation},
    projects::{belonging, dates, dto::Project, phases::PhaseName, pillar::Pillar},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
    values::Amount,
};

/// A milestone (نقطهٔ عطف): a result that a project has to reach by a day, with its weight in the project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Milestone {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// The province, which is that of the project.
    province: ProvinceCode,
    /// The phase that it belongs to.
    #[schema(example = "diagnostic")]
    phase: PhaseName,
    /// The pillar of the programme that it serves.
    #[schema(required, example = "networking")]
    pillar: Option<Pillar>,
    /// The title in Persian, as given.
    #[schema(example = "مطالعهٔ شناختی خوشه")]
    title_fa: String,
    /// The title in English.
    #[schema(required, example = "Diagnostic study of the cluster")]
    title_en: Option<String>,
    /// Weight in the project, in basis points (10,000 are the whole).
    #[schema(minimum = 0, maximum = 10_000, example = 500)]
    weight_bp: i32,
    /// Planned start of work.
    #[schema(required)]
    planned_start: Option<Date>,
    /// Due day.
    #[schema(example = "2014-06-21")]
    due_on: Date,
    /// State. It changes only by `POST /milestones/{id}/transitions`.
    state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[schema(example = json!([{"to": "in_progress", "needs": [], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// Date of acceptance.
    #[schema(required, example = json!(null))]
    accepted_on: Option<Date>,
    /// Accepted fraction, in basis points. It changes only by acceptance.
    #[schema(minimum = 0, maximum = 10_000, example = 0)]
    accepted_fraction_bp: i32,
    /// Milestones that have to be reached before it.
    #[schema(example = json!([]))]
    predecessors: Vec<Uuid>,
    /// Budget in whole rials.
    #[schema(required)]
    budget_irr: Option<Amount>,
    /// Whether it can be handed in with evidence only.
    #[schema(example = true)]
    evidence_required: bool,
    /// The number of the baseline that has fixed its weight and its days; null before, when they may be
    /// changed freely.
    #[schema(required, minimum = 1, example = json!(null))]
    baseline_number: Option<i32>,
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
        let input = MilestoneInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            province: ProvinceCode(row.province.clone()),
            phase: input.phase,
            pillar: input.pillar,
            title_fa: input.title_fa,
            title_en: input.title_en,
            weight_bp: input.weight_bp,
            planned_start: input.planned_start,
            due_on: input.due_on,
            state: row.state,
            allowed_transitions: Vec::new(),
            accepted_on: row.accepted_on.map(Date::from),
            accepted_fraction_bp: row.accepted_fraction_bp,
            predecessors: input.predecessors,
            budget_irr: input.budget_irr,
            evidence_required: input.evidence_required,
            baseline_number: row.baseline_number,
            is_overdue: None,
            project: None,
        }
    }
}

/// Input of a milestone. `phase`, `title_fa`, `weight_bp` and `due_on` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "phase": "diagnostic", "title_fa": "مطالعهٔ شناختی خوشه",
    "title_en": "Diagnostic study of the cluster", "weight_bp": 500, "planned_start": "2014-04-21", "due_on": "2014-06-21",
    "evidence_required": true,
}))]
pub struct MilestoneInput {
    /// Project: required at `/milestones`; under a project it is the one in the path. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// The phase that it belongs to.
    #[schema(example = "diagnostic")]
    pub phase: PhaseName,
    /// The pillar of the programme that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "networking")]
    pub pillar: Option<Pillar>,
    /// The title in Persian.
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "مطالعهٔ شناختی خوشه"
    )]
    pub title_fa: String,
    /// The title in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Diagnostic study of the cluster"
    )]
    pub title_en: Option<String>,
    /// Weight in the project, in basis points (10,000 are the whole).
    #[schema(minimum = 0, maximum = 10_000, example = 500)]
    pub weight_bp: i32,
    /// Planned start of work: not after `due_on`, and within its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_start: Option<Date>,
    /// Due day, within its phase.
    #[schema(example = "2014-06-21")]
    pub due_on: Date,
    /// Milestones that have to be reached before it: of the same project, and without cycles.
    #[serde(default)]
    #[schema(max_items = 50, example = json!([]))]
    pub predecessors: Vec<Uuid>,
    /// Budget in whole rials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_irr: Option<Amount>,
    /// Whether it can be handed in with evidence only.
    #[serde(default)]
    #[schema(example = true)]
    pub evidence_required: bool,
    /// Identifiers of the milestone in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for MilestoneInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            project_id: Some(row.project_id),
            phase: row.phase,
            pillar: row.pillar,
            title_fa: row.title_fa,
            title_en: row.title_en,
            weight_bp: row.weight_bp,
            planned_start: row.planned_start.map(Date::from),
            due_on: row.due_on.into(),
            predecessors: row.predecessors.0,
            budget_irr: row.budget_irr.map(Amount),
            evidence_required: row.evidence_required,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for MilestoneInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let (planned_start, due_on) = (self.planned_start.map(Date::naive), self.due_on.naive());
        let mut faults: Vec<_> =
            dates::in_order(planned_start, Some(due_on), "/due_on").into_iter().collect();
        faults.extend(belonging::misnamed(self.project_id, row.project_id));
        faults.extend(checks::each_once(&self.predecessors, |index| format!("/predecessors/{index}")));
        dates::all_or_none(faults)?;
        Ok(Model {
            project_id: self.project_id.unwrap_or(row.project_id),
            phase: self.phase,
            pillar: self.pillar,
            title_fa: self.title_fa,
            title_en: self.title_en,
            weight_bp: self.weight_bp,
            planned_start,
            due_on,
            predecessors: Predecessors(self.predecessors),
            budget_irr: self.budget_irr.map(|amount| amount.0),
            evidence_required: self.evidence_required,
            external_refs: self.external_refs,
            ..row.clone()
        })
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
