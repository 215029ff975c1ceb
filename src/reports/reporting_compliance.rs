//! Compliance of projects with reporting: due, timely and missing reports, and duration of reviews.

use actix_web::{HttpResponse, get};
use sea_orm::{DatabaseTransaction, FromQueryResult, prelude::Uuid};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, TABLE, Totals, value::share_bp,
};
use crate::{
    problem::Problem,
    progress_reports::entity::DAYS_TO_REPORT,
    projects::rules::State,
    provinces::ProvinceCode,
    store::{sql::count_where, temporal_relations::CLUSTER},
    values::Decimal,
};

/// The report.
pub struct ReportingCompliance;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Number of days after the end of a quarter by which its report is due; 15 by default, like `due_on` of
    /// the reports.
    #[param(minimum = 0, maximum = 365)]
    pub deadline_days: Option<u32>,
}

/// Reporting of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectReporting {
    /// The project.
    id: Uuid,
    /// Its code.
    #[schema(example = "P-15-0001")]
    code: String,
    /// Its title in Persian.
    #[schema(example = "پروژهٔ توسعهٔ خوشهٔ سنگ لرستان")]
    title_fa: String,
    /// The name of its cluster.
    #[schema(example = "سنگ")]
    cluster_fa: String,
    /// Its province.
    province: ProvinceCode,
    /// State of the project.
    state: State,
    /// Number of reports due by the day.
    #[schema(minimum = 0, example = 8)]
    due: i64,
    /// Number of them first submitted by their deadline.
    #[schema(minimum = 0, example = 5)]
    on_time: i64,
    /// Number of them submitted later.
    #[schema(minimum = 0, example = 2)]
    late: i64,
    /// Number of them not submitted by the day.
    #[schema(minimum = 0, example = 1)]
    missing: i64,
    /// Share submitted on time, in basis points, rounded half up; null if none was due.
    #[schema(required, example = 6250)]
    on_time_bp: Option<i64>,
    /// Number of times that reports were returned.
    #[schema(minimum = 0, example = 1)]
    returns: i64,
    /// The median of the days between first submission and national acceptance; null while none is accepted.
    #[schema(required, example = "24.5")]
    median_review_days: Option<Decimal>,
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    id: Uuid,
    code: String,
    title_fa: String,
    cluster_fa: String,
    province: String,
    state: State,
    due: i64,
    on_time: i64,
    late: i64,
    missing: i64,
    returns: i64,
    doubled_median: Option<i64>,
}

/// Reporting of all projects.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ReportingTotals {
    /// Number of reports due.
    #[schema(minimum = 0)]
    due: i64,
    /// Number submitted on time.
    #[schema(minimum = 0)]
    on_time: i64,
    /// Number submitted late.
    #[schema(minimum = 0)]
    late: i64,
    /// Number missing.
    #[schema(minimum = 0)]
    missing: i64,
    /// Share submitted on time, in basis points, rounded half up.
    #[schema(required, example = 6250)]
    on_time_bp: Option<i64>,
    /// Number of times that reports were returned.
    #[schema(minimum = 0)]
    returns: i64,
}

impl Totals<ProjectReporting> for ReportingTotals {
    fn add(&mut self, project: &ProjectReporting) {
        self.due += project.due;
        self.on_time += project.on_time;
        self.late += project.late;
        self.missing += project.missing;
        self.returns += project.returns;
    }

    fn finish(&mut self) {
        self.on_time_bp = share_bp(self.on_time, self.due);
    }
}

