//! Clusters: table and queries.

use sea_orm::{DeriveActiveEnum, EnumIter, FromJsonQueryResult, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    assessment::{Findings, FirmsBySize, PriorityScores},
    current_project::CurrentProject,
    identified::Precision,
};
use crate::{
    industries::classes::Classes,
    lifecycle,
    values::{Location, Name},
};

crate::store::record_table! {
    /// A cluster.
    "cluster" {
        /// Its code.
        code: String,
        /// Its Persian name as given.
        name_fa: String,
        /// Its English name.
        name_en: Option<String>,
        /// The Persian name in the form that is unique in a province.
        name_key: String,
        /// The Persian name in the form that sorts as a dictionary does.
        name_order: String,
        /// Its other names.
        aliases: Texts,
        /// The code of its province.
        province: String,
        /// Its counties.
        counties: Texts,
        /// Degrees north (WGS 84).
        latitude: Option<f64>,
        /// Degrees east (WGS 84).
        longitude: Option<f64>,
        /// Products and services.
        products: Texts,
        /// Its classes of ISIC, the primary one first.
        isic: Classes,
        /// The primary class.
        primary_isic: String,
        /// State.
        state: State,
        /// The day it was identified, or a day in that month, quarter or year.
        identified_on: Option<ChronoDate>,
        /// Precision of that day.
        identified_precision: Option<Precision>,
        /// The day by which it was identified at the latest.
        identified_not_later_than: Option<ChronoDate>,
        /// Persons employed.
        employment_total: Option<i32>,
        /// Women among them.
        employment_female: Option<i32>,
        /// Turnover in a year, in rials.
        annual_turnover_irr: Option<i64>,
        /// Exports in a year, in US dollars.
        export_usd: Option<i64>,
        /// Its firms by size.
        firms_by_size: Option<FirmsBySize>,
        /// Its challenges.
        challenges: Findings,
        /// Its opportunities.
        opportunities: Findings,
        /// Scores for the prioritisation.
        priority_scores: Option<PriorityScores>,
    }
}

/// Several texts in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Texts(pub Vec<Name>);

impl Model {
    /// Location.
    pub fn location(&self) -> Option<Location> {
        self.latitude.zip(self.longitude).map(|(latitude, longitude)| Location { latitude, longitude })
    }
}

/// The past live project of a cluster.
#[derive(Serialize)]
pub struct ProjectThen {
    pub(super) current_project: Option<CurrentProject>,
}

pub(super) const COUNTY: &str = "county";

/// States of a cluster in the programme.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ClusterState)]
pub enum State {
    /// Named by a source, not yet identified.
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

impl lifecycle::State for State {}
