//! Effects of the projects: baseline, target and actual value of each indicator, by benefit theme.

use actix_web::{HttpResponse, get};
use sea_orm::{ActiveEnum, DatabaseTransaction, FromQueryResult, Iterable};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Column, Common, Entry, Kind, NoParameters, Question, Report, ReportResponse, RowSink, Totals, WITH_CHART,
    chart::{Chart, Figure, Series},
    value::{rounded, share_bp},
};
use crate::{
    indicators::dto::{Direction, Theme},
    problem::{Problem, Text},
    store::temporal_relations::{INDICATOR, MEASUREMENT},
    values::Decimal,
};

/// The report.
pub struct Indicators;

/// An indicator over the projects that measure it.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndicatorChange {
    /// Its code.
    #[schema(example = "MARKET-EXPORT")]
    code: String,
    /// Its benefit theme.
    #[schema(example = "target_market_presence")]
    theme: Theme,
    /// Its name in Persian.
    #[schema(example = "صادرات خوشه")]
    name_fa: String,
    /// Its name in English.
    #[schema(required, example = "Exports of the cluster")]
    name_en: Option<String>,
    /// Its unit in Persian.
    #[schema(example = "هزار دلار")]
    unit_fa: String,
    /// Its unit in English.
    #[schema(required, example = "thousand US dollars")]
    unit_en: Option<String>,
    /// Direction of improvement.
    #[schema(example = "up")]
    direction: Direction,
    /// Number of projects with a baseline value of it.
    #[schema(minimum = 0, example = 12)]
    projects: i64,
    /// Number of these that are measured: they have an actual value of a later period.
    #[schema(minimum = 0, example = 9)]
    measured: i64,
    /// Share of measured projects, in basis points, rounded half up; null without projects.
    #[schema(required, minimum = 0, maximum = 10_000, example = 7_500)]
    coverage_bp: Option<i64>,
    /// The mean of the baseline values of the measured projects; each project's earliest counts.
    #[schema(required, example = "1200.5")]
    baseline: Option<Decimal>,
    /// Number of measured projects with a target.
    #[schema(minimum = 0, example = 8)]
    targeted: i64,
    /// Mean of their targets; the last one of each project counts, even of a future period.
    #[schema(required, example = "2000")]
    target: Option<Decimal>,
    /// The mean of the latest actual values of the measured projects.
    #[schema(required, example = "1750.25")]
    latest: Option<Decimal>,
    /// By how much they have changed since the baseline, in basis points of its absolute value: a rise is
    /// positive, whichever way is better. Rounded half up; null where the baseline is 0.
    #[schema(required, example = 4_579)]
    change_bp: Option<i64>,
    /// Number of measured projects that have improved since their baseline.
    #[schema(minimum = 0, example = 7)]
    improved: i64,
}

/// Row of the query. Sums are split into whole units and millionths, which stay within 64 bits.
#[derive(FromQueryResult)]
pub struct Row {
    code: String,
    theme: Theme,
    name_fa: String,
    name_en: Option<String>,
    unit_fa: String,
    unit_en: Option<String>,
    direction: Direction,
    projects: i64,
    measured: i64,
    targeted: i64,
    higher: i64,
    lower: i64,
    baseline_whole: i64,
    baseline_rest: i64,
    target_whole: i64,
    target_rest: i64,
    latest_whole: i64,
    latest_rest: i64,
}

/// Totals of the indicators.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct IndicatorTotals {
    /// Number of indicators.
    #[schema(minimum = 0, example = 27)]
    indicators: u64,
    /// Number of indicators that some project measures.
    #[schema(minimum = 0, example = 11)]
    indicators_measured: u64,
    /// Number of pairs of an indicator and a project with a baseline value.
    #[schema(minimum = 0, example = 40)]
    projects: i64,
    /// Number of these pairs that are measured.
    #[schema(minimum = 0, example = 30)]
    measured: i64,
    /// Their share in basis points, rounded half up; null without pairs.
    #[schema(required, minimum = 0, maximum = 10_000, example = 7_500)]
    coverage_bp: Option<i64>,
    /// Number of measured pairs that have improved since their baseline.
    #[schema(minimum = 0, example = 21)]
    improved: i64,
}

impl Totals<IndicatorChange> for IndicatorTotals {
    fn add(&mut self, indicator: &IndicatorChange) {
        self.indicators += 1;
        self.indicators_measured += u64::from(indicator.measured > 0);
        self.projects += indicator.projects;
        self.measured += indicator.measured;
        self.improved += indicator.improved;
    }

