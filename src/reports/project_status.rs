//! Status of each project: lead, phase, planned and actual progress by the day, and forecast at the present
//! pace.

use actix_web::{HttpResponse, get};
use sea_orm::{ActiveEnum, DatabaseTransaction, FromQueryResult, prelude::Uuid};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, TABLE, Totals,
    value::{EarnedValue, budget_of},
};
use crate::{
    persian::Date,
    problem::Problem,
    projects::{phases::PhaseName, rules::State},
    provinces::ProvinceCode,
    store::{
        earned_value::MEASURES,
        temporal_relations::{ASSIGNMENT, BASELINE, CDA, CLUSTER},
    },
};

/// The report.
pub struct ProjectStatus;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Projects in one of these states on the day; by default those under contract that are not closed or
    /// terminated.
    #[param(style = Form, explode = false, min_items = 1, max_items = 11, inline)]
    pub state: Option<Vec<State>>,
}

/// A project on a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectOnDay {
    /// The project.
    id: Uuid,
    /// Its code.
    #[schema(example = "P-15-0001")]
    code: String,
    /// Its title in Persian.
    #[schema(example = "پروژهٔ توسعهٔ خوشهٔ سنگ لرستان")]
    title_fa: String,
    /// Its title in English.
    #[schema(required, example = "Development of the stone cluster of Lorestan")]
    title_en: Option<String>,
    /// The name of its cluster.
    #[schema(example = "سنگ")]
    cluster_fa: String,
    /// Its province.
    province: ProvinceCode,
    /// State of the project.
    state: State,
    /// The phase that belongs to that state; null before the first, and where the project rests or has ended.
    #[schema(required)]
    phase: Option<PhaseName>,
    /// Lead CDA on the day; null if there was none.
    #[schema(required, example = "عامل توسعهٔ نمونه")]
    lead_cda_fa: Option<String>,
    /// The baseline in force on the day; null while there is none, and nothing is planned or earned.
    #[schema(required, minimum = 1, example = 1)]
    baseline_number: Option<i64>,
    /// Planned progress by the day, according to the baseline in force, in basis points.
    #[schema(required, minimum = 0, maximum = 10_000, example = 5000)]
    planned_bp: Option<i64>,
    /// Actual progress, in basis points: Σ weight × accepted fraction, rounded down.
    #[schema(required, minimum = 0, maximum = 10_000, example = 4150)]
    actual_bp: Option<i64>,
    #[serde(flatten)]
    value: EarnedValue,
    /// The last day of the contract.
    #[schema(required)]
    contract_end: Option<Date>,
    /// Number of days until then; negative if it has passed, null for projects that have ended.
    #[schema(required, example = 400)]
    days_left: Option<i64>,
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    id: Uuid,
    code: String,
    title_fa: String,
    title_en: Option<String>,
    cluster_fa: String,
    province: String,
    state: State,
    lead_cda_fa: Option<String>,
    baseline_number: Option<i64>,
    planned_bp: i64,
    earned_bp: i64,
    budget_irr: i64,
    planned_irr: i64,
    earned_irr: i64,
    cost_irr: i64,
    contract_end: Option<Date>,
    days_left: Option<i64>,
}

/// Totals of the projects.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ProjectStatusTotals {
    /// Sums of all rows, and figures derived from them.
    #[serde(flatten)]
    value: EarnedValue,
}

impl Totals<ProjectOnDay> for ProjectStatusTotals {
    fn add(&mut self, project: &ProjectOnDay) {
        self.value = self.value.plus(project.value);
    }
}

