//! DTOs of measurements: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::entity::Model;
pub use super::entity::{Kind, MeasurementInput};
use crate::{
    indicators::dto::{Indicator, Theme},
    persian::Date,
    problem::{Problem, Text, Violation},
    projects::{belonging, dates, dto::Project},
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// A measurement (اندازه‌گیری): the value of an indicator for a project's cluster in a period.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Measurement {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    /// The indicator; with `include=indicator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub indicator: Option<Indicator>,
    /// The project; with `include=project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub project: Option<Project>,
}

impl From<&Model> for Measurement {
    fn from(row: &Model) -> Self {
        Self { row: row.clone(), indicator: None, project: None }
    }
}

impl Input<Model> for MeasurementInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> = belonging::misnamed(self.project_id, row.project_id).into_iter().collect();
        if self.kind == Kind::Actual && self.period.first_day() > Date::today_in_iran() {
            let detail = Text::new("این دوره هنوز آغاز نشده است.", "The period has not begun yet.");
            faults.push(Violation::body("/period", "in_future", detail));
        }
        dates::all_or_none(faults)?;
        Ok(Model {
            period_start: self.period.first_day(),
            period_end: self.period.last_day(),
            ..self.over(row)
        })
    }
}

/// Filters of the list of measurements.
#[derive(Debug, Deserialize, IntoParams)]
pub struct MeasurementFilter {
    /// The measurements of this project.
    pub project_id: Option<Uuid>,
    /// The measurements of this indicator.
    pub indicator_id: Option<Uuid>,
    /// Only those of indicators of any of these themes.
    #[param(style = Form, explode = false, min_items = 1, max_items = 9)]
    pub theme: Option<Vec<Theme>>,
    /// Any of these kinds.
    #[param(style = Form, explode = false, min_items = 1, max_items = 3)]
    pub kind: Option<Vec<Kind>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Only those whose period ends on this day or later.
    pub period_from: Option<Date>,
    /// Only those whose period ends before this day.
    pub period_before: Option<Date>,
}
