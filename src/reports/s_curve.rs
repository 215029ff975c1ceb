//! The S-curve: planned value, earned value and actual cost, period by period.

use actix_web::{HttpResponse, get};
use futures_util::StreamExt;
use sea_orm::{DatabaseTransaction, Statement, StreamTrait, prelude::Uuid};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, Totals, WITH_CHART,
    chart::{Chart, Curve, Figure, Line},
    value::{EarnedValue, ratio},
};
use crate::{
    persian::{Date, PersianPeriod},
    problem::{Problem, Text},
    values::{Amount, Decimal},
};

/// The report.
pub struct SCurve;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The length of a period; quarters when left out.
    #[param(inline)]
    pub by: Option<Length>,
    /// One project only.
    pub project_id: Option<Uuid>,
}

/// Lengths of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Persian months.
    Month,
    /// Persian quarters.
    #[default]
    Quarter,
}

/// Values of the curves at the end of a period.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurvePoint {
    /// The period.
    period: PersianPeriod,
    /// Day of the values: the last one of the period, or `as_of` in the period that contains it.
    on: Date,
    /// Planned value (PV) up to that day, by the baseline in force on it; after `as_of` by the one in force
    /// then.
    planned_value_irr: Amount,
    /// Earned value (EV) up to that day; null after `as_of`.
    #[schema(required)]
    earned_value_irr: Option<Amount>,
    /// Actual cost (AC) up to that day; null after `as_of`.
    #[schema(required)]
    actual_cost_irr: Option<Amount>,
    /// Schedule performance index, EV / PV, to four decimals.
    #[schema(required, example = "0.8333")]
    spi: Option<Decimal>,
    /// Cost performance index, EV / AC, to four decimals.
    #[schema(required, example = "1.0417")]
    cpi: Option<Decimal>,
    /// Number of re-baselines frozen in the period, up to `as_of`: changes of the plan.
    #[schema(minimum = 0, example = 0)]
    rebaselines: i64,
}

/// Values of the curves on `as_of`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SCurveTotals {
    /// The values on that day. The budget at completion is where the planned curve ends.
    #[serde(flatten)]
    value: EarnedValue,
    /// Number of re-baselines by then.
    #[schema(minimum = 0, example = 1)]
    rebaselines: i64,
}

impl Totals<CurvePoint> for SCurveTotals {
    fn add(&mut self, point: &CurvePoint) {
        let (before, planned) = (self.value, point.planned_value_irr.0);
        let [earned, cost] = [point.earned_value_irr, point.actual_cost_irr];
        let known = |now: Option<Amount>, before: Amount| now.unwrap_or(before).0;
        let planned_then = if earned.is_some() { planned } else { before.planned_value_irr.0 };
        self.value = EarnedValue::new(
            planned,
            planned_then,
            known(earned, before.earned_value_irr),
            known(cost, before.actual_cost_irr),
        );
        self.rebaselines += point.rebaselines;
    }
}

impl Report for SCurve {
    const ENTRY: Entry = Entry {
        name: "s-curve",
        title_fa: "منحنی S (ارزش کسب‌شده)",
        title_en: "S-curve (earned value)",
        formats: WITH_CHART,
        parameters: &[("by", "طول دوره"), ("project_id", "پروژه")],
        reads: &["project", "cluster", "baseline", "milestone", "payment"],
        columns: &[
            Column::new("period", Kind::Text, "دوره", "Period"),
            Column::new("on", Kind::Day, "در روز", "On the day"),
            Column::new("planned_value_irr", Kind::Rials, "ارزش برنامه‌ریزی‌شده (PV)", "Planned value (PV)"),
            Column::new("earned_value_irr", Kind::Rials, "ارزش کسب‌شده (EV)", "Earned value (EV)"),
            Column::new("actual_cost_irr", Kind::Rials, "هزینهٔ واقعی (AC)", "Actual cost (AC)"),
            Column::new("spi", Kind::Ratio, "شاخص عملکرد زمان‌بندی (SPI)", "Schedule performance index (SPI)"),
            Column::new("cpi", Kind::Ratio, "شاخص عملکرد هزینه (CPI)", "Cost performance index (CPI)"),
            Column::new("rebaselines", Kind::Count, "بازنگری‌های خط مبنا", "Re-baselines"),
        ],
    };
    type Parameters = Parameters;
    type Item = CurvePoint;
    type Totals = SCurveTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut curve = Curves::new(question);
        let mut days = db.stream_raw(question.changes()).await?;
        while let Some(row) = days.next().await {
            let row = row?;
            let change = Change {
                planned: row.try_get("", "planned_irr")?,
                earned: row.try_get("", "earned_irr")?,
                cost: row.try_get("", "cost_irr")?,
                rebaselines: row.try_get("", "rebaselines")?,
            };
            for point in curve.go_on(row.try_get("", "day")?, change) {
                out.put(point).await?;
            }
        }
        for point in curve.finish() {
            out.put(point).await?;
        }
        Ok(())
    }

    fn chart(question: &Question<Self>, points: &[CurvePoint], _: &SCurveTotals) -> Option<Chart> {
        let rials = |amount: Amount| amount.0 as f64;
        let curve = |fa, en, line, value: &dyn Fn(&CurvePoint) -> Option<Amount>| Curve {
            name: Text::new(fa, en),
            points: points.iter().map(|point| value(point).map(rials)).collect(),
            line,
        };
        let marks = points.iter().enumerate().filter(|(_, point)| point.rebaselines > 0);
        let mark = |(index, point): (usize, &CurvePoint)| {
            let count = point.rebaselines;
            (index, Text::new(format!("بازنگری خط مبنا: {count}"), format!("Re-baselines: {count}")))
        };
        Some(Chart {
            title: Text::new(Self::ENTRY.title_fa, Self::ENTRY.title_en),
            note: question.note(),
            unit: Text::new("ریال", "rials"),
            figure: Figure::Curves {
                periods: points.iter().map(|point| point.period.to_string()).collect(),
                curves: vec![
                    curve(
                        "ارزش برنامه‌ریزی‌شده",
                        "Planned value",
                        Line::Planned,
                        &|point| Some(point.planned_value_irr),
                    ),
                    curve("ارزش کسب‌شده", "Earned value", Line::Earned, &|point| {
                        point.earned_value_irr
                    }),
                    curve("هزینهٔ واقعی", "Actual cost", Line::Cost, &|point| {
                        point.actual_cost_irr
                    }),
                ],
                today: points.iter().rposition(|point| point.earned_value_irr.is_some()),
                marks: marks.map(mark).collect(),
            },
        })
    }
}

