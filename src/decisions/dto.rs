//! DTOs of decisions: representation and input.

pub use super::entity::DecisionInput;
pub use super::entity::Model as Decision;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

pub use super::entity::Body;
use super::entity::Model;
use crate::{
    checks,
    persian::Date,
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input},
};

impl Input<Model> for DecisionInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> =
            checks::not_in_future(Some(self.decided_on), "/decided_on").into_iter().collect();
        match (self.body, &self.province) {
            (Body::NationalCouncil, Some(_)) => {
                let detail = Text::new(
                    "مصوبهٔ شورای ملی استان ندارد.",
                    "A decision of the national council is of no province.",
                );
                faults.push(Violation::body("/province", "not_applicable", detail));
            }
            (Body::ProvincialCommittee | Body::SteeringCouncil, None) => {
                let detail =
                    Text::new("مصوبهٔ این مرجع استان دارد.", "A decision of this body is of a province.");
                faults.push(Violation::body("/province", "required", detail));
            }
            _ => {}
        }
        checks::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

/// Filters of the list of decisions.
#[derive(Debug, Deserialize, IntoParams)]
pub struct DecisionFilter {
    /// Only decisions of any of these bodies.
    #[param(style = Form, explode = false, min_items = 1, max_items = 3)]
    pub body: Option<Vec<Body>>,
    /// Any of these provinces. National decisions belong to none.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Only decisions about this cluster.
    pub cluster_id: Option<Uuid>,
    /// Only decisions about this project.
    pub project_id: Option<Uuid>,
    /// Decided on this day or later.
    pub decided_from: Option<Date>,
    /// Decided before this day.
    pub decided_before: Option<Date>,
}
