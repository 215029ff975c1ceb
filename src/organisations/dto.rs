//! DTOs of organisations: representation and input.

pub use super::entity::OrganisationInput;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::Kind;
use super::entity::Model;
use crate::{
    persian::text,
    problem::Problem,
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// An organisation (سازمان) that carries out, supervises, funds or takes part in a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Organisation {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    /// Parent organisation; with `include=parent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, no_recursion)]
    pub parent: Option<Box<Self>>,
}

impl From<&Model> for Organisation {
    fn from(row: &Model) -> Self {
        Self { row: row.clone(), parent: None }
    }
}

impl Input<Model> for OrganisationInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        Ok(Model { name_order: text::order(&self.name_fa), ..self.over(row) })
    }
}

/// Filters of the list of organisations.
#[derive(Debug, Deserialize, IntoParams)]
pub struct OrganisationFilter {
    /// Any of these kinds.
    #[param(style = Form, explode = false, min_items = 1, max_items = 9)]
    pub kind: Option<Vec<Kind>>,
    /// Any of these provinces. National organisations belong to none.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// The parts of this organisation.
    pub parent_id: Option<Uuid>,
}
