//! Measurements: table and queries.

use macros::record;
use sea_orm::{
    DeriveActiveEnum, EnumIter,
    entity::prelude::*,
    prelude::StringLen,
    sea_query::{ExprTrait, Query},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    indicators::entity as indicators,
    persian::{Date, PersianPeriod},
    problem::{Problem, Text, Violation, problem_types},
    provinces::ProvinceCode,
    store::Transaction,
    values::Decimal,
};

/// A measurement (اندازه‌گیری): the value of an indicator for a project's cluster in a period.
#[record(table = "measurement", shown, input = MeasurementInput, sort(period_end, created_at, updated_at))]
#[input(about = "Input of a measurement. Only `source` and `note` are optional.", example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "indicator_id": "0193f0a0-0000-7000-8000-000000000001", "kind": "baseline",
    "period": "1393-H1", "value": "12.5", "source": "پرسش‌نامهٔ واحدهای عضو",
}))]
pub struct Model {
    /// The project: needed for a new measurement. It never changes.
    #[input(optional)]
    pub project_id: Uuid,
    /// The province, which is that of the project.
    #[shown]
    pub province: ProvinceCode,
    /// The indicator, an active one.
    pub indicator_id: Uuid,
    /// Kind of value.
    #[schema(example = "baseline")]
    pub kind: Kind,
    /// Period, always in the Persian calendar. For an actual value it has the length of the indicator's
    /// `frequency`, and must have begun; a baseline or a target may have any period.
    pub period: PersianPeriod,
    /// The first day of the period.
    #[shown]
    pub period_start: Date,
    /// The last day of the period.
    #[shown]
    #[schema(example = "2014-09-22")]
    pub period_end: Date,
    /// Value in the unit of the indicator, with at most its number of decimals.
    pub value: Decimal,
    /// Source of the value.
    #[schema(example = "پرسش‌نامهٔ واحدهای عضو")]
    #[input(min_length = 1, max_length = 500, pattern = "\\S")]
    pub source: Option<String>,
    /// Note.
    #[schema(example = "بدون دو واحد تعطیل")]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub note: Option<String>,
}

impl Model {
    /// 409 for an actual value of a quarter whose project report is accepted nationally. Reads the table of
    /// reports without depending on its module.
    pub(super) async fn check_unlocked(&self, transaction: &Transaction) -> Result<(), Problem> {
        if self.kind != Kind::Actual {
            return Ok(());
        }
        let accepted = Query::select()
            .expr(Expr::val(1))
            .from("progress_report")
            .and_where(Expr::col("project_id").eq(self.project_id))
            .and_where(Expr::col("state").eq("nationally_accepted"))
            .and_where(Expr::col("period_start").lte(self.period_end))
            .and_where(Expr::col("period_end").gte(self.period_end))
            .and_where(Expr::col("deleted_at").is_null())
            .to_owned();
        match transaction.query_one(&accepted).await? {
            Some(_) => Err(Problem::new(&problem_types::PERIOD_LOCKED)),
            None => Ok(()),
        }
    }

    /// Violations of the rules of the indicator.
    pub(super) fn misfits(&self, before: Option<&Self>, indicator: &indicators::Model) -> Vec<Violation> {
        let mut faults = Vec::new();
        if !indicator.is_active && before.is_none_or(|before| before.indicator_id != self.indicator_id) {
            let detail =
                Text::new("این شاخص دیگر اندازه‌گیری نمی‌شود.", "The indicator is not measured any more.");
            faults.push(Violation::body("/indicator_id", "inactive", detail));
        }
        if self.kind == Kind::Actual && self.period.months() != indicator.frequency.months() {
            let (fa, en) = indicator.frequency.words();
            let detail = Text::new(
                format!("مقدار واقعی این شاخص {fa} است."),
                format!("An actual value of this indicator is that of a {en}."),
            );
            faults.push(Violation::body("/period", "wrong_frequency", detail));
        }
        let decimals = indicator.decimals;
        if usize::try_from(decimals).is_ok_and(|most| self.value.decimals() > most) {
            let detail = Text::new(
                format!("مقدار این شاخص حداکثر {decimals} رقم اعشار دارد."),
                format!("A value of this indicator has at most {decimals} decimals."),
            );
            faults.push(Violation::body("/value", "too_many_decimals", detail));
        }
        faults
    }
}

/// Kinds of measured values.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = MeasurementKind)]
pub enum Kind {
    /// Value before the project.
    Baseline,
    /// Value to be reached.
    Target,
    /// Value reached.
    #[default]
    Actual,
}
