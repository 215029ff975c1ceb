//! The table of milestones, and what is asked of it.

use sea_orm::{
    DeriveActiveEnum, EntityTrait, EnumIter, FromJsonQueryResult, entity::prelude::*, prelude::StringLen,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    lifecycle::{self},
    persian::Date,
    projects::{phases::PhaseName, pillar::Pillar},
};

crate::store::record_table! {
    /// A milestone.
    "milestone" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// The phase that it belongs to.
        phase: PhaseName,
        /// The pillar of the programme that it serves.
        pillar: Option<Pillar>,
        /// Its Persian title as given.
        title_fa: String,
        /// Its English title.
        title_en: Option<String>,
        /// Its part of the whole project, in basis points.
        weight_bp: i32,
        /// When work on it is to begin.
        planned_start: Option<ChronoDate>,
        /// The day by which it is to be reached.
        due_on: ChronoDate,
        /// Where it stands.
        state: State,
        /// Since when it is accepted.
        accepted_on: Option<ChronoDate>,
        /// How much of it is accepted, in basis points.
        accepted_fraction_bp: i32,
        /// What has to be reached before it.
        predecessors: Predecessors,
        /// What it may cost, in rials.
        budget_irr: Option<i64>,
        /// Whether it can be handed in with evidence only.
        evidence_required: bool,
        /// The baseline that has fixed its weight and its days.
        baseline_number: Option<i32>,
    }
}

/// Several milestones in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Predecessors(pub Vec<Uuid>);

impl Model {
    /// Whether it should have been accepted before this day.
    pub fn is_overdue(&self, today: Date) -> bool {
        self.due_on < today.naive() && !matches!(self.state, State::Accepted | State::Cancelled)
    }
}

/// Whether a milestone was overdue.
#[derive(Serialize)]
pub struct Overdue {
    pub(super) is_overdue: bool,
}

/// Where a milestone stands.
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
