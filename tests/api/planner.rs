//! What the databases know of their tables, and that the feed is found by its index where they know nothing.

use khoosheh::{
    server,
    store::{
        Database, connection,
        feed::{self, Followed},
    },
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{
    on_each,
    support::{Backend, Scratch, Service},
};

on_each!(statistics_are_fresh);

async fn number(db: &impl ConnectionTrait, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    row.map_or(0, |row| row.try_get_by_index(0).unwrap())
}

/// How many rows the planner believes a table to have; 0 where it knows nothing.
async fn believed(db: &Database, table: &str) -> i64 {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            format!("SELECT GREATEST(reltuples, 0)::bigint FROM pg_class WHERE oid = '{table}'::regclass")
        }
        _ => format!("SELECT CAST(stat AS integer) FROM sqlite_stat1 WHERE tbl = '{table}' LIMIT 1"),
    };
    number(db, &sql).await
}

async fn statistics_are_fresh(backend: Backend) {
    let Some(scratch) = Scratch::empty(backend).await else { return };
    let db = connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap().unguarded();
    server::migrate(&db).await.unwrap();
    assert_eq!(believed(&db, "province").await, 31, "after the migrations");
    let plan =
        ::generate::Plan { scale: 0.001, seed: 1, today: khoosheh::persian::Date::today_in_iran().naive() };
    ::generate::fill(&db, plan).await.unwrap();
    let entries = number(&db, "SELECT COUNT(*) FROM change_log").await;
    let believed = believed(&db, "change_log").await;
    assert!(
        believed > entries / 2 && believed < entries * 2,
        "after the data was made: {believed} of {entries}"
    );
    db.close().await.unwrap();
    scratch.remove().await;
}

/// Follows a long log of which PostgreSQL knows nothing, as where it was restored or made a moment ago.
#[actix_web::test]
async fn the_feed_is_found_by_its_index() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let db = service.database().await;
    for sql in [
        "ALTER TABLE change_log SET (autovacuum_enabled = false)",
        // By a transaction of long ago: other databases of the server may have older ones running than that
        // of this statement.
        "INSERT INTO change_log (transaction_id, resource, record_id, version, kind, changed_at, changed_by, request_id, data, previous_hash, hash) \
         SELECT 1, resource, gen_random_uuid(), 1, kind, changed_at, changed_by, request_id, data, previous_hash, hash \
         FROM (SELECT * FROM change_log WHERE resource = 'cluster' LIMIT 1) c, generate_series(1, 20000)",
        "DELETE FROM pg_statistic WHERE starelid = 'change_log'::regclass",
        "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = 'change_log'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'change_log'::regclass)",
    ] {
        db.execute_unprepared(sql).await.unwrap();
    }
    let read = "SELECT (SELECT SUM(pg_stat_get_xact_tuples_returned(r)) FROM (SELECT 'change_log'::regclass::oid UNION ALL \
                SELECT indexrelid FROM pg_index WHERE indrelid = 'change_log'::regclass) o(r))::bigint";
    let transaction = connection::begin_to_read(&db).await.unwrap();
    let seen = feed::present(&transaction).await.unwrap().seen;
    let followed = Followed { kinds: vec!["cluster", "project"], shared: vec![], province: None };
    let kept: feed::Seen = seen.snapshot().parse().unwrap();
    let before = number(&transaction, read).await;
    for since in [&seen, &kept] {
        assert!(
            feed::changes(&transaction, &followed, (Some(since), &seen), None, 200).await.unwrap().is_empty()
        );
    }
    // Webhooks ask so: what they have seen is kept in the database.
    assert!(!feed::has_news(&transaction, &kept, &seen).await.unwrap());
    let entries = number(&transaction, read).await - before;
    assert!(entries < 1_000, "{entries} entries were read to find that nothing is new");
    let changes = feed::changes(&transaction, &followed, (None, &seen), None, 5).await.unwrap();
    assert_eq!(changes.len(), 5);
    drop(transaction);
    service.stop().await;
}
