//! Reports and other long reads: how many run at a time, that they keep nobody else from reading, and that
//! they end when nobody waits for them.

use std::time::{Duration, Instant};

use khoosheh::store::{Database, connection, work};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::io::AsyncWriteExt;

use crate::{
    on_both, on_each,
    process::Server,
    raw,
    support::{Answer, Backend, Client, Scratch, Service},
};

const CURVE: &str = "/api/v1/reports/s-curve";
const FUNNEL: &str = "/api/v1/reports/funnel";

on_both!(
    slow_reports_of_one_account_hold_nobody,
    a_turn_is_waited_for,
    what_looks_back_takes_a_turn,
    a_reader_who_has_gone_ends_the_report,
    a_reader_who_closes_one_side_ends_the_report,
    workbooks_take_their_turn,
    an_abandoned_statement_ends,
    a_report_of_many_parts_arrives_whole,
);

/// Makes whatever reads the sums of earned value slow, as S-curves do: for a minute or more, unless it is
/// ended.
async fn slow_down(db: &Database) {
    let slow = match db.get_database_backend() {
        DbBackend::Postgres => "pg_sleep(60)",
        _ => {
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT MAX(i) FROM n)"
        }
    };
    db.execute_unprepared("ALTER TABLE earned_value_summary RENAME TO earned_value_summary_itself")
        .await
        .unwrap();
    let view = format!(
        "CREATE VIEW earned_value_summary AS SELECT s.* FROM earned_value_summary_itself s, {slow} slow"
    );
    db.execute_unprepared(&view).await.unwrap();
}

async fn be_fast_again(db: &Database) {
    db.execute_unprepared("DROP VIEW earned_value_summary").await.unwrap();
    db.execute_unprepared("ALTER TABLE earned_value_summary_itself RENAME TO earned_value_summary")
        .await
        .unwrap();
}

/// How many connections of the service work at something (PostgreSQL), apart from the one that asks.
async fn working(db: &Database) -> i64 {
    count(db, "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()").await
}

