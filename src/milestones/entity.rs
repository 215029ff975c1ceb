//! Milestones: table and queries.

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
        /// Weight in the project, in basis points.
        weight_bp: i32,
        /// Planned start of work.
        planned_start: Option<ChronoDate>,
        /// Due day.
        due_on: ChronoDate,
        /// State.
        state: State,
        /// Date of acceptance.
        accepted_on: Option<ChronoDate>,
        /// Accepted fraction, in basis points.
        accepted_fraction_bp: i32,
        /// Milestones that have to be reached before it.
        predecessors: Predecessors,
        /// Budget in rials.
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
