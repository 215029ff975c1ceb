//! DTOs of projects: representation and input.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::{BudgetLine, Line};
use super::{
    assignments::Assignment,
    dates,
    entity::{Budget, Model},
    figures::Figures,
    partners::Partner,
    phases::Phase,
    rules::State,
    supervisions::Supervision,
};
use crate::{
    clusters::dto::Cluster,
    lifecycle::AllowedTransition,
    organisations::dto::Organisation,
    persian::{Date, text},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
};

/// A cluster development project (پروژهٔ توسعهٔ خوشه): a planned effort of a provincial company, directed by
/// one CDA, to raise a cluster's dynamism and competitiveness.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Project {
    #[serde(flatten)]
    info: RecordInfo,
    /// The code in the programme.
    #[schema(example = "15-P-0001")]
    code: String,
    /// The cluster that it develops.
    cluster_id: Uuid,
    /// Organisation that carries it out.
    organisation_id: Uuid,
    /// The province, which is that of the cluster.
    province: ProvinceCode,
    /// The title in Persian, as given.
    #[schema(example = "پروژهٔ توسعهٔ خوشهٔ سنگ لرستان")]
    title_fa: String,
    /// The title in English.
    #[schema(required, example = "Development of the stone cluster of Lorestan")]
    title_en: Option<String>,
    /// The number of the contract.
    #[schema(required, example = "1393/112")]
    contract_no: Option<String>,
    /// The first day of the contract.
    #[schema(required)]
    contract_start: Option<Date>,
    /// The last day of the contract.
    #[schema(required, example = "2017-03-20")]
    contract_end: Option<Date>,
    /// Planned duration in months.
    #[schema(minimum = 1, example = 36)]
    planned_months: i32,
    /// The approved budget by line.
    budget: Vec<BudgetLine>,
    /// Vision for the cluster.
    #[schema(required, example = "قطب صادرات سنگ تزئینی کشور")]
    vision: Option<String>,
    /// Organisation that receives the results of the project.
    #[schema(required, example = json!(null))]
    receiving_organisation_id: Option<Uuid>,
    /// State. It changes only by `POST /projects/{id}/transitions`.
    state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[schema(example = json!([{"to": "approved", "needs": ["decision_id"], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// Not part of the history, because they depend on other records and the day.
    #[serde(flatten)]
    #[schema(value_type = Figures)]
    pub figures: Option<Figures>,
    /// The cluster; with `include=cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cluster: Option<Cluster>,
    /// Organisation that carries it out; with `include=organisation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organisation: Option<Organisation>,
    /// The assignments; with `include=assignments`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub assignments: Option<Vec<Assignment>>,
    /// The supervisions; with `include=supervisions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub supervisions: Option<Vec<Supervision>>,
    /// The partners; with `include=partners`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub partners: Option<Vec<Partner>>,
    /// The phases; with `include=phases`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub phases: Option<Vec<Phase>>,
}

impl From<&Model> for Project {
    fn from(row: &Model) -> Self {
        let input = ProjectInput::from(row);
        Self {
            info: row.into(),
            code: row.code.clone(),
            cluster_id: input.cluster_id,
            organisation_id: input.organisation_id,
            province: ProvinceCode(row.province.clone()),
            title_fa: input.title_fa,
            title_en: input.title_en,
            contract_no: input.contract_no,
            contract_start: input.contract_start,
            contract_end: input.contract_end,
            planned_months: input.planned_months,
            budget: input.budget,
            vision: input.vision,
            receiving_organisation_id: input.receiving_organisation_id,
            state: row.state,
            allowed_transitions: Vec::new(),
            figures: None,
            cluster: None,
            organisation: None,
            assignments: None,
            supervisions: None,
            partners: None,
            phases: None,
        }
    }
}

/// Input of a project. Only `cluster_id`, `organisation_id` and `title_fa` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectInput {
    /// The code in the programme; given out by the service when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$", nullable = false)]
    pub code: Option<String>,
    /// The cluster that it develops.
    pub cluster_id: Uuid,
    /// Organisation that carries it out: of the same province, or a national one.
    pub organisation_id: Uuid,
    /// The title in Persian.
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "پروژهٔ توسعهٔ خوشهٔ سنگ لرستان"
    )]
    pub title_fa: String,
    /// The title in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Development of the stone cluster of Lorestan"
    )]
    pub title_en: Option<String>,
    /// The number of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, pattern = "\\S", format = "name", example = "1393/112")]
    pub contract_no: Option<String>,
    /// The first day of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_start: Option<Date>,
    /// The last day of the contract. Phases and milestones lie within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2017-03-20")]
    pub contract_end: Option<Date>,
    /// Planned duration in months; 36 by default.
    #[serde(default = "typical_months")]
    #[schema(minimum = 1, maximum = 240, example = 36)]
    pub planned_months: i32,
    /// The approved budget; each line once.
    #[serde(default)]
    #[schema(max_items = 4)]
    pub budget: Vec<BudgetLine>,
    /// Vision for the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 4000, pattern = "\\S", example = "قطب صادرات سنگ تزئینی کشور")]
    pub vision: Option<String>,
    /// Organisation that receives the results of the project, such as an association: of the same province,
    /// or national.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_organisation_id: Option<Uuid>,
    /// Identifiers of the project in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

/// Three years, as the programme has it.
fn typical_months() -> i32 {
    36
}

impl From<&Model> for ProjectInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            code: Some(row.code),
            cluster_id: row.cluster_id,
            organisation_id: row.organisation_id,
            title_fa: row.title_fa,
            title_en: row.title_en,
            contract_no: row.contract_no,
            contract_start: row.contract_start.map(Date::from),
            contract_end: row.contract_end.map(Date::from),
            planned_months: row.planned_months,
            budget: row.budget.0,
            vision: row.vision,
            receiving_organisation_id: row.receiving_organisation_id,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for ProjectInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let (start, end) = (self.contract_start.map(Date::naive), self.contract_end.map(Date::naive));
        let mut faults: Vec<_> = dates::in_order(start, end, "/contract_end").into_iter().collect();
        let mut seen = BTreeSet::new();
        for (index, _) in self.budget.iter().enumerate().filter(|(_, line)| !seen.insert(line.line)) {
            let detail = Text::new("این ردیف بودجه دو بار آمده است.", "This budget line is given twice.");
            faults.push(Violation::body(format!("/budget/{index}/line"), "repeated_items", detail));
        }
        dates::all_or_none(faults)?;
        Ok(Model {
            code: self.code.unwrap_or_else(|| row.code.clone()),
            cluster_id: self.cluster_id,
            organisation_id: self.organisation_id,
            title_order: text::order(&self.title_fa),
            title_fa: self.title_fa,
            title_en: self.title_en,
            contract_no: self.contract_no,
            contract_start: start,
            contract_end: end,
            planned_months: self.planned_months,
            budget: Budget(self.budget),
            vision: self.vision,
            receiving_organisation_id: self.receiving_organisation_id,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of projects.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ProjectFilter {
    /// Any of these states.
    #[param(style = Form, explode = false, min_items = 1, max_items = 11)]
    pub state: Option<Vec<State>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// The projects of this cluster.
    pub cluster_id: Option<Uuid>,
    /// The projects that this organisation carries out.
    pub organisation_id: Option<Uuid>,
    /// The projects that are assigned to this CDA today.
    pub cda_id: Option<Uuid>,
    /// With `true` only your own work: for CDAs and supervisors the projects that are assigned to them today.
    pub mine: Option<bool>,
}
