//! Budget of each project: approved, paid, and payments compared with progress.

use actix_web::{HttpResponse, get};
use sea_orm::{DatabaseTransaction, FromQueryResult, prelude::Uuid};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Column, Common, Entry, Kind, NoParameters, Question, Report, ReportResponse, RowSink, TABLE, Totals,
    value::{budget_of, share_bp},
};
use crate::{
    problem::Problem, projects::rules::State, provinces::ProvinceCode, store::temporal_relations::CLUSTER,
    values::Amount,
};

/// The report.
pub struct Budgets;

/// The budget of a project on a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectBudget {
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
    /// Approved budget, over all lines.
    approved_irr: Amount,
    /// Payments up to the day.
    paid_irr: Amount,
    /// Payments in the period; without `period`, all payments.
    paid_in_period_irr: Amount,
    /// Rest of the approved budget.
    remaining_irr: Amount,
    /// Share of the approved budget that is paid, in basis points, rounded half up; null without a budget.
    #[schema(required, example = 4800)]
    paid_bp: Option<i64>,
    /// Earned value: the part of the approved budget whose work was accepted by the day.
    earned_value_irr: Amount,
    /// Progress up to the day, in basis points, by the weights of the baseline in force, rounded down.
    #[schema(minimum = 0, maximum = 10_000, example = 4150)]
    progress_bp: i64,
    /// Lead of payments over progress, in basis points; negative if progress is ahead.
    #[schema(required, example = 650)]
    paid_ahead_bp: Option<i64>,
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
    approved_irr: i64,
    paid_irr: i64,
    paid_in_period_irr: i64,
    earned_bp: i64,
    earned_irr: i64,
}

/// Totals of the budgets.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct BudgetTotals {
    /// Approved budget.
    approved_irr: Amount,
    /// Payments up to the day.
    paid_irr: Amount,
    /// Payments in the period.
    paid_in_period_irr: Amount,
    /// Rest of the approved budget.
    remaining_irr: Amount,
    /// Share of the approved budget that is paid, in basis points, rounded half up.
    #[schema(required, example = 4800)]
    paid_bp: Option<i64>,
    /// Earned value: the part of the approved budgets whose work was accepted.
    earned_value_irr: Amount,
    /// Earned value as a share of the approved budgets, in basis points, rounded half up.
    #[schema(required, example = 4150)]
    progress_bp: Option<i64>,
}

impl Totals<ProjectBudget> for BudgetTotals {
    fn add(&mut self, project: &ProjectBudget) {
        for (sum, part) in [
            (&mut self.approved_irr, project.approved_irr),
            (&mut self.paid_irr, project.paid_irr),
            (&mut self.paid_in_period_irr, project.paid_in_period_irr),
            (&mut self.remaining_irr, project.remaining_irr),
            (&mut self.earned_value_irr, project.earned_value_irr),
        ] {
            sum.0 = sum.0.saturating_add(part.0);
        }
    }

    fn finish(&mut self) {
        self.paid_bp = share_bp(self.paid_irr.0, self.approved_irr.0);
        self.progress_bp = share_bp(self.earned_value_irr.0, self.approved_irr.0);
    }
}

impl Report for Budgets {
    const ENTRY: Entry = Entry {
        name: "budget",
        title_fa: "بودجه و پرداخت‌ها",
        title_en: "Budget and payments",
        formats: TABLE,
        parameters: &[],
        reads: &["project", "cluster", "baseline", "milestone", "payment"],
        columns: &[
            Column::new("id", Kind::Id, "شناسهٔ پروژه", "Id of the project"),
            Column::new("code", Kind::Text, "کد پروژه", "Code"),
            Column::new("title_fa", Kind::Text, "عنوان پروژه", "Title in Persian"),
            Column::new("cluster_fa", Kind::Text, "خوشه", "Cluster"),
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("state", Kind::Word, "وضعیت", "State"),
            Column::new("approved_irr", Kind::Rials, "بودجهٔ مصوب", "Approved"),
            Column::new("paid_irr", Kind::Rials, "پرداخت‌شده", "Paid"),
            Column::new("paid_in_period_irr", Kind::Rials, "پرداخت در دوره", "Paid in the period"),
            Column::new("remaining_irr", Kind::Rials, "مانده", "Remaining"),
            Column::new("paid_bp", Kind::BasisPoints, "درصد پرداخت", "Paid"),
            Column::new("earned_value_irr", Kind::Rials, "ارزش کسب‌شده", "Earned value"),
            Column::new("progress_bp", Kind::BasisPoints, "پیشرفت", "Progress"),
            Column::new(
                "paid_ahead_bp",
                Kind::BasisPoints,
                "پیشی پرداخت بر پیشرفت",
                "Payments ahead of progress",
            ),
        ],
    };
    type Parameters = NoParameters;
    type Item = ProjectBudget;
    type Totals = BudgetTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let since = question
            .from()
            .map(|from| format!("v.day >= {}", sql.day(from.naive())))
            .unwrap_or_else(|| "1 = 1".to_owned());
        let (projects, values, clusters) =
            (question.projects(&mut sql), question.values(&mut sql), question.known(&CLUSTER, &mut sql));
        let approved = budget_of("p.budget", &sql);
        let query = format!(
            "SELECT p.id, p.code, p.title_fa, c.name_fa AS cluster_fa, p.province, p.state, {approved} AS approved_irr, \
               COALESCE(s.paid, 0) AS paid_irr, COALESCE(s.recent, 0) AS paid_in_period_irr, \
               COALESCE(s.earned_bp, 0) AS earned_bp, COALESCE(s.earned_irr, 0) AS earned_irr \
             FROM {projects} p JOIN {clusters} c ON c.id = p.cluster_id LEFT JOIN (\
               SELECT v.project_id, CAST(SUM(v.cost_irr) AS bigint) AS paid, CAST(SUM(CASE WHEN {since} THEN v.cost_irr ELSE 0 END) AS bigint) AS recent, \
                 CAST(SUM(v.earned_bp) AS bigint) AS earned_bp, CAST(SUM(v.earned_irr) AS bigint) AS earned_irr \
               FROM {values} v WHERE v.day <= {day} GROUP BY v.project_id) s ON s.project_id = p.id \
             WHERE p.state <> 'draft' ORDER BY p.province, p.code"
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }
}

impl From<Row> for ProjectBudget {
    fn from(row: Row) -> Self {
        let (paid_bp, progress_bp) = (share_bp(row.paid_irr, row.approved_irr), row.earned_bp / 10_000);
        Self {
            id: row.id,
            code: row.code,
            title_fa: row.title_fa,
            cluster_fa: row.cluster_fa,
            province: ProvinceCode(row.province),
            state: row.state,
            approved_irr: Amount(row.approved_irr),
            paid_irr: Amount(row.paid_irr),
            paid_in_period_irr: Amount(row.paid_in_period_irr),
            remaining_irr: Amount(row.approved_irr - row.paid_irr),
            paid_bp,
            earned_value_irr: Amount(row.earned_irr),
            progress_bp,
            paid_ahead_bp: paid_bp.map(|paid| paid - progress_bp),
        }
    }
}

/// Budget and payments
///
/// Every project that was approved by the day, with its approved budget, payments up to `as_of` and in
/// `period`, the rest, and the lead of payments over progress. `totals` are the sums of the rows.
#[utoipa::path(params(Common), responses((status = 200, body = ReportResponse<ProjectBudget, BudgetTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/budget")]
pub async fn get_budget(question: Question<Budgets>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
