//! The pillars of the programme, which milestones and joint actions serve.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The pillars of the programme, after UNIDO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Pillar {
    /// Networks of firms.
    Networking,
    /// Business development services.
    Bds,
    /// Institutions that support the cluster.
    SupportInstitution,
}
