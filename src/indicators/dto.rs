//! DTOs of indicators: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::entity::Model;
pub use super::entity::{Direction, Frequency, Theme};
use crate::{
    persian::text,
    problem::Problem,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
};

/// An indicator (شاخص) of the national catalogue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Indicator {
    #[serde(flatten)]
    info: RecordInfo,
    /// The code in the programme.
    #[schema(example = "MARKET-EXPORT")]
    code: String,
    /// Benefit theme.
    #[schema(example = "target_market_presence")]
    theme: Theme,
    /// The name in Persian.
    #[schema(example = "صادرات خوشه")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Exports of the cluster")]
    name_en: Option<String>,
    /// The unit in Persian.
    #[schema(example = "هزار دلار")]
    unit_fa: String,
    /// The unit in English.
    #[schema(required, example = "thousand US dollars")]
    unit_en: Option<String>,
    /// Direction of improvement.
    #[schema(example = "up")]
    direction: Direction,
    /// Length of a measurement period.
    #[schema(example = "half_year")]
    frequency: Frequency,
    /// Formula in Persian.
    #[schema(required, example = "مجموع ارزش صادرات قطعی واحدهای عضو خوشه در دوره")]
    formula_fa: Option<String>,
    /// Formula in English.
    #[schema(required, example = "Sum of the value of final exports of the member firms in the period")]
    formula_en: Option<String>,
    /// Maximum number of decimals of a value.
    #[schema(minimum = 0, maximum = 6, example = 1)]
    decimals: i32,
    /// Whether new measurements are accepted.
    #[schema(example = true)]
    is_active: bool,
}

impl From<&Model> for Indicator {
    fn from(row: &Model) -> Self {
        let input = IndicatorInput::from(row);
        Self {
            info: row.into(),
            code: input.code,
            theme: input.theme,
            name_fa: input.name_fa,
            name_en: input.name_en,
            unit_fa: input.unit_fa,
            unit_en: input.unit_en,
            direction: input.direction,
            frequency: input.frequency,
            formula_fa: input.formula_fa,
            formula_en: input.formula_en,
            decimals: input.decimals,
            is_active: input.is_active,
        }
    }
}

/// Input of an indicator. `code`, `theme`, `name_fa`, `unit_fa`, `direction` and `frequency` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorInput {
    /// The code in the programme.
    #[schema(pattern = "^[A-Z][A-Z0-9_-]{1,39}$", example = "MARKET-EXPORT")]
    pub code: String,
    /// Benefit theme.
    #[schema(example = "target_market_presence")]
    pub theme: Theme,
    /// The name in Persian.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "صادرات خوشه"
    )]
    pub name_fa: String,
    /// The name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Exports of the cluster"
    )]
    pub name_en: Option<String>,
    /// The unit in Persian.
    #[schema(min_length = 1, max_length = 60, pattern = "\\S", format = "name", example = "هزار دلار")]
    pub unit_fa: String,
    /// The unit in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = "\\S",
        format = "name",
        example = "thousand US dollars"
    )]
    pub unit_en: Option<String>,
    /// Direction of improvement.
    #[schema(example = "up")]
    pub direction: Direction,
    /// Length of a measurement period.
    #[schema(example = "half_year")]
    pub frequency: Frequency,
    /// Formula in Persian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "\\S",
        example = "مجموع ارزش صادرات قطعی واحدهای عضو خوشه در دوره"
    )]
    pub formula_fa: Option<String>,
    /// Formula in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "\\S",
        example = "Sum of the value of final exports of the member firms in the period"
    )]
    pub formula_en: Option<String>,
    /// Maximum number of decimals of a value; none by default.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 6, example = 1)]
    pub decimals: i32,
    /// Whether new measurements are accepted; true by default.
    #[serde(default = "active")]
    #[schema(example = true)]
    pub is_active: bool,
    /// Identifiers of the indicator in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

fn active() -> bool {
    true
}

impl From<&Model> for IndicatorInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            code: row.code,
            theme: row.theme,
            name_fa: row.name_fa,
            name_en: row.name_en,
            unit_fa: row.unit_fa,
            unit_en: row.unit_en,
            direction: row.direction,
            frequency: row.frequency,
            formula_fa: row.formula_fa,
            formula_en: row.formula_en,
            decimals: row.decimals,
            is_active: row.is_active,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for IndicatorInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        Ok(Model {
            code: self.code,
            theme: self.theme,
            name_order: text::order(&self.name_fa),
            name_fa: self.name_fa,
            name_en: self.name_en,
            unit_fa: self.unit_fa,
            unit_en: self.unit_en,
            direction: self.direction,
            frequency: self.frequency,
            formula_fa: self.formula_fa,
            formula_en: self.formula_en,
            decimals: self.decimals,
            is_active: self.is_active,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of indicators.
#[derive(Debug, Deserialize, IntoParams)]
pub struct IndicatorFilter {
    /// Any of these themes.
    #[param(style = Form, explode = false, min_items = 1, max_items = 9)]
    pub theme: Option<Vec<Theme>>,
    /// Any of these frequencies.
    #[param(style = Form, explode = false, min_items = 1, max_items = 4)]
    pub frequency: Option<Vec<Frequency>>,
    /// With `true` only indicators that accept new measurements; with `false` only the others.
    pub is_active: Option<bool>,
}
