//! Enterprises: table and queries.

use macros::record;
use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::size::Size;
use crate::{
    clusters::{members::is_named_by, networks, value_chain},
    industries::classes::Isic,
    persian::Date,
    problem::{Problem, problem_types},
    projects::joint_actions,
    provinces::ProvinceCode,
    store::{Record, Transaction},
    values::{List, Location, Name},
};

/// An enterprise (واحد تولیدی): a production unit of the register, in a cluster or not yet in one.
#[record(table = "enterprise", shown, input = EnterpriseInput)]
#[input(
    about = "Input of an enterprise. Only `name_fa`, `province` and `isic` are required.",
    example = json!({
    "name_fa": "سنگ‌بری نمونه", "name_en": "Sample Stone Works", "province": "IR-15", "county": "خرم‌آباد",
    "location": { "latitude": 33.4878, "longitude": 48.3558 }, "isic": [{ "code": "2396", "primary": true }],
    "employment_total": 24, "employment_female": 5,
})
)]
pub struct Model {
    /// The firm behind it: an organisation of kind `firm`, of the same province or national, that is no other
    /// enterprise.
    pub organisation_id: Option<Uuid>,
    /// The cluster that it belongs to, of the same province.
    pub cluster_id: Option<Uuid>,
    /// The name in Persian.
    #[schema(example = "سنگ‌بری نمونه")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Sample Stone Works")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_en: Option<String>,
    /// The Persian name in the form that sorts as a dictionary does.
    #[kept]
    pub name_order: String,
    /// The province.
    pub province: ProvinceCode,
    /// The county.
    #[schema(example = "خرم‌آباد")]
    pub county: Option<Name>,
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
    /// The classes of ISIC Rev. 4; one is primary.
    #[input(min_items = 1, max_items = 20)]
    pub isic: List<Isic>,
    /// The primary class.
    #[kept]
    pub primary_isic: String,
    /// Its size, where the persons employed are not known. Where they are it follows from them: leave it out.
    #[schema(example = "small")]
    #[input(from = row.size.filter(|_| row.employment_total.is_none()))]
    pub size: Option<Size>,
    /// Persons employed.
    #[schema(minimum = 0, example = 24)]
    #[input(maximum = 1_000_000)]
    pub employment_total: Option<i32>,
    /// Women among them.
    #[schema(minimum = 0, example = 5)]
    #[input(maximum = 1_000_000)]
    pub employment_female: Option<i32>,
    /// The first day in the cluster.
    pub member_from: Option<Date>,
    /// The last day in the cluster; none while there is no end.
    #[view(example = json!(null))]
    pub member_to: Option<Date>,
}

impl Model {
    /// 409 while a stage of a value chain names it, or a network or a joint action, as far as that matters.
    pub(super) async fn check_unnamed(
        &self,
        in_cluster: bool,
        in_province: bool,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if !in_cluster && !in_province {
            return Ok(());
        }
        transaction.lock::<Self>(self.id).await?;
        let mut by = Vec::new();
        if in_cluster && is_named_by::<value_chain::Model>(transaction, self.id).await? {
            by.push(value_chain::Model::RESOURCE);
        }
        if in_province && is_named_by::<networks::Model>(transaction, self.id).await? {
            by.push(networks::Model::RESOURCE);
        }
        if in_province && is_named_by::<joint_actions::Model>(transaction, self.id).await? {
            by.push(joint_actions::Model::RESOURCE);
        }
        if by.is_empty() {
            Ok(())
        } else {
            Err(Problem::new(&problem_types::STILL_REFERRED_TO).member("referred_by", by))
        }
    }
}

pub(super) const COUNTY: &str = "county";

/// In a cluster on a day: from an open beginning or one before, to an open end or one after.
pub fn member_on(day: Date) -> Condition {
    Condition::all()
        .add(Column::ClusterId.is_not_null())
        .add(Condition::any().add(Column::MemberFrom.is_null()).add(Column::MemberFrom.lte(day.naive())))
        .add(Condition::any().add(Column::MemberTo.is_null()).add(Column::MemberTo.gte(day.naive())))
}
