//! Feasibility studies (امکان‌سنجی) of clusters: executor, criteria and result.

use macros::record;
use sea_orm::{EnumIter, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity as clusters;
use crate::{
    checks,
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    organisations,
    persian::{Date, text},
    problem::{Problem, Text, Violation},
    store::{Fields, Input, Record, Transaction, decision},
    values::{List, Name, ProvinceCode},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A feasibility study of a cluster.
#[record(table = "feasibility_study", shown = FeasibilityStudy, input = FeasibilityStudyInput, sort())]
#[input(about = "Input of a feasibility study. Only `executor_id` is required.", example = json!({
    "executor_id": "0193f0a0-0000-7000-8000-000000000000", "result": "positive", "approved_on": "2014-03-20",
    "criteria": [{ "criterion": "آمادگی واحدها برای همکاری", "score": 70 }, { "criterion": "دسترسی به بازار", "score": 55 }],
}))]
pub struct Model {
    /// The cluster.
    #[shown]
    pub cluster_id: Uuid,
    /// The code of its province, which is the cluster's.
    #[kept]
    pub province: ProvinceCode,
    /// The organisation that carries it out, of the cluster's province or national.
    pub executor_id: Uuid,
    /// The criteria with their scores.
    #[input(default, max_items = 50)]
    pub criteria: List<Criterion>,
    /// Result; none while the study is under way.
    #[schema(example = "positive")]
    pub result: Option<Outcome>,
    /// Date of approval: only with a `result`, and not in the future.
    pub approved_on: Option<Date>,
    /// The decision that approved it.
    #[view(example = json!(null))]
    pub decision_id: Option<Uuid>,
}

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
    type View = Self;

    const RESOURCE: &'static str = "feasibility_study";
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const PATH_PARAMETER: &'static str = "feasibility_study_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|cluster| Column::ClusterId.eq(cluster));

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

impl Input<Model> for FeasibilityStudyInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let names: Vec<String> =
            self.criteria.iter().map(|criterion| text::key(&criterion.criterion.0)).collect();
        let mut faults = checks::each_once(&names, |index| format!("/criteria/{index}/criterion"));
        faults.extend(checks::not_in_future(self.approved_on, "/approved_on"));
        if self.approved_on.is_some() && self.result.is_none() {
            let detail =
                Text::new("مطالعه‌ای که تصویب شده نتیجه‌ای دارد.", "A study that is approved has a result.");
            faults.push(Violation::body("/result", "required", detail));
        }
        checks::all_or_none(faults)?;
        Ok(self.over(row))
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