impl Report for ReportingCompliance {
    const ENTRY: Entry = Entry {
        name: "reporting-compliance",
        title_fa: "پایبندی به گزارش‌دهی",
        title_en: "Reporting compliance",
        formats: TABLE,
        parameters: &[("deadline_days", "مهلت گزارش (روز)")],
        reads: &["project", "cluster", "progress_report"],
        columns: &[
            Column::new("id", Kind::Id, "شناسهٔ پروژه", "Id of the project"),
            Column::new("code", Kind::Text, "کد پروژه", "Code"),
            Column::new("title_fa", Kind::Text, "عنوان پروژه", "Title in Persian"),
            Column::new("cluster_fa", Kind::Text, "خوشه", "Cluster"),
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("state", Kind::Word, "وضعیت", "State"),
            Column::new("due", Kind::Count, "موعد رسیده", "Due"),
            Column::new("on_time", Kind::Count, "به‌هنگام", "On time"),
            Column::new("late", Kind::Count, "با تأخیر", "Late"),
            Column::new("missing", Kind::Count, "ارسال‌نشده", "Missing"),
            Column::new("on_time_bp", Kind::BasisPoints, "سهم به‌هنگام", "On time"),
            Column::new("returns", Kind::Count, "بازگشت‌ها", "Returns"),
            Column::new("median_review_days", Kind::Ratio, "میانهٔ روزهای بررسی", "Median days of review"),
        ],
    };
    type Parameters = Parameters;
    type Item = ProjectReporting;
    type Totals = ReportingTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let due = question.due_reports(question.own.deadline_days.unwrap_or(DAYS_TO_REPORT), &mut sql);
        let (projects, clusters) = (question.projects(&mut sql), question.known(&CLUSTER, &mut sql));
        let days = sql.days_between("d.accepted_on", "d.submitted_on");
        // The days in the middle of a project's reviews: one, or two where their number is even.
        let middle = "CASE WHEN d.place * 2 BETWEEN d.number AND d.number + 2 THEN d.days END";
        let query = format!(
            "SELECT p.id, p.code, p.title_fa, c.name_fa AS cluster_fa, p.province, p.state, s.due, s.on_time, s.late, s.missing, s.returns, s.doubled_median \
             FROM (SELECT d.project_id, COUNT(*) AS due, {} AS on_time, {} AS late, {} AS missing, CAST(SUM(d.returns) AS bigint) AS returns, \
                 CAST(SUM({middle}) * 2 / NULLIF(COUNT({middle}), 0) AS bigint) AS doubled_median \
               FROM (SELECT d.*, {days} AS days, COUNT({days}) OVER (PARTITION BY d.project_id) AS number, \
                   ROW_NUMBER() OVER (PARTITION BY d.project_id, {days} IS NULL ORDER BY {days}, d.quarter) AS place FROM {due} d) d \
               GROUP BY d.project_id) s \
               JOIN {projects} p ON p.id = s.project_id JOIN {clusters} c ON c.id = p.cluster_id \
             ORDER BY p.province, p.code",
            count_where("d.submitted_on <= d.deadline"),
            count_where("d.submitted_on > d.deadline"),
            count_where("d.submitted_on IS NULL"),
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }
}

impl From<Row> for ProjectReporting {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            code: row.code,
            title_fa: row.title_fa,
            cluster_fa: row.cluster_fa,
            province: ProvinceCode(row.province),
            state: row.state,
            due: row.due,
            on_time: row.on_time,
            late: row.late,
            missing: row.missing,
            on_time_bp: share_bp(row.on_time, row.due),
            returns: row.returns,
            median_review_days: row.doubled_median.map(|doubled| Decimal(doubled * 500_000)),
        }
    }
}

/// Reporting compliance
///
/// Each project with the quarterly progress reports that were due from it by `as_of`: for each Persian
/// quarter on whose last day it was under way (under contract, neither resting nor ended), `deadline_days`
/// after that day. With `period`, the quarters in it.
#[utoipa::path(params(Common, Parameters), responses((status = 200, body = ReportResponse<ProjectReporting, ReportingTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/reporting-compliance")]
pub async fn get_reporting_compliance(
    question: Question<ReportingCompliance>,
) -> Result<HttpResponse, Problem> {
    question.answer().await
}
