//! The states of a cluster, as `domain.md` lists them.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::lifecycle;

/// Where a cluster stands in the programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ClusterState)]
pub enum State {
    /// Named by somebody, not yet identified.
    #[default]
    Candidate,
    /// Identified as a cluster.
    Identified,
    /// Prioritised by the provincial committee.
    Prioritised,
    /// A feasibility study is under way.
    Feasibility,
    /// The study found it feasible.
    Feasible,
    /// The study found it not feasible.
    NotFeasible,
    /// A development project is running.
    InDevelopment,
    /// Its project is closed with the completion licence.
    Developed,
    /// Merged into another cluster.
    Merged,
    /// Split into several clusters.
    Split,
    /// Withdrawn from the programme.
    Withdrawn,
}

impl lifecycle::State for State {
    fn next(self) -> &'static [Self] {
        use State::*;
        match self {
            Candidate => &[Identified, Merged, Split, Withdrawn],
            Identified => &[Prioritised, Merged, Split, Withdrawn],
            Prioritised => &[Feasibility, Merged, Split, Withdrawn],
            Feasibility => &[Feasible, NotFeasible, Merged, Split, Withdrawn],
            Feasible => &[InDevelopment, Merged, Split, Withdrawn],
            NotFeasible => &[Prioritised, Merged, Split, Withdrawn],
            InDevelopment => &[Developed, Feasible, Merged, Split, Withdrawn],
            Developed => &[Merged, Split, Withdrawn],
            Merged | Split | Withdrawn => &[],
        }
    }

    fn needs_reason(self, to: Self) -> bool {
        matches!(to, Self::Merged | Self::Split | Self::Withdrawn)
    }
}
