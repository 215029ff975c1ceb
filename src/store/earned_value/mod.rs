//! Earned value: planned value, earned value and actual cost by day.
//!
//! After the standard for earned value management of PMI (ANSI/PMI 19-006) and ISO 21508. The **planned
//! value** of a day is what the baseline in force on that day had planned up to it, the **earned value** what
//! was accepted by then with the weights of that baseline, the **actual cost** what was paid. A baseline is
//! in force until the next one is frozen; the first one also before it was frozen. A terminated project plans
//! nothing more.
//!
//! All three are stored as daily changes ([`deltas`]): the sum up to a day is the value on it, and a
//! re-baseline is a change like any other that leaves earlier values as they were. Values in rials are parts
//! of the approved budget, each rounded down to whole rials, so that they add up exactly. Read from the
//! tables of projects, baselines, milestones and payments without depending on their modules.

pub mod summary;

use chrono::{DateTime, NaiveDate, Utc};

use super::sql::{Composer, Member};

/// Input of the earned-value calculation.
pub struct Sources {
    /// Projects, in parentheses: `id`, `province`, `budget`.
    pub projects: String,
    /// Their baselines: `project_id`, `number`, `frozen_on`, `milestones`.
    pub baselines: String,
    /// Their payments: `project_id`, `amount_irr`, `paid_on`.
    pub payments: String,
    /// Later records are excluded.
    pub known_at: Option<DateTime<Utc>>,
    /// Day whose plan in force is used.
    pub as_of: Option<NaiveDate>,
    /// Planned value only.
    pub is_plan: bool,
}

/// The columns of [`deltas`] besides `project_id`, `province` and `day`: weights in basis points (`earned_bp`
/// times the accepted fraction, also in basis points), rials, and the number of re-baselines frozen.
pub const MEASURES: [&str; 6] =
    ["planned_bp", "earned_bp", "planned_irr", "earned_irr", "cost_irr", "rebaselines"];

