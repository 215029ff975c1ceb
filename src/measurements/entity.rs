//! Measurements: table and queries.

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
    persian::PersianPeriod,
    problem::{Problem, Text, Violation, problem_types},
    store::Transaction,
    values::Decimal,
};

crate::store::record_table! {
    /// A measurement.
    "measurement" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// The indicator.
        indicator_id: Uuid,
        /// Kind of value.
        kind: Kind,
        /// The period.
        period: PersianPeriod,
        /// Its first day.
        period_start: ChronoDate,
        /// Its last day.
        period_end: ChronoDate,
        /// The value, in millionths.
        value: i64,
        /// Source of the value.
        source: Option<String>,
        /// Note.
        note: Option<String>,
    }
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
        if usize::try_from(decimals).is_ok_and(|most| Decimal(self.value).decimals() > most) {
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
