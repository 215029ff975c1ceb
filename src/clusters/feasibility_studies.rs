//! Feasibility studies (امکان‌سنجی) of clusters: executor, criteria and result.

use sea_orm::{EnumIter, FromJsonQueryResult, entity::prelude::*, sea_query::SimpleExpr};
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
    organisations,
    persian::{Date, text},
    problem::{Problem, Text, Violation},
    store::{Input, Record, RecordInfo, SqlKind, Transaction, decision, external_ref::ExternalRefs},
    values::Name,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A feasibility study of a cluster.
    "feasibility_study" {
        /// The cluster.
        cluster_id: Uuid,
        /// The code of its province, which is the cluster's.
        province: String,
        /// Organisation that carries it out.
        executor_id: Uuid,
        /// The criteria with their scores.
        criteria: Criteria,
        /// Result.
        result: Option<Outcome>,
        /// Date of approval.
        approved_on: Option<ChronoDate>,
        /// The decision that approved it.
        decision_id: Option<Uuid>,
    }
}

/// The criteria in their column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Criteria(pub Vec<Criterion>);

/// Results of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = FeasibilityResult)]
pub enum Outcome {
    /// Its development is feasible.
    Positive,
    /// It is not.
    Negative,
}

/// A criterion of a study, with the score of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeasibilityCriterion)]
pub struct Criterion {
    /// Criterion. A study has each criterion once, regardless of spaces and letter forms.
    #[schema(example = "آمادگی واحدها برای همکاری")]
    pub criterion: Name,
    /// The score, 0 to 100.
    #[schema(minimum = 0, maximum = 100, example = 70)]
    pub score: i32,
    /// Reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub note: Option<String>,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = FeasibilityStudy;

    const RESOURCE: &'static str = "feasibility_study";
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const DAYS: &'static [&'static str] = &["approved_on"];
    const PATH_PARAMETER: &'static str = "feasibility_study_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

    fn view(&self) -> FeasibilityStudy {
        FeasibilityStudy::from(self)
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("clusters/{}/feasibility-studies/{}", self.cluster_id, self.id)
    }

    /// Checks that executor and decision are of the province of the cluster, or national.
    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        self.province = transaction.referred::<clusters::Model>(self.cluster_id, "").await?.province;
        let executor: organisations::entity::Model =
            transaction.referred(self.executor_id, "/executor_id").await?;
        let mut faults: Vec<_> =
            checks::same_province(&self.province, executor.province.as_deref(), "/executor_id")
                .into_iter()
                .collect();
        faults.extend(decision::check(transaction, self.decision_id, Some(&self.province)).await?);
        checks::all_or_none(faults)
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[SortKey {
        name: "id",
        sql: "feasibility_study.id",
        kind: SqlKind::Uuid,
        value: |row| row.id.into(),
    }];
}

/// A feasibility study of a cluster.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeasibilityStudy {
    #[serde(flatten)]
    info: RecordInfo,
    /// The cluster.
    cluster_id: Uuid,
    /// The organisation that carries it out.
    executor_id: Uuid,
    /// The criteria with their scores.
    criteria: Vec<Criterion>,
    /// Result; null while the study is under way.
    #[schema(required, example = "positive")]
    result: Option<Outcome>,
    /// Date of approval.
    #[schema(required)]
    approved_on: Option<Date>,
    /// The decision that approved it.
    #[schema(required, example = json!(null))]
    decision_id: Option<Uuid>,
}

impl From<&Model> for FeasibilityStudy {
    fn from(row: &Model) -> Self {
        let input = FeasibilityStudyInput::from(row);
        Self {
            info: row.into(),
            cluster_id: row.cluster_id,
            executor_id: input.executor_id,
            criteria: input.criteria,
            result: input.result,
            approved_on: input.approved_on,
            decision_id: input.decision_id,
        }
    }
}

/// Input of a feasibility study. Only `executor_id` is required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "executor_id": "0193f0a0-0000-7000-8000-000000000000", "result": "positive", "approved_on": "2014-03-20",
    "criteria": [{ "criterion": "آمادگی واحدها برای همکاری", "score": 70 }, { "criterion": "دسترسی به بازار", "score": 55 }],
}))]
pub struct FeasibilityStudyInput {
    /// The organisation that carries it out, of the cluster's province or national.
    pub executor_id: Uuid,
    /// The criteria with their scores.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub criteria: Vec<Criterion>,
    /// Result; none while the study is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "positive")]
    pub result: Option<Outcome>,
    /// Date of approval: only with a `result`, and not in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_on: Option<Date>,
    /// The decision that approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<Uuid>,
    /// Identifiers of the study in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for FeasibilityStudyInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            executor_id: row.executor_id,
            criteria: row.criteria.0,
            result: row.result,
            approved_on: row.approved_on.map(Date::from),
            decision_id: row.decision_id,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for FeasibilityStudyInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let approved_on = self.approved_on.map(Date::naive);
        let names: Vec<String> =
            self.criteria.iter().map(|criterion| text::key(&criterion.criterion.0)).collect();
        let mut faults = checks::each_once(&names, |index| format!("/criteria/{index}/criterion"));
        faults.extend(checks::not_in_future(approved_on, "/approved_on"));
        if approved_on.is_some() && self.result.is_none() {
            let detail =
                Text::new("مطالعه‌ای که تصویب شده نتیجه‌ای دارد.", "A study that is approved has a result.");
            faults.push(Violation::body("/result", "required", detail));
        }
        checks::all_or_none(faults)?;
        Ok(Model {
            executor_id: self.executor_id,
            criteria: Criteria(self.criteria),
            result: self.result,
            approved_on,
            decision_id: self.decision_id,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

impl Resource for Model {
    type Input = FeasibilityStudyInput;

    const WORDS: Words = Words {
        path: "/clusters/{id}/feasibility-studies",
        one: "feasibility_study",
        many: "feasibility_studies",
        a: "a feasibility study",
        reads: "clusters:read",
        writes: "clusters:write",
        about: &[
            (
                Standard::List,
                "List the feasibility studies of a cluster",
                "Oldest first, unless sorted by `-id`.",
            ),
            (
                Standard::Create,
                "Add a feasibility study of a cluster",
                "Only the executor is needed at first; scores, result and approval come when they are known.",
            ),
            (Standard::Update, "Change a feasibility study", ""),
        ],
    };
}

impl Part for Model {
    type Whole = clusters::Model;

    fn of(cluster: &clusters::Model) -> Self {
        Self { cluster_id: cluster.id, ..Self::default() }
    }
}
