//! Workload of CDAs on a day, acceptance of their work, and expiry of their certificates. Contains no
//! personal data.

use actix_web::{HttpResponse, get};
use sea_orm::{ActiveEnum, DatabaseTransaction, FromQueryResult, prelude::Uuid};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Column, Common, Entry, Kind, NoParameters, Question, Report, ReportResponse, RowSink, TABLE, Totals,
    plan, value::share_bp,
};
use crate::{
    cdas::rules::State,
    persian::Date,
    personal,
    problem::Problem,
    projects::rules::State as ProjectState,
    provinces::ProvinceCode,
    store::{
        sql::Member,
        temporal_relations::{ASSIGNMENT, CDA},
    },
    values::Decimal,
};

/// The report.
pub struct CdaPortfolio;

/// Load of a led and of an assisted project, in millionths (proposed).
const LOADS: [i64; 2] = [1_000_000, 500_000];

/// A CDA on a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct Portfolio {
    /// The CDA.
    id: Uuid,
    /// The name in Persian.
    #[schema(example = "عامل توسعهٔ نمونه")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Sample CDA")]
    name_en: Option<String>,
    /// The province.
    province: ProvinceCode,
    /// State of the CDA on that day.
    state: State,
    /// Number of live projects (approved to handed over, not resting) that the CDA led on that day.
    #[schema(minimum = 0, example = 2)]
    projects_led: i64,
    /// In how many live projects the CDA assisted.
    #[schema(minimum = 0, example = 1)]
    projects_assisted: i64,
    /// The load: a project that is led counts 1, one that is assisted 0.5 (proposed).
    #[schema(example = "2.5")]
    load: Decimal,
    /// Number of milestones that were accepted while the CDA led their project, and still are.
    #[schema(minimum = 0, example = 14)]
    accepted: i64,
    /// Number of them accepted by their due day, according to the plan in force on `as_of`.
    #[schema(minimum = 0, example = 9)]
    on_time: i64,
    /// Their share in basis points, rounded half up; null where none was accepted.
    #[schema(required, minimum = 0, maximum = 10_000, example = 6_429)]
    on_time_bp: Option<i64>,
    /// Number of times that a milestone was returned while the CDA led its project.
    #[schema(minimum = 0, example = 1)]
    returns: i64,
    /// Number of certificates and trainings issued by that day.
    #[schema(minimum = 0, example = 1)]
    certificates: i64,
    /// The last day on which one of them holds; null where one holds for good, or there is none.
    #[schema(required, example = "2018-03-20")]
    certificate_expires_on: Option<Date>,
    /// Number of days until then; negative if it has passed.
    #[schema(required, example = 120)]
    days_to_expiry: Option<i64>,
}

/// Totals of the CDAs.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct PortfolioTotals {
    /// Number of CDAs.
    #[schema(minimum = 0, example = 3)]
    cdas: u64,
    /// Number of live projects that they led.
    #[schema(minimum = 0, example = 4)]
    projects_led: i64,
    /// Number of accepted milestones.
    #[schema(minimum = 0, example = 30)]
    accepted: i64,
    /// Number of them accepted on time.
    #[schema(minimum = 0, example = 21)]
    on_time: i64,
    /// Their share in basis points, rounded half up; null where none was accepted.
    #[schema(required, minimum = 0, maximum = 10_000, example = 7_000)]
    on_time_bp: Option<i64>,
    /// Number of times that milestones were returned.
    #[schema(minimum = 0, example = 2)]
    returns: i64,
}

impl Totals<Portfolio> for PortfolioTotals {
    fn add(&mut self, cda: &Portfolio) {
        self.cdas += 1;
        self.projects_led += cda.projects_led;
        self.accepted += cda.accepted;
        self.on_time += cda.on_time;
        self.returns += cda.returns;
    }

    fn finish(&mut self) {
        self.on_time_bp = share_bp(self.on_time, self.accepted);
    }
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    id: Uuid,
    name_fa: String,
    name_en: Option<String>,
    province: String,
    state: State,
    projects_led: i64,
    projects_assisted: i64,
    accepted: i64,
    on_time: i64,
    returns: i64,
    certificates: i64,
    certificate_expires_on: Option<Date>,
    days_to_expiry: Option<i64>,
}

