//! The states of a CDA, as `domain.md` lists them.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::lifecycle;

/// Where a CDA stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = CdaState)]
pub enum State {
    /// Has applied.
    #[default]
    Applicant,
    /// May lead projects.
    Certified,
    /// Certified, but shut out for a while.
    Suspended,
    /// The certificate has expired.
    Expired,
    /// The certificate was taken away for good.
    Revoked,
}

impl lifecycle::State for State {
    fn next(self) -> &'static [Self] {
        use State::*;
        match self {
            Applicant => &[Certified],
            Certified => &[Suspended, Expired, Revoked],
            Suspended | Expired => &[Certified, Revoked],
            Revoked => &[],
        }
    }

    fn needs_reason(self, to: Self) -> bool {
        matches!(to, Self::Suspended | Self::Revoked)
    }
}
