//! Followers of a PostgreSQL whose standby takes over: who has seen nothing that is lost goes on, and all
//! others begin anew.

use khoosheh::{
    clusters::entity,
    config::Config,
    policy::Caller,
    server::{self, Running},
    store::{Transaction, connection},
};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};
use serde_json::json;

use crate::{
    changes::{Held, since, told},
    clusters::register,
    postgres::Postgres,
    resilience::until,
    support::{Client, fill},
};

const DATABASE: &str = "khoosheh";

/// A service on a server.
async fn serve(postgres: &Postgres, files: &tempfile::TempDir) -> (Running, Client) {
    let config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        database_url: postgres.url(DATABASE).parse().unwrap(),
        attachments_url: format!("file://{}", files.path().display()),
        workers: 1,
        requests_per_minute: 0,
        shutdown_timeout_seconds: 1,
        webhook_workers: 0,
        ..Config::default()
    };
    let running = server::start(config).await.unwrap();
    let address = format!("http://{}", running.address);
    (running, Client { http: reqwest::Client::new(), address, token: None })
}

async fn number(db: &khoosheh::store::Database, query: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, query)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Where the numbers of transactions begin that no snapshot of now has seen.
async fn next_transaction(db: &khoosheh::store::Database) -> i64 {
    number(db, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").await
}

async fn timeline(db: &khoosheh::store::Database) -> i64 {
    number(db, "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int::bigint").await
}

/// Transactions that are rolled back. Nobody waits for the disk or a standby with that, so that their numbers
/// may be given again.
async fn burn_numbers(db: &khoosheh::store::Database) {
    db.execute_unprepared(&"BEGIN; SELECT pg_current_xact_id(); ROLLBACK; ".repeat(500)).await.unwrap();
}

/// A primary with the demonstration data, and its standby.
async fn two_servers() -> Option<(Postgres, Postgres)> {
    let primary = Postgres::primary().await?;
    let admin = connection::connect(&primary.url("postgres").parse().unwrap(), 1).await.unwrap().unguarded();
    admin.execute_unprepared(&format!("CREATE DATABASE {DATABASE}")).await.unwrap();
    fill(&primary.url(DATABASE)).await;
    let standby = primary.standby().await;
    Some((primary, standby))
}

async fn is_in_step(db: &khoosheh::store::Database) -> bool {
    number(db, "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_insert_lsn()")
        .await
        == 1
}

/// So many clusters are registered. The follower learns of each as it comes.
async fn register_and_follow(lorestan: &Client, held: &mut Held, names: &[&str]) {
    for name in names {
        register(lorestan, name, json!({})).await;
        let news = since(lorestan, &held.cursor, "").await;
        assert_eq!(told(&news), [("upsert", "cluster", 1)]);
        held.apply(&news);
    }
}

/// What followers hold when the first server is gone.
struct Followers {
    /// What the second server has not, nobody of these has seen; one is at the end, one on the way.
    whole: [Held; 2],
    /// This one has seen a change that is lost, and none after it.
    ahead: Held,
    /// This one has seen a change that is lost, and a later one that was committed before it and is not.
    torn: Held,
    /// The next transaction that there was when they were last asked.
    next_transaction: i64,
}

/// Follows on the first server until its end.
async fn follow(primary: &Postgres, standby: &Postgres, lorestan: &Client) -> Followers {
    let db = connection::connect(&primary.url(DATABASE).parse().unwrap(), 4).await.unwrap().unguarded();
    let begun = Held::snapshot(lorestan, "").await;
    let stone: uuid::Uuid = lorestan.cluster_named("سنگ").await.id().parse().unwrap();
    let before = entity::Entity::find_by_id(stone).one(&db).await.unwrap().unwrap();
    let late = Transaction::begin(&db, Caller::service(), "late".to_owned()).await.unwrap();
    late.update(&before, entity::Model { employment_total: Some(7), ..before.clone() }).await.unwrap();
    for name in ["ورشو", "خیارشور"] {
        register(lorestan, name, json!({})).await;
    }
    until(async || is_in_step(&db).await.then_some(())).await;
    standby.stop().await;
    burn_numbers(&db).await;
    let (mut at_the_end, mut on_the_way) = (begun.clone(), begun);
    at_the_end.follow(lorestan, "").await;
    assert!(on_the_way.apply(&since(lorestan, &on_the_way.cursor, "&page_size=1").await), "there is more");
    let mut torn = at_the_end.clone();
    let next_transaction = next_transaction(&db).await;
    late.commit().await.unwrap();
    let told_late = since(lorestan, &torn.cursor, "").await;
    assert_eq!(told(&told_late), [("upsert", "cluster", before.version + 1)]);
    torn.apply(&told_late);
    register(lorestan, "سفال", json!({})).await;
    let mut ahead = torn.clone();
    ahead.follow(lorestan, "").await;
    Followers { whole: [at_the_end, on_the_way], ahead, torn, next_transaction }
}

#[actix_web::test]
async fn a_standby_takes_over() {
    let Some((primary, standby)) = two_servers().await else { return };
    let files = tempfile::tempdir().unwrap();
    let (running, nobody) = serve(&primary, &files).await;
    let lorestan = nobody.login("lorestan").await;
    let db = connection::connect(&primary.url(DATABASE).parse().unwrap(), 1).await.unwrap().unguarded();
    let former_timeline = timeline(&db).await;
    db.close().await.unwrap();
    let Followers { whole, ahead, torn, next_transaction: seen_before } =
        follow(&primary, &standby, &lorestan).await;
    running.stop().await;
    primary.crash().await;

    standby.start().await;
    standby.promote().await;
    let (running, nobody) = serve(&standby, &files).await;
    let lorestan = nobody.with_token(lorestan.token.as_deref().unwrap());
    let db = connection::connect(&standby.url(DATABASE).parse().unwrap(), 1).await.unwrap().unguarded();
    assert!(
        timeline(&db).await > former_timeline && next_transaction(&db).await < seen_before,
        "numbers are given again"
    );
    for (what, held) in [("the newest change", &ahead), ("a change before the newest", &torn)] {
        let refused = since(&lorestan, &held.cursor, "").await;
        assert_eq!((refused.status, refused.code()), (410, "resync_required"), "{what} is lost");
    }
    let [mut at_the_end, mut on_the_way] = whole;
    assert_eq!(told(&since(&lorestan, &at_the_end.cursor, "").await), [], "nothing is lost");
    register_and_follow(&lorestan, &mut at_the_end, &["پوشاک", "چرم", "مبل"]).await;
    assert!(next_transaction(&db).await < seen_before, "by numbers that the followers took for seen");
    on_the_way.follow(&lorestan, "&page_size=1").await;
    on_the_way.follow(&lorestan, "").await;
    let now = Held::snapshot(&lorestan, "").await.records;
    assert!(at_the_end.records == now && on_the_way.records == now, "all of it, and each once");
    for held in [&ahead, &torn] {
        assert_eq!(
            since(&lorestan, &held.cursor, "").await.status,
            410,
            "also when the log has grown past it"
        );
    }
    it_crashes(&standby, &files, running, &lorestan).await;
}

/// A server that comes up again after a crash gives numbers again too, on the same timeline.
async fn it_crashes(postgres: &Postgres, files: &tempfile::TempDir, running: Running, lorestan: &Client) {
    // Who sees nothing personal: that somebody has is written to the security log, and with it the number of
    // the transaction.
    let viewer = lorestan.login("lorestan-viewer").await;
    let mut held = Held::snapshot(&viewer, "").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let db = connection::connect(&postgres.url(DATABASE).parse().unwrap(), 1).await.unwrap().unguarded();
    burn_numbers(&db).await;
    held.follow(&viewer, "").await;
    let seen_before = next_transaction(&db).await;
    postgres.crash().await;
    running.stop().await;
    postgres.start().await;
    let (running, nobody) = serve(postgres, files).await;
    let lorestan = nobody.with_token(lorestan.token.as_deref().unwrap());
    let db = connection::connect(&postgres.url(DATABASE).parse().unwrap(), 1).await.unwrap().unguarded();
    assert!(next_transaction(&db).await < seen_before, "numbers are given again");
    register_and_follow(&lorestan, &mut held, &["کاغذ", "شیشه", "فرش"]).await;
    assert!(next_transaction(&db).await < seen_before, "by numbers that the follower took for seen");
    let viewer = nobody.with_token(viewer.token.as_deref().unwrap());
    assert!(held.records == Held::snapshot(&viewer, "").await.records);
    running.stop().await;
}
