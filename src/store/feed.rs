//! The change log as a feed: the entries committed between two moments, in an order in which no entry
//! precedes one that it depends on.
//!
//! Sequence numbers are assigned before the commit: on PostgreSQL a later one may become visible before an
//! earlier one. So a reader remembers not a number but a snapshot (in the format of `pg_snapshot`: [`Seen`]),
//! and gets what is visible now and was not then. Within that, numbers give the order: a transaction that
//! changes or refers to a record has waited for the one that wrote it, and gets its number afterwards. On
//! SQLite there is one writer at a time, and the last number is sufficient.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, prelude::Uuid};
use serde::{Deserialize, Serialize};

pub use super::seen::Seen;
use super::{
    Database,
    change_log::{self, Model},
    connection, personal,
    seen::{NotSeen, is_seen},
    sql::{Composer, columns},
};

/// Position of a feed.
#[derive(Debug)]
pub struct Present {
    /// The visible part of the log.
    pub seen: Seen,
    /// Identity of the database for transaction numbers: on PostgreSQL the database cluster, which standbys
    /// share with their primary, and the database in it; empty on SQLite, which has no such numbers.
    /// [`Trace`] detects a different log.
    pub lineage: String,
    /// The server and its start time (PostgreSQL).
    server: String,
}

impl Present {
    /// Whether nothing can have been lost since an earlier moment: the server and the number of the newest
    /// entry are the same.
    pub fn is_still(&self, earlier: &Self) -> bool {
        self.server == earlier.server && self.seen.newest == earlier.seen.newest
    }

    /// Whether the log ends before something that was seen: then the database has been restored. This is for
    /// positions stored in the database, not for cursors: a server that takes over may have lost numbers of
    /// transactions, but no entries.
    pub fn is_behind(&self, seen: &Seen) -> bool {
        seen.next > self.seen.next
    }
}

/// The part of the log that is visible now.
pub async fn present(db: &impl ConnectionTrait) -> Result<Present, DbErr> {
    let statement = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT pg_current_snapshot()::text || ':' || (SELECT COALESCE(MAX(seq), 0) FROM change_log) AS seen, \
             concat_ws('.', (SELECT system_identifier FROM pg_control_system()), (SELECT oid FROM pg_database WHERE datname = current_database())) \
             AS lineage, pg_postmaster_start_time()::text AS server"
        }
        _ => {
            "SELECT (n.last + 1) || ':' || (n.last + 1) || '::' || n.last AS seen, '' AS lineage, '' AS server \
             FROM (SELECT COALESCE(MAX(seq), 0) AS last FROM change_log) n"
        }
    };
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), statement)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("what can be seen".to_owned()))?;
    let seen: String = row.try_get("", "seen")?;
    let mut seen: Seen = seen.parse().map_err(|NotSeen| DbErr::Type(format!("'{seen}' is no snapshot")))?;
    if let Some(mut shorter) = seen.shortened() {
        shorter.newest = Some(trace(db, &shorter).await?.map_or(0, |trace| trace.seq));
        seen = shorter;
    }
    Ok(Present { seen, lineage: row.try_get("", "lineage")?, server: row.try_get("", "server")? })
}

/// Number of entries in the digest.
const REMEMBERED: usize = 64;

/// A follower's fingerprint of the entries it has seen; detects that the log has lost some of them.
///
/// The newest entry reveals a restore: afterwards its number is missing, or belongs to another entry. With
/// one writer at a time (SQLite), no older entry can be lost without it. On PostgreSQL, a standby that takes
/// over without the last commits (asynchronous replication), or a server that crashes with asynchronous
/// commit, may lose an entry and keep a newer one that was committed earlier: hence the digest over the last
/// entries seen. It misses a lost entry if [`REMEMBERED`] or more newer ones were committed before it and
/// kept: a transaction that wrote long before it ended.
///
/// It is compared at each request, not only on another timeline: a crash does not start a new timeline, and
/// the comparison takes a tenth of a millisecond.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize, Deserialize)]
pub struct Trace {
    /// The newest entry.
    seq: i64,
    /// Its kind of record,
    resource: String,
    /// its record,
    record_id: Uuid,
    /// the version that it made,
    version: i64,
    /// and the request in which it was made.
    request_id: String,
    /// The digest over the last [`REMEMBERED`] entries (PostgreSQL).
    tail: Option<String>,
}