impl Report for CdaPortfolio {
    const ENTRY: Entry = Entry {
        name: "cda-portfolio",
        title_fa: "کارنامهٔ عاملان توسعه",
        title_en: "Portfolios of CDAs",
        formats: TABLE,
        parameters: &[],
        reads: &["cda", "assignment", "project", "cluster", "milestone", "baseline"],
        columns: &[
            Column::new("id", Kind::Id, "شناسهٔ عامل توسعه", "Id of the CDA"),
            Column::new("name_fa", Kind::Text, "نام", "Name in Persian"),
            Column::new("name_en", Kind::Text, "نام انگلیسی", "Name in English"),
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("state", Kind::Word, "وضعیت", "State on that day"),
            Column::new("projects_led", Kind::Count, "پروژه‌های زنده (عامل اصلی)", "Live projects led"),
            Column::new("projects_assisted", Kind::Count, "پروژه‌های زنده (دستیار)", "Live projects assisted"),
            Column::new("load", Kind::Ratio, "بار کاری", "Load"),
            Column::new("accepted", Kind::Count, "نقاط عطف پذیرفته", "Milestones accepted"),
            Column::new("on_time", Kind::Count, "پذیرفته در موعد", "Accepted in time"),
            Column::new("on_time_bp", Kind::BasisPoints, "سهم پذیرفته در موعد", "Share accepted in time"),
            Column::new("returns", Kind::Count, "بازگشت‌ها", "Returns"),
            Column::new("certificates", Kind::Count, "شمار گواهی‌ها", "Certificates"),
            Column::new("certificate_expires_on", Kind::Day, "پایان اعتبار گواهی", "Certificate expires on"),
            Column::new("days_to_expiry", Kind::Days, "روزهای مانده تا پایان اعتبار", "Days to expiry"),
        ],
    };
    type Parameters = NoParameters;
    type Item = Portfolio;
    type Totals = PortfolioTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let since = question.from().map(|first| sql.day(first.naive()));
        let since = |column: &str| {
            since.as_ref().map(|first| format!(" AND {column} >= {first}")).unwrap_or_default()
        };
        let (projects, assignments, cdas) = (
            question.projects(&mut sql),
            question.known(&ASSIGNMENT, &mut sql),
            question.known(&CDA, &mut sql),
        );
        let (milestones, events) =
            (plan::milestones(question, &mut sql), question.events("milestone", &mut sql));
        let live: Vec<String> = ProjectState::LIVE.iter().map(ActiveEnum::to_value).collect();
        let live = sql.texts(live.iter().map(String::as_str));
        let held = sql.each("c.certificates", "held");
        let [issued_on, expires_on] =
            ["issued_on", "expires_on"].map(|name| sql.member("held.value", name, Member::Date));
        let projects_as =
            |role: &str| format!("COUNT(DISTINCT CASE WHEN a.role = '{role}' THEN a.project_id END)");
        let certificates = |what: &str| format!("(SELECT {what} FROM {held} WHERE {issued_on} <= {day})");
        let erased = format!("'{}'", personal::ERASED_NAME);
        let shown = if question.has_industries() {
            ""
        } else {
            "c.state IN ('certified', 'suspended', 'expired') OR "
        };
        // A project has one lead at a time: on a day it is the one who began last, if still active. Scanning
        // each project's days once avoids a join of days with ranges, for which planners have no estimates.
        let query = format!(
            "WITH task AS (SELECT a.cda_id, a.project_id, a.role, a.valid_from, a.valid_to, p.state FROM {assignments} a \
                 JOIN {projects} p ON p.id = a.project_id WHERE a.valid_from <= {day}), \
               review AS (SELECT m.id, m.project_id, m.due_on, m.state, e.to_state, e.effective_on FROM {milestones} m \
                 JOIN {events} e ON e.record_id = m.id WHERE e.to_state IN ('accepted', 'returned')), \
               turn AS (SELECT a.project_id, a.valid_from AS day, 0 AS place, a.cda_id, a.valid_to, NULL AS due_on, NULL AS accepted FROM task a \
                   WHERE a.role = 'lead' \
                 UNION ALL SELECT v.project_id, MAX(v.effective_on), 1, NULL, NULL, v.due_on, 1 FROM review v \
                   WHERE v.to_state = 'accepted' AND v.state = 'accepted' GROUP BY v.id, v.project_id, v.due_on \
                 UNION ALL SELECT v.project_id, v.effective_on, 1, NULL, NULL, v.due_on, 0 FROM review v WHERE v.to_state = 'returned'), \
               counted AS (SELECT t.*, COUNT(t.cda_id) OVER (PARTITION BY t.project_id ORDER BY t.day, t.place ROWS UNBOUNDED PRECEDING) AS lead \
                 FROM turn t), \
               outcome AS (SELECT t.day, t.due_on, t.accepted, FIRST_VALUE(t.cda_id) OVER of_lead AS cda_id, \
                   FIRST_VALUE(t.valid_to) OVER of_lead AS valid_to \
                 FROM counted t WINDOW of_lead AS (PARTITION BY t.project_id, t.lead ORDER BY t.day, t.place ROWS UNBOUNDED PRECEDING)), \
               credit AS (SELECT o.cda_id, SUM(o.accepted) AS accepted, COUNT(CASE WHEN o.accepted = 1 AND o.day <= o.due_on THEN 1 END) AS on_time, \
                   COUNT(CASE WHEN o.accepted = 0 THEN 1 END) AS returns \
                 FROM outcome o WHERE o.accepted IS NOT NULL AND o.cda_id IS NOT NULL AND (o.valid_to IS NULL OR o.valid_to >= o.day){} \
                 GROUP BY o.cda_id), \
               hands AS (SELECT a.cda_id, {} AS projects_led, {} AS projects_assisted FROM task a \
                 WHERE (a.valid_to IS NULL OR a.valid_to >= {day}) AND a.state IN {live} GROUP BY a.cda_id), \
               holder AS (SELECT c.id, COALESCE(c.name_fa, {erased}) AS name_fa, c.name_en, c.province, c.state, {} AS certificates, {} AS certificate_expires_on FROM {cdas} c \
                 WHERE {shown}c.id IN (SELECT a.cda_id FROM task a)) \
             SELECT c.*, {} AS days_to_expiry, COALESCE(h.projects_led, 0) AS projects_led, COALESCE(h.projects_assisted, 0) AS projects_assisted, \
               CAST(COALESCE(w.accepted, 0) AS bigint) AS accepted, COALESCE(w.on_time, 0) AS on_time, COALESCE(w.returns, 0) AS returns \
             FROM holder c LEFT JOIN hands h ON h.cda_id = c.id LEFT JOIN credit w ON w.cda_id = c.id ORDER BY c.province, c.id",
            since("o.day"),
            projects_as("lead"),
            projects_as("assistant"),
            certificates("COUNT(*)"),
            // One that holds for good expires never.
            certificates(&format!("CASE WHEN COUNT(*) = COUNT({expires_on}) THEN MAX({expires_on}) END")),
            sql.days_between("c.certificate_expires_on", &day),
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }
}

impl From<Row> for Portfolio {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name_fa: row.name_fa,
            name_en: row.name_en,
            province: ProvinceCode(row.province),
            state: row.state,
            projects_led: row.projects_led,
            projects_assisted: row.projects_assisted,
            load: Decimal(row.projects_led * LOADS[0] + row.projects_assisted * LOADS[1]),
            accepted: row.accepted,
            on_time: row.on_time,
            on_time_bp: share_bp(row.on_time, row.accepted),
            returns: row.returns,
            certificates: row.certificates,
            certificate_expires_on: row.certificate_expires_on,
            days_to_expiry: row.days_to_expiry,
        }
    }
}

/// Portfolios of CDAs
///
/// The CDAs of the provinces that were certified, suspended or expired on `as_of`, and all others who had
/// worked in a project by then. A milestone counts for the CDA who led its project on the day of its
/// acceptance or return; with `period`, only if that day is within it. With `industry` only its projects
/// count, and only CDAs who had worked in one of them are shown.
#[utoipa::path(params(Common), responses((status = 200, body = ReportResponse<Portfolio, PortfolioTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/cda-portfolio")]
pub async fn get_cda_portfolio(question: Question<CdaPortfolio>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
