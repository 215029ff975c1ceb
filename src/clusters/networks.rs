//! Networks (شبکه) of enterprises in a cluster: purpose, members and cost.

use sea_orm::{EnumIter, FromJsonQueryResult, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
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
    persian::Date,
    problem::{Problem, Text, Violation},
    store::{Input, Record, RecordInfo, SqlKind, Transaction, external_ref::ExternalRefs},
    values::Amount,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A network of enterprises.
    "network" {
        /// The cluster.
        cluster_id: Uuid,
        /// The code of its province, which is the cluster's.
        province: String,
        /// Kind of network.
        kind: Kind,
        /// Its Persian name as given.
        name_fa: String,
        /// Its English name.
        name_en: Option<String>,
        /// Date of formation.
        formed_on: Option<ChronoDate>,
        /// Date of dissolution.
        dissolved_on: Option<ChronoDate>,
        /// The enterprises in it.
        members: Members,
        /// Purpose.
        purpose: Option<String>,
        /// Cost in rials.
        cost_irr: Option<i64>,
        /// Private share of the cost, in basis points.
        private_share_bp: Option<i32>,
    }
}

/// Several enterprises in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Members(pub Vec<Uuid>);

/// The kinds of networks, after UNIDO.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = NetworkKind)]
pub enum Kind {
    /// Of enterprises that do the same.
    #[default]
    Horizontal,
    /// Of enterprises that supply one another.
    Vertical,
    /// To export together.
    ExportConsortium,
    /// To buy raw material together.
    RawMaterial,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Network;

    const RESOURCE: &'static str = "network";
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const DAYS: &'static [&'static str] = &["formed_on", "dissolved_on"];
    const PATH_PARAMETER: &'static str = "network_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

    fn view(&self) -> Network {
        Network::from(self)
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("clusters/{}/networks/{}", self.cluster_id, self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        self.members.0.iter().map(|member| members::term(*member)).collect()
    }

    /// Checks that the members are enterprises of the province.
    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        self.province = transaction.referred::<clusters::Model>(self.cluster_id, "").await?.province;
        checks::all_or_none(
            members::check(transaction, &self.members.0, Of::Province(self.province.clone()), member_at)
                .await?,
        )
    }
}

fn member_at(index: usize) -> String {
    format!("/members/{index}")
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey { name: "id", sql: "network.id", kind: SqlKind::Uuid, value: |row| row.id.into() }];
}

/// A network of enterprises.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Network {
    #[serde(flatten)]
    info: RecordInfo,
    /// The cluster.
    cluster_id: Uuid,
    /// Kind of network.
    #[schema(example = "export_consortium")]
    kind: Kind,
    /// The name in Persian, as given.
    #[schema(example = "کنسرسیوم صادراتی سنگ لرستان")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Lorestan Stone Export Consortium")]
    name_en: Option<String>,
    /// Date of formation.
    #[schema(required)]
    formed_on: Option<Date>,
    /// Date of dissolution.
    #[schema(required, example = json!(null))]
    dissolved_on: Option<Date>,
    /// The enterprises in it.
    members: Vec<Uuid>,
    /// Purpose.
    #[schema(required, example = "صادرات مشترک به کشورهای همسایه")]
    purpose: Option<String>,
    /// Cost in whole rials.
    #[schema(required)]
    cost_irr: Option<Amount>,
    /// Private share of the cost, in basis points (10,000 are the whole).
    #[schema(required, minimum = 0, maximum = 10_000, example = 4000)]
    private_share_bp: Option<i32>,
}

impl From<&Model> for Network {
    fn from(row: &Model) -> Self {
        let input = NetworkInput::from(row);
        Self {
            info: row.into(),
            cluster_id: row.cluster_id,
            kind: input.kind,
            name_fa: input.name_fa,
            name_en: input.name_en,
            formed_on: input.formed_on,
            dissolved_on: input.dissolved_on,
            members: input.members,
            purpose: input.purpose,
            cost_irr: input.cost_irr,
            private_share_bp: input.private_share_bp,
        }
    }
}

/// Input of a network. `kind`, `name_fa` and `members` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkInput {
    /// Kind of network.
    #[schema(example = "export_consortium")]
    pub kind: Kind,
    /// The name in Persian.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "کنسرسیوم صادراتی سنگ لرستان"
    )]
    pub name_fa: String,
    /// The name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Lorestan Stone Export Consortium"
    )]
    pub name_en: Option<String>,
    /// Date of formation; not in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2015-05-22")]
    pub formed_on: Option<Date>,
    /// Date of dissolution; not in the future, and not before the formation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dissolved_on: Option<Date>,
    /// The enterprises in it, of the cluster's province; also of another cluster, or of none.
    #[schema(min_items = 2, max_items = 500, example = json!(["0193f0a0-0000-7000-8000-000000000000", "0193f0a0-0000-7000-8000-000000000001"]))]
    pub members: Vec<Uuid>,
    /// Purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "صادرات مشترک به کشورهای همسایه")]
    pub purpose: Option<String>,
    /// Cost in whole rials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_irr: Option<Amount>,
    /// Private share of the cost, in basis points (10,000 are the whole).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 10_000, example = 4000)]
    pub private_share_bp: Option<i32>,
    /// Identifiers of the network in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for NetworkInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            kind: row.kind,
            name_fa: row.name_fa,
            name_en: row.name_en,
            formed_on: row.formed_on.map(Date::from),
            dissolved_on: row.dissolved_on.map(Date::from),
            members: row.members.0,
            purpose: row.purpose,
            cost_irr: row.cost_irr.map(Amount),
            private_share_bp: row.private_share_bp,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for NetworkInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let [formed_on, dissolved_on] = [self.formed_on, self.dissolved_on].map(|day| day.map(Date::naive));
        let mut faults = checks::each_once(&self.members, member_at);
        faults.extend(checks::in_order(formed_on, dissolved_on, "/dissolved_on"));
        faults.extend(checks::not_in_future(formed_on, "/formed_on"));
        faults.extend(checks::not_in_future(dissolved_on, "/dissolved_on"));
        if dissolved_on.is_some() && formed_on.is_none() {
            let detail = Text::new(
                "شبکه‌ای که برچیده شده روزی شکل گرفته است.",
                "A network that was dissolved was formed.",
            );
            faults.push(Violation::body("/formed_on", "required", detail));
        }
        checks::all_or_none(faults)?;
        Ok(Model {
            kind: self.kind,
            name_fa: self.name_fa,
            name_en: self.name_en,
            formed_on,
            dissolved_on,
            members: Members(self.members),
            purpose: self.purpose,
            cost_irr: self.cost_irr.map(|amount| amount.0),
            private_share_bp: self.private_share_bp,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

impl Resource for Model {
    type Input = NetworkInput;

    const WORDS: Words = Words {
        path: "/clusters/{id}/networks",
        one: "network",
        many: "networks",
        a: "a network",
        reads: "clusters:read",
        writes: "clusters:write",
        about: &[
            (Standard::List, "List the networks of a cluster", "Oldest first, unless sorted by `-id`."),
            (Standard::Create, "Add a network to a cluster", "It has two members at least."),
            (Standard::Update, "Change a network", ""),
            (
                Standard::Delete,
                "Delete a network",
                "Leaves a tombstone. Repeating it is no error. What was dissolved gets a `dissolved_on` \
                 instead.",
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
