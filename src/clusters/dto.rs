//! DTOs of clusters: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    assessment::{Finding, Findings, FirmsBySize, PriorityScores},
    claims::Claim,
    current_project::CurrentProject,
    entity::{Model, Texts},
    identified::{Identified, Precision},
    rules::State,
};
use crate::{
    checks,
    industries::{
        Industry, IsicCode,
        classes::{Classes, Isic},
    },
    lifecycle::AllowedTransition,
    persian::{Date, text},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
    values::{Amount, Location, Name},
};

/// A cluster (خوشهٔ صنعتی): business units of one region and one industrial orientation that cooperate with
/// and complement one another, and share challenges and opportunities.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cluster {
    #[serde(flatten)]
    info: RecordInfo,
    /// The code in the programme.
    #[schema(example = "15-0001")]
    code: String,
    /// The name in Persian, as given.
    #[schema(example = "سنگ")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Stone")]
    name_en: Option<String>,
    /// Other names.
    #[schema(example = json!(["سنگ ساختمانی"]))]
    aliases: Vec<Name>,
    /// The province.
    province: ProvinceCode,
    /// The counties.
    #[schema(example = json!(["خرم‌آباد", "ازنا"]))]
    counties: Vec<Name>,
    /// Location.
    #[schema(required)]
    location: Option<Location>,
    /// Products and services.
    #[schema(example = json!(["سنگ تزئینی"]))]
    products: Vec<Name>,
    /// The classes of ISIC Rev. 4, the primary one first.
    isic: Vec<Isic>,
    /// State in the programme. It changes only by `POST /clusters/{id}/transitions`.
    state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[schema(example = json!([{"to": "prioritised", "needs": ["decision_id"], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// The day it was identified, or a day in that month, quarter or year: see `identified_precision`.
    #[schema(required, example = json!(null))]
    identified_on: Option<Date>,
    /// Precision of that day.
    #[schema(required, example = "not_later_than")]
    identified_precision: Option<Precision>,
    /// Latest possible identification day, which counts for "as of" a day.
    #[schema(required)]
    identified_not_later_than: Option<Date>,
    /// Persons employed.
    #[schema(required, minimum = 0, example = 1850)]
    employment_total: Option<i32>,
    /// Women among them.
    #[schema(required, minimum = 0, example = 210)]
    employment_female: Option<i32>,
    /// Turnover in a year, in whole rials.
    #[schema(required, example = "120000000000")]
    annual_turnover_irr: Option<Amount>,
    /// Exports in a year, in whole US dollars.
    #[schema(required, example = "2500000")]
    export_usd: Option<Amount>,
    /// Its firms by size.
    #[schema(required)]
    firms_by_size: Option<FirmsBySize>,
    /// Its challenges.
    challenges: Vec<Finding>,
    /// Its opportunities.
    #[schema(example = json!([{"category": "market_knowledge", "text": "بازار سنگ در کشورهای همسایه"}]))]
    opportunities: Vec<Finding>,
    /// Scores for the prioritisation; null before.
    #[schema(required)]
    priority_scores: Option<PriorityScores>,
    /// Its live project: one that is approved and not yet closed or terminated.
    #[schema(required)]
    pub current_project: Option<CurrentProject>,
    /// The claims about it, oldest first; with `include=claims`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub claims: Option<Vec<Claim>>,
    /// The primary class of ISIC; with `include=industry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub industry: Option<Industry>,
}

impl From<&Model> for Cluster {
    fn from(row: &Model) -> Self {
        let input = ClusterInput::from(row);
        Self {
            info: row.into(),
            code: row.code.clone(),
            name_fa: input.name_fa,
            name_en: input.name_en,
            aliases: input.aliases,
            province: input.province,
            counties: input.counties,
            location: input.location,
            products: input.products,
            isic: input.isic,
            state: row.state,
            allowed_transitions: Vec::new(),
            identified_on: input.identified_on,
            identified_precision: input.identified_precision,
            identified_not_later_than: row.identified_not_later_than.map(Date::from),
            employment_total: input.employment_total,
            employment_female: input.employment_female,
            annual_turnover_irr: input.annual_turnover_irr,
            export_usd: input.export_usd,
            firms_by_size: input.firms_by_size,
            challenges: input.challenges,
            opportunities: input.opportunities,
            priority_scores: input.priority_scores,
            current_project: None,
            claims: None,
            industry: None,
        }
    }
}

/// Input of a cluster. Only `province`, `name_fa` and `isic` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "province": "IR-15", "name_fa": "سنگ", "name_en": "Stone", "counties": ["خرم‌آباد", "ازنا"], "products": ["سنگ تزئینی"],
    "location": { "latitude": 33.4878, "longitude": 48.3558 },
    "isic": [{ "code": "2396", "primary": true }], "identified_precision": "not_later_than", "identified_not_later_than": "2014-03-20",
    "employment_total": 1850, "employment_female": 210, "annual_turnover_irr": "120000000000",
    "challenges": [{ "category": "technology", "text": "دستگاه‌های برش قدیمی است" }],
}))]
pub struct ClusterInput {
    /// The code in the programme; given out by the service when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$", nullable = false)]
    pub code: Option<String>,
    /// The name in Persian. In a province no two clusters have the same, spaces and letter forms aside.
    #[schema(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name", example = "سنگ")]
    pub name_fa: String,
    /// The name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Stone"
    )]
    pub name_en: Option<String>,
    /// Other names; they are searched as well.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["سنگ ساختمانی"]))]
    pub aliases: Vec<Name>,
    /// The province.
    pub province: ProvinceCode,
    /// The counties.
    #[serde(default)]
    #[schema(max_items = 50, example = json!(["خرم‌آباد", "ازنا"]))]
    pub counties: Vec<Name>,
    /// Location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Products and services.
    #[serde(default)]
    #[schema(max_items = 50, example = json!(["سنگ تزئینی"]))]
    pub products: Vec<Name>,
    /// The classes of ISIC Rev. 4; one is primary.
    #[schema(min_items = 1, max_items = 20)]
    pub isic: Vec<Isic>,
    /// The day it was identified, or a day in the month, quarter or year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identified_on: Option<Date>,
    /// Precision of that day; `day` by default. With `not_later_than` there is no day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "not_later_than")]
    pub identified_precision: Option<Precision>,
    /// The day by which it was identified at the latest; the end of the month, quarter or year when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identified_not_later_than: Option<Date>,
    /// Persons employed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100_000_000, example = 1850)]
    pub employment_total: Option<i32>,
    /// Women among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100_000_000, example = 210)]
    pub employment_female: Option<i32>,
    /// Turnover in a year, in whole rials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annual_turnover_irr: Option<Amount>,
    /// Exports in a year, in whole US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_usd: Option<Amount>,
    /// Its firms by size: all four counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firms_by_size: Option<FirmsBySize>,
    /// Its challenges, any number in each category.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub challenges: Vec<Finding>,
    /// Its opportunities, any number in each category.
    #[serde(default)]
    #[schema(max_items = 50, example = json!([{"category": "market_knowledge", "text": "بازار سنگ در کشورهای همسایه"}]))]
    pub opportunities: Vec<Finding>,
    /// Scores for the prioritisation: all four.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_scores: Option<PriorityScores>,
    /// Identifiers of the cluster in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for ClusterInput {
    fn from(row: &Model) -> Self {
        Self {
            code: Some(row.code.clone()),
            name_fa: row.name_fa.clone(),
            name_en: row.name_en.clone(),
            aliases: row.aliases.0.clone(),
            province: ProvinceCode(row.province.clone()),
            counties: row.counties.0.clone(),
            location: row.location(),
            products: row.products.0.clone(),
            isic: row.isic.0.clone(),
            identified_on: row.identified_on.map(Date::from),
            identified_precision: row.identified_precision,
            identified_not_later_than: row.identified_not_later_than.map(Date::from).filter(|bound| {
                // A bound derived from the day follows changes of the day, so it is not an input of its own.
                row.identified_on
                    .zip(row.identified_precision.and_then(Precision::period))
                    .is_none_or(|(on, period)| Date::from(on).end_of(period) != *bound)
            }),
            employment_total: row.employment_total,
            employment_female: row.employment_female,
            annual_turnover_irr: row.annual_turnover_irr.map(Amount),
            export_usd: row.export_usd.map(Amount),
            firms_by_size: row.firms_by_size,
            challenges: row.challenges.0.clone(),
            opportunities: row.opportunities.0.clone(),
            priority_scores: row.priority_scores,
            external_refs: row.external_refs.clone(),
        }
    }
}

