//! Clusters: table and queries.

use macros::record;
use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    assessment::{Finding, FirmsBySize, PriorityScores},
    current_project::CurrentProject,
    identified::Precision,
};
use crate::{
    industries::classes::Isic,
    lifecycle::{self, AllowedTransition},
    persian::Date,
    provinces::ProvinceCode,
    values::{Amount, List, Location, Name},
};

/// A cluster (خوشهٔ صنعتی): business units of one region and one industrial orientation that cooperate with
/// and complement one another, and share challenges and opportunities.
#[record(table = "cluster", shown, input = ClusterInput)]
#[input(about = "Input of a cluster. Only `province`, `name_fa` and `isic` are required.", example = json!({
    "province": "IR-15", "name_fa": "سنگ", "name_en": "Stone", "counties": ["خرم‌آباد", "ازنا"], "products": ["سنگ تزئینی"],
    "location": { "latitude": 33.4878, "longitude": 48.3558 },
    "isic": [{ "code": "2396", "primary": true }], "identified_precision": "not_later_than", "identified_not_later_than": "2014-03-20",
    "employment_total": 1850, "employment_female": 210, "annual_turnover_irr": "120000000000",
    "challenges": [{ "category": "technology", "text": "دستگاه‌های برش قدیمی است" }],
}))]
pub struct Model {
    /// The code in the programme; given out by the service when left out.
    #[view(example = "15-0001")]
    #[input(optional, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$", nullable = false)]
    pub code: String,
    /// The name in Persian. In a province no two clusters have the same, spaces and letter forms aside.
    #[schema(example = "سنگ")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Stone")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_en: Option<String>,
    /// The Persian name in the form that is unique in a province.
    #[kept]
    pub name_key: String,
    /// The Persian name in the form that sorts as a dictionary does.
    #[kept]
    pub name_order: String,
    /// Other names; they are searched as well.
    #[schema(example = json!(["سنگ ساختمانی"]))]
    #[input(default, max_items = 20)]
    pub aliases: List<Name>,
    /// The province.
    pub province: ProvinceCode,
    /// The counties.
    #[schema(example = json!(["خرم‌آباد", "ازنا"]))]
    #[input(default, max_items = 50)]
    pub counties: List<Name>,
    /// Degrees north (WGS 84).
    #[kept]
    pub latitude: Option<f64>,
    /// Degrees east (WGS 84).
    #[kept]
    pub longitude: Option<f64>,
    /// Location.
    #[computed]
    #[input(from = Location::of(row.latitude, row.longitude))]
    pub location: Option<Location>,
    /// Products and services.
    #[schema(example = json!(["سنگ تزئینی"]))]
    #[input(default, max_items = 50)]
    pub products: List<Name>,
    /// The classes of ISIC Rev. 4; one is primary.
    #[input(min_items = 1, max_items = 20)]
    pub isic: List<Isic>,
    /// The primary class.
    #[kept]
    pub primary_isic: String,
    /// State in the programme. It changes only by `POST /clusters/{id}/transitions`.
    #[shown]
    pub state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[computed]
    #[schema(example = json!([{"to": "prioritised", "needs": ["decision_id"], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// The day it was identified, or a day in the month, quarter or year.
    #[view(example = json!(null))]
    pub identified_on: Option<Date>,
    /// Precision of that day; `day` by default. With `not_later_than` there is no day.
    #[schema(example = "not_later_than")]
    pub identified_precision: Option<Precision>,
    /// The day by which it was identified at the latest; the end of the month, quarter or year when left out.
    #[input(from = row.own_bound())]
    pub identified_not_later_than: Option<Date>,
    /// Persons employed.
    #[schema(minimum = 0, example = 1850)]
    #[input(maximum = 100_000_000)]
    pub employment_total: Option<i32>,
    /// Women among them.
    #[schema(minimum = 0, example = 210)]
    #[input(maximum = 100_000_000)]
    pub employment_female: Option<i32>,
    /// Turnover in a year, in whole rials.
    #[view(example = "120000000000")]
    pub annual_turnover_irr: Option<Amount>,
    /// Exports in a year, in whole US dollars.
    #[view(example = "2500000")]
    pub export_usd: Option<Amount>,
    /// Its firms by size: all four counts.
    pub firms_by_size: Option<FirmsBySize>,
    /// Its challenges, any number in each category.
    #[input(default, max_items = 50)]
    pub challenges: List<Finding>,
    /// Its opportunities, any number in each category.
    #[schema(example = json!([{"category": "market_knowledge", "text": "بازار سنگ در کشورهای همسایه"}]))]
    #[input(default, max_items = 50)]
    pub opportunities: List<Finding>,
    /// Scores for the prioritisation: all four.
    pub priority_scores: Option<PriorityScores>,
}

impl Model {
    /// The latest possible identification day as an input: a bound derived from the day follows changes of the
    /// day, so it is none.
    fn own_bound(&self) -> Option<Date> {
        let period = self.identified_precision.and_then(Precision::period);
        let derived = self.identified_on.zip(period).map(|(on, period)| on.end_of(period));
        self.identified_not_later_than.filter(|bound| derived != Some(*bound))
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
