//! Value chain of a cluster: its stages from raw materials to the final consumer, their order, and their
//! enterprises.

use sea_orm::{EnumIter, FromJsonQueryResult, entity::prelude::*, sea_query::SimpleExpr};
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
        Routes, SortKey,
        page::Listed,
        resource::{self, Part, Resource, Standard, Words},
    },
    problem::{Problem, Text, problem_types},
    store::{Input, Record, RecordInfo, SqlKind, Transaction, external_ref::ExternalRefs},
    values::Name,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A stage of a cluster's value chain.
    "value_chain_stage" {
        /// The cluster.
        cluster_id: Uuid,
        /// The code of its province, which is the cluster's.
        province: String,
        /// Kind of stage.
        stage: Stage,
        /// Its Persian name as given.
        name_fa: String,
        /// Its English name.
        name_en: Option<String>,
        /// Its place in the order of stages.
        position: i32,
        /// The stages that its products go to.
        feeds: Stages,
        /// The enterprises that work there.
        enterprises: Workers,
    }
}

/// Several stages in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Stages(pub Vec<Uuid>);

/// The enterprises of a stage in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Workers(pub Vec<Worker>);

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
    type View = ValueChainStage;

    const RESOURCE: &'static str = "value_chain_stage";
    const PATH_PARAMETER: &'static str = "value_chain_stage_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

    fn view(&self) -> ValueChainStage {
        ValueChainStage::from(self)
    }

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

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey {
            name: "position",
            sql: "value_chain_stage.position",
            kind: SqlKind::Integer,
            value: |row| i64::from(row.position).into(),
        },
        SortKey { name: "id", sql: "value_chain_stage.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

/// A stage of a cluster's value chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ValueChainStage {
    #[serde(flatten)]
    info: RecordInfo,
    /// The cluster.
    cluster_id: Uuid,
    /// Kind of stage.
    #[schema(example = "processing")]
    stage: Stage,
    /// The name in Persian, as given.
    #[schema(example = "سنگ‌بری")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Stone cutting")]
    name_en: Option<String>,
    /// Its place in the order of stages.
    #[schema(minimum = 0, maximum = 1_000, example = 3)]
    position: i32,
    /// The stages that its products go to.
    #[schema(example = json!([]))]
    feeds: Vec<Uuid>,
    /// The enterprises that work there.
    #[schema(example = json!([]))]
    enterprises: Vec<Worker>,
}

impl From<&Model> for ValueChainStage {
    fn from(row: &Model) -> Self {
        let input = ValueChainStageInput::from(row);
        Self {
            info: row.into(),
            cluster_id: row.cluster_id,
            stage: input.stage,
            name_fa: input.name_fa,
            name_en: input.name_en,
            position: input.position,
            feeds: input.feeds,
            enterprises: input.enterprises,
        }
    }
}

/// Input of a stage. Only `stage` and `name_fa` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueChainStageInput {
    /// Kind of stage.
    #[schema(example = "processing")]
    pub stage: Stage,
    /// The name in Persian.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "سنگ‌بری"
    )]
    pub name_fa: String,
    /// The name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Stone cutting"
    )]
    pub name_en: Option<String>,
    /// Its place in the order of stages; several may have the same.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000, example = 3)]
    pub position: i32,
    /// The stages that its products go to: of the same cluster, and none that feeds this one itself.
    #[serde(default)]
    #[schema(max_items = 50, example = json!([]))]
    pub feeds: Vec<Uuid>,
    /// The enterprises that work there, of the same cluster.
    #[serde(default)]
    #[schema(max_items = 500, example = json!([]))]
    pub enterprises: Vec<Worker>,
    /// Identifiers of the stage in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for ValueChainStageInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            stage: row.stage,
            name_fa: row.name_fa,
            name_en: row.name_en,
            position: row.position,
            feeds: row.feeds.0,
            enterprises: row.enterprises.0,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for ValueChainStageInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults = checks::each_once(&self.feeds, |index| format!("/feeds/{index}"));
        let enterprises: Vec<Uuid> = self.enterprises.iter().map(|worker| worker.enterprise_id).collect();
        faults.extend(checks::each_once(&enterprises, enterprise_at));
        checks::all_or_none(faults)?;
        Ok(Model {
            stage: self.stage,
            name_fa: self.name_fa,
            name_en: self.name_en,
            position: self.position,
            feeds: Stages(self.feeds),
            enterprises: Workers(self.enterprises),
            external_refs: self.external_refs,
            ..row.clone()
        })
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
