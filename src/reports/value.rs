//! Earned value for reports: from the summaries if they suffice, from the records for past knowledge.

use sea_orm::prelude::Uuid;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Question, Report};
use crate::{
    persian::{Date, PersianPeriod, calendar::Period},
    store::{
        earned_value::{Sources, deltas},
        sql::{Composer, Member},
        temporal_relations::{BASELINE, PAYMENT},
    },
    values::{Amount, Decimal},
};

impl<R: Report> Question<R> {
    /// Daily changes of planned value, earned value and actual cost of the selected projects: a relation with
    /// the columns of [`deltas`]. Its sums up to `as_of` are the values on that day.
    pub fn values(&self, sql: &mut Composer) -> String {
        if self.known_at.is_some() {
            return self.values_then(None, sql);
        }
        let projects = self.projects(sql);
        format!("(SELECT v.* FROM earned_value_day v WHERE v.project_id IN (SELECT p.id FROM {projects} p))")
    }

    /// The same without the projects: `province`, `day`, `planned_irr`, `earned_irr`, `cost_irr`,
    /// `rebaselines`. Changes may be summed up on the first day of their month, except in the month of
    /// `as_of`, so that a query by province reads few rows.
    pub fn summed_values(&self, sql: &mut Composer) -> String {
        if self.known_at.is_some() || self.has_industries() {
            return self.values(sql);
        }
        let provinces = self.in_provinces("province", sql);
        let within = if provinces.is_empty() { String::new() } else { format!(" AND {provinces}") };
        let month = sql.day(self.as_of.start_of(Period::Month).naive());
        let next = sql.day(PersianPeriod::of(self.as_of, 1).next().first_day().naive());
        let columns = "province, first_day AS day, planned_irr, earned_irr, cost_irr, rebaselines";
        format!(
            "(SELECT {columns} FROM earned_value_summary WHERE grain = 'month' AND first_day <> {month}{within} UNION ALL \
              SELECT {columns} FROM earned_value_summary WHERE grain = 'day' AND first_day >= {month} AND first_day < {next}{within})"
        )
    }

    /// The same columns as [`Question::summed_values`], of all or one project, with the plan that was in
    /// force on `as_of` also for the days after it.
    pub fn values_then(&self, project: Option<Uuid>, sql: &mut Composer) -> String {
        let is_plan = self.known_at.is_none();
        let projects = self.projects(sql);
        let of_project = project.map(|id| format!(" WHERE p.id = {}", sql.bind(id))).unwrap_or_default();
        let sources = Sources {
            projects: format!("(SELECT p.* FROM {projects} p{of_project})"),
            baselines: self.known(&BASELINE, sql),
            payments: if is_plan { String::new() } else { self.known(&PAYMENT, sql) },
            known_at: self.known_at,
            as_of: (self.as_of < Date::today_in_iran()).then(|| self.as_of.naive()),
            is_plan,
        };
        let live = deltas(&sources, sql);
        if !is_plan {
            return live;
        }
        // Values up to the day are summed already; only that day's plan for the time after it is computed.
        let (summed, day) = (self.values_of(project, sql), sql.day(self.as_of.naive()));
        let columns = "v.day, v.planned_irr, v.earned_irr, v.cost_irr, v.rebaselines";
        format!(
            "(SELECT {columns} FROM {summed} v WHERE v.day <= {day} UNION ALL SELECT {columns} FROM {live} v WHERE v.day > {day})"
        )
    }

    /// [`Question::summed_values`], or the values of one project.
    pub fn values_of(&self, project: Option<Uuid>, sql: &mut Composer) -> String {
        let Some(project) = project.map(|id| sql.bind(id)) else { return self.summed_values(sql) };
        let values = self.values(sql);
        format!("(SELECT v.* FROM {values} v WHERE v.project_id = {project})")
    }
}

