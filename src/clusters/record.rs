//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use std::collections::HashMap;

use sea_orm::{
    entity::prelude::*,
    sea_query::{Condition, ExprTrait},
};

use super::{
    claims, current_project,
    dto::{Cluster, ClusterFilter},
    entity::{ActiveModel, COUNTY, Column, Model, ProjectThen},
    identified::Precision,
    rules::{self, State},
};
use crate::{
    http::{SortKey, page::Listed},
    industries::{self, classes},
    lifecycle::{self, Stateful, Step},
    persian::{Date, text},
    problem::Problem,
    provinces,
    store::{
        Include, Past, Reading, Record, Retrospective, SqlKind, Transaction, code, point_in_time::Fields,
        record::Unique, search,
    },
    values::Name,
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Cluster;

    const RESOURCE: &'static str = "cluster";
    const DERIVED: &'static [&'static str] = &["allowed_transitions", "current_project"];
    const INCLUDES: &'static [Include] = &[
        Include::new("claims", "the claims about it", "clusters:read"),
        Include::new("industry", "its primary class of ISIC", "reference:read"),
    ];
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[
        ("project", "cluster_id"),
        ("decision", "cluster_id"),
        ("enterprise", "cluster_id"),
        ("feasibility_study", "cluster_id"),
        ("lineage_entry", "cluster_id"),
        ("lineage_entry", "other_cluster_id"),
        ("value_chain_stage", "cluster_id"),
        ("network", "cluster_id"),
        ("attachment", "subject_id"),
    ];
    const UNIQUE: &'static [Unique] = &[
        Unique {
            index: "cluster_name",
            columns: "cluster.province, cluster.name_key",
            pointer: "/name_fa",
            code: "duplicate",
            fa: "در این استان خوشه‌ای با همین نام هست (با چشم‌پوشی از فاصله و شکل حروف).",
            en: "The province has a cluster of this name already (spaces and letter forms aside).",
        },
        Unique {
            index: "cluster_code",
            columns: "cluster.code",
            pointer: "/code",
            code: "duplicate",
            fa: "این کد آزاد نیست.",
            en: "This code is not free.",
        },
    ];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("clusters/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        let more = self.aliases.0.iter().chain(&self.products.0).map(|name| &name.0);
        let names =
            [Some(&self.name_fa), Some(&self.code), self.name_en.as_ref()].into_iter().chain(more.map(Some));
        let words = search::words(names).into_iter();
        let counties = self.counties.0.iter().map(|county| (COUNTY, text::key(&county.0)));
        words.chain(self.isic.terms()).chain(counties).collect()
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Cluster>, Problem> {
        let mut projects = current_project::of_clusters(&reading.db, rows.iter().map(|row| row.id)).await?;
        let ids = rows.iter().map(|row| row.id);
        let mut claims =
            reading.included_parts::<claims::Model>("claims", claims::Column::ClusterId, ids).await?;
        let industries = match reading.includes("industry") {
            true => {
                industries::entity::by_codes(&reading.db, rows.iter().map(|row| row.primary_isic.as_str()))
                    .await?
            }
            false => Vec::new(),
        };
        let industry = |row: &Self| {
            industries
                .iter()
                .find(|industry| industry.code == row.primary_isic)
                .map(industries::entity::Model::view)
        };
        let mut allowed = lifecycle::allowed(&reading.db, rows).await?;
        let view = |row: &Self| {
            let mut view = row.view();
            view.allowed_transitions = allowed.remove(&row.id).unwrap_or_default();
            view.current_project = projects.remove(&row.id);
            view.claims = claims.of(row.id);
            view.industry = industry(row);
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    /// Assigns a code if there is none: the province's number and a counter, skipping codes assigned
    /// manually. Moves the claims along into another province.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if self.code.is_empty() {
            let prefix = self.province.trim_start_matches("IR-");
            self.code = code::give_out::<Self>(transaction, "cluster", prefix).await?;
        }
        if before.is_some_and(|before| before.province != self.province) {
            for claim in claims::about(&**transaction, self.id).await? {
                transaction
                    .update(&claim, claims::Model { province: self.province.clone(), ..claim.clone() })
                    .await?;
            }
        }
        Ok(())
    }

    /// Deletes the claims together with the cluster.
    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        for claim in claims::about(&**transaction, self.id).await? {
            transaction.delete(&claim).await?;
        }
        Ok(())
    }
}

