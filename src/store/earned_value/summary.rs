//! The earned value as it is known now, kept beside the records: of each project day by day, and of each province by day and by Persian
//! month. The transaction that changes what it follows from brings it up to date before it commits, so that it is never behind.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use futures_util::StreamExt;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, StreamTrait, Value, prelude::Uuid};

use super::{MEASURES, Sources, deltas};
use crate::{
    persian::{Date, calendar::Period},
    store::{connection, lock, sql::Composer},
};

/// What the values of a project change by on a day, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct ValueDay {
    project_id: Uuid,
    province: String,
    day: NaiveDate,
    planned_bp: i64,
    earned_bp: i64,
    planned_irr: i64,
    earned_irr: i64,
    cost_irr: i64,
    rebaselines: i64,
}

impl ValueDay {
    fn sums(&self) -> [i64; 4] {
        [self.planned_irr, self.earned_irr, self.cost_irr, self.rebaselines]
    }

    fn is_nothing(&self) -> bool {
        [self.planned_bp, self.earned_bp] == [0; 2] && self.sums() == [0; 4]
    }
}

/// Province, grain, first day.
type Key = (&'static str, String, NaiveDate);

/// The measures that are summed up, in the order of [`ValueDay::sums`].
const SUMMED: [&str; 4] = ["planned_irr", "earned_irr", "cost_irr", "rebaselines"];

/// What sums change by.
#[derive(Default)]
struct Summary(BTreeMap<Key, [i64; 4]>);

impl Summary {
    fn add(&mut self, province: &str, day: NaiveDate, sign: i64, changes: [i64; 4]) {
        let month = Date::from(day).start_of(Period::Month).naive();
        for (grain, first_day) in [("day", day), ("month", month)] {
            let sums = self.0.entry((grain, province.to_owned(), first_day)).or_default();
            sums.iter_mut().zip(changes).for_each(|(sum, change)| *sum += sign * change);
        }
    }

    /// Adds it to the table, in the order of its keys, so that no two transactions wait for each other.
    async fn write(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let moved: Vec<_> = self.0.iter().filter(|(_, sums)| **sums != [0; 4]).collect();
        for some in moved.chunks(2_000) {
            let mut sql = Composer::new(db);
            let rows = some.iter().map(|((grain, province, first_day), sums)| {
                let key: [Value; 3] = [(*grain).into(), province.as_str().into(), (*first_day).into()];
                let values = key.into_iter().chain(sums.iter().map(|sum| Value::from(*sum)));
                format!("({})", values.map(|value| sql.bind(value)).collect::<Vec<_>>().join(", "))
            });
            let rows = rows.collect::<Vec<_>>().join(", ");
            let sums = SUMMED.map(|name| format!("{name} = earned_value_summary.{name} + excluded.{name}"));
            let insert = format!(
                "INSERT INTO earned_value_summary (grain, province, first_day, {}) VALUES {rows} \
                 ON CONFLICT (grain, province, first_day) DO UPDATE SET {}",
                SUMMED.join(", "),
                sums.join(", ")
            );
            db.execute_raw(sql.statement(insert)).await?;
        }
        Ok(())
    }
}

/// The same lock for all that writes summaries: many refresh, one rebuilds.
const LOCK: &str = "earned value";

/// The sources of some projects, or of all, as they are known now.
fn sources(sql: &mut Composer, projects: Option<&BTreeSet<Uuid>>) -> Sources {
    let mut of = |column: &str| match projects {
        None => String::new(),
        Some(ids) => format!(" AND {column} IN ({})", ids.iter().map(|id| sql.bind(*id)).collect::<Vec<_>>().join(", ")),
    };
    Sources {
        projects: format!("(SELECT id, province, budget FROM project WHERE deleted_at IS NULL{})", of("id")),
        baselines: format!("(SELECT project_id, number, frozen_on, milestones FROM baseline WHERE deleted_at IS NULL{})", of("project_id")),
        payments: format!("(SELECT project_id, amount_irr, paid_on FROM payment WHERE deleted_at IS NULL{})", of("project_id")),
        known_at: None,
        as_of: None,
        is_plan: false,
    }
}

/// Brings the values of some projects up to date, as the transaction leaves them. It comes last in a transaction: its locks are
/// taken in one order, and nothing is waited for after them.
pub async fn refresh(transaction: &impl ConnectionTrait, projects: &BTreeSet<Uuid>) -> Result<(), DbErr> {
    if projects.is_empty() {
        return Ok(());
    }
    lock::shared_for_transaction(transaction, LOCK).await?;
    for project in projects {
        lock::for_transaction(transaction, &format!("{LOCK} {project}")).await?;
    }
    let mut sql = Composer::new(transaction);
    let sources = sources(&mut sql, Some(projects));
    let statement = deltas(&sources, &mut sql);
    let live = ValueDay::find_by_statement(sql.statement(format!("SELECT * FROM {statement} v"))).all(transaction).await?;
    let mut sql = Composer::new(transaction);
    let ids = projects.iter().map(|id| sql.bind(*id)).collect::<Vec<_>>().join(", ");
    let kept = sql.statement(format!("SELECT * FROM earned_value_day WHERE project_id IN ({ids})"));
    let kept = ValueDay::find_by_statement(kept).all(transaction).await?;
    let mut kept: HashMap<_, _> = kept.into_iter().map(|day| ((day.project_id, day.day), day)).collect();
    let (mut summary, mut changed) = (Summary::default(), Vec::new());
    for day in live.into_iter().filter(|day| !day.is_nothing()) {
        let before = kept.remove(&(day.project_id, day.day));
        if before.as_ref() != Some(&day) {
            before.iter().for_each(|before| summary.add(&before.province, before.day, -1, before.sums()));
            summary.add(&day.province, day.day, 1, day.sums());
            changed.push(day);
        }
    }
    for gone in kept.values() {
        summary.add(&gone.province, gone.day, -1, gone.sums());
        let mut sql = Composer::new(transaction);
        let (project, day) = (sql.bind(gone.project_id), sql.day(gone.day));
        transaction.execute_raw(sql.statement(format!("DELETE FROM earned_value_day WHERE project_id = {project} AND day = {day}"))).await?;
    }
    for some in changed.chunks(1_000) {
        put(transaction, some).await?;
    }
    summary.write(transaction).await
}

async fn put(transaction: &impl ConnectionTrait, days: &[ValueDay]) -> Result<(), DbErr> {
    let mut sql = Composer::new(transaction);
    let rows = days.iter().map(|day| {
        let values: [Value; 9] = [
            day.project_id.into(),
            day.province.as_str().into(),
            day.day.into(),
            day.planned_bp.into(),
            day.earned_bp.into(),
            day.planned_irr.into(),
            day.earned_irr.into(),
            day.cost_irr.into(),
            day.rebaselines.into(),
        ];
        format!("({})", values.map(|value| sql.bind(value)).join(", "))
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let measures = MEASURES.join(", ");
    let sets = MEASURES.map(|name| format!("{name} = excluded.{name}")).join(", ");
    let insert = format!(
        "INSERT INTO earned_value_day (project_id, province, day, {measures}) VALUES {rows} ON CONFLICT (project_id, day) DO UPDATE SET {sets}"
    );
    transaction.execute_raw(sql.statement(insert)).await?;
    Ok(())
}

/// Makes all summaries anew, while nobody writes.
pub async fn rebuild(db: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = connection::begin_to_rebuild(db).await?;
    lock::for_transaction(&transaction, LOCK).await?;
    transaction.execute_unprepared("DELETE FROM earned_value_summary").await?;
    transaction.execute_unprepared("DELETE FROM earned_value_day").await?;
    let mut sql = Composer::new(&transaction);
    let sources = sources(&mut sql, None);
    let (live, measures) = (deltas(&sources, &mut sql), MEASURES.join(", "));
    let nothing = MEASURES.map(|name| format!("v.{name} = 0")).join(" AND ");
    let insert = format!(
        "INSERT INTO earned_value_day (project_id, province, day, {measures}) SELECT project_id, province, day, {measures} FROM {live} v WHERE NOT ({nothing})"
    );
    transaction.execute_raw(sql.statement(insert)).await?;
    summed(&transaction).await?.write(&transaction).await?;
    transaction.commit().await
}

/// Rebuilds where there is nothing yet, as after the tables were made.
pub async fn build(db: &DatabaseConnection) -> Result<(), DbErr> {
    let missing = "SELECT 1 AS missing FROM baseline WHERE NOT EXISTS (SELECT 1 FROM earned_value_day) \
                   UNION ALL SELECT 1 FROM payment WHERE NOT EXISTS (SELECT 1 FROM earned_value_day) LIMIT 1";
    match db.query_one_raw(Composer::new(db).statement(missing)).await? {
        Some(_) => rebuild(db).await,
        None => Ok(()),
    }
}

/// The sums of the days that are kept.
async fn summed(db: &(impl ConnectionTrait + StreamTrait)) -> Result<Summary, DbErr> {
    let sums = SUMMED.map(|name| format!("CAST(SUM({name}) AS bigint) AS {name}")).join(", ");
    let statement = Composer::new(db).statement(format!("SELECT province, day, {sums} FROM earned_value_day GROUP BY province, day"));
    let (mut summary, mut days) = (Summary::default(), Box::pin(db.stream_raw(statement).await?));
    while let Some(row) = days.next().await {
        let row = row?;
        let mut changes = [0; 4];
        for (change, name) in changes.iter_mut().zip(SUMMED) {
            *change = row.try_get("", name)?;
        }
        summary.add(&row.try_get::<String>("", "province")?, row.try_get("", "day")?, 1, changes);
    }
    Ok(summary)
}

/// How many rows of the summaries differ from what the records say: none, unless somebody has changed the database past the service.
pub async fn differences(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let transaction = connection::begin_to_report(db).await?;
    let mut sql = Composer::new(&transaction);
    let sources = sources(&mut sql, None);
    let (live, columns) = (deltas(&sources, &mut sql), format!("project_id, province, day, {}", MEASURES.join(", ")));
    let nothing = MEASURES.map(|name| format!("v.{name} = 0")).join(" AND ");
    let both = [format!("SELECT {columns} FROM {live} v WHERE NOT ({nothing})"), format!("SELECT {columns} FROM earned_value_day")];
    let query = format!(
        "WITH live_days AS ({}), kept_days AS ({}) SELECT (SELECT COUNT(*) FROM (SELECT * FROM live_days EXCEPT SELECT * FROM kept_days) a) \
         + (SELECT COUNT(*) FROM (SELECT * FROM kept_days EXCEPT SELECT * FROM live_days) b) AS differences",
        both[0], both[1]
    );
    let row = transaction.query_one_raw(sql.statement(query)).await?;
    let days: i64 = row.map_or(Ok(0), |row| row.try_get("", "differences"))?;
    let mut summary = summed(&transaction).await?;
    let mut rows = transaction.stream_raw(Composer::new(&transaction).statement("SELECT * FROM earned_value_summary")).await?;
    while let Some(row) = rows.next().await {
        let row = row?;
        let grain: String = row.try_get("", "grain")?;
        let grain = if grain == "day" { "day" } else { "month" };
        let sums = summary.0.entry((grain, row.try_get("", "province")?, row.try_get("", "first_day")?)).or_default();
        for (sum, name) in sums.iter_mut().zip(SUMMED) {
            *sum -= row.try_get::<i64>("", name)?;
        }
    }
    let sums = summary.0.values().filter(|sums| **sums != [0; 4]).count();
    Ok(days.unsigned_abs() + sums as u64)
}
