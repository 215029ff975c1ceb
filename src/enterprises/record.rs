//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Enterprise, EnterpriseFilter},
    entity::{ActiveModel, COUNTY, Column, Model, member_on},
};
use crate::{
    clusters,
    http::{SortKey, page::Listed},
    industries::classes,
    organisations::{self, dto::Kind},
    persian::text,
    problem::{Problem, Text, Violation},
    provinces,
    store::{Include, Reading, Record, SqlKind, Transaction, record::Unique, search},
    values::Name,
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Enterprise;

    const RESOURCE: &'static str = "enterprise";
    const INCLUDES: &'static [Include] = &[
        Include::new("organisation", "the firm behind it", "organisations:read"),
        Include::new("cluster", "the cluster", "clusters:read"),
    ];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "enterprise_organisation",
        columns: "enterprise.organisation_id",
        pointer: "/organisation_id",
        code: "duplicate",
        fa: "این بنگاه از پیش واحد تولیدی دیگری است.",
        en: "This firm is another enterprise already.",
    }];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("enterprises/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        let words = search::words([Some(&self.name_fa), self.name_en.as_ref()]).into_iter();
        let county = self.county.iter().map(|county| (COUNTY, text::key(&county.0)));
        words.chain(self.isic.terms()).chain(county).collect()
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Enterprise>, Problem> {
        let organisations = rows.iter().map(|row| row.organisation_id);
        let organisations =
            reading.included::<organisations::entity::Model>("organisation", organisations).await?;
        let clusters = rows.iter().map(|row| row.cluster_id);
        let clusters = reading.included::<clusters::entity::Model>("cluster", clusters).await?;
        let view = |row: &Self| {
            let mut view = row.view();
            view.organisation = row.organisation_id.and_then(|id| organisations.get(&id).cloned());
            view.cluster = row.cluster_id.and_then(|id| clusters.get(&id).cloned());
            view
        };
        Ok(rows.iter().map(view).collect())
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

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey::new("name_fa", "enterprise.name_order", SqlKind::Text, |row| row.name_order.as_str().into()),
        SortKey::new(
            "employment_total",
            "COALESCE(enterprise.employment_total, -1)",
            SqlKind::Integer,
            |row| i64::from(row.employment_total.unwrap_or(-1)).into(),
        ),
        SortKey::new("created_at", "enterprise.created_at", SqlKind::Timestamp, |row| row.created_at.into()),
        SortKey::new("updated_at", "enterprise.updated_at", SqlKind::Timestamp, |row| row.updated_at.into()),
        SortKey::new("id", "enterprise.id", SqlKind::Uuid, |row| row.id.into()),
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
