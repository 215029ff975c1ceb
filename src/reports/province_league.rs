//! Progress of the provinces, side by side.

use actix_web::{HttpResponse, get};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Column, Common, Entry, Kind, NoParameters, Question, Report, ReportResponse, RowSink, Totals, WITH_CHART,
    chart::{Chart, Figure, Series},
    value::{ratio, share_bp},
};
use crate::{
    problem::{Problem, Text},
    progress_reports::entity::DAYS_TO_REPORT,
    projects::rules::UNDER_WAY,
    provinces::{ALL, ProvinceCode},
    store::sql::count_where,
    values::{Amount, Decimal},
};

/// The report.
pub struct ProvinceLeague;

/// A province on a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeagueRow {
    /// The province.
    province: ProvinceCode,
    /// Its name in Persian.
    #[schema(example = "لرستان")]
    name_fa: String,
    /// Its name in English.
    #[schema(example = "Lorestan")]
    name_en: String,
    /// Clusters that had been identified by the day, as the report `identified-clusters` counts them.
    #[schema(minimum = 0, example = 11)]
    identified: i64,
    /// Number of them found feasible: feasible, in development, or developed.
    #[schema(minimum = 0, example = 2)]
    feasible: i64,
    /// Projects that were under way: under contract, neither resting nor ended.
    #[schema(minimum = 0, example = 1)]
    running: i64,
    /// Projects that were closed.
    #[schema(minimum = 0, example = 0)]
    closed: i64,
    /// The whole planned value of the projects' baselines, in rials.
    budget_at_completion_irr: Amount,
    /// The earned value of its projects, in rials.
    earned_value_irr: Amount,
    /// Progress: earned value as a share of the whole planned value, in basis points, rounded half up; null
    /// while nothing is planned.
    #[schema(required, example = 6250)]
    progress_bp: Option<i64>,
    /// Schedule performance index of its projects, EV / PV, to four decimals.
    #[schema(required, example = "0.8333")]
    spi: Option<Decimal>,
    /// Late or missing progress reports, counted as in the report `reporting-compliance` with its default
    /// deadline.
    #[schema(minimum = 0, example = 3)]
    late_reports: i64,
    /// Rank of the province: by progress, then by fewer late reports (proposed). Equal provinces share a
    /// rank. Null for callers of one province.
    #[schema(required, minimum = 1, example = 4)]
    rank: Option<i64>,
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    province: String,
    name_fa: String,
    name_en: String,
    identified: i64,
    feasible: i64,
    running: i64,
    closed: i64,
    whole_irr: i64,
    planned_irr: i64,
    earned_irr: i64,
    late_reports: i64,
}

/// The provinces together.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct LeagueTotals {
    /// Clusters that had been identified.
    #[schema(minimum = 0)]
    identified: i64,
    /// Clusters that were found feasible.
    #[schema(minimum = 0)]
    feasible: i64,
    /// Projects that were under way.
    #[schema(minimum = 0)]
    running: i64,
    /// Projects that were closed.
    #[schema(minimum = 0)]
    closed: i64,
    /// The whole planned value, in rials.
    budget_at_completion_irr: Amount,
    /// The earned value, in rials.
    earned_value_irr: Amount,
    /// Progress of all, in basis points, rounded half up.
    #[schema(required, example = 6250)]
    progress_bp: Option<i64>,
    /// Late or missing progress reports.
    #[schema(minimum = 0)]
    late_reports: i64,
}

impl Totals<LeagueRow> for LeagueTotals {
    fn add(&mut self, row: &LeagueRow) {
        self.identified += row.identified;
        self.feasible += row.feasible;
        self.running += row.running;
        self.closed += row.closed;
        self.budget_at_completion_irr.0 += row.budget_at_completion_irr.0;
        self.earned_value_irr.0 += row.earned_value_irr.0;
        self.late_reports += row.late_reports;
    }

    fn finish(&mut self) {
        self.progress_bp = share_bp(self.earned_value_irr.0, self.budget_at_completion_irr.0);
    }
}