/// The trace of the entries seen at a moment, as they are now; none if there are none.
pub async fn trace(db: &impl ConnectionTrait, seen: &Seen) -> Result<Option<Trace>, DbErr> {
    let mut sql = Composer::new(db);
    let is_postgres = sql.is_postgres();
    let is_seen = is_seen(&mut sql, seen, None);
    let query = if is_postgres {
        format!(
            "SELECT n.seq, n.resource, n.record_id, n.version, n.request_id, t.tail FROM (SELECT MAX(t.seq) AS seq, \
               encode(sha256(convert_to(string_agg(t.seq::text || t.hash, ' '), 'UTF8')), 'hex') AS tail \
               FROM (SELECT c.seq, c.hash FROM change_log c WHERE {is_seen} ORDER BY c.seq DESC LIMIT {REMEMBERED}) t) t \
             JOIN change_log n ON n.seq = t.seq"
        )
    } else {
        format!(
            "SELECT c.seq, c.resource, c.record_id, c.version, c.request_id, NULL AS tail FROM change_log c WHERE {is_seen} ORDER BY c.seq DESC LIMIT 1"
        )
    };
    Trace::find_by_statement(sql.statement(query)).one(db).await
}

/// Makes a log that another server wrote readable as a feed, as after the restore of a dump: its transaction
/// numbers are meaningless here, so all of it counts as seen. It writes only in this case, so that an
/// instance can start on a read-only database.
pub async fn adopt(db: &Database) -> Result<(), DbErr> {
    let foreign = "SELECT 1 FROM change_log WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint ORDER BY transaction_id LIMIT 1";
    let is_foreign = Statement::from_string(DbBackend::Postgres, foreign);
    if db.get_database_backend() == DbBackend::Postgres && db.query_one_raw(is_foreign).await?.is_some() {
        let transaction = connection::begin_to_rebuild(db).await?;
        // Unless another instance has done so meanwhile.
        let adopted = format!(
            "UPDATE change_log SET transaction_id = 0 WHERE transaction_id <> 0 AND EXISTS ({foreign})"
        );
        transaction.execute_unprepared(&adopted).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Filter of the followed changes.
pub struct Followed<'a> {
    /// The kinds of records.
    pub kinds: Vec<&'a str>,
    /// Those of them whose national records are visible to everybody.
    pub shared: Vec<&'a str>,
    /// The province that is followed; none for the nation.
    pub province: Option<&'a str>,
}

impl Followed<'_> {
    /// Condition that the record is within the scope after an entry.
    fn within(&self, sql: &mut Composer) -> String {
        let all = sql.texts(self.kinds.iter().copied());
        let Some(province) = self.province.map(|province| sql.bind(province)) else {
            return format!("c.resource IN {all}");
        };
        let shared = sql.texts(self.shared.iter().copied());
        format!(
            "(c.resource IN {all} AND (c.province = {province} OR c.resource IN {shared} AND c.province IS NULL))"
        )
    }

    /// Condition for entries that take their record out of the scope: the entry contains the former province;
    /// for a national one, the previous entry does.
    fn leaving(&self, sql: &mut Composer) -> String {
        let Some(province) = self.province.map(|province| sql.bind(province)) else {
            return "1 = 0".to_owned();
        };
        let (all, shared) = (sql.texts(self.kinds.iter().copied()), sql.texts(self.shared.iter().copied()));
        format!(
            "(c.resource IN {all} AND c.moved_from = {province} OR c.resource IN {shared} AND c.province IS NOT NULL AND EXISTS (SELECT 1 \
             FROM change_log b WHERE b.resource = c.resource AND b.record_id = c.record_id AND b.version = c.version - 1 AND b.province IS NULL))"
        )
    }
}

/// An entry, and whether its record is in the scope after it.
#[derive(FromQueryResult)]
pub struct Change {
    /// The entry.
    #[sea_orm(nested)]
    pub entry: Model,
    /// Whether the record exists for the follower afterwards.
    pub is_within: bool,
}