impl Report for ProjectStatus {
    const ENTRY: Entry = Entry {
        name: "project-status",
        title_fa: "وضعیت پروژه‌ها",
        title_en: "Status of projects",
        formats: TABLE,
        parameters: &[("state", "وضعیت")],
        reads: &["project", "cluster", "baseline", "milestone", "payment", "assignment", "cda"],
        columns: &[
            Column::new("id", Kind::Id, "شناسهٔ پروژه", "Id of the project"),
            Column::new("code", Kind::Text, "کد پروژه", "Code"),
            Column::new("title_fa", Kind::Text, "عنوان پروژه", "Title in Persian"),
            Column::new("title_en", Kind::Text, "عنوان انگلیسی", "Title in English"),
            Column::new("cluster_fa", Kind::Text, "خوشه", "Cluster"),
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("state", Kind::Word, "وضعیت", "State"),
            Column::new("phase", Kind::Word, "فاز", "Phase"),
            Column::new("lead_cda_fa", Kind::Text, "عامل توسعهٔ اصلی", "Lead CDA"),
            Column::new("baseline_number", Kind::Count, "شمارهٔ خط مبنا", "Baseline in force"),
            Column::new("planned_bp", Kind::BasisPoints, "پیشرفت برنامه‌ای", "Planned progress"),
            Column::new("actual_bp", Kind::BasisPoints, "پیشرفت واقعی", "Actual progress"),
            Column::new(
                "budget_at_completion_irr",
                Kind::Rials,
                "بودجه در پایان (BAC)",
                "Budget at completion (BAC)",
            ),
            Column::new("planned_value_irr", Kind::Rials, "ارزش برنامه‌ریزی‌شده (PV)", "Planned value (PV)"),
            Column::new("earned_value_irr", Kind::Rials, "ارزش کسب‌شده (EV)", "Earned value (EV)"),
            Column::new("actual_cost_irr", Kind::Rials, "هزینهٔ واقعی (AC)", "Actual cost (AC)"),
            Column::new("spi", Kind::Ratio, "شاخص عملکرد زمان‌بندی (SPI)", "Schedule performance index (SPI)"),
            Column::new("cpi", Kind::Ratio, "شاخص عملکرد هزینه (CPI)", "Cost performance index (CPI)"),
            Column::new(
                "estimate_at_completion_irr",
                Kind::Rials,
                "برآورد در پایان (EAC)",
                "Estimate at completion (EAC)",
            ),
            Column::new("contract_end", Kind::Day, "پایان قرارداد", "End of the contract"),
            Column::new("days_left", Kind::Days, "روزهای باقی‌مانده", "Days left"),
        ],
    };
    type Parameters = Parameters;
    type Item = ProjectOnDay;
    type Totals = ProjectStatusTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let (projects, values) = (question.projects(&mut sql), question.values(&mut sql));
        let [clusters, baselines] = [&CLUSTER, &BASELINE].map(|relation| question.known(relation, &mut sql));
        let (assignments, cdas) = (question.known(&ASSIGNMENT, &mut sql), question.known(&CDA, &mut sql));
        let states = question
            .own
            .state
            .as_deref()
            .unwrap_or(RUNNING)
            .iter()
            .map(ActiveEnum::to_value)
            .collect::<Vec<_>>();
        let states = sql.texts(states.iter().map(String::as_str));
        let sums = MEASURES.map(|name| format!("CAST(SUM(v.{name}) AS bigint) AS {name}")).join(", ");
        let known = MEASURES.map(|name| format!("COALESCE(s.{name}, 0) AS {name}")).join(", ");
        let budget = budget_of("p.budget", &sql);
        let query = format!(
            "SELECT p.id, p.code, p.title_fa, p.title_en, c.name_fa AS cluster_fa, p.province, p.state, p.contract_end, {known}, {budget} AS budget_irr, \
               CASE WHEN p.state NOT IN ('closed', 'terminated') THEN {} END AS days_left, \
               n.number AS baseline_number, d.name_fa AS lead_cda_fa \
             FROM {projects} p JOIN {clusters} c ON c.id = p.cluster_id \
               LEFT JOIN (SELECT b.project_id, CAST(MAX(CASE WHEN b.number = 1 OR b.frozen_on <= {day} THEN b.number END) AS bigint) AS number \
                 FROM {baselines} b GROUP BY b.project_id) n ON n.project_id = p.id \
               LEFT JOIN (SELECT a.project_id, a.cda_id, ROW_NUMBER() OVER (PARTITION BY a.project_id ORDER BY a.id) AS place FROM {assignments} a \
                 WHERE a.role = 'lead' AND a.valid_from <= {day} AND (a.valid_to IS NULL OR a.valid_to >= {day})) l \
                 ON l.project_id = p.id AND l.place = 1 \
               LEFT JOIN {cdas} d ON d.id = l.cda_id \
               LEFT JOIN (SELECT v.project_id, {sums} FROM {values} v WHERE v.day <= {day} GROUP BY v.project_id) s ON s.project_id = p.id \
             WHERE p.state IN {states} ORDER BY p.province, p.code",
            sql.days_between("p.contract_end", &day),
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }
}

/// States shown by default.
const RUNNING: &[State] = &[
    State::Contracted,
    State::Diagnostic,
    State::Planning,
    State::Implementing,
    State::Evaluating,
    State::HandedOver,
    State::Suspended,
];

impl From<Row> for ProjectOnDay {
    fn from(row: Row) -> Self {
        let phase = match row.state {
            State::Diagnostic => Some(PhaseName::Diagnostic),
            State::Planning => Some(PhaseName::ActionPlan),
            State::Implementing => Some(PhaseName::Implementation),
            State::Evaluating => Some(PhaseName::Evaluation),
            State::HandedOver => Some(PhaseName::Handover),
            _ => None,
        };
        Self {
            id: row.id,
            code: row.code,
            title_fa: row.title_fa,
            title_en: row.title_en,
            cluster_fa: row.cluster_fa,
            province: ProvinceCode(row.province),
            state: row.state,
            phase,
            lead_cda_fa: row.lead_cda_fa,
            baseline_number: row.baseline_number,
            planned_bp: row.baseline_number.map(|_| row.planned_bp),
            actual_bp: row.baseline_number.map(|_| row.earned_bp / 10_000),
            value: EarnedValue::new(row.budget_irr, row.planned_irr, row.earned_irr, row.cost_irr),
            contract_end: row.contract_end,
            days_left: row.days_left,
        }
    }
}

/// Status of projects
///
/// Each project under way: lead, phase, planned and actual progress, and earned value. Planned value comes
/// from the baseline in force on the day, earned value from acceptances with its weights, actual cost from
/// the payments (earned value management after ANSI/PMI 19-006 and ISO 21508). Values are parts of the
/// approved budget in whole rials, rounded down for each milestone. `totals` are the sums of the rows.
#[utoipa::path(params(Common, Parameters), responses((status = 200, body = ReportResponse<ProjectOnDay, ProjectStatusTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/project-status")]
pub async fn get_project_status(question: Question<ProjectStatus>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
