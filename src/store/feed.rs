//! The change log as a feed: what was committed between two moments, in an order in which nothing comes before what it builds on.
//!
//! Sequence numbers are taken before the commit: on PostgreSQL a later one may be visible before an earlier one. So a reader
//! remembers not a number but what it could see (a snapshot, as `pg_snapshot` writes it), and gets what is visible now and was
//! not then. Within that, numbers are an order: whoever changes or refers to a record has waited for the transaction that wrote it, and
//! takes its number afterwards. On SQLite one writes at a time, and the last number says all.

use std::{fmt, str::FromStr};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, prelude::Uuid};
use serde::{Deserialize, Serialize};

use super::{change_log::Model, sql::Composer};

/// What could be seen of the log at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seen {
    /// All before is seen.
    first_unseen: i64,
    /// Nothing from here on is seen.
    next: i64,
    /// What was still being written in between.
    running: Vec<i64>,
}

/// The text does not say what was seen.
#[derive(Debug)]
pub struct NotSeen;

impl fmt::Display for NotSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this does not say what was seen")
    }
}

impl From<Seen> for String {
    fn from(seen: Seen) -> Self {
        seen.to_string()
    }
}

impl TryFrom<String> for Seen {
    type Error = NotSeen;

    fn try_from(text: String) -> Result<Self, NotSeen> {
        text.parse()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        write!(f, "{}:{}:{running}", self.first_unseen, self.next)
    }
}

impl FromStr for Seen {
    type Err = NotSeen;

    fn from_str(text: &str) -> Result<Self, NotSeen> {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0).ok_or(NotSeen);
        let [first_unseen, next, running] = text.split(':').collect::<Vec<_>>().try_into().map_err(|_| NotSeen)?;
        let running = running.split(',').filter(|part| !part.is_empty()).map(number).collect::<Result<Vec<_>, _>>()?;
        let seen = Self { first_unseen: number(first_unseen)?, next: number(next)?, running };
        let in_between = |running: &i64| (seen.first_unseen..seen.next).contains(running);
        let is_sound = seen.first_unseen <= seen.next && seen.running.is_sorted_by(|a, b| a < b) && seen.running.iter().all(in_between);
        if is_sound { Ok(seen) } else { Err(NotSeen) }
    }
}

/// Where a feed stands.
#[derive(Debug)]
pub struct Present {
    /// What can be seen.
    pub seen: Seen,
    /// Which database this is: a restored one is another, as what was seen before may not have come back.
    pub lineage: String,
}

impl Present {
    /// Whether something that was seen lies ahead of the log: then the database has been put back.
    pub fn is_behind(&self, seen: &Seen) -> bool {
        seen.next > self.seen.next
    }
}

/// What can be seen now.
pub async fn present(db: &impl ConnectionTrait) -> Result<Present, DbErr> {
    let statement = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT pg_current_snapshot()::text AS seen, concat_ws('.', (SELECT system_identifier FROM pg_control_system()), \
             (SELECT timeline_id FROM pg_control_checkpoint()), (SELECT oid FROM pg_database WHERE datname = current_database())) AS lineage"
        }
        _ => {
            "SELECT n.next || ':' || n.next || ':' AS seen, COALESCE((SELECT substr(hash, 1, 16) FROM change_log ORDER BY seq LIMIT 1), '') AS lineage \
             FROM (SELECT COALESCE(MAX(seq), 0) + 1 AS next FROM change_log) n"
        }
    };
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), statement)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("what can be seen".to_owned()))?;
    let seen: String = row.try_get("", "seen")?;
    let seen = seen.parse().map_err(|NotSeen| DbErr::Type(format!("'{seen}' is no snapshot")))?;
    Ok(Present { seen, lineage: row.try_get("", "lineage")? })
}

/// Makes the log readable as a feed where it was written by another server, as after a dump was restored: what its numbers said
/// there means nothing here, and all of it is seen.
pub async fn adopt(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        let foreign = "(SELECT 1 FROM change_log WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)";
        db.execute_unprepared(&format!("UPDATE change_log SET transaction_id = 0 WHERE transaction_id <> 0 AND EXISTS {foreign}")).await?;
    }
    Ok(())
}

/// Whose changes are meant.
pub struct Followed<'a> {
    /// The kinds of records.
    pub kinds: Vec<&'a str>,
    /// Those of them that exist for everybody where they belong to no province.
    pub shared: Vec<&'a str>,
    /// The province that is followed; none for the nation.
    pub province: Option<&'a str>,
}

impl Followed<'_> {
    /// The condition that an entry leaves its record within the scope.
    fn within(&self, sql: &mut Composer) -> String {
        let all = sql.texts(self.kinds.iter().copied());
        let Some(province) = self.province.map(|province| sql.bind(province)) else { return format!("c.resource IN {all}") };
        let shared = sql.texts(self.shared.iter().copied());
        format!("(c.resource IN {all} AND (c.province = {province} OR c.resource IN {shared} AND c.province IS NULL))")
    }

    /// The condition that an entry takes its record out of the scope: where it was before is told by the entry, or, of a national
    /// one, by the entry before.
    fn leaving(&self, sql: &mut Composer) -> String {
        let Some(province) = self.province.map(|province| sql.bind(province)) else { return "1 = 0".to_owned() };
        let (all, shared) = (sql.texts(self.kinds.iter().copied()), sql.texts(self.shared.iter().copied()));
        format!(
            "(c.resource IN {all} AND c.moved_from = {province} OR c.resource IN {shared} AND c.province IS NOT NULL AND EXISTS (SELECT 1 \
             FROM change_log b WHERE b.resource = c.resource AND b.record_id = c.record_id AND b.version = c.version - 1 AND b.province IS NULL))"
        )
    }
}

