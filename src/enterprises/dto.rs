//! DTOs of enterprises: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{entity::Model, size::Size};
use crate::{
    checks,
    clusters::dto::Cluster,
    industries::{
        IsicCode,
        classes::{Classes, Isic},
    },
    organisations::dto::Organisation,
    persian::{Date, text},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
    values::{Location, Name},
};

/// An enterprise (واحد تولیدی): a production unit of the register, in a cluster or not yet in one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Enterprise {
    #[serde(flatten)]
    info: RecordInfo,
    /// The firm behind it, an organisation of kind `firm`.
    #[schema(required)]
    organisation_id: Option<Uuid>,
    /// The cluster that it belongs to, or did.
    #[schema(required)]
    cluster_id: Option<Uuid>,
    /// The name in Persian, as given.
    #[schema(example = "سنگ‌بری نمونه")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Sample Stone Works")]
    name_en: Option<String>,
    /// The province.
    province: ProvinceCode,
    /// The county.
    #[schema(required, example = "خرم‌آباد")]
    county: Option<Name>,
    /// Location.
    #[schema(required)]
    location: Option<Location>,
    /// The classes of ISIC Rev. 4, the primary one first.
    isic: Vec<Isic>,
    /// Its size; null where neither it nor the persons employed are known.
    #[schema(required, example = "small")]
    size: Option<Size>,
    /// Persons employed.
    #[schema(required, minimum = 0, example = 24)]
    employment_total: Option<i32>,
    /// Women among them.
    #[schema(required, minimum = 0, example = 5)]
    employment_female: Option<i32>,
    /// The first day in the cluster.
    #[schema(required)]
    member_from: Option<Date>,
    /// The last day in the cluster; null while there is no end.
    #[schema(required, example = json!(null))]
    member_to: Option<Date>,
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
        let input = EnterpriseInput::from(row);
        Self {
            info: row.into(),
            organisation_id: input.organisation_id,
            cluster_id: input.cluster_id,
            name_fa: input.name_fa,
            name_en: input.name_en,
            province: input.province,
            county: input.county,
            location: input.location,
            isic: input.isic,
            size: row.size,
            employment_total: input.employment_total,
            employment_female: input.employment_female,
            member_from: input.member_from,
            member_to: input.member_to,
            organisation: None,
            cluster: None,
        }
    }
}

/// Input of an enterprise. Only `name_fa`, `province` and `isic` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name_fa": "سنگ‌بری نمونه", "name_en": "Sample Stone Works", "province": "IR-15", "county": "خرم‌آباد",
    "location": { "latitude": 33.4878, "longitude": 48.3558 }, "isic": [{ "code": "2396", "primary": true }],
    "employment_total": 24, "employment_female": 5,
}))]
pub struct EnterpriseInput {
    /// The firm behind it: an organisation of kind `firm`, of the same province or national, that is no other
    /// enterprise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<Uuid>,
    /// The cluster that it belongs to, of the same province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<Uuid>,
    /// The name in Persian.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "سنگ‌بری نمونه"
    )]
    pub name_fa: String,
    /// The name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Sample Stone Works"
    )]
    pub name_en: Option<String>,
    /// The province.
    pub province: ProvinceCode,
    /// The county.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "خرم‌آباد")]
    pub county: Option<Name>,
    /// Location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The classes of ISIC Rev. 4; one is primary.
    #[schema(min_items = 1, max_items = 20)]
    pub isic: Vec<Isic>,
    /// Its size, where the persons employed are not known. Where they are it follows from them: leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "small")]
    pub size: Option<Size>,
    /// Persons employed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000, example = 24)]
    pub employment_total: Option<i32>,
    /// Women among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000, example = 5)]
    pub employment_female: Option<i32>,
    /// The first day in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_from: Option<Date>,
    /// The last day in the cluster; none while there is no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_to: Option<Date>,
    /// Identifiers of the enterprise in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for EnterpriseInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            organisation_id: row.organisation_id,
            cluster_id: row.cluster_id,
            name_fa: row.name_fa,
            name_en: row.name_en,
            province: ProvinceCode(row.province),
            county: row.county.map(Name),
            location: row
                .latitude
                .zip(row.longitude)
                .map(|(latitude, longitude)| Location { latitude, longitude }),
            isic: row.isic.0,
            // A size derived from the number of persons follows its changes, so it is not an input of its
            // own.
            size: row.size.filter(|_| row.employment_total.is_none()),
            employment_total: row.employment_total,
            employment_female: row.employment_female,
            member_from: row.member_from.map(Date::from),
            member_to: row.member_to.map(Date::from),
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for EnterpriseInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let [member_from, member_to] = [self.member_from, self.member_to].map(|day| day.map(Date::naive));
        let mut faults = Vec::new();
        let isic = Classes::ordered(self.isic, &mut faults);
        let size = Size::given_or_counted(self.size, self.employment_total, &mut faults);
        faults.extend(checks::women_among(self.employment_female, self.employment_total));
        faults.extend(checks::in_order(member_from, member_to, "/member_to"));
        for (pointer, day) in [("/member_from", member_from), ("/member_to", member_to)] {
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
            organisation_id: self.organisation_id,
            cluster_id: self.cluster_id,
            name_order: text::order(&self.name_fa),
            name_fa: self.name_fa,
            name_en: self.name_en,
            province: self.province.0,
            county: self.county.map(|county| county.0),
            latitude: self.location.map(|location| location.latitude),
            longitude: self.location.map(|location| location.longitude),
            primary_isic: isic.primary(),
            isic,
            size,
            employment_total: self.employment_total,
            employment_female: self.employment_female,
            member_from,
            member_to,
            external_refs: self.external_refs,
            ..row.clone()
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