impl Input<Model> for ClusterInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults = Vec::new();
        let isic = Classes::ordered(self.isic, &mut faults);
        let identified = Identified::check(
            self.identified_on,
            self.identified_precision,
            self.identified_not_later_than,
            &mut faults,
        );
        faults.extend(checks::women_among(self.employment_female, self.employment_total));
        let name_key = text::key(&self.name_fa);
        if name_key.len() > 2_000 {
            // «ﷺ» is one character and folds to eighteen: index and cursor have limits.
            faults.push(Violation::body(
                "/name_fa",
                "too_long",
                Text::new("این نام بیش از اندازه بلند است.", "This name is too long."),
            ));
        }
        if name_key.is_empty() {
            faults.push(Violation::body(
                "/name_fa",
                "wrong_pattern",
                Text::new("نام باید دست‌کم یک حرف یا رقم داشته باشد.", "The name needs a letter or a digit."),
            ));
        }
        checks::all_or_none(faults)?;
        Ok(Model {
            code: self.code.unwrap_or_else(|| row.code.clone()),
            name_key,
            name_order: text::order(&self.name_fa),
            name_fa: self.name_fa,
            name_en: self.name_en,
            aliases: Texts(self.aliases),
            province: self.province.0,
            counties: Texts(self.counties),
            latitude: self.location.map(|location| location.latitude),
            longitude: self.location.map(|location| location.longitude),
            products: Texts(self.products),
            primary_isic: isic.primary(),
            isic,
            identified_on: identified.on.map(Date::naive),
            identified_precision: identified.precision,
            identified_not_later_than: identified.not_later_than.map(Date::naive),
            employment_total: self.employment_total,
            employment_female: self.employment_female,
            annual_turnover_irr: self.annual_turnover_irr.map(|amount| amount.0),
            export_usd: self.export_usd.map(|amount| amount.0),
            firms_by_size: self.firms_by_size,
            challenges: Findings(self.challenges),
            opportunities: Findings(self.opportunities),
            priority_scores: self.priority_scores,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of clusters.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ClusterFilter {
    /// Any of these states.
    #[param(style = Form, explode = false, min_items = 1, max_items = 11)]
    pub state: Option<Vec<State>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Any of these industries, of any level of ISIC: `C`, `23`, `239` or `2396`.
    #[param(style = Form, explode = false, min_items = 1, max_items = 50)]
    pub isic: Option<Vec<IsicCode>>,
    /// Any of these counties.
    #[param(style = Form, explode = false, min_items = 1, max_items = 50)]
    pub county: Option<Vec<Name>>,
    /// Identified by this day at the latest.
    pub identified_by: Option<Date>,
}
