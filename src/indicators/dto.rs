//! DTOs of indicators: representation and input.

use serde::Deserialize;
use utoipa::IntoParams;

use super::entity::Model;
pub use super::entity::{Direction, Frequency, IndicatorInput, Model as Indicator, Theme};
use crate::{
    persian::text,
    problem::Problem,
    store::{Fields, Input},
};

impl Input<Model> for IndicatorInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        Ok(Model { name_order: text::order(&self.name_fa), ..self.over(row) })
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
