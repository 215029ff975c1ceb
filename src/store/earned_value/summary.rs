//! Materialized earned value as known now: per project and day, and per province by day and by Persian month.
//! The transaction that changes the underlying records updates it before it commits, so that it is never
//! outdated.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult, Value, prelude::Uuid};

use super::{MEASURES, Sources, deltas};
use crate::{
    persian::{Date, calendar::Period},
    store::{Database, connection, lock, sql::Composer},
};

/// Daily changes of a project's values: a row of the table.
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
}

/// Province, grain, first day.
type Key = (&'static str, String, NaiveDate);

/// The measures that are summed up, in the order of [`ValueDay::sums`].
const SUMMED: [&str; 4] = ["planned_irr", "earned_irr", "cost_irr", "rebaselines"];

/// Changes of the sums.
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

    /// Adds it to the table, in the order of its keys, to avoid deadlocks between transactions.
    async fn write(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let moved: Vec<_> = self.0.iter().filter(|(_, sums)| **sums != [0; 4]).collect();
        for some in moved.chunks(ROWS_AT_ONCE) {
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

/// Rows per insert statement: in SQLite each parameter is a name, which it searches for among all others of
/// the statement.
const ROWS_AT_ONCE: usize = 100;

/// Lock of all writers of summaries: shared for refreshes, exclusive for a rebuild.
const LOCK: &str = "earned value";

/// Projects per turn: concurrent writers wait for some tenths of a second at most.
const TURN: u64 = 50;

/// Earned-value input of some projects as known now.
fn sources(sql: &mut Composer, projects: &BTreeSet<Uuid>) -> Sources {
    let mut of = |column: &str| format!(" AND {column} IN ({})", places(sql, projects));
    Sources {
        projects: format!("(SELECT id, province, budget FROM project WHERE deleted_at IS NULL{})", of("id")),
        baselines: format!(
            "(SELECT project_id, number, frozen_on, milestones FROM baseline WHERE deleted_at IS NULL{})",
            of("project_id")
        ),
        payments: format!(
            "(SELECT project_id, amount_irr, paid_on FROM payment WHERE deleted_at IS NULL{})",
            of("project_id")
        ),
        known_at: None,
        as_of: None,
        is_plan: false,
    }
}

fn places(sql: &mut Composer, ids: &BTreeSet<Uuid>) -> String {
    ids.iter().map(|id| sql.bind(*id)).collect::<Vec<_>>().join(", ")
}

/// Days of some projects for which the table differs from the records.
struct Differing {
    /// Values computed from the records.
    live: Vec<ValueDay>,
    /// Values in the table.
    kept: Vec<ValueDay>,
}

/// Compares in the database, so that only differences are transferred.
async fn differing(db: &impl ConnectionTrait, projects: &BTreeSet<Uuid>) -> Result<Differing, DbErr> {
    let mut sql = Composer::new(db);
    let sources = sources(&mut sql, projects);
    let (deltas, ids) = (deltas(&sources, &mut sql), places(&mut sql, projects));
    let columns = format!("project_id, province, day, {}", MEASURES.join(", "));
    let nothing = MEASURES.map(|name| format!("v.{name} = 0")).join(" AND ");
    let query = format!(
        "WITH live AS MATERIALIZED (SELECT {columns} FROM {deltas} v WHERE NOT ({nothing})), \
         kept AS (SELECT {columns} FROM earned_value_day WHERE project_id IN ({ids})) \
         SELECT 1 AS is_live, a.* FROM (SELECT * FROM live EXCEPT SELECT * FROM kept) a \
         UNION ALL SELECT 0, b.* FROM (SELECT * FROM kept EXCEPT SELECT * FROM live) b"
    );
    let mut found = Differing { live: Vec::new(), kept: Vec::new() };
    for row in db.query_all_raw(sql.statement(query)).await? {
        let side = if row.try_get::<i32>("", "is_live")? == 1 { &mut found.live } else { &mut found.kept };
        side.push(ValueDay::from_query_result(&row, "")?);
    }
    Ok(found)
}

/// Updates the values of some projects at the end of a transaction: its locks are taken in one order, and
/// nothing is waited for after them.
pub async fn refresh(transaction: &impl ConnectionTrait, projects: &BTreeSet<Uuid>) -> Result<(), DbErr> {
    if projects.is_empty() {
        return Ok(());
    }
    lock::shared_for_transaction(transaction, LOCK).await?;
    for project in projects {
        lock::for_transaction(transaction, &format!("{LOCK} {project}")).await?;
    }
    let Differing { live, kept } = differing(transaction, projects).await?;
    let mut summary = Summary::default();
    kept.iter().for_each(|day| summary.add(&day.province, day.day, -1, day.sums()));
    live.iter().for_each(|day| summary.add(&day.province, day.day, 1, day.sums()));
    let stays: HashSet<_> = live.iter().map(|day| (day.project_id, day.day)).collect();
    for gone in kept.iter().filter(|day| !stays.contains(&(day.project_id, day.day))) {
        let mut sql = Composer::new(transaction);
        let (project, day) = (sql.bind(gone.project_id), sql.day(gone.day));
        transaction
            .execute_raw(sql.statement(format!(
                "DELETE FROM earned_value_day WHERE project_id = {project} AND day = {day}"
            )))
            .await?;
    }
    for some in live.chunks(ROWS_AT_ONCE) {
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

/// The next projects in the order of their ids, including deleted ones; none at the end.
async fn next_turn(
    db: &impl ConnectionTrait,
    done: &BTreeSet<Uuid>,
    most: u64,
) -> Result<BTreeSet<Uuid>, DbErr> {
    let mut sql = Composer::new(db);
    let after = sql.bind(done.last().copied().unwrap_or_default());
    let rows = db
        .query_all_raw(
            sql.statement(format!("SELECT id FROM project WHERE id > {after} ORDER BY id LIMIT {most}")),
        )
        .await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// Rebuilds all summaries in turns between which others write: first the days of the projects, in batches,
/// like every write, then the sums of each province.
pub async fn rebuild(db: &Database) -> Result<(), DbErr> {
    rebuild_in_turns(db, TURN).await
}

/// The same with a given number of projects per turn.
pub async fn rebuild_in_turns(db: &Database, most: u64) -> Result<(), DbErr> {
    let mut projects = next_turn(db, &BTreeSet::new(), most).await?;
    while !projects.is_empty() {
        let transaction = connection::begin_to_rebuild(db).await?;
        refresh(&transaction, &projects).await?;
        transaction.commit().await?;
        connection::let_others_write(db).await;
        projects = next_turn(db, &projects, most).await?;
    }
    for province in provinces(db).await? {
        let transaction = connection::begin_to_rebuild(db).await?;
        lock::for_transaction(&transaction, LOCK).await?;
        wrong_sums(&transaction, &province).await?.write(&transaction).await?;
        transaction.commit().await?;
        connection::let_others_write(db).await;
    }
    Ok(())
}

/// Builds the summaries if there are none, as after their migration.
pub async fn build(db: &Database) -> Result<(), DbErr> {
    let missing = "SELECT 1 AS missing FROM baseline WHERE NOT EXISTS (SELECT 1 FROM earned_value_day) \
                   UNION ALL SELECT 1 FROM payment WHERE NOT EXISTS (SELECT 1 FROM earned_value_day) LIMIT 1";
    match db.query_one_raw(Composer::new(db).statement(missing)).await? {
        Some(_) => rebuild(db).await,
        None => Ok(()),
    }
}

/// All provinces that have sums or projects.
async fn provinces(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let provinces =
        "SELECT province FROM project UNION SELECT province FROM earned_value_summary ORDER BY province";
    let rows = db.query_all_raw(Composer::new(db).statement(provinces)).await?;
    rows.iter().map(|row| row.try_get("", "province")).collect()
}

/// Differences between the sums of a province and those of the daily rows of its projects.
async fn wrong_sums(db: &impl ConnectionTrait, province: &str) -> Result<Summary, DbErr> {
    let mut sql = Composer::new(db);
    let sums = SUMMED.map(|name| format!("CAST(SUM(d.{name}) AS bigint) AS {name}")).join(", ");
    let place = sql.bind(province);
    // By the projects of the province, to avoid reading the days of others.
    let statement = sql.statement(format!(
        "SELECT d.province, d.day, {sums} FROM project p CROSS JOIN earned_value_day d \
         WHERE p.province = {place} AND d.project_id = p.id GROUP BY d.province, d.day"
    ));
    let mut summary = Summary::default();
    for row in db.query_all_raw(statement).await? {
        summary.add(&row.try_get::<String>("", "province")?, row.try_get("", "day")?, 1, sums_of(&row)?);
    }
    let mut sql = Composer::new(db);
    let place = sql.bind(province);
    let statement = sql.statement(format!(
        "SELECT grain, province, first_day, {} FROM earned_value_summary WHERE grain IN ('day', 'month') AND province = {place}",
        SUMMED.join(", ")
    ));
    for row in db.query_all_raw(statement).await? {
        let grain = if row.try_get::<String>("", "grain")? == "day" { "day" } else { "month" };
        let sums = summary
            .0
            .entry((grain, row.try_get("", "province")?, row.try_get("", "first_day")?))
            .or_default();
        sums.iter_mut().zip(sums_of(&row)?).for_each(|(sum, kept)| *sum -= kept);
    }
    Ok(summary)
}

fn sums_of(row: &QueryResult) -> Result<[i64; 4], DbErr> {
    let mut sums = [0; 4];
    for (sum, name) in sums.iter_mut().zip(SUMMED) {
        *sum = row.try_get("", name)?;
    }
    Ok(sums)
}

/// Number of summary rows that differ from the records: 0, unless the database was changed outside the
/// service. Reads one snapshot and blocks no writers.
pub async fn differences(db: &Database) -> Result<u64, DbErr> {
    let transaction = connection::begin_to_survey(db).await?;
    let mut count = 0;
    let mut projects = next_turn(&transaction, &BTreeSet::new(), TURN).await?;
    while !projects.is_empty() {
        let Differing { live, kept } = differing(&transaction, &projects).await?;
        count += live.len() + kept.len();
        projects = next_turn(&transaction, &projects, TURN).await?;
    }
    for province in provinces(&transaction).await? {
        count +=
            wrong_sums(&transaction, &province).await?.0.values().filter(|sums| **sums != [0; 4]).count();
    }
    Ok(count as u64)
}