impl Stateful for Model {
    type State = State;
    type Facts = rules::Facts;

    const STEPS: &'static [Step<Self>] = rules::STEPS;

    fn state(&self) -> State {
        self.state
    }

    /// Entering `identified` sets the identification date if it is unknown.
    fn apply_state(&mut self, state: State, on: Date) {
        self.state = state;
        if state == State::Identified && self.identified_not_later_than.is_none() {
            self.identified_on = Some(on);
            self.identified_precision = Some(Precision::Day);
            self.identified_not_later_than = Some(on);
        }
    }

    async fn facts(
        db: &impl ConnectionTrait,
        rows: &[Self],
        on: Date,
    ) -> Result<HashMap<Uuid, rules::Facts>, Problem> {
        rules::facts(db, rows, on).await
    }
}

impl Retrospective for Model {
    const STATE_FIELDS: &'static [&'static str] = &["state"];
    type Derived = ProjectThen;

    async fn derived(&self, db: &impl ConnectionTrait, past: Past, _: &Fields) -> Result<ProjectThen, DbErr> {
        Ok(ProjectThen { current_project: current_project::then(db, self.id, past).await? })
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey::new("name_fa", "cluster.name_order", SqlKind::Text, |row| row.name_order.as_str().into()),
        SortKey::new("code", "cluster.code", SqlKind::Text, |row| row.code.as_str().into()),
        SortKey::new("province", "cluster.province", SqlKind::Text, |row| row.province.0.as_str().into()),
        SortKey::new("state", "cluster.state", SqlKind::Text, |row| lifecycle::State::name(row.state).into()),
        SortKey::new("created_at", "cluster.created_at", SqlKind::Timestamp, |row| row.created_at.into()),
        SortKey::new("updated_at", "cluster.updated_at", SqlKind::Timestamp, |row| row.updated_at.into()),
        SortKey::new(
            "identified_not_later_than",
            "COALESCE(cluster.identified_not_later_than, '9999-12-31')",
            SqlKind::Date,
            |row| {
                row.identified_not_later_than
                    .map_or(ChronoDate::from_ymd_opt(9999, 12, 31), |day| Some(day.naive()))
                    .into()
            },
        ),
        SortKey::new("employment_total", "COALESCE(cluster.employment_total, -1)", SqlKind::Integer, |row| {
            i64::from(row.employment_total.unwrap_or(-1)).into()
        }),
        SortKey::new(
            "annual_turnover_irr",
            "COALESCE(cluster.annual_turnover_irr, -1)",
            SqlKind::Integer,
            |row| row.annual_turnover_irr.map_or(-1, |amount| amount.0).into(),
        ),
        SortKey::new("export_usd", "COALESCE(cluster.export_usd, -1)", SqlKind::Integer, |row| {
            row.export_usd.map_or(-1, |amount| amount.0).into()
        }),
        SortKey::new("id", "cluster.id", SqlKind::Uuid, |row| row.id.into()),
    ];
}

impl ClusterFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        let counties = |list: &Vec<Name>| {
            search::has_any::<Model>(COUNTY, list.iter().map(|county| text::key(&county.0)))
        };
        let bound = Expr::cust("COALESCE(cluster.identified_not_later_than, '9999-12-31')");
        Condition::all()
            .add_option(self.state.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.isic.as_ref().map(|codes| classes::works_in::<Model>(codes)))
            .add_option(self.county.as_ref().map(counties))
            .add_option(self.identified_by.map(|day| bound.lte(day.naive())))
    }
}
