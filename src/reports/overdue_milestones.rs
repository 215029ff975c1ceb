//! Milestones overdue on a day, with the days overdue and the lead of their project. "Overdue" is derived,
//! never stored.

use actix_web::{HttpResponse, get};
use chrono::Days;
use sea_orm::{DatabaseTransaction, FromQueryResult, prelude::Uuid};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, Totals, WITH_CHART,
    chart::{Chart, Figure, Series},
    plan,
};
use crate::{
    milestones::rules::State,
    persian::Date,
    problem::{Problem, Text},
    projects::{phases::PhaseName, rules::State as ProjectState},
    provinces::ProvinceCode,
    store::temporal_relations::{ASSIGNMENT, CDA, CLUSTER},
};

/// The report.
pub struct OverdueMilestones;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Minimum number of days overdue.
    #[param(minimum = 1, maximum = 36_500, default = 1, example = 31)]
    min_days_late: Option<u64>,
}

/// A milestone that should have been accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverdueMilestone {
    /// The milestone.
    id: Uuid,
    /// Its title in Persian.
    #[schema(example = "نشان تجاری مشترک سنگ لرستان")]
    title_fa: String,
    /// Its title in English.
    #[schema(required, example = "Common brand for the stone of Lorestan")]
    title_en: Option<String>,
    /// Its project.
    project_id: Uuid,
    /// The code of the project.
    #[schema(example = "15-P-0001")]
    project_code: String,
    /// State of the project on that day. Milestones of a suspended project count as overdue; those of a
    /// closed or terminated one do not.
    project_state: ProjectState,
    /// The name of the cluster in Persian.
    #[schema(example = "سنگ")]
    cluster_fa: String,
    /// The province.
    province: ProvinceCode,
    /// The phase.
    phase: PhaseName,
    /// The day by which it was due, in the plan that was in force.
    #[schema(example = "2016-09-21")]
    due_on: Date,
    /// Number of days overdue.
    #[schema(minimum = 1, example = 45)]
    days_late: i64,
    /// Its part of its project in that plan, in basis points.
    #[schema(minimum = 0, maximum = 10_000, example = 500)]
    weight_bp: i64,
    /// State on that day.
    state: State,
    /// Lead of the project on that day; null if there was none.
    #[schema(required)]
    lead_cda: Option<Leader>,
}

/// The lead CDA of a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeaderOfProject)]
pub struct Leader {
    /// The CDA.
    id: Uuid,
    /// The name in Persian.
    #[schema(example = "عامل توسعهٔ نمونه")]
    name_fa: String,
}

/// Totals.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct OverdueTotals {
    /// Number of milestones.
    #[schema(minimum = 0, example = 6)]
    milestones: u64,
    /// The sum of their weights, each in basis points of its own project.
    #[schema(minimum = 0, example = 2_900)]
    weight_bp: i64,
    /// Number of milestones by days overdue.
    by_age: OverdueByAge,
}

/// Number of milestones by days overdue.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct OverdueByAge {
    /// 1 to 30 days.
    #[schema(minimum = 0, example = 1)]
    days_1_to_30: u64,
    /// 31 to 90 days.
    #[schema(minimum = 0, example = 2)]
    days_31_to_90: u64,
    /// 91 to 180 days.
    #[schema(minimum = 0, example = 1)]
    days_91_to_180: u64,
    /// 181 to 365 days.
    #[schema(minimum = 0, example = 1)]
    days_181_to_365: u64,
    /// More than 365 days.
    #[schema(minimum = 0, example = 1)]
    days_over_365: u64,
}

impl Totals<OverdueMilestone> for OverdueTotals {
    fn add(&mut self, item: &OverdueMilestone) {
        let age = &mut self.by_age;
        let count = match item.days_late {
            ..=30 => &mut age.days_1_to_30,
            31..=90 => &mut age.days_31_to_90,
            91..=180 => &mut age.days_91_to_180,
            181..=365 => &mut age.days_181_to_365,
            366.. => &mut age.days_over_365,
        };
        *count += 1;
        self.milestones += 1;
        self.weight_bp += item.weight_bp;
    }
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    id: Uuid,
    title_fa: String,
    title_en: Option<String>,
    project_id: Uuid,
    project_code: String,
    project_state: ProjectState,
    cluster_fa: String,
    province: String,
    phase: PhaseName,
    due_on: Date,
    days_late: i64,
    weight_bp: i64,
    state: State,
    lead_id: Option<Uuid>,
    lead_name_fa: Option<String>,
}