    fn finish(&mut self) {
        self.coverage_bp = share_bp(self.measured, self.projects);
    }
}

impl Report for Indicators {
    const ENTRY: Entry = Entry {
        name: "indicators",
        title_fa: "شاخص‌ها",
        title_en: "Indicators",
        formats: WITH_CHART,
        parameters: &[],
        reads: &["indicator", "measurement", "project", "cluster"],
        columns: &[
            Column::new("code", Kind::Text, "کد شاخص", "Code"),
            Column::new("theme", Kind::Word, "محور منافع", "Benefit theme"),
            Column::new("name_fa", Kind::Text, "شاخص", "Name in Persian"),
            Column::new("name_en", Kind::Text, "نام انگلیسی", "Name in English"),
            Column::new("unit_fa", Kind::Text, "واحد اندازه‌گیری", "Unit in Persian"),
            Column::new("unit_en", Kind::Text, "واحد اندازه‌گیری (انگلیسی)", "Unit in English"),
            Column::new("direction", Kind::Word, "جهت بهبود", "Better is"),
            Column::new(
                "projects",
                Kind::Count,
                "پروژه‌های دارای مقدار پایه",
                "Projects with a baseline value",
            ),
            Column::new("measured", Kind::Count, "پروژه‌های اندازه‌گیری‌شده", "Projects measured"),
            Column::new("coverage_bp", Kind::BasisPoints, "پوشش", "Coverage"),
            Column::new("baseline", Kind::Number, "میانگین مقدار پایه", "Mean baseline"),
            Column::new("targeted", Kind::Count, "پروژه‌های دارای هدف", "Projects with a target"),
            Column::new("target", Kind::Number, "میانگین هدف", "Mean target"),
            Column::new("latest", Kind::Number, "میانگین آخرین مقدار", "Mean latest value"),
            Column::new("change_bp", Kind::BasisPoints, "تغییر", "Change"),
            Column::new("improved", Kind::Count, "پروژه‌های بهبودیافته", "Projects improved"),
        ],
    };
    type Parameters = NoParameters;
    type Item = IndicatorChange;
    type Totals = IndicatorTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let since = question
            .from()
            .map(|first| format!(" AND v.period_end >= {}", sql.day(first.naive())))
            .unwrap_or_default();
        let (indicators, measurements, projects) = (
            question.known(&INDICATOR, &mut sql),
            question.known(&MEASUREMENT, &mut sql),
            question.projects(&mut sql),
        );
        let themes: String = Theme::iter()
            .enumerate()
            .map(|(place, theme)| format!(" WHEN '{}' THEN {place}", theme.to_value()))
            .collect();
        let order = |way: &str| {
            ["period_end", "period_start", "id"].map(|column| format!("v.{column}{way}")).join(", ")
        };
        let one = |kind: &str, place: &str| {
            format!("MAX(CASE WHEN v.kind = '{kind}' AND v.{place} = 1 THEN v.value END)")
        };
        // Projects without a measurement do not count in the other means either.
        let sums = ["baseline", "target", "latest"].map(|name| {
            let value = format!("CASE WHEN w.latest IS NOT NULL THEN w.{name} END");
            format!("CAST(SUM({value} / 1000000) AS bigint) AS {name}_whole, CAST(SUM({value} % 1000000) AS bigint) AS {name}_rest")
        });
        let counts = ["projects", "measured", "targeted", "higher", "lower"]
            .map(|name| format!("COALESCE(s.{name}, 0) AS {name}"))
            .join(", ");
        let parts = ["baseline", "target", "latest"].map(|name| {
            format!("COALESCE(s.{name}_whole, 0) AS {name}_whole, COALESCE(s.{name}_rest, 0) AS {name}_rest")
        });
        let query = format!(
            "WITH based AS (SELECT v.*, MIN(CASE WHEN v.kind = 'baseline' AND v.period_end <= {day} THEN v.period_end END) \
                 OVER (PARTITION BY v.project_id, v.indicator_id) AS based_on FROM {measurements} v \
                 WHERE v.project_id IN (SELECT p.id FROM {projects} p)), \
               counted AS (SELECT v.*, ROW_NUMBER() OVER (PARTITION BY v.project_id, v.indicator_id, v.kind ORDER BY {first}) AS first, \
                 ROW_NUMBER() OVER (PARTITION BY v.project_id, v.indicator_id, v.kind ORDER BY {last}) AS last FROM based v \
                 WHERE (v.kind = 'baseline' AND v.period_end = v.based_on) OR (v.kind = 'target' AND v.based_on IS NOT NULL) \
                   OR (v.kind = 'actual' AND v.period_end <= {day} AND v.period_end > v.based_on{since})), \
               pair AS (SELECT v.indicator_id, {} AS baseline, {} AS target, {} AS latest FROM counted v GROUP BY v.indicator_id, v.project_id), \
               total AS (SELECT w.indicator_id, COUNT(*) AS projects, COUNT(w.latest) AS measured, \
                   COUNT(CASE WHEN w.latest IS NOT NULL THEN w.target END) AS targeted, \
                   COUNT(CASE WHEN w.latest > w.baseline THEN 1 END) AS higher, COUNT(CASE WHEN w.latest < w.baseline THEN 1 END) AS lower, {} \
                 FROM pair w GROUP BY w.indicator_id) \
             SELECT i.code, i.theme, i.name_fa, i.name_en, i.unit_fa, i.unit_en, i.direction, {counts}, {} \
             FROM {indicators} i LEFT JOIN total s ON s.indicator_id = i.id WHERE i.is_active OR s.projects > 0 \
             ORDER BY CASE i.theme{themes} END, i.code",
            one("baseline", "first"),
            one("target", "last"),
            one("actual", "last"),
            sums.join(", "),
            parts.join(", "),
            first = order(""),
            last = order(" DESC"),
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }

