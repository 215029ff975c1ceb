//! Claims that a cluster exists: source, date and name. Sources contradict each other, so a cluster has a
//! claim for each of them.

use sea_orm::{
    entity::prelude::*,
    sea_query::{Condition, Query as SqlQuery, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity as clusters;
use crate::{
    http::{
        Routes, SortKey,
        page::Listed,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    policy::Scope,
    problem::Problem,
    store::{Input, Record, RecordInfo, SqlKind, Transaction, external_ref::ExternalRefs},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A claim.
    "cluster_claim" {
        /// The cluster.
        cluster_id: Uuid,
        /// The code of its province, that of the cluster.
        province: String,
        /// Title of the source.
        source_title: String,
        /// Address of the source.
        source_url: Option<String>,
        /// Date of the claim.
        claimed_on: Option<ChronoDate>,
        /// Name of the cluster in the source.
        claimed_name: Option<String>,
        /// Note.
        note: Option<String>,
    }
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Claim;

    const RESOURCE: &'static str = "cluster_claim";
    const DAYS: &'static [&'static str] = &["claimed_on"];
    const PATH_PARAMETER: &'static str = "claim_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];

    fn view(&self) -> Claim {
        Claim::from(self)
    }

    /// A claim is visible to those who see its cluster.
    fn visible_to(scope: &Scope) -> Condition {
        let visible = SqlQuery::select()
            .column(clusters::Column::Id)
            .from(clusters::Entity)
            .cond_where(clusters::Model::visible_to(scope))
            .and_where(clusters::Column::DeletedAt.is_null())
            .to_owned();
        Condition::all().add(Column::ClusterId.in_subquery(visible))
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("clusters/{}/claims/{}", self.cluster_id, self.id)
    }

    /// A claim belongs to the province of its cluster, and moves with it.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if before.is_none() {
            self.province = transaction.referred::<clusters::Model>(self.cluster_id, "").await?.province;
        }
        Ok(())
    }
}

/// The claims about a cluster.
pub async fn about(db: &impl ConnectionTrait, cluster: Uuid) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::ClusterId.eq(cluster)).filter(Column::DeletedAt.is_null()).all(db).await
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey { name: "id", sql: "cluster_claim.id", kind: SqlKind::Uuid, value: |row| row.id.into() }];
}

/// A claim about a cluster.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Claim {
    #[serde(flatten)]
    info: RecordInfo,
    /// The cluster.
    cluster_id: Uuid,
    /// Title of the source.
    #[schema(example = "Provincial company: industrial clusters of Lorestan identified up to late 1392")]
    pub source_title: String,
    /// Address of the source.
    #[schema(required)]
    source_url: Option<String>,
    /// Date of the claim.
    #[schema(required)]
    claimed_on: Option<Date>,
    /// Name of the cluster in the source.
    #[schema(required, example = "سنگ")]
    claimed_name: Option<String>,
    /// Note.
    #[schema(required)]
    note: Option<String>,
}

impl From<&Model> for Claim {
    fn from(row: &Model) -> Self {
        Self {
            info: row.into(),
            cluster_id: row.cluster_id,
            source_title: row.source_title.clone(),
            source_url: row.source_url.clone(),
            claimed_on: row.claimed_on.map(Date::from),
            claimed_name: row.claimed_name.clone(),
            note: row.note.clone(),
        }
    }
}

/// Input of a claim. Only `source_title` is required.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimInput {
    /// Title of the source.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "\\S",
        format = "name",
        example = "Provincial company: industrial clusters of Lorestan identified up to late 1392"
    )]
    pub source_title: String,
    /// Address of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        max_length = 2000,
        pattern = "^https?://[\\p{L}\\p{N}.-]+(:[0-9]{1,5})?(/[^\\s]*)?$",
        example = "https://www.lorestan-industry.example/clusters"
    )]
    pub source_url: Option<String>,
    /// Date of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_on: Option<Date>,
    /// Name of the cluster in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200, pattern = "\\S", format = "name", example = "سنگ")]
    pub claimed_name: Option<String>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub note: Option<String>,
    /// Identifiers of the claim in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for ClaimInput {
    fn from(row: &Model) -> Self {
        Self {
            source_title: row.source_title.clone(),
            source_url: row.source_url.clone(),
            claimed_on: row.claimed_on.map(Date::from),
            claimed_name: row.claimed_name.clone(),
            note: row.note.clone(),
            external_refs: row.external_refs.clone(),
        }
    }
}

impl Input<Model> for ClaimInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        Ok(Model {
            source_title: self.source_title,
            source_url: self.source_url,
            claimed_on: self.claimed_on.map(Date::naive),
            claimed_name: self.claimed_name,
            note: self.note,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

impl Resource for Model {
    type Input = ClaimInput;

    const WORDS: Words = Words {
        path: "/clusters/{id}/claims",
        one: "claim",
        many: "claims",
        a: "a claim",
        reads: "clusters:read",
        writes: "clusters:write",
        about: &[
            (Standard::List, "List the claims about a cluster", "Oldest first, unless sorted by `-id`."),
            (Standard::Create, "Record a claim about a cluster", ""),
            (Standard::Update, "Change a claim", ""),
        ],
    };
}

impl Part for Model {
    type Whole = clusters::Model;

    fn of(cluster: &clusters::Model) -> Self {
        Self { cluster_id: cluster.id, ..Self::default() }
    }
}
