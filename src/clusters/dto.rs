//! DTOs of clusters: representation and input.

pub use super::entity::ClusterInput;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    claims::Model as Claim, current_project::CurrentProject, entity::Model, identified::Identified,
    rules::State,
};
use crate::{
    checks,
    industries::{Industry, IsicCode},
    lifecycle::AllowedTransition,
    persian::{Date, text},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input},
    values::{Location, Name},
};

/// A cluster (خوشهٔ صنعتی): business units of one region and one industrial orientation that cooperate with
/// and complement one another, and share challenges and opportunities.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cluster {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    #[schema(ignore)]
    location: Option<Location>,
    /// Allowed transitions.
    #[schema(ignore)]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
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
        Self {
            row: row.clone(),
            location: Location::of(row.latitude, row.longitude),
            allowed_transitions: Vec::new(),
            current_project: None,
            claims: None,
            industry: None,
        }
    }
}

impl Input<Model> for ClusterInput {
    fn onto_row(mut self, row: &Model) -> Result<Model, Problem> {
        let mut faults = self.isic.put_primary_first();
        let Identified { on, precision, not_later_than } = Identified::check(
            self.identified_on,
            self.identified_precision,
            self.identified_not_later_than,
            &mut faults,
        );
        (self.identified_on, self.identified_precision, self.identified_not_later_than) =
            (on, precision, not_later_than);
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
            name_key,
            name_order: text::order(&self.name_fa),
            latitude: self.location.map(|location| location.latitude),
            longitude: self.location.map(|location| location.longitude),
            primary_isic: self.isic.primary(),
            ..self.over(row)
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
