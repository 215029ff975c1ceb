//! The states of a project, as `domain.md` lists them.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::lifecycle;

/// Where a project stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjectState)]
pub enum State {
    /// Being written.
    #[default]
    Draft,
    /// Approved by decision.
    Approved,
    /// Under contract.
    Contracted,
    /// The diagnostic study is under way; trust building has begun.
    Diagnostic,
    /// The action plan is being made.
    Planning,
    /// The action plan is being carried out.
    Implementing,
    /// What was reached is being evaluated.
    Evaluating,
    /// Handed over to the receiving body.
    HandedOver,
    /// Closed with the completion licence.
    Closed,
    /// Resting; it goes back to the state that it was suspended from.
    Suspended,
    /// Ended before its aim.
    Terminated,
}

impl lifecycle::State for State {
    /// A suspended project also goes back to where it was suspended: see the row.
    fn next(self) -> &'static [Self] {
        use State::*;
        match self {
            Draft => &[Approved],
            Approved => &[Contracted, Suspended, Terminated],
            Contracted => &[Diagnostic, Suspended, Terminated],
            Diagnostic => &[Planning, Suspended, Terminated],
            Planning => &[Implementing, Suspended, Terminated],
            Implementing => &[Evaluating, Suspended, Terminated],
            Evaluating => &[HandedOver, Suspended, Terminated],
            HandedOver => &[Closed, Suspended, Terminated],
            Suspended => &[Terminated],
            Closed | Terminated => &[],
        }
    }

    fn needs_reason(self, to: Self) -> bool {
        matches!(to, Self::Suspended | Self::Terminated)
    }
}