/// Daily changes of planned value, earned value and actual cost per project: a statement in parentheses.
///
/// Each part is materialized: SQLite would otherwise inline its text at each reference, and parse the JSON of
/// the plans again each time.
pub fn deltas(sources: &Sources, sql: &mut Composer) -> String {
    let Sources { projects, baselines, payments, .. } = sources;
    let known = sources
        .known_at
        .map(|moment| format!(" AND e.recorded_at <= {}", sql.moment(moment)))
        .unwrap_or_default();
    let day = sources.as_of.map(|day| sql.day(day));
    let [effective, frozen] =
        ["e.effective_on", "b.frozen_on"].map(|column| day.as_ref().map(|day| format!("{column} <= {day}")));
    let effective = effective.map(|condition| format!(" AND {condition}")).unwrap_or_default();
    let frozen = frozen.map(|condition| format!(" WHERE b.number = 1 OR {condition}")).unwrap_or_default();
    let (lines, milestones) = (sql.each("p.budget", "l"), sql.each("f.milestones", "m"));
    let amount = sql.member("l.value", "amount_irr", Member::Integer);
    let milestone = sql.member("m.value", "milestone_id", Member::Uuid);
    let (weight, due) =
        (sql.member("m.value", "weight_bp", Member::Integer), sql.member("m.value", "due_on", Member::Date));
    let acceptances = acceptances(sql, &known);
    // Part of the budget in whole rials, without an overflowing product.
    let part = |share: &str, whole: u64| {
        format!("((x.budget / {whole}) * {share} + (x.budget % {whole}) * {share} / {whole})")
    };
    let (planned_irr, earned_irr) = (part("x.weight", 10_000), part("x.weight * x.fraction", 100_000_000));
    let beyond_plan = if sources.is_plan {
        String::new()
    } else {
        format!(
            " UNION ALL SELECT x.project_id, x.province, x.starts, 0, x.weight * x.fraction, 0, {earned_irr}, 0, 0 \
            FROM value_earned x WHERE x.ends IS NULL OR x.starts < x.ends \
             UNION ALL SELECT x.project_id, x.province, x.ends, 0, -x.weight * x.fraction, 0, -{earned_irr}, 0, 0 \
            FROM value_earned x WHERE x.starts < x.ends \
             UNION ALL SELECT p.id, p.province, y.paid_on, 0, 0, 0, 0, y.amount_irr, 0 FROM {payments} y JOIN value_project p ON p.id = y.project_id \
             UNION ALL SELECT p.id, p.province, f.from_day, 0, 0, 0, 0, 0, 1 FROM value_baseline f JOIN value_project p ON p.id = f.project_id WHERE f.number > 1"
        )
    };
    let sums = MEASURES.map(|name| format!("CAST(SUM(d.{name}) AS bigint) AS {name}")).join(", ");
    format!(
        "(WITH value_project AS MATERIALIZED (SELECT p.id, p.province, \
            CAST(COALESCE((SELECT SUM({amount}) FROM {lines}), 0) AS bigint) AS budget, \
            (SELECT MAX(e.effective_on) FROM status_event e WHERE e.resource = 'project' AND e.record_id = p.id AND e.to_state = 'terminated'{known}{effective}) AS ended \
          FROM {projects} p), \
        value_baseline AS MATERIALIZED (SELECT b.project_id, b.number, b.milestones, CASE WHEN b.number > 1 THEN b.frozen_on END AS from_day, \
            LEAD(b.frozen_on) OVER (PARTITION BY b.project_id ORDER BY b.number) AS to_day FROM {baselines} b{frozen}), \
        value_plan AS MATERIALIZED (SELECT p.id AS project_id, p.province, p.budget, p.ended, f.number, f.from_day, f.to_day, {milestone} AS milestone_id, {weight} AS weight, \
            CASE WHEN f.from_day > {due} THEN f.from_day ELSE {due} END AS starts \
          FROM value_baseline f JOIN value_project p ON p.id = f.project_id CROSS JOIN {milestones}), \
        {acceptances} \
        SELECT d.project_id, d.province, d.day, {sums} FROM (\
          SELECT x.project_id, x.province, x.starts AS day, x.weight AS planned_bp, 0 AS earned_bp, {planned_irr} AS planned_irr, 0 AS earned_irr, 0 AS cost_irr, 0 AS rebaselines \
            FROM value_plan x WHERE (x.to_day IS NULL OR x.starts < x.to_day) AND (x.ended IS NULL OR x.starts < x.ended) \
          UNION ALL SELECT x.project_id, x.province, x.to_day, -x.weight, 0, -{planned_irr}, 0, 0, 0 \
            FROM value_plan x WHERE x.starts < x.to_day AND (x.ended IS NULL OR x.starts < x.ended){beyond_plan}) d \
        GROUP BY d.project_id, d.province, d.day)"
    )
}