    fn chart(
        question: &Question<Self>,
        indicators: &[IndicatorChange],
        _: &IndicatorTotals,
    ) -> Option<Chart> {
        // Units differ: each indicator is set against its own baseline.
        let shown: Vec<_> =
            indicators.iter().filter(|row| row.baseline.is_some_and(|baseline| baseline.0 > 0)).collect();
        let index = |row: &IndicatorChange, value: Option<Decimal>| {
            Some(value?.0 as f64 / row.baseline?.0 as f64 * 100.0)
        };
        let series = |fa, en, value: fn(&IndicatorChange) -> Option<Decimal>| Series {
            name: Text::new(fa, en),
            values: shown.iter().map(|row| index(row, value(row))).collect(),
        };
        Some(Chart {
            title: Text::new("شاخص‌ها پیش و پس از پروژه", "Indicators before and after"),
            note: question.note(),
            unit: Text::new("مقدار پایه = ۱۰۰", "baseline = 100"),
            figure: Figure::Bars {
                labels: shown
                    .iter()
                    .map(|row| {
                        Text::new(
                            row.name_fa.clone(),
                            row.name_en.clone().unwrap_or_else(|| row.name_fa.clone()),
                        )
                    })
                    .collect(),
                series: vec![
                    series("مقدار پایه", "Baseline", |row| row.baseline),
                    series("آخرین مقدار", "Latest", |row| row.latest),
                    series("هدف", "Target", |row| row.target),
                ],
                horizontal: true,
            },
        })
    }
}

/// Whole units and millionths as millionths.
fn sum(whole: i64, rest: i64) -> i128 {
    i128::from(whole) * 1_000_000 + i128::from(rest)
}

impl From<Row> for IndicatorChange {
    fn from(row: Row) -> Self {
        let [baseline, target, latest] = [
            (row.baseline_whole, row.baseline_rest),
            (row.target_whole, row.target_rest),
            (row.latest_whole, row.latest_rest),
        ]
        .map(|(whole, rest)| sum(whole, rest));
        let mean = |sum, count: i64| rounded(sum, count.into()).map(Decimal);
        let improved = match row.direction {
            Direction::Up => row.higher,
            Direction::Down => row.lower,
        };
        Self {
            code: row.code,
            theme: row.theme,
            name_fa: row.name_fa,
            name_en: row.name_en,
            unit_fa: row.unit_fa,
            unit_en: row.unit_en,
            direction: row.direction,
            projects: row.projects,
            measured: row.measured,
            coverage_bp: share_bp(row.measured, row.projects),
            baseline: mean(baseline, row.measured),
            targeted: row.targeted,
            target: mean(target, row.targeted),
            latest: mean(latest, row.measured),
            change_bp: rounded((latest - baseline) * 10_000, baseline.abs()),
            improved,
        }
    }
}

/// Indicators
///
/// Each indicator of the catalogue that is active or measured, over the projects with a baseline value of it.
/// A measurement counts if its period has ended by `as_of`. All means are over the same projects, those that
/// are measured. With `period` only actual values of periods that end within it. Means are exact to six
/// decimals, rounded half up.
#[utoipa::path(params(Common), responses((status = 200, body = ReportResponse<IndicatorChange, IndicatorTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/indicators")]
pub async fn get_indicators(question: Question<Indicators>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