impl Report for ProvinceLeague {
    const ENTRY: Entry = Entry {
        name: "province-league",
        title_fa: "جدول رده‌بندی استان‌ها",
        title_en: "League of provinces",
        formats: WITH_CHART,
        parameters: &[],
        reads: &["cluster", "project", "baseline", "milestone", "payment", "progress_report"],
        columns: &[
            Column::new("province", Kind::Word, "کد استان", "Code of the province"),
            Column::new("name_fa", Kind::Text, "استان", "Province in Persian"),
            Column::new("name_en", Kind::Text, "نام انگلیسی", "Province in English"),
            Column::new("identified", Kind::Count, "شناسایی‌شده", "Identified"),
            Column::new("feasible", Kind::Count, "امکان‌پذیر", "Feasible"),
            Column::new("running", Kind::Count, "پروژه‌های در جریان", "Running projects"),
            Column::new("closed", Kind::Count, "پروژه‌های پایان‌یافته", "Closed projects"),
            Column::new(
                "budget_at_completion_irr",
                Kind::Rials,
                "بودجه در پایان (BAC)",
                "Budget at completion (BAC)",
            ),
            Column::new("earned_value_irr", Kind::Rials, "ارزش کسب‌شده (EV)", "Earned value (EV)"),
            Column::new("progress_bp", Kind::BasisPoints, "پیشرفت", "Progress"),
            Column::new("spi", Kind::Ratio, "شاخص عملکرد زمان‌بندی (SPI)", "Schedule performance index (SPI)"),
            Column::new("late_reports", Kind::Count, "گزارش‌های دیرکرده", "Late reports"),
            Column::new("rank", Kind::Count, "رتبه", "Rank"),
        ],
    };
    type Parameters = NoParameters;
    type Item = LeagueRow;
    type Totals = LeagueTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let (clusters, projects, values) =
            (question.clusters(&mut sql), question.projects(&mut sql), question.summed_values(&mut sql));
        let due = question.due_reports(DAYS_TO_REPORT, &mut sql);
        let provinces = question.in_provinces("o.code", &mut sql);
        let within = if provinces.is_empty() { String::new() } else { format!("WHERE {provinces}") };
        let query = format!(
            "SELECT o.code AS province, o.name_fa, o.name_en, COALESCE(c.identified, 0) AS identified, COALESCE(c.feasible, 0) AS feasible, \
               COALESCE(p.running, 0) AS running, COALESCE(p.closed, 0) AS closed, COALESCE(v.whole_irr, 0) AS whole_irr, \
               COALESCE(v.planned_irr, 0) AS planned_irr, COALESCE(v.earned_irr, 0) AS earned_irr, COALESCE(r.late_reports, 0) AS late_reports \
             FROM province o \
               LEFT JOIN (SELECT c.province, COUNT(*) AS identified, {} AS feasible FROM {clusters} c WHERE c.identified_not_later_than <= {day} \
                 AND c.state NOT IN ('merged', 'split', 'withdrawn') GROUP BY c.province) c ON c.province = o.code \
               LEFT JOIN (SELECT p.province, {} AS running, {} AS closed FROM {projects} p GROUP BY p.province) p ON p.province = o.code \
               LEFT JOIN (SELECT v.province, CAST(SUM(v.planned_irr) AS bigint) AS whole_irr, \
                 CAST(SUM(CASE WHEN v.day <= {day} THEN v.planned_irr ELSE 0 END) AS bigint) AS planned_irr, \
                 CAST(SUM(CASE WHEN v.day <= {day} THEN v.earned_irr ELSE 0 END) AS bigint) AS earned_irr \
                 FROM {values} v GROUP BY v.province) v ON v.province = o.code \
               LEFT JOIN (SELECT d.province, {} AS late_reports FROM {due} d GROUP BY d.province) r ON r.province = o.code \
             {within} ORDER BY o.code",
            count_where("c.state IN ('feasible', 'in_development', 'developed')"),
            count_where(&format!("p.state IN {UNDER_WAY}")),
            count_where("p.state = 'closed'"),
            count_where("d.submitted_on IS NULL OR d.submitted_on > d.deadline"),
        );
        let rows: Vec<Row> = Row::find_by_statement(sql.statement(query)).all(db).await?;
        // At most 31.
        let mut rows: Vec<LeagueRow> = rows.into_iter().map(LeagueRow::from).collect();
        if question.scope().is_none() {
            rank(&mut rows);
        }
        for row in rows {
            out.put(row).await?;
        }
        Ok(())
    }

    fn chart(question: &Question<Self>, rows: &[LeagueRow], _: &LeagueTotals) -> Option<Chart> {
        let name = |row: &LeagueRow| Text::new(row.name_fa.clone(), row.name_en.clone());
        Some(Chart {
            title: Text::new("پیشرفت پروژه‌های استان‌ها", "Progress of the projects of the provinces"),
            note: question.note(),
            unit: Text::new("درصد", "per cent"),
            figure: Figure::Bars {
                labels: rows.iter().map(name).collect(),
                series: vec![Series {
                    name: Text::new("پیشرفت", "Progress"),
                    values: rows
                        .iter()
                        .map(|row| row.progress_bp.map(|share| share as f64 / 100.0))
                        .collect(),
                }],
                horizontal: true,
            },
        })
    }
}

impl From<Row> for LeagueRow {
    fn from(row: Row) -> Self {
        Self {
            province: ProvinceCode(row.province),
            name_fa: row.name_fa,
            name_en: row.name_en,
            identified: row.identified,
            feasible: row.feasible,
            running: row.running,
            closed: row.closed,
            budget_at_completion_irr: Amount(row.whole_irr),
            earned_value_irr: Amount(row.earned_irr),
            progress_bp: share_bp(row.earned_irr, row.whole_irr),
            spi: ratio(row.earned_irr, row.planned_irr),
            late_reports: row.late_reports,
            rank: None,
        }
    }
}

/// Sorts the provinces by rank; those without planned value come last, without a rank.
fn rank(rows: &mut [LeagueRow]) {
    let merit = |row: &LeagueRow| (row.progress_bp, -row.late_reports);
    let place = |rows: &[LeagueRow], row: &LeagueRow| {
        row.progress_bp.map(|_| 1 + rows.iter().filter(|other| merit(other) > merit(row)).count() as i64)
    };
    let places: Vec<_> = rows.iter().map(|row| place(rows, row)).collect();
    rows.iter_mut().zip(places).for_each(|(row, place)| row.rank = place);
    rows.sort_by_key(|row| row.rank.unwrap_or(ALL.len() as i64 + 1));
}

/// League of provinces
///
/// Each province with its clusters, projects, progress and late reports on `as_of`. Progress is earned value
/// as a share of the whole planned value of the baselines. Callers of one province get it alone, without a
/// rank.
#[utoipa::path(params(Common), responses((status = 200, body = ReportResponse<LeagueRow, LeagueTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/province-league")]
pub async fn get_province_league(question: Question<ProvinceLeague>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