/// An entry, and whether it leaves its record in the scope.
#[derive(FromQueryResult)]
pub struct Change {
    /// The entry.
    #[sea_orm(nested)]
    pub entry: Model,
    /// Whether the record exists for the follower afterwards.
    pub is_within: bool,
}

/// What has come to be seen between two moments, in its order, after a position in it.
pub async fn changes(
    db: &impl ConnectionTrait,
    followed: &Followed<'_>,
    (since, until): (Option<&Seen>, &Seen),
    after: Option<i64>,
    limit: u64,
) -> Result<Vec<Change>, DbErr> {
    let after = match (after, since) {
        (Some(after), _) => after,
        (None, None) => 0,
        (None, Some(since)) => before_first(db, since, until).await?,
    };
    let mut sql = Composer::new(db);
    let (within, leaving) = (followed.within(&mut sql), followed.leaving(&mut sql));
    let is_new = is_seen(&mut sql, until, since);
    let after = sql.bind(after);
    let query = format!(
        "SELECT c.*, {within} AS is_within FROM change_log c WHERE c.seq > {after} AND {is_new} AND ({within} OR {leaving}) ORDER BY c.seq LIMIT {limit}"
    );
    Change::find_by_statement(sql.statement(query)).all(db).await
}

/// Whether anything has come to be seen between two moments.
pub async fn has_news(db: &impl ConnectionTrait, since: &Seen, until: &Seen) -> Result<bool, DbErr> {
    let mut sql = Composer::new(db);
    let is_new = is_seen(&mut sql, until, Some(since));
    let query = format!("SELECT 1 FROM change_log c WHERE {is_new} LIMIT 1");
    Ok(db.query_one_raw(sql.statement(query)).await?.is_some())
}

/// The newest versions, at a moment, of a kind of record, in the order of their ids after one of them; without those that were
/// deleted then.
pub async fn newest(
    db: &impl ConnectionTrait,
    followed: &Followed<'_>,
    until: &Seen,
    (resource, after): (&str, Uuid),
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut sql = Composer::new(db);
    let within = followed.within(&mut sql);
    let (seen, resource, after) = (is_seen(&mut sql, until, None), sql.bind(resource), sql.bind(after));
    let query = format!(
        "SELECT c.* FROM change_log c WHERE c.resource = {resource} AND c.record_id > {after} AND {seen} AND c.kind <> 'deleted' AND {within} \
           AND NOT EXISTS (SELECT 1 FROM change_log n WHERE n.resource = c.resource AND n.record_id = c.record_id AND n.version > c.version AND {}) \
         ORDER BY c.record_id LIMIT {limit}",
        seen.replace("c.", "n.")
    );
    Model::find_by_statement(sql.statement(query)).all(db).await
}

/// The condition that an entry was seen at one moment, and not at an earlier one.
fn is_seen(sql: &mut Composer, until: &Seen, since: Option<&Seen>) -> String {
    let next = sql.bind(until.next);
    if !sql.is_postgres() {
        let since = since.map(|since| format!(" AND c.seq >= {}", sql.bind(since.next))).unwrap_or_default();
        return format!("c.seq < {next}{since}");
    }
    let mut seen = |seen: &Seen| {
        let snapshot = sql.bind(seen.to_string());
        format!("pg_visible_in_snapshot(CAST(CAST(c.transaction_id AS text) AS xid8), CAST({snapshot} AS pg_snapshot))")
    };
    // The comparisons beside it are for the index.
    let until = format!("c.transaction_id < {next} AND {}", seen(until));
    let Some(since) = since else { return until };
    format!("{until} AND NOT {} AND c.transaction_id >= {}", seen(since), sql.bind(since.first_unseen))
}

/// The position before the first entry that may have come to be seen, so that a long way is read from where it begins.
async fn before_first(db: &impl ConnectionTrait, since: &Seen, until: &Seen) -> Result<i64, DbErr> {
    let mut sql = Composer::new(db);
    let position = if sql.is_postgres() { "transaction_id" } else { "seq" };
    let (first, next) = (sql.bind(since.first_unseen), sql.bind(until.next));
    let query = format!("SELECT MIN(seq) AS first FROM change_log WHERE {position} >= {first} AND {position} < {next}");
    let row = db.query_one_raw(sql.statement(query)).await?;
    let first: Option<i64> = row.map_or(Ok(None), |row| row.try_get("", "first"))?;
    Ok(first.map_or(i64::MAX, |first| first - 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_seen_comes_back_as_it_went() {
        for text in ["10:10:", "10:20:10,14,15", "0:1:"] {
            assert_eq!(text.parse::<Seen>().unwrap().to_string(), text);
        }
        for wrong in ["", "10", "10:9:", "10:20:9", "10:20:20", "10:20:14,12", "10:20:x", "-1:2:", "1:2:1:"] {
            assert!(wrong.parse::<Seen>().is_err(), "{wrong}");
        }
    }
}