/// Periods of acceptance of milestones, with the value earned under each plan.
///
/// PostgreSQL joins milestones of plans and acceptances as a whole. SQLite would compare each with each:
/// there the events of each milestone are looked up by their index, in the order of the `CROSS JOIN`, which
/// SQLite keeps regardless of its statistics.
fn acceptances(sql: &Composer, known: &str) -> String {
    let fraction = sql.member("l.data", "accepted_fraction_bp", Member::Integer);
    let events =
        format!("e.resource = 'milestone' AND (e.to_state = 'accepted' OR e.from_state = 'accepted'){known}");
    let later = |a: &str, b: &str| format!("CASE WHEN {a} > {b} THEN {a} ELSE {b} END AS starts");
    let sooner =
        |a: &str, b: &str| format!("CASE WHEN {a} < {b} OR {b} IS NULL THEN {a} ELSE {b} END AS ends");
    if sql.is_postgres() {
        return format!(
            "value_accepted AS MATERIALIZED (SELECT e.record_id, e.version, e.to_state, e.effective_on AS from_day, \
               LEAD(e.effective_on) OVER (PARTITION BY e.record_id ORDER BY e.effective_on, e.id) AS to_day \
             FROM status_event e WHERE {events} AND e.record_id IN (SELECT milestone_id FROM value_plan)), \
             value_earned AS MATERIALIZED (SELECT p.project_id, p.province, p.budget, p.weight, {fraction} AS fraction, {}, {} \
             FROM value_plan p JOIN value_accepted a ON a.record_id = p.milestone_id AND a.to_state = 'accepted' \
               JOIN change_log l ON l.resource = 'milestone' AND l.record_id = a.record_id AND l.version = a.version)",
            later("p.from_day", "a.from_day"),
            sooner("a.to_day", "p.to_day"),
        );
    }
    format!(
        "value_accepted AS MATERIALIZED (SELECT p.project_id, p.province, p.budget, p.weight, p.from_day AS plan_from, p.to_day AS plan_to, \
           e.record_id, e.version, e.to_state, e.effective_on AS from_day, \
           LEAD(e.effective_on) OVER (PARTITION BY p.project_id, p.number, e.record_id ORDER BY e.effective_on, e.id) AS to_day \
         FROM value_plan p CROSS JOIN status_event e INDEXED BY status_event_record WHERE {events} AND e.record_id = p.milestone_id), \
         value_earned AS MATERIALIZED (SELECT a.project_id, a.province, a.budget, a.weight, {fraction} AS fraction, {}, {} \
         FROM value_accepted a CROSS JOIN change_log l INDEXED BY change_log_record \
         WHERE a.to_state = 'accepted' AND l.resource = 'milestone' AND l.record_id = a.record_id AND l.version = a.version)",
        later("a.plan_from", "a.from_day"),
        sooner("a.to_day", "a.plan_to"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::DateTime;
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::store::{
        connection, schema,
        temporal_relations::{BASELINE, Knowledge, PAYMENT, PROJECT},
    };

    /// Simulates outdated SQLite statistics of nearly empty tables, with which it would scan the log for each
    /// of many records.
    const FEW_ROWS: &str = "ANALYZE; DELETE FROM sqlite_stat1; INSERT INTO sqlite_stat1 SELECT tbl_name, name, '2 1 1 1 1' FROM sqlite_master \
                            WHERE type = 'index' AND tbl_name IN ('change_log', 'status_event'); ANALYZE sqlite_master";

    #[tokio::test]
    async fn what_was_known_is_found_by_indexes_whatever_the_statistics_say() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let db = connection::connect(&format!("sqlite://{}", file.path().display()).parse().unwrap(), 1)
            .await
            .unwrap();
        schema::migrate(&db).await.unwrap();
        for province in ["", "province IN ('IR-15')"] {
            let known_at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
            let (mut sql, knowledge) =
                (Composer::new(&db), Knowledge { at: Some(known_at), on: Some(known_at.date_naive()) });
            let [projects, baselines, payments] =
                [&PROJECT, &BASELINE, &PAYMENT].map(|kind| kind.known(knowledge, province, &mut sql));
            let sources = Sources {
                projects,
                baselines,
                payments,
                known_at: Some(known_at),
                as_of: None,
                is_plan: false,
            };
            let deltas = deltas(&sources, &mut sql);
            let statement = sql.statement(format!("EXPLAIN QUERY PLAN SELECT * FROM {deltas} v"));
            for statistics in ["SELECT 1", FEW_ROWS] {
                db.writes().execute_unprepared(statistics).await.unwrap();
                let steps = db.query_all_raw(statement.clone()).await.unwrap();
                let steps: Vec<String> =
                    steps.iter().map(|step| step.try_get("", "detail").unwrap()).collect();
                // In the statement the log is `r`, `n` and `l`, and the status events are `e`.
                let scans: Vec<_> = steps
                    .iter()
                    .filter(|step| ["SCAN r", "SCAN n", "SCAN l", "SCAN e"].contains(&step.as_str()))
                    .collect();
                assert!(steps.len() > 20 && scans.is_empty(), "{steps:#?}");
            }
        }
        db.close().await.unwrap();
    }
}
