//! Milestones: table and queries.

use macros::record;
use sea_orm::{DeriveActiveEnum, EntityTrait, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    lifecycle::{self, AllowedTransition},
    persian::Date,
    projects::{phases::PhaseName, pillar::Pillar},
    provinces::ProvinceCode,
    values::{Amount, List},
};

/// A milestone (نقطهٔ عطف): a result that a project has to reach by a day, with its weight in the project.
#[record(table = "milestone", shown, input = MilestoneInput, sort(due_on, created_at, updated_at))]
#[input(
    about = "Input of a milestone. `phase`, `title_fa`, `weight_bp` and `due_on` are required.",
    example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "phase": "diagnostic", "title_fa": "مطالعهٔ شناختی خوشه",
    "title_en": "Diagnostic study of the cluster", "weight_bp": 500, "planned_start": "2014-04-21", "due_on": "2014-06-21",
    "evidence_required": true,
})
)]
pub struct Model {
    /// Project: required at `/milestones`; under a project it is the one in the path. It never changes.
    #[input(optional)]
    pub project_id: Uuid,
    /// The province, which is that of the project.
    #[shown]
    pub province: ProvinceCode,
    /// The phase that it belongs to.
    #[schema(example = "diagnostic")]
    pub phase: PhaseName,
    /// The pillar of the programme that it serves.
    #[schema(example = "networking")]
    pub pillar: Option<Pillar>,
    /// The title in Persian.
    #[schema(example = "مطالعهٔ شناختی خوشه")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_fa: String,
    /// The title in English.
    #[schema(example = "Diagnostic study of the cluster")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_en: Option<String>,
    /// Weight in the project, in basis points (10,000 are the whole).
    #[schema(minimum = 0, maximum = 10_000, example = 500)]
    pub weight_bp: i32,
    /// Planned start of work: not after `due_on`, and within its phase.
    pub planned_start: Option<Date>,
    /// Due day, within its phase.
    #[schema(example = "2014-06-21")]
    pub due_on: Date,
    /// State. It changes only by `POST /milestones/{id}/transitions`.
    #[shown]
    pub state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[computed]
    #[schema(example = json!([{"to": "in_progress", "needs": [], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// Date of acceptance.
    #[shown]
    #[schema(example = json!(null))]
    pub accepted_on: Option<Date>,
    /// Accepted fraction, in basis points. It changes only by acceptance.
    #[shown]
    #[schema(minimum = 0, maximum = 10_000, example = 0)]
    pub accepted_fraction_bp: i32,
    /// Milestones that have to be reached before it: of the same project, and without cycles.
    #[schema(example = json!([]))]
    #[input(default, max_items = 50)]
    pub predecessors: List<Uuid>,
    /// Budget in whole rials.
    pub budget_irr: Option<Amount>,
    /// Whether it can be handed in with evidence only.
    #[schema(example = true)]
    #[input(default)]
    pub evidence_required: bool,
    /// The number of the baseline that has fixed its weight and its days; null before, when they may be
    /// changed freely.
    #[shown]
    #[schema(minimum = 1, example = json!(null))]
    pub baseline_number: Option<i32>,
}

impl Model {
    /// Whether it should have been accepted before this day.
    pub fn is_overdue(&self, today: Date) -> bool {
        self.due_on < today && !matches!(self.state, State::Accepted | State::Cancelled)
    }
}

/// Whether a milestone was overdue.
#[derive(Serialize)]
pub struct Overdue {
    pub(super) is_overdue: bool,
}

/// States of a milestone.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = MilestoneState)]
pub enum State {
    /// Not begun.
    #[default]
    Planned,
    /// Being worked on.
    InProgress,
    /// Handed in for review.
    Submitted,
    /// Accepted, in whole or in part.
    Accepted,
    /// Sent back, with a reason.
    Returned,
    /// Cancelled by a re-baseline.
    Cancelled,
}

impl lifecycle::State for State {}
