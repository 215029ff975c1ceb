//! Due quarterly progress reports, and their submission.

use super::{Question, Report};
use crate::{
    persian::{Date, PersianPeriod},
    projects::rules::UNDER_WAY,
    store::{sql::Composer, temporal_relations::PROGRESS_REPORT},
};

impl<R: Report> Question<R> {
    /// Reports due by `as_of`, as a relation: `project_id`, `province`, `quarter`, `deadline`, and, if they
    /// exist by the day, `submitted_on` (first), `accepted_on` (nationally) and `returns` (number).
    ///
    /// A report is due for each Persian quarter on whose last day the project was under way: under contract,
    /// neither resting nor ended. The deadline is this number of days later; with `period`, only quarters
    /// within it.
    pub fn due_reports(&self, deadline_days: u32, sql: &mut Composer) -> String {
        let day = sql.day(self.as_of.naive());
        let known = self
            .known_at
            .map(|moment| format!(" AND e.recorded_at <= {}", sql.moment(moment)))
            .unwrap_or_default();
        let (projects, reports) = (self.projects(sql), self.known(&PROGRESS_REPORT, sql));
        let quarters = self.quarters(deadline_days, sql);
        let into = |state: &str, what: &str| format!("CASE WHEN e.to_state = '{state}' THEN {what} END");
        // Of two changes on one day the first has lasted for no day at all.
        let stay = format!(
            "(SELECT p.id, p.province, p.contract_start, e.to_state, e.effective_on AS since, \
                LEAD(e.effective_on) OVER (PARTITION BY e.record_id ORDER BY e.effective_on, e.id) AS until \
              FROM {projects} p JOIN status_event e ON e.resource = 'project' AND e.record_id = p.id{known})"
        );
        let handed_in = format!(
            "(SELECT r.project_id, r.quarter, MIN({}) AS submitted_on, MAX({}) AS accepted_on, COUNT({}) AS returns \
              FROM {reports} r JOIN status_event e ON e.resource = 'progress_report' AND e.record_id = r.id AND e.effective_on <= {day}{known} \
              GROUP BY r.project_id, r.quarter)",
            into("submitted", "e.effective_on"),
            into("nationally_accepted", "e.effective_on"),
            into("returned", "1"),
        );
        format!(
            "(SELECT s.id AS project_id, s.province, q.quarter, q.deadline, h.submitted_on, h.accepted_on, COALESCE(h.returns, 0) AS returns \
              FROM {stay} s JOIN ({quarters}) q ON s.contract_start <= q.last_day AND s.since <= q.last_day AND COALESCE(s.until > q.last_day, TRUE) \
                LEFT JOIN {handed_in} h ON h.project_id = s.id AND h.quarter = q.quarter \
              WHERE s.to_state IN {UNDER_WAY})"
        )
    }

    /// The quarters whose reports are due by the day, as rows: `quarter`, `last_day`, `deadline`.
    fn quarters(&self, deadline_days: u32, sql: &mut Composer) -> String {
        let mut rows = Vec::new();
        // Future reports are not due yet, whatever the reporting day.
        let day = self.as_of.min(Date::today_in_iran());
        let mut quarter = PersianPeriod::of(
            self.from().map_or_else(programme_begins, |from| from.max(programme_begins())),
            3,
        );
        loop {
            let deadline = quarter.last_day().naive() + chrono::Days::new(deadline_days.into());
            if deadline > day.naive()
                || self.period.is_some_and(|period| quarter.last_day() > period.last_day())
            {
                break;
            }
            let (name, last, deadline) =
                (sql.bind(quarter.to_string()), sql.day(quarter.last_day().naive()), sql.day(deadline));
            rows.push(format!("SELECT {name} AS quarter, {last} AS last_day, {deadline} AS deadline"));
            quarter = quarter.next();
        }
        if rows.is_empty() {
            let day = sql.day(self.as_of.naive());
            return format!("SELECT '' AS quarter, {day} AS last_day, {day} AS deadline WHERE 1 = 0");
        }
        rows.join(" UNION ALL ")
    }
}

/// Since the second half of 1380 clusters are developed: no report is due before.
fn programme_begins() -> Date {
    Date::from_persian(1380, 7, 1).unwrap_or(Date::FIRST)
}