async fn count(db: &Database, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// Waits until the database does nothing for the service any more; fails after two seconds.
async fn at_rest(db: &Database) {
    let begun = Instant::now();
    while db.get_database_backend() == DbBackend::Postgres && working(db).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(2), "a statement goes on although nobody waits for it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// So many clients that ask for the same at the same time.
fn askers(client: &Client, path: &'static str, count: usize) -> Vec<tokio::task::JoinHandle<Answer>> {
    let ask = |client: Client| tokio::task::spawn_local(async move { client.get(path).await });
    std::iter::repeat_with(|| ask(client.clone())).take(count).collect()
}

async fn slow_reports_of_one_account_hold_nobody(service: &Service) {
    let (attacker, reader, db) =
        (service.login("ministry").await, service.login("lorestan").await, service.database().await);
    slow_down(&db).await;
    let attack = askers(&attacker, CURVE, 12);
    let refused = || attack.iter().filter(|asked| asked.is_finished()).count();
    let begun = Instant::now();
    while refused() < 6 && begun.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(refused(), 6, "two run, four wait, and the others are refused at once");
    for _ in 0..10 {
        for path in [
            "/api/v1/clusters",
            "/api/v1/projects?page_size=5",
            "/health/ready",
            FUNNEL,
            "/api/v1/changes?page_size=5",
        ] {
            let answer = reader.get(path).await;
            assert_eq!(answer.status, 200, "{path} while others ask for reports: {}", answer.text);
        }
    }
    if db.get_database_backend() == DbBackend::Postgres {
        assert_eq!(working(&db).await, 2, "of one account two run");
        let of_service = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'khoosheh'";
        let (workers, others) = (2 * (4 + 2), 4 + 2 + 6 + 2);
        assert!(
            count(&db, of_service).await <= workers + others,
            "the connections of the workers, of long reads, of the probe and of the background"
        );
    }
    let mut statuses = Vec::new();
    for asked in attack {
        if asked.is_finished() {
            let answer = asked.await.unwrap();
            assert_eq!(
                (answer.status, answer.code(), answer.header("retry-after")),
                (429, "too_many_long_reads", "10"),
                "{}",
                answer.text
            );
            statuses.push(answer.status);
        } else {
            asked.abort();
        }
    }
    assert_eq!(statuses.len(), 6);
    // All of it is given back.
    at_rest(&db).await;
    answers_again(&attacker).await;
}

/// Waits until an account has a turn again; fails after two seconds.
async fn answers_again(client: &Client) {
    let begun = Instant::now();
    loop {
        let status = client.get(FUNNEL).await.status;
        assert!(begun.elapsed() < Duration::from_secs(2), "turns and connections are free again");
        if status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_turn_is_waited_for(service: &Service) {
    let (client, db) = (service.login("ministry").await, service.database().await);
    slow_down(&db).await;
    let slow = askers(&client, CURVE, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let waiting = askers(&client, FUNNEL, 4);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.get(FUNNEL).await.code(), "too_many_long_reads");
    assert!(waiting.iter().all(|asked| !asked.is_finished()), "they wait");
    slow.iter().for_each(|asked| asked.abort());
    for asked in waiting {
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    be_fast_again(&db).await;
    assert_eq!(client.get(CURVE).await.status, 200);
}

async fn what_looks_back_takes_a_turn(service: &Service) {
    let (client, db) = (service.login("ministry").await, service.database().await);
    let cluster = format!("/api/v1/clusters/{}", client.cluster_named("زیتون").await.id());
    let then = format!("{cluster}?known_at={}", crate::support::moment());
    assert_eq!(client.get(&then).await.status, 200);
    slow_down(&db).await;
    let slow = askers(&client, CURVE, 6);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let refused = client.get(&then).await;
    assert_eq!((refused.status, refused.code()), (429, "too_many_long_reads"));
    assert_eq!(client.get(&cluster).await.status, 200, "the present takes none");
    slow.iter().for_each(|asked| asked.abort());
    at_rest(&db).await;
}

async fn a_reader_who_has_gone_ends_the_report(service: &Service) {
    let (client, db) = (service.login("ministry").await, service.database().await);
    slow_down(&db).await;
    for _ in 0..3 {
        let streams = [
            raw::open(&client, "GET", CURVE, &[], b"").await,
            raw::open(&client, "GET", CURVE, &[], b"").await,
        ];
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(streams);
        at_rest(&db).await;
        answers_again(&client).await;
    }
}

/// Whoever closes its side of a connection has gone, although it could still read.
async fn a_reader_who_closes_one_side_ends_the_report(service: &Service) {
    let (client, db) = (service.login("ministry").await, service.database().await);
    slow_down(&db).await;
    for _ in 0..3 {
        let mut streams = [
            raw::open(&client, "GET", CURVE, &[], b"").await,
            raw::open(&client, "GET", CURVE, &[], b"").await,
        ];
        tokio::time::sleep(Duration::from_millis(300)).await;
        for stream in &mut streams {
            stream.shutdown().await.unwrap();
        }
        at_rest(&db).await;
        answers_again(&client).await;
    }
}

async fn workbooks_take_their_turn(service: &Service) {
    const BOOK: &str = "/api/v1/reports/s-curve?format=xlsx";
    let (client, db) = (service.login("ministry").await, service.database().await);
    slow_down(&db).await;
    let books = askers(&client, BOOK, 6);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(books.iter().all(|book| !book.is_finished()), "two are made, four wait");
    for one_more in [BOOK, FUNNEL] {
        assert_eq!(client.get(one_more).await.code(), "too_many_long_reads", "{one_more}");
    }
    if db.get_database_backend() == DbBackend::Postgres {
        assert_eq!(working(&db).await, 2);
    }
    books.iter().for_each(|book| book.abort());
    at_rest(&db).await;
    answers_again(&client).await;
}

/// Its rows are read on after the head of the answer is sent.
async fn a_report_of_many_parts_arrives_whole(service: &Service) {
    const IDENTIFIED: &str = "/api/v1/reports/identified-clusters";
    let (client, db) = (service.login("ministry").await, service.database().await);
    let before = client.get(IDENTIFIED).await.body["total"].as_u64().unwrap();
    db.execute_unprepared("ALTER TABLE cluster RENAME TO cluster_itself").await.unwrap();
    let many =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i FROM n";
    db.execute_unprepared(&format!("CREATE VIEW cluster AS SELECT c.* FROM cluster_itself c, ({many}) n"))
        .await
        .unwrap();
    let answer = client.get(IDENTIFIED).await;
    assert!(answer.text.len() > 1_000_000, "{} bytes", answer.text.len());
    assert_eq!((answer.status, answer.body["total"].as_u64()), (200, Some(300 * before)));
    assert_eq!(answer.body["items"].as_array().unwrap().len() as u64, 300 * before);
}

/// A statement of a pool with one connection, which is dropped; alone and in a transaction that reads or
/// writes.
async fn an_abandoned_statement_ends(service: &Service) {
    let db = connection::connect(&service.config.database_url, 1).await.unwrap();
    let watching = service.database().await;
    let slow = match db.get_database_backend() {
        DbBackend::Postgres => "SELECT 1 AS one FROM pg_sleep(60)",
        _ => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT MAX(i) AS one FROM n"
        }
    };
    let statement = |sql: &str| Statement::from_string(db.get_database_backend(), sql);
    for kind in ["single", "reading", "writing"] {
        let (held, sql) = (db.clone(), statement(slow));
        let asked = tokio::task::spawn_local(work::abandonable(async move {
            match kind {
                "single" => drop(held.query_one_raw(sql).await),
                "reading" => drop(connection::begin_to_read(&held).await.unwrap().query_one_raw(sql).await),
                _ => drop(held.begin_to_write().await.unwrap().query_one_raw(sql).await),
            }
        }));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!asked.is_finished(), "{kind}: it is under way");
        let begun = Instant::now();
        asked.abort();
        at_rest(&watching).await;
        assert!(
            db.query_one_raw(statement("SELECT 1 AS one")).await.unwrap().is_some(),
            "{kind}: the connection is free again"
        );
        db.begin_to_write().await.unwrap().commit().await.unwrap();
        assert!(
            begun.elapsed() < Duration::from_millis(1_500),
            "{kind}: it ends within about a second, and did after {:?}",
            begun.elapsed()
        );
    }
    db.close().await.unwrap();
}

on_each!(a_statement_ends_with_the_process);

async fn a_statement_ends_with_the_process(backend: Backend) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let db = connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap().unguarded();
    slow_down(&db).await;
    for is_killed in [false, true] {
        let server = Server::serve(&scratch.url, &[("KHOOSHEH_SHUTDOWN_TIMEOUT_SECONDS", "2")]).await;
        let client = server.client().login("ministry").await;
        let stream = raw::open(&client, "GET", CURVE, &[], b"").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        if is_killed {
            server.kill();
        } else {
            server.terminate();
            assert_eq!(server.ended().await, 0);
            assert!(begun.elapsed() < Duration::from_secs(6), "it does not wait for the statement");
        }
        at_rest(&db).await;
        drop(stream);
    }
    db.close().await.unwrap();
    scratch.remove().await;
}
