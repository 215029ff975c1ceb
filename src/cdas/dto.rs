//! DTOs of CDAs: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use super::entity::{CdaInput, Certificate};
use super::{entity::Model, rules::State};
use crate::{
    lifecycle::AllowedTransition,
    persian::text,
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// A CDA (cluster development agent, عامل توسعهٔ خوشه): the natural person who directs a cluster's
/// development project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cda {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    /// Allowed transitions.
    #[schema(ignore)]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
}

impl From<&Model> for Cda {
    fn from(row: &Model) -> Self {
        Self { row: row.clone(), allowed_transitions: Vec::new() }
    }
}

impl Input<Model> for CdaInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let backwards = self
            .certificates
            .iter()
            .enumerate()
            .filter(|(_, held)| held.expires_on.is_some_and(|end| end < held.issued_on));
        let faults: Vec<_> = backwards
            .map(|(index, _)| {
                let detail =
                    Text::new("پایان اعتبار پیش از تاریخ صدور است.", "It would expire before it was issued.");
                Violation::body(format!("/certificates/{index}/expires_on"), "too_early", detail)
            })
            .collect();
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        Ok(Model { name_order: text::order(&self.name_fa), ..self.over(row) })
    }
}

/// Filters of the list of CDAs.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CdaFilter {
    /// Any of these states.
    #[param(style = Form, explode = false, min_items = 1, max_items = 5)]
    pub state: Option<Vec<State>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
}
