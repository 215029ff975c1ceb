//! DTOs of payments: representation and input.

pub use super::entity::PaymentInput;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::entity::Model;
use crate::{
    checks,
    milestones::dto::Milestone,
    persian::Date,
    problem::{Problem, Text, Violation},
    projects::{
        belonging,
        dto::{Line, Project},
    },
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// A payment (پرداخت) from a line of a project's budget.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Payment {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    /// The project; with `include=project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub project: Option<Project>,
    /// Milestone that is paid for; with `include=milestone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub milestone: Option<Milestone>,
}

impl From<&Model> for Payment {
    fn from(row: &Model) -> Self {
        Self { row: row.clone(), project: None, milestone: None }
    }
}

impl Input<Model> for PaymentInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> = belonging::misnamed(self.project_id, row.project_id).into_iter().collect();
        faults.extend(checks::not_in_future(Some(self.paid_on), "/paid_on"));
        faults.extend(checks::not_in_future(self.reconciled_on, "/reconciled_on"));
        if self.reconciled_on.is_some_and(|day| day < self.paid_on) {
            let detail =
                Text::new("مغایرت‌گیری پیش از پرداخت نیست.", "It is not reconciled before it is paid.");
            faults.push(Violation::body("/reconciled_on", "too_early", detail));
        }
        checks::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

/// Filters of the list of payments.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PaymentFilter {
    /// The payments of this project.
    pub project_id: Option<Uuid>,
    /// From any of these budget lines.
    #[param(style = Form, explode = false, min_items = 1, max_items = 4)]
    pub line: Option<Vec<Line>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// The payments for this milestone.
    pub milestone_id: Option<Uuid>,
    /// Paid on this day or later.
    pub paid_from: Option<Date>,
    /// Paid before this day.
    pub paid_before: Option<Date>,
    /// With `true` only payments reconciled with the bank statement; with `false` only the others.
    pub reconciled: Option<bool>,
}
