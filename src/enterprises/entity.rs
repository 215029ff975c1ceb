//! Enterprises: table and queries.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Enterprise, EnterpriseFilter},
    size::Size,
};
use crate::{
    clusters::{self, members::is_named_by, networks, value_chain},
    http::{SortKey, page::Listed},
    industries::classes::{self, Classes},
    organisations::{self, dto::Kind},
    persian::{Date, text},
    problem::{Problem, Text, Violation, problem_types},
    projects::joint_actions,
    provinces,
    store::{Include, Reading, Record, SqlKind, Transaction, record::Unique, search},
    values::Name,
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

impl Record for Model {
    type Active = ActiveModel;
    type View = Enterprise;

    const RESOURCE: &'static str = "enterprise";
    const DAYS: &'static [&'static str] = &["member_from", "member_to"];
    const INCLUDES: &'static [Include] = &[
        Include::new("organisation", "the firm behind it", "organisations:read"),
        Include::new("cluster", "the cluster", "clusters:read"),
    ];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "enterprise_organisation",
        columns: "enterprise.organisation_id",
        violation: || {
            let detail = Text::new(
                "این بنگاه از پیش واحد تولیدی دیگری است.",
                "This firm is another enterprise already.",
            );
            Violation::body("/organisation_id", "duplicate", detail)
        },
    }];

    fn view(&self) -> Enterprise {
        Enterprise::from(self)
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("enterprises/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        let words = search::words([Some(&self.name_fa), self.name_en.as_ref()]).into_iter();
        let county = self.county.iter().map(|county| (COUNTY, text::key(county)));
        words.chain(self.isic.terms()).chain(county).collect()
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Enterprise>, Problem> {
        let mut views: Vec<_> = rows.iter().map(Self::view).collect();
        if reading.includes("organisation") {
            let organisations = reading
                .by_ids::<organisations::entity::Model>(rows.iter().filter_map(|row| row.organisation_id))
                .await?;
            for (view, row) in views.iter_mut().zip(rows) {
                view.organisation = row.organisation_id.and_then(|id| organisations.get(&id).cloned());
            }
        }
        if reading.includes("cluster") {
            let clusters = reading
                .by_ids::<clusters::entity::Model>(rows.iter().filter_map(|row| row.cluster_id))
                .await?;
            for (view, row) in views.iter_mut().zip(rows) {
                view.cluster = row.cluster_id.and_then(|id| clusters.get(&id).cloned());
            }
        }
        Ok(views)
    }

    /// Checks that the cluster is of the same province, and that the organisation is a firm, of that province
    /// or national. Records that refer to the enterprise keep it in its province.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if let Some(id) = self.cluster_id {
            let cluster: clusters::entity::Model = transaction.referred(id, "/cluster_id").await?;
            provinces::check_same(&self.province, Some(&cluster.province), "/cluster_id")?;
        }
        if let Some(id) = self.organisation_id {
            let firm: organisations::entity::Model = transaction.referred(id, "/organisation_id").await?;
            provinces::check_same(&self.province, firm.province.as_deref(), "/organisation_id")?;
            if firm.kind != Kind::Firm {
                let detail = Text::new("این سازمان بنگاه (firm) نیست.", "That organisation is not a firm.");
                return Err(Problem::invalid(vec![Violation::body(
                    "/organisation_id",
                    "not_a_firm",
                    detail,
                )]));
            }
        }
        // A value chain holds it in the cluster, a network or a joint action in the province.
        match before {
            Some(before) => {
                self.check_unnamed(
                    before.cluster_id != self.cluster_id,
                    before.province != self.province,
                    transaction,
                )
                .await
            }
            None => Ok(()),
        }
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        self.check_unnamed(true, true, transaction).await
    }
}

impl Model {
    /// 409 while a stage of a value chain names it, or a network or a joint action, as far as that matters.
    async fn check_unnamed(
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

const COUNTY: &str = "county";

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey {
            name: "name_fa",
            sql: "enterprise.name_order",
            kind: SqlKind::Text,
            value: |row| row.name_order.as_str().into(),
        },
        SortKey {
            name: "employment_total",
            sql: "COALESCE(enterprise.employment_total, -1)",
            kind: SqlKind::Integer,
            value: |row| i64::from(row.employment_total.unwrap_or(-1)).into(),
        },
        SortKey {
            name: "created_at",
            sql: "enterprise.created_at",
            kind: SqlKind::Timestamp,
            value: |row| row.created_at.into(),
        },
        SortKey {
            name: "updated_at",
            sql: "enterprise.updated_at",
            kind: SqlKind::Timestamp,
            value: |row| row.updated_at.into(),
        },
        SortKey { name: "id", sql: "enterprise.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

impl EnterpriseFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        let counties = |list: &Vec<Name>| {
            search::has_any::<Model>(COUNTY, list.iter().map(|county| text::key(&county.0)))
        };
        Condition::all()
            .add_option(self.cluster_id.map(|id| Column::ClusterId.eq(id)))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.isic.as_ref().map(|codes| classes::works_in::<Model>(codes)))
            .add_option(self.size.as_ref().map(|sizes| Column::Size.is_in(sizes.iter().copied())))
            .add_option(self.county.as_ref().map(counties))
            .add_option(self.member_on.map(member_on))
    }
}

/// In a cluster on a day: from an open beginning or one before, to an open end or one after.
fn member_on(day: Date) -> Condition {
    Condition::all()
        .add(Column::ClusterId.is_not_null())
        .add(Condition::any().add(Column::MemberFrom.is_null()).add(Column::MemberFrom.lte(day.naive())))
        .add(Condition::any().add(Column::MemberTo.is_null()).add(Column::MemberTo.gte(day.naive())))
}
