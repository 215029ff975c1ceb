//! Lineage of clusters: mergers, splits and new names. It explains different counts of different sources and
//! days.

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
        Routes, SortKey,
        page::Listed,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    problem::{Problem, Text, Violation},
    store::{Input, Record, RecordInfo, SqlKind, Transaction, decision, external_ref::ExternalRefs},
    values::Name,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// An entry of a cluster's lineage.
    "lineage_entry" {
        /// The cluster.
        cluster_id: Uuid,
        /// The code of its province, which is the cluster's.
        province: String,
        /// Kind of event.
        kind: Kind,
        /// Cluster that it was merged into, or one of those it was split into.
        other_cluster_id: Option<Uuid>,
        /// Former name.
        former_name: Option<String>,
        /// Effective date.
        effective_on: ChronoDate,
        /// Title of the source.
        source_title: Option<String>,
        /// Note.
        note: Option<String>,
        /// The decision behind it.
        decision_id: Option<Uuid>,
    }
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
    type View = LineageEntry;

    const RESOURCE: &'static str = "lineage_entry";
    const DAYS: &'static [&'static str] = &["effective_on"];
    const PATH_PARAMETER: &'static str = "lineage_entry_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

    fn view(&self) -> LineageEntry {
        LineageEntry::from(self)
    }

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

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey {
            name: "effective_on",
            sql: "lineage_entry.effective_on",
            kind: SqlKind::Date,
            value: |row| row.effective_on.into(),
        },
        SortKey { name: "id", sql: "lineage_entry.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

/// A lineage event of a cluster.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineageEntry {
    #[serde(flatten)]
    info: RecordInfo,
    /// Cluster that the entry is about.
    cluster_id: Uuid,
    /// Kind of event.
    #[schema(example = "renamed")]
    kind: Kind,
    /// Cluster that it was merged into, or one of those it was split into.
    #[schema(required, example = json!(null))]
    other_cluster_id: Option<Uuid>,
    /// Former name.
    #[schema(required, example = "سنگ‌های ساختمانی")]
    former_name: Option<Name>,
    /// Effective date.
    effective_on: Date,
    /// Title of the source.
    #[schema(required, example = "صورت‌جلسهٔ کارگروه خوشه‌های استان")]
    source_title: Option<String>,
    /// Note.
    #[schema(required)]
    note: Option<String>,
    /// The decision behind it.
    #[schema(required, example = json!(null))]
    decision_id: Option<Uuid>,
}

impl From<&Model> for LineageEntry {
    fn from(row: &Model) -> Self {
        let input = LineageEntryInput::from(row);
        Self {
            info: row.into(),
            cluster_id: row.cluster_id,
            kind: input.kind,
            other_cluster_id: input.other_cluster_id,
            former_name: input.former_name,
            effective_on: input.effective_on,
            source_title: input.source_title,
            note: input.note,
            decision_id: input.decision_id,
        }
    }
}

/// Input of a lineage entry. `kind` and `effective_on` are required, and the fields that the kind needs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "renamed", "former_name": "سنگ‌های ساختمانی", "effective_on": "2014-03-20", "source_title": "صورت‌جلسهٔ کارگروه خوشه‌های استان",
}))]
pub struct LineageEntryInput {
    /// Kind of event.
    #[schema(example = "renamed")]
    pub kind: Kind,
    /// Cluster that it was merged into, or one of those it was split into: another one of the same province.
    /// Required with `merged_into` and `split_into`, otherwise not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_cluster_id: Option<Uuid>,
    /// Former name. Required with `renamed`, otherwise not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "سنگ‌های ساختمانی")]
    pub former_name: Option<Name>,
    /// Effective date; not in the future.
    pub effective_on: Date,
    /// Title of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "\\S",
        format = "name",
        example = "صورت‌جلسهٔ کارگروه خوشه‌های استان"
    )]
    pub source_title: Option<String>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub note: Option<String>,
    /// The decision behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<Uuid>,
    /// Identifiers of the entry in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for LineageEntryInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            kind: row.kind,
            other_cluster_id: row.other_cluster_id,
            former_name: row.former_name.map(Name),
            effective_on: row.effective_on.into(),
            source_title: row.source_title,
            note: row.note,
            decision_id: row.decision_id,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for LineageEntryInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let effective_on = self.effective_on.naive();
        let mut faults: Vec<_> =
            checks::not_in_future(Some(effective_on), "/effective_on").into_iter().collect();
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
        Ok(Model {
            kind: self.kind,
            other_cluster_id: self.other_cluster_id,
            former_name: self.former_name.map(|name| name.0),
            effective_on,
            source_title: self.source_title,
            note: self.note,
            decision_id: self.decision_id,
            external_refs: self.external_refs,
            ..row.clone()
        })
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
