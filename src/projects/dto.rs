//! DTOs of projects: representation and input.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::{BudgetLine, Line, ProjectInput};
use super::{
    assignments::Model as Assignment, entity::Model, figures::Figures, partners::Model as Partner,
    phases::Model as Phase, rules::State, supervisions::Model as Supervision,
};
use crate::{
    checks,
    clusters::dto::Cluster,
    lifecycle::AllowedTransition,
    organisations::dto::Organisation,
    persian::text,
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// A cluster development project (پروژهٔ توسعهٔ خوشه): a planned effort of a provincial company, directed by
/// one CDA, to raise a cluster's dynamism and competitiveness.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Project {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    /// Allowed transitions.
    #[schema(ignore)]
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
        Self {
            row: row.clone(),
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

impl Input<Model> for ProjectInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> =
            checks::in_order(self.contract_start, self.contract_end, "/contract_end").into_iter().collect();
        let mut seen = BTreeSet::new();
        for (index, _) in self.budget.iter().enumerate().filter(|(_, line)| !seen.insert(line.line)) {
            let detail = Text::new("این ردیف بودجه دو بار آمده است.", "This budget line is given twice.");
            faults.push(Violation::body(format!("/budget/{index}/line"), "repeated_items", detail));
        }
        checks::all_or_none(faults)?;
        Ok(Model { title_order: text::order(&self.title_fa), ..self.over(row) })
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
