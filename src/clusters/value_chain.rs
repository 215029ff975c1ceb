//! Value chain of a cluster: its stages from raw materials to the final consumer, their order, and their
//! enterprises.

use macros::record;
use sea_orm::{EnumIter, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

use super::{
    entity as clusters,
    members::{self, Of},
};
use crate::{
    checks,
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    problem::{Problem, Text, problem_types},
    store::{Fields, Input, Record, Transaction},
    values::{List, Name, ProvinceCode},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A stage of a cluster's value chain.
#[record(table = "value_chain_stage", shown = ValueChainStage, input = ValueChainStageInput, sort(position))]
#[input(about = "Input of a stage. Only `stage` and `name_fa` are required.")]
pub struct Model {
    /// The cluster.
    #[shown]
    pub cluster_id: Uuid,
    /// The code of its province, which is the cluster's.
    #[kept]
    pub province: ProvinceCode,
    /// Kind of stage.
    #[schema(example = "processing")]
    pub stage: Stage,
    /// The name in Persian.
    #[schema(example = "سنگ‌بری")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Stone cutting")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_en: Option<String>,
    /// Its place in the order of stages; several may have the same.
    #[schema(minimum = 0, maximum = 1_000, example = 3)]
    #[input(default)]
    pub position: i32,
    /// The stages that its products go to: of the same cluster, and none that feeds this one itself.
    #[schema(example = json!([]))]
    #[input(default, max_items = 50)]
    pub feeds: List<Uuid>,
    /// The enterprises that work there, of the same cluster.
    #[schema(example = json!([]))]
    #[input(default, max_items = 500)]
    pub enterprises: List<Worker>,
}

/// Kinds of stages.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ValueChainStageKind)]
pub enum Stage {
    /// Raw materials and inputs.
    Inputs,
    /// Production.
    #[default]
    Production,
    /// Processing.
    Processing,
    /// Packaging.
    Packaging,
    /// Distribution.
    Distribution,
    /// Marketing and sales.
    Marketing,
    /// The final consumer.
    FinalConsumer,
    /// Support services outside the chain.
    SupportServices,
}

/// An enterprise that works in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ValueChainEnterprise)]
pub struct Worker {
    /// The enterprise, of the same cluster.
    pub enterprise_id: Uuid,
    /// Role of the enterprise in the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "برش و صیقل")]
    pub role: Option<Name>,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "value_chain_stage";
    const PATH_PARAMETER: &'static str = "value_chain_stage_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("clusters/{}/value-chain/{}", self.cluster_id, self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        self.enterprises.0.iter().map(|worker| members::term(worker.enterprise_id)).collect()
    }

    /// Validates that the stages it feeds are of the same cluster and do not feed it in turn, directly or
    /// indirectly, and that the enterprises are of the cluster.
    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        self.province = transaction.referred::<clusters::Model>(self.cluster_id, "").await?.province;
        let others = self.others(transaction).await?;
        let next: HashMap<Uuid, &[Uuid]> =
            others.iter().map(|other| (other.id, other.feeds.0.as_slice())).collect();
        let unknown = Text::new(
            "این خوشه چنین حلقه‌ای در زنجیرهٔ ارزش ندارد.",
            "The value chain of the cluster has no such stage.",
        );
        let cycle = Text::new("آن حلقه خود این حلقه را تغذیه می‌کند.", "That stage feeds this one.");
        let mut faults = checks::links(self.id, &self.feeds.0, &next, "feeds", &unknown, &cycle);
        let enterprises: Vec<Uuid> = self.enterprises.0.iter().map(|worker| worker.enterprise_id).collect();
        faults.extend(
            members::check(transaction, &enterprises, Of::Cluster(self.cluster_id), enterprise_at).await?,
        );
        checks::all_or_none(faults)
    }

    /// 409 while other stages feed it.
    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        transaction.lock::<clusters::Model>(self.cluster_id).await?;
        match self.others(transaction).await?.iter().any(|other| other.feeds.0.contains(&self.id)) {
            true => {
                Err(Problem::new(&problem_types::STILL_REFERRED_TO)
                    .member("referred_by", vec![Self::RESOURCE]))
            }
            false => Ok(()),
        }
    }
}

impl Model {
    /// The other stages of the cluster.
    async fn others(&self, transaction: &Transaction) -> Result<Vec<Self>, DbErr> {
        let others =
            Entity::find().filter(Column::ClusterId.eq(self.cluster_id)).filter(Column::Id.ne(self.id));
        others.filter(Column::DeletedAt.is_null()).all(&**transaction).await
    }
}

fn enterprise_at(index: usize) -> String {
    format!("/enterprises/{index}/enterprise_id")
}

impl Input<Model> for ValueChainStageInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults = checks::each_once(&self.feeds, |index| format!("/feeds/{index}"));
        let enterprises: Vec<Uuid> = self.enterprises.iter().map(|worker| worker.enterprise_id).collect();
        faults.extend(checks::each_once(&enterprises, enterprise_at));
        checks::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

impl Resource for Model {
    type Input = ValueChainStageInput;

    const WORDS: Words = Words {
        path: "/clusters/{id}/value-chain",
        one: "value_chain_stage",
        many: "value_chain_stages",
        a: "a stage of a value chain",
        reads: "clusters:read",
        writes: "clusters:write",
        about: &[
            (
                Standard::List,
                "List the value chain of a cluster",
                "Its stages, oldest first unless sorted otherwise; `sort=position,id` gives them in the order \
                 of the chain.",
            ),
            (Standard::Create, "Add a stage to the value chain of a cluster", ""),
            (Standard::Update, "Change a stage of a value chain", ""),
            (
                Standard::Delete,
                "Delete a stage of a value chain",
                "Leaves a tombstone. Repeating it is no error. A stage that others feed stays (409).",
            ),
        ],
    };
}

impl Part for Model {
    type Whole = clusters::Model;

    fn of(cluster: &clusters::Model) -> Self {
        Self { cluster_id: cluster.id, ..Self::default() }
    }
}
