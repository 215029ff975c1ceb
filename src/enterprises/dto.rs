//! DTOs of enterprises: representation and input.

pub use super::entity::EnterpriseInput;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{entity::Model, size::Size};
use crate::{
    checks,
    clusters::dto::Cluster,
    industries::IsicCode,
    organisations::dto::Organisation,
    persian::{Date, text},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input},
    values::{Location, Name},
};

/// An enterprise (واحد تولیدی): a production unit of the register, in a cluster or not yet in one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Enterprise {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    #[schema(ignore)]
    location: Option<Location>,
    /// The firm behind it; with `include=organisation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organisation: Option<Organisation>,
    /// The cluster; with `include=cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cluster: Option<Cluster>,
}

impl From<&Model> for Enterprise {
    fn from(row: &Model) -> Self {
        Self {
            row: row.clone(),
            location: Location::of(row.latitude, row.longitude),
            organisation: None,
            cluster: None,
        }
    }
}

impl Input<Model> for EnterpriseInput {
    fn onto_row(mut self, row: &Model) -> Result<Model, Problem> {
        let mut faults = self.isic.put_primary_first();
        self.size = Size::given_or_counted(self.size, self.employment_total, &mut faults);
        faults.extend(checks::women_among(self.employment_female, self.employment_total));
        faults.extend(checks::in_order(self.member_from, self.member_to, "/member_to"));
        for (pointer, day) in [("/member_from", self.member_from), ("/member_to", self.member_to)] {
            if day.is_some() && self.cluster_id.is_none() {
                let detail = Text::new(
                    "این روز تنها با خوشه معنا دارد.",
                    "This day has a meaning with a cluster only.",
                );
                faults.push(Violation::body(pointer, "not_applicable", detail));
            }
        }
        checks::all_or_none(faults)?;
        Ok(Model {
            name_order: text::order(&self.name_fa),
            latitude: self.location.map(|location| location.latitude),
            longitude: self.location.map(|location| location.longitude),
            primary_isic: self.isic.primary(),
            ..self.over(row)
        })
    }
}

/// Filters of the list of enterprises.
#[derive(Debug, Deserialize, IntoParams)]
pub struct EnterpriseFilter {
    /// Enterprises of this cluster, including former members; see `member_on`.
    pub cluster_id: Option<Uuid>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Any of these industries, of any level of ISIC: `C`, `23`, `239` or `2396`.
    #[param(style = Form, explode = false, min_items = 1, max_items = 50)]
    pub isic: Option<Vec<IsicCode>>,
    /// Any of these sizes.
    #[param(style = Form, explode = false, min_items = 1, max_items = 4)]
    pub size: Option<Vec<Size>>,
    /// Any of these counties.
    #[param(style = Form, explode = false, min_items = 1, max_items = 50)]
    pub county: Option<Vec<Name>>,
    /// Members of a cluster on this day. A period that has no first or last day is open there.
    pub member_on: Option<Date>,
}