/// Changes that became visible between two moments, in order, after a position.
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
        (None, Some(since)) => match before_first(db, since, until).await? {
            Some(after) => after,
            None => return Ok(Vec::new()),
        },
    };
    let mut sql = Composer::new(db);
    let (within, leaving) = (followed.within(&mut sql), followed.leaving(&mut sql));
    let is_new = is_seen(&mut sql, until, since);
    let after = sql.bind(after);
    let (entry, log) = (columns::<change_log::Entity>("c"), sql.by_index("change_log c", "change_log_order"));
    // By the index, even if SQLite's statistics suggest a short log or few kinds of records. SQLite has no
    // transaction numbers.
    let of_all = if sql.is_postgres() { "" } else { "c.transaction_id = 0 AND " };
    let query = format!(
        "SELECT {entry}, {within} AS is_within FROM {log} WHERE {of_all}c.seq > {after} AND {is_new} AND ({within} OR {leaving}) ORDER BY c.seq LIMIT {limit}"
    );
    let mut changes = Change::find_by_statement(sql.statement(query)).all(db).await?;
    personal::reveal_entries(db, changes.iter_mut().map(|change| &mut change.entry)).await?;
    Ok(changes)
}

/// Whether anything became visible between two moments.
pub async fn has_news(db: &impl ConnectionTrait, since: &Seen, until: &Seen) -> Result<bool, DbErr> {
    let mut sql = Composer::new(db);
    let is_new = is_seen(&mut sql, until, Some(since));
    // In the order of an index: otherwise PostgreSQL may scan the log for one entry that it expects nearby.
    let order = if sql.is_postgres() { "c.transaction_id" } else { "c.seq" };
    let query = format!("SELECT 1 FROM change_log c WHERE {is_new} ORDER BY {order} LIMIT 1");
    Ok(db.query_one_raw(sql.statement(query)).await?.is_some())
}

/// The newest versions of a kind of record at a moment, in the order of their ids, after one of them; without
/// deleted records.
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
    let entry = columns::<change_log::Entity>("c");
    let query = format!(
        "SELECT {entry} FROM change_log c WHERE c.resource = {resource} AND c.record_id > {after} AND {seen} AND c.kind <> 'deleted' AND {within} \
           AND NOT EXISTS (SELECT 1 FROM change_log n WHERE n.resource = c.resource AND n.record_id = c.record_id AND n.version > c.version AND {}) \
         ORDER BY c.record_id LIMIT {limit}",
        seen.replace("c.", "n.")
    );
    let mut entries = Model::find_by_statement(sql.statement(query)).all(db).await?;
    personal::reveal_entries(db, entries.iter_mut()).await?;
    Ok(entries)
}

/// The position before the first entry that may have become visible, so that a long read starts there; none
/// if there is no such entry.
///
/// With poor statistics, PostgreSQL would search for the smallest number in number order, and so read the
/// whole log if nothing is new. Therefore the entries of the transactions are first found by their own index,
/// in its order.
async fn before_first(db: &impl ConnectionTrait, since: &Seen, until: &Seen) -> Result<Option<i64>, DbErr> {
    let mut sql = Composer::new(db);
    let position = if sql.is_postgres() { "transaction_id" } else { "seq" };
    let (first, next, apart) = (sql.bind(since.first_unseen), sql.bind(until.next), sql.kept_apart());
    let by_transaction = format!(
        "SELECT MIN(t.seq) FROM (SELECT seq FROM change_log WHERE {position} >= {first} AND {position} < {next} ORDER BY {position}{apart}) t"
    );
    let query = match since.newest.filter(|_| sql.is_postgres()) {
        // Every entry after the newest one is new, whatever its transaction number.
        Some(newest) => format!(
            "SELECT LEAST(({by_transaction}), (SELECT MIN(seq) FROM change_log WHERE seq > {})) AS first",
            sql.bind(newest)
        ),
        None => format!("SELECT ({by_transaction}) AS first"),
    };
    let row = db.query_one_raw(sql.statement(query)).await?;
    let first: Option<i64> = row.map_or(Ok(None), |row| row.try_get("", "first"))?;
    Ok(first.map(|first| first - 1))
}
