//! Networks (شبکه) of enterprises in a cluster: purpose, members and cost.

use macros::record;
use sea_orm::{EnumIter, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
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
    persian::Date,
    problem::{Problem, Text, Violation},
    store::{Fields, Input, Record, Transaction},
    values::{Amount, List, ProvinceCode},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A network of enterprises.
#[record(table = "network", shown = Network, input = NetworkInput, sort())]
#[input(about = "Input of a network. `kind`, `name_fa` and `members` are required.")]
pub struct Model {
    /// The cluster.
    #[shown]
    pub cluster_id: Uuid,
    /// The code of its province, which is the cluster's.
    #[kept]
    pub province: ProvinceCode,
    /// Kind of network.
    #[schema(example = "export_consortium")]
    pub kind: Kind,
    /// The name in Persian.
    #[schema(example = "کنسرسیوم صادراتی سنگ لرستان")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Lorestan Stone Export Consortium")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_en: Option<String>,
    /// Date of formation; not in the future.
    #[input(example = "2015-05-22")]
    pub formed_on: Option<Date>,
    /// Date of dissolution; not in the future, and not before the formation.
    #[view(example = json!(null))]
    pub dissolved_on: Option<Date>,
    /// The enterprises in it, of the cluster's province; also of another cluster, or of none.
    #[input(min_items = 2, max_items = 500, example = json!(["0193f0a0-0000-7000-8000-000000000000", "0193f0a0-0000-7000-8000-000000000001"]))]
    pub members: List<Uuid>,
    /// Purpose.
    #[schema(example = "صادرات مشترک به کشورهای همسایه")]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub purpose: Option<String>,
    /// Cost in whole rials.
    pub cost_irr: Option<Amount>,
    /// Private share of the cost, in basis points (10,000 are the whole).
    #[schema(minimum = 0, maximum = 10_000, example = 4000)]
    pub private_share_bp: Option<i32>,
}

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
    type View = Self;

    const RESOURCE: &'static str = "network";
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const PATH_PARAMETER: &'static str = "network_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

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
            members::check(transaction, &self.members.0, Of::Province(self.province.0.clone()), member_at)
                .await?,
        )
    }
}

fn member_at(index: usize) -> String {
    format!("/members/{index}")
}

impl Input<Model> for NetworkInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults = checks::each_once(&self.members, member_at);
        faults.extend(checks::in_order(self.formed_on, self.dissolved_on, "/dissolved_on"));
        faults.extend(checks::not_in_future(self.formed_on, "/formed_on"));
        faults.extend(checks::not_in_future(self.dissolved_on, "/dissolved_on"));
        if self.dissolved_on.is_some() && self.formed_on.is_none() {
            let detail = Text::new(
                "شبکه‌ای که برچیده شده روزی شکل گرفته است.",
                "A network that was dissolved was formed.",
            );
            faults.push(Violation::body("/formed_on", "required", detail));
        }
        checks::all_or_none(faults)?;
        Ok(self.over(row))
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