impl Question<SCurve> {
    /// Changes of the curves, in the order of days.
    fn changes(&self) -> Statement {
        let mut sql = self.composer();
        let is_present = self.known_at.is_none() && self.as_of >= Date::today_in_iran();
        let values = match is_present {
            true => self.values_of(self.own.project_id, &mut sql),
            false => self.values_then(self.own.project_id, &mut sql),
        };
        let day = sql.day(self.as_of.naive());
        let sums = ["planned_irr", "earned_irr", "cost_irr", "rebaselines"]
            .map(|name| format!("CAST(SUM(v.{name}) AS bigint) AS {name}"));
        let query = format!(
            "SELECT v.day, {} FROM {values} v WHERE v.day <= {day} OR v.planned_irr <> 0 GROUP BY v.day ORDER BY v.day",
            sums.join(", ")
        );
        sql.statement(query)
    }
}

/// Change of the curves on a day.
#[derive(Clone, Copy, Default)]
struct Change {
    planned: i64,
    earned: i64,
    cost: i64,
    rebaselines: i64,
}

/// Accumulates the curves from period to period.
struct Curves {
    as_of: Date,
    /// Periods outside are summed up, but not shown.
    shown: Option<PersianPeriod>,
    months: u8,
    period: Option<PersianPeriod>,
    sums: Change,
    /// Planned value after `as_of`, in its period.
    ahead: i64,
}

impl Curves {
    fn new(question: &Question<SCurve>) -> Self {
        let months = if question.own.by.unwrap_or_default() == Length::Month { 1 } else { 3 };
        Self {
            as_of: question.as_of,
            shown: question.period,
            months,
            period: None,
            sums: Change::default(),
            ahead: 0,
        }
    }

    /// Advances to a day; returns the points passed.
    fn go_on(&mut self, day: chrono::NaiveDate, change: Change) -> Vec<CurvePoint> {
        let day = Date::from(day);
        let period = PersianPeriod::of(day, self.months);
        let mut passed = Vec::new();
        while let Some(before) = self.period.filter(|before| before.first_day() < period.first_day()) {
            passed.extend(self.point(before));
            self.period = Some(before.next());
        }
        self.period = Some(period);
        if day > self.as_of && period == PersianPeriod::of(self.as_of, self.months) {
            self.ahead += change.planned;
            return passed;
        }
        self.sums.planned += change.planned;
        self.sums.rebaselines += change.rebaselines;
        if day <= self.as_of {
            self.sums.earned += change.earned;
            self.sums.cost += change.cost;
        }
        passed
    }

    fn finish(mut self) -> Vec<CurvePoint> {
        let Some(last) = self.period else { return Vec::new() };
        let until = PersianPeriod::of(self.as_of.min(Date::today_in_iran()), self.months);
        let mut points: Vec<_> = self.point(last).into_iter().collect();
        let mut period = last;
        // Up to the present also where nothing changes any more.
        while period.first_day() < until.first_day() {
            period = period.next();
            points.extend(self.point(period));
        }
        points
    }

    fn point(&mut self, period: PersianPeriod) -> Option<CurvePoint> {
        let is_past = period.first_day() <= self.as_of;
        let sums = self.sums;
        let known = |amount: i64| is_past.then_some(amount);
        let on = if is_past { period.last_day().min(self.as_of) } else { period.last_day() };
        self.sums.planned += std::mem::take(&mut self.ahead);
        self.sums.rebaselines = 0;
        let is_shown = self.shown.is_none_or(|shown| {
            period.first_day() >= shown.first_day() && period.last_day() <= shown.last_day()
        });
        is_shown.then(|| CurvePoint {
            period,
            on,
            planned_value_irr: Amount(sums.planned),
            earned_value_irr: known(sums.earned).map(Amount),
            actual_cost_irr: known(sums.cost).map(Amount),
            spi: known(sums.earned).and_then(|earned| ratio(earned, sums.planned)),
            cpi: known(sums.earned).and_then(|earned| ratio(earned, sums.cost)),
            rebaselines: sums.rebaselines,
        })
    }
}

/// S-curve
///
/// Planned value, earned value and actual cost at the end of each Persian quarter or month, from the first
/// plan to its end (earned value management after ANSI/PMI 19-006 and ISO 21508). Each period up to `as_of`
/// uses the baseline in force at its end, so that published values stay the same, and `rebaselines` shows
/// where the plan was changed; later periods use the one in force on `as_of`. With `period`, only the points
/// within it.
#[utoipa::path(params(Common, Parameters), responses((status = 200, body = ReportResponse<CurvePoint, SCurveTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/s-curve")]
pub async fn get_s_curve(question: Question<SCurve>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
