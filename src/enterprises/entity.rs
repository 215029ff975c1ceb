//! Enterprises: table and queries.

use crate::store::Record;
use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::size::Size;
use crate::{
    clusters::{members::is_named_by, networks, value_chain},
    industries::classes::Classes,
    persian::Date,
    problem::{Problem, problem_types},
    projects::joint_actions,
    store::Transaction,
};

crate::store::record_table! {
    /// An enterprise.
    "enterprise" {
        /// The firm behind it.
        organisation_id: Option<Uuid>,
        /// The cluster that it belongs to, or did.
        cluster_id: Option<Uuid>,
        /// Its Persian name as given.
        name_fa: String,
        /// Its English name.
        name_en: Option<String>,
        /// The Persian name in the form that sorts as a dictionary does.
        name_order: String,
        /// The code of its province.
        province: String,
        /// Its county.
        county: Option<String>,
        /// Degrees north (WGS 84).
        latitude: Option<f64>,
        /// Degrees east (WGS 84).
        longitude: Option<f64>,
        /// Its classes of ISIC, the primary one first.
        isic: Classes,
        /// The primary class.
        primary_isic: String,
        /// Its size, which follows from the persons employed where their number is known.
        size: Option<Size>,
        /// Persons employed.
        employment_total: Option<i32>,
        /// Women among them.
        employment_female: Option<i32>,
        /// The first day in the cluster.
        member_from: Option<ChronoDate>,
        /// The last day in the cluster.
        member_to: Option<ChronoDate>,
    }
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
