//! Lineage of clusters: mergers, splits and new names. It explains different counts of different sources and
//! days.

use macros::record;
use sea_orm::{
    EnumIter,
    entity::prelude::*,
    sea_query::{Condition, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity as clusters;
use crate::{
    checks,
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    problem::{Problem, Text, Violation},
    store::{Fields, Input, Record, Transaction, decision},
    values::{Name, ProvinceCode},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A lineage event of a cluster.
#[record(table = "lineage_entry", shown = LineageEntry, input = LineageEntryInput, sort(effective_on))]
#[input(
    about = "Input of a lineage entry. `kind` and `effective_on` are required, and the fields that the kind needs.",
    example = json!({
    "kind": "renamed", "former_name": "سنگ‌های ساختمانی", "effective_on": "2014-03-20", "source_title": "صورت‌جلسهٔ کارگروه خوشه‌های استان",
})
)]
pub struct Model {
    /// Cluster that the entry is about.
    #[shown]
    pub cluster_id: Uuid,
    /// The code of its province, which is the cluster's.
    #[kept]
    pub province: ProvinceCode,
    /// Kind of event.
    #[schema(example = "renamed")]
    pub kind: Kind,
    /// Cluster that it was merged into, or one of those it was split into: another one of the same province.
    /// Required with `merged_into` and `split_into`, otherwise not allowed.
    #[view(example = json!(null))]
    pub other_cluster_id: Option<Uuid>,
    /// Former name. Required with `renamed`, otherwise not allowed.
    #[schema(example = "سنگ‌های ساختمانی")]
    pub former_name: Option<Name>,
    /// Effective date; not in the future.
    pub effective_on: Date,
    /// Title of the source.
    #[schema(example = "صورت‌جلسهٔ کارگروه خوشه‌های استان")]
    #[input(min_length = 1, max_length = 500, pattern = "\\S", format = "name")]
    pub source_title: Option<String>,
    /// Note.
    #[input(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub note: Option<String>,
    /// The decision behind it.
    #[view(example = json!(null))]
    pub decision_id: Option<Uuid>,
}

/// Kinds of lineage events of a cluster.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = LineageKind)]
pub enum Kind {
    /// Merged into another cluster.
    MergedInto,
    /// Split into several clusters, of which this is one.
    SplitInto,
    /// Had another name before.
    #[default]
    Renamed,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "lineage_entry";
    const PATH_PARAMETER: &'static str = "lineage_entry_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("clusters/{}/lineage/{}", self.cluster_id, self.id)
    }

    /// Checks that the other cluster is a different one of the same province.
    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        self.province = transaction.referred::<clusters::Model>(self.cluster_id, "").await?.province;
        let mut faults = Vec::new();
        if let Some(id) = self.other_cluster_id {
            let other: clusters::Model = transaction.referred(id, "/other_cluster_id").await?;
            faults.extend(checks::same_province(&self.province, Some(&other.province), "/other_cluster_id"));
            if id == self.cluster_id {
                let detail = Text::new("این همان خوشه است.", "It is the same cluster.");
                faults.push(Violation::body("/other_cluster_id", "cycle", detail));
            }
        }
        faults.extend(decision::check(transaction, self.decision_id, Some(&self.province)).await?);
        checks::all_or_none(faults)
    }
}

impl Input<Model> for LineageEntryInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> =
            checks::not_in_future(Some(self.effective_on), "/effective_on").into_iter().collect();
        let is_renamed = self.kind == Kind::Renamed;
        for (pointer, is_given, is_needed) in [
            ("/other_cluster_id", self.other_cluster_id.is_some(), !is_renamed),
            ("/former_name", self.former_name.is_some(), is_renamed),
        ] {
            match (is_given, is_needed) {
                (false, true) => faults.push(Violation::body(
                    pointer,
                    "required",
                    Text::new("این فیلد لازم است.", "This field is required."),
                )),
                (true, false) => {
                    let detail = Text::new(
                        "این فیلد با این نوع معنا ندارد.",
                        "This field has no meaning with this kind.",
                    );
                    faults.push(Violation::body(pointer, "not_applicable", detail));
                }
                _ => {}
            }
        }
        checks::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

impl Resource for Model {
    type Input = LineageEntryInput;

    const WORDS: Words = Words {
        path: "/clusters/{id}/lineage",
        one: "lineage_entry",
        many: "lineage_entries",
        a: "an entry of the lineage",
        reads: "clusters:read",
        writes: "clusters:write",
        about: &[
            (
                Standard::List,
                "List the lineage of a cluster",
                "What became of it, and of which clusters it is a successor: there `other_cluster_id` is this \
                 one. Oldest record first, unless sorted otherwise.",
            ),
            (
                Standard::Create,
                "Record what became of a cluster",
                "For a cluster that was split into several, one entry for each of them. The state changes by \
                 a transition of its own.",
            ),
            (Standard::Get, "Read an entry of the lineage", "Under the cluster that it became of."),
            (Standard::Update, "Change an entry of the lineage", ""),
        ],
    };
}

impl Part for Model {
    type Whole = clusters::Model;

    fn of(cluster: &clusters::Model) -> Self {
        Self { cluster_id: cluster.id, ..Self::default() }
    }

    fn is_of(cluster: &clusters::Model) -> Condition {
        Condition::any().add(Column::ClusterId.eq(cluster.id)).add(Column::OtherClusterId.eq(cluster.id))
    }
}
