//! Claims that a cluster exists: source, date and name. Sources contradict each other, so a cluster has a
//! claim for each of them.

use macros::record;
use sea_orm::{
    entity::prelude::*,
    sea_query::{Condition, Query as SqlQuery, SimpleExpr},
};

use super::entity as clusters;
use crate::{
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    policy::Scope,
    problem::Problem,
    store::{Input, Record, Transaction},
    values::ProvinceCode,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A claim about a cluster.
#[record(table = "cluster_claim", shown = Claim, input = ClaimInput, sort())]
#[input(about = "Input of a claim. Only `source_title` is required.")]
pub struct Model {
    /// The cluster.
    #[shown]
    pub cluster_id: Uuid,
    /// The code of its province, that of the cluster.
    #[kept]
    pub province: ProvinceCode,
    /// Title of the source.
    #[schema(example = "Provincial company: industrial clusters of Lorestan identified up to late 1392")]
    #[input(min_length = 1, max_length = 500, pattern = "\\S", format = "name")]
    pub source_title: String,
    /// Address of the source.
    #[input(
        max_length = 2000,
        pattern = "^https?://[\\p{L}\\p{N}.-]+(:[0-9]{1,5})?(/[^\\s]*)?$",
        example = "https://www.lorestan-industry.example/clusters"
    )]
    pub source_url: Option<String>,
    /// Date of the claim.
    pub claimed_on: Option<Date>,
    /// Name of the cluster in the source.
    #[schema(example = "سنگ")]
    #[input(min_length = 1, max_length = 200, pattern = "\\S", format = "name")]
    pub claimed_name: Option<String>,
    /// Note.
    #[input(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub note: Option<String>,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "cluster_claim";
    const PATH_PARAMETER: &'static str = "claim_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];

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

impl Input<Model> for ClaimInput {}

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
