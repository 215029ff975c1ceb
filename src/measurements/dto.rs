//! DTOs of measurements: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::Kind;
use super::entity::Model;
use crate::{
    indicators::dto::{Indicator, Theme},
    persian::{Date, PersianPeriod},
    problem::{Problem, Text, Violation},
    projects::{belonging, dates, dto::Project},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
    values::Decimal,
};

/// A measurement (اندازه‌گیری): the value of an indicator for a project's cluster in a period.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Measurement {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// The province, which is that of the project.
    province: ProvinceCode,
    /// The indicator.
    indicator_id: Uuid,
    /// Kind of value.
    #[schema(example = "baseline")]
    kind: Kind,
    /// The period, in the Persian calendar always.
    period: PersianPeriod,
    /// The first day of the period.
    period_start: Date,
    /// The last day of the period.
    #[schema(example = "2014-09-22")]
    period_end: Date,
    /// The value, in the unit of the indicator.
    value: Decimal,
    /// Source of the value.
    #[schema(required, example = "پرسش‌نامهٔ واحدهای عضو")]
    source: Option<String>,
    /// Note.
    #[schema(required, example = "بدون دو واحد تعطیل")]
    note: Option<String>,
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
        let input = MeasurementInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            province: ProvinceCode(row.province.clone()),
            indicator_id: input.indicator_id,
            kind: input.kind,
            period: input.period,
            period_start: row.period_start.into(),
            period_end: row.period_end.into(),
            value: input.value,
            source: input.source,
            note: input.note,
            indicator: None,
            project: None,
        }
    }
}

/// Input of a measurement. Only `source` and `note` are optional.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "indicator_id": "0193f0a0-0000-7000-8000-000000000001", "kind": "baseline",
    "period": "1393-H1", "value": "12.5", "source": "پرسش‌نامهٔ واحدهای عضو",
}))]
pub struct MeasurementInput {
    /// The project: needed for a new measurement. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// The indicator, an active one.
    pub indicator_id: Uuid,
    /// Kind of value.
    #[schema(example = "baseline")]
    pub kind: Kind,
    /// Period, always in the Persian calendar. For an actual value it has the length of the indicator's
    /// `frequency`, and must have begun; a baseline or a target may have any period.
    pub period: PersianPeriod,
    /// Value in the unit of the indicator, with at most its number of decimals.
    pub value: Decimal,
    /// Source of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 500, pattern = "\\S", example = "پرسش‌نامهٔ واحدهای عضو")]
    pub source: Option<String>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "بدون دو واحد تعطیل")]
    pub note: Option<String>,
    /// Identifiers of the measurement in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for MeasurementInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            project_id: Some(row.project_id),
            indicator_id: row.indicator_id,
            kind: row.kind,
            period: row.period,
            value: Decimal(row.value),
            source: row.source,
            note: row.note,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for MeasurementInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> = belonging::misnamed(self.project_id, row.project_id).into_iter().collect();
        if self.kind == Kind::Actual && self.period.first_day() > Date::today_in_iran() {
            let detail = Text::new("این دوره هنوز آغاز نشده است.", "The period has not begun yet.");
            faults.push(Violation::body("/period", "in_future", detail));
        }
        dates::all_or_none(faults)?;
        Ok(Model {
            project_id: self.project_id.unwrap_or(row.project_id),
            indicator_id: self.indicator_id,
            kind: self.kind,
            period: self.period,
            period_start: self.period.first_day().naive(),
            period_end: self.period.last_day().naive(),
            value: self.value.0,
            source: self.source,
            note: self.note,
            external_refs: self.external_refs,
            ..row.clone()
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