impl Report for OverdueMilestones {
    const ENTRY: Entry = Entry {
        name: "overdue-milestones",
        title_fa: "نقاط عطف دیرکرد",
        title_en: "Overdue milestones",
        formats: WITH_CHART,
        parameters: &[("min_days_late", "دست‌کم این تعداد روز دیرکرد")],
        reads: &["milestone", "baseline", "project", "cluster", "assignment", "cda"],
        columns: &[
            Column::new("id", Kind::Id, "شناسهٔ نقطهٔ عطف", "Id of the milestone"),
            Column::new("title_fa", Kind::Text, "نقطهٔ عطف", "Milestone, in Persian"),
            Column::new("title_en", Kind::Text, "عنوان انگلیسی", "Milestone, in English"),
            Column::new("project_id", Kind::Id, "شناسهٔ پروژه", "Id of the project"),
            Column::new("project_code", Kind::Text, "کد پروژه", "Code of the project"),
            Column::new("project_state", Kind::Word, "وضعیت پروژه", "State of the project on that day"),
            Column::new("cluster_fa", Kind::Text, "خوشه", "Name of the cluster in Persian"),
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("phase", Kind::Word, "فاز", "Phase"),
            Column::new("due_on", Kind::Day, "سررسید", "Due on"),
            Column::new("days_late", Kind::Days, "روزهای دیرکرد", "Days late"),
            Column::new("weight_bp", Kind::BasisPoints, "وزن", "Weight in the project"),
            Column::new("state", Kind::Word, "وضعیت", "State on that day"),
            Column::new("lead_cda.id", Kind::Id, "شناسهٔ عامل توسعهٔ اصلی", "Id of the lead CDA"),
            Column::new("lead_cda.name_fa", Kind::Text, "عامل توسعهٔ اصلی", "Lead CDA on that day"),
        ],
    };
    type Parameters = Parameters;
    type Item = OverdueMilestone;
    type Totals = OverdueTotals;
    const CHARTS_ROWS: bool = false;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let as_of = question.as_of.naive();
        let (day, last) =
            (sql.day(as_of), sql.day(as_of - Days::new(question.own.min_days_late.unwrap_or(1))));
        let from = question
            .from()
            .map(|first| format!(" AND m.due_on >= {}", sql.day(first.naive())))
            .unwrap_or_default();
        let (milestones, projects, clusters) = (
            plan::milestones(question, &mut sql),
            question.projects(&mut sql),
            question.known(&CLUSTER, &mut sql),
        );
        // Who has been assigned to a project stays in its province.
        let (assignments, cdas) = (question.known(&ASSIGNMENT, &mut sql), question.known(&CDA, &mut sql));
        let query = format!(
            "SELECT m.id, m.title_fa, m.title_en, p.id AS project_id, p.code AS project_code, p.state AS project_state, \
               c.name_fa AS cluster_fa, m.province, m.phase, m.due_on, {late} AS days_late, m.weight_bp, m.state, \
               l.id AS lead_id, l.name_fa AS lead_name_fa \
             FROM {milestones} m JOIN {projects} p ON p.id = m.project_id JOIN {clusters} c ON c.id = p.cluster_id \
               LEFT JOIN {assignments} a ON a.project_id = p.id AND a.role = 'lead' AND a.valid_from <= {day} \
                 AND (a.valid_to IS NULL OR a.valid_to >= {day}) \
               LEFT JOIN {cdas} l ON l.id = a.cda_id \
             WHERE m.state NOT IN ('accepted', 'cancelled') AND m.due_on <= {last}{from} AND p.state NOT IN ('closed', 'terminated') \
             ORDER BY m.due_on, m.id",
            late = sql.days_between(&day, "m.due_on"),
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }

    fn chart(question: &Question<Self>, _: &[OverdueMilestone], totals: &OverdueTotals) -> Option<Chart> {
        let OverdueByAge { days_1_to_30, days_31_to_90, days_91_to_180, days_181_to_365, days_over_365 } =
            totals.by_age;
        let counts = [days_1_to_30, days_31_to_90, days_91_to_180, days_181_to_365, days_over_365];
        let ages = [
            ("۱ تا ۳۰", "1 to 30"),
            ("۳۱ تا ۹۰", "31 to 90"),
            ("۹۱ تا ۱۸۰", "91 to 180"),
            ("۱۸۱ تا ۳۶۵", "181 to 365"),
            ("بیش از ۳۶۵", "over 365"),
        ];
        Some(Chart {
            title: Text::new(Self::ENTRY.title_fa, Self::ENTRY.title_en),
            note: question.note(),
            unit: Text::new("نقطهٔ عطف", "milestones"),
            figure: Figure::Bars {
                labels: ages.map(|(fa, en)| Text::new(format!("{fa} روز"), format!("{en} days"))).into(),
                series: vec![Series {
                    name: Text::new("نقاط عطف", "Milestones"),
                    values: counts.map(|count| Some(count as f64)).into(),
                }],
                horizontal: false,
            },
        })
    }
}

impl From<Row> for OverdueMilestone {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            title_fa: row.title_fa,
            title_en: row.title_en,
            project_id: row.project_id,
            project_code: row.project_code,
            project_state: row.project_state,
            cluster_fa: row.cluster_fa,
            province: ProvinceCode(row.province),
            phase: row.phase,
            due_on: row.due_on,
            days_late: row.days_late,
            weight_bp: row.weight_bp,
            state: row.state,
            lead_cda: row.lead_id.zip(row.lead_name_fa).map(|(id, name_fa)| Leader { id, name_fa }),
        }
    }
}

/// Overdue milestones
///
/// The milestones that were due before `as_of` and neither accepted nor cancelled on that day, the longest
/// overdue first. Due days and weights are those of the plan in force: the newest baseline frozen by then.
/// Milestones of a suspended project are included (see `project_state`); a closed or terminated project has
/// none. With `period` only those due within it.
#[utoipa::path(params(Common, Parameters), responses((status = 200, body = ReportResponse<OverdueMilestone, OverdueTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/overdue-milestones")]
pub async fn get_overdue_milestones(question: Question<OverdueMilestones>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