/// Earned value in whole rials, and figures derived from it.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct EarnedValue {
    /// Budget at completion (BAC): the approved budget.
    pub budget_at_completion_irr: Amount,
    /// Planned value (PV): the work planned up to the day.
    pub planned_value_irr: Amount,
    /// Earned value (EV): the work accepted.
    pub earned_value_irr: Amount,
    /// Actual cost (AC): the payments.
    pub actual_cost_irr: Amount,
    /// Schedule performance index, EV / PV, to four decimals; null while nothing is planned.
    #[schema(required, example = "0.8333")]
    pub spi: Option<Decimal>,
    /// Cost performance index, EV / AC, to four decimals; null while nothing is paid.
    #[schema(required, example = "1.0417")]
    pub cpi: Option<Decimal>,
    /// Estimate at completion, BAC × AC / EV: final cost at the present cost performance, rounded to whole
    /// rials; null while nothing is earned.
    #[schema(required, example = "115000000000")]
    pub estimate_at_completion_irr: Option<Amount>,
}

impl EarnedValue {
    /// Computes the figures derived from the four sums, in rials.
    pub fn new(budget: i64, planned: i64, earned: i64, cost: i64) -> Self {
        let estimate = rounded(i128::from(budget) * i128::from(cost), earned.into());
        Self {
            budget_at_completion_irr: Amount(budget),
            planned_value_irr: Amount(planned),
            earned_value_irr: Amount(earned),
            actual_cost_irr: Amount(cost),
            spi: ratio(earned, planned),
            cpi: ratio(earned, cost),
            estimate_at_completion_irr: estimate.map(Amount),
        }
    }

    /// Adds other sums, and recomputes the derived figures.
    pub fn plus(self, other: Self) -> Self {
        let sum = |part: fn(&Self) -> Amount| part(&self).0.saturating_add(part(&other).0);
        Self::new(
            sum(|value| value.budget_at_completion_irr),
            sum(|value| value.planned_value_irr),
            sum(|value| value.earned_value_irr),
            sum(|value| value.actual_cost_irr),
        )
    }
}

/// The sum of the lines of a budget in a column, in rials.
pub fn budget_of(column: &str, sql: &Composer) -> String {
    let (lines, amount) = (sql.each(column, "line"), sql.member("line.value", "amount_irr", Member::Integer));
    format!("CAST(COALESCE((SELECT SUM({amount}) FROM {lines}), 0) AS bigint)")
}

/// A ratio to four decimals, half up; none where there is nothing to divide by.
pub fn ratio(part: i64, whole: i64) -> Option<Decimal> {
    rounded(i128::from(part) * 10_000, whole.into()).map(|ratio| Decimal(ratio.saturating_mul(100)))
}

/// A share in basis points, half up; none where there is nothing to divide by.
pub fn share_bp(part: i64, whole: i64) -> Option<i64> {
    rounded(i128::from(part) * 10_000, whole.into())
}

/// A quotient rounded half up; none where there is nothing to divide by.
pub fn rounded(numerator: i128, denominator: i128) -> Option<i64> {
    let doubled = (denominator > 0).then(|| (numerator * 2 + denominator).div_euclid(denominator * 2))?;
    i64::try_from(doubled).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_follow_from_the_sums() {
        // 1,200 budgeted, 600 planned, 500 earned, 480 paid.
        let value = EarnedValue::new(1_200, 600, 500, 480);
        assert_eq!((value.spi, value.cpi), (Some(Decimal(833_300)), Some(Decimal(1_041_700))));
        assert_eq!(value.estimate_at_completion_irr, Some(Amount(1_152)));
        let nothing = EarnedValue::default().plus(EarnedValue::new(10, 0, 0, 0));
        assert_eq!((nothing.spi, nothing.cpi, nothing.estimate_at_completion_irr), (None, None, None));
    }

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!(
            [rounded(1, 2), rounded(-1, 2), rounded(5, 3), rounded(4, 3), rounded(1, 0)],
            [Some(1), Some(0), Some(2), Some(1), None]
        );
        assert_eq!((share_bp(1, 3), ratio(2, 3)), (Some(3_333), Some(Decimal(666_700))));
        assert_eq!(rounded(i128::from(i64::MAX) * 4, 2), None, "what does not fit is not told");
    }
}
