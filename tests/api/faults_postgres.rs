//! PostgreSQL that is read-only for a while, newer than the program, locked, behind a pooler, one of several,
//! or not there yet; and instances whose clock is wrong.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use khoosheh::store::connection;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    on_both,
    postgres::unprivileged,
    process::{self, Server},
    resilience::until,
    support::{Answer, Backend, Client, PASSWORD, Scratch, Service},
};

const ORGANISATIONS: &str = "/api/v1/organisations";
const READY: &str = "/health/ready";

on_both!(a_newer_database_is_served_unless_it_is_marked);

async fn write(client: &Client, name: &str) -> Answer {
    client.post(ORGANISATIONS, json!({"kind": "association", "name_fa": name, "province": "IR-15"})).await
}

/// The tables of a program that is newer by one migration, while the one of before goes on.
async fn a_newer_database_is_served_unless_it_is_marked(service: &Service) {
    let (isipo, db) = (service.login("isipo").await, service.database().await);
    let busy = |client: Client| async move {
        for n in 0..40 {
            assert_eq!(write(&client, &format!("انجمن {n}")).await.status, 201);
            for path in [
                ORGANISATIONS,
                "/api/v1/changes?page_size=5",
                "/api/v1/reports/funnel",
                READY,
                "/api/v1/milestones",
            ] {
                let answer = client.get(path).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            }
        }
    };
    let others = [tokio::task::spawn_local(busy(isipo.clone()))];
    tokio::time::sleep(Duration::from_millis(300)).await;
    let tables = [
        "organisation",
        "cluster",
        "project",
        "milestone",
        "change_log",
        "account",
        "session",
        "status_event",
        "earned_value_day",
    ];
    for table in tables.iter().chain(["webhook_delivery", "earned_value_summary", "signing_key"].iter()) {
        db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN of_the_future text")).await.unwrap();
    }
    db.execute_unprepared("CREATE TABLE of_the_future (id integer PRIMARY KEY)").await.unwrap();
    applied(&db, "m20990101_000001_of_the_future").await;
    for other in others {
        other.await.unwrap();
    }
    let (running, beside) = service.beside(|_| {}).await;
    assert_eq!(beside.get(READY).await.status, 200, "a program of before also starts");
    running.stop().await;
    let url = [("DATABASE_URL", service.database_url())];
    let status = process::run(&["migrate", "status"], &url, "").await;
    assert!(
        status.code == 0 && status.stdout.ends_with("newer   m20990101_000001_of_the_future\n"),
        "{}{}",
        status.stdout,
        status.stderr
    );
    let up = process::run(&["migrate", "up"], &url, "").await;
    assert_eq!(up.code, 0, "there is nothing for it to do: {}", up.stderr);
    let down = process::run(&["migrate", "down"], &url, "").await;
    assert!(down.code == 1 && down.stderr.contains("newer than this program"), "{}", down.stderr);
    let of_another_kind = "INSERT INTO change_log (resource, record_id, version, kind, changed_at, changed_by, request_id, data, previous_hash, hash) \
                           SELECT 'of_the_future', record_id, version, kind, changed_at, changed_by, request_id, data, previous_hash, hash \
                           FROM change_log LIMIT 1";
    db.execute_unprepared(of_another_kind).await.unwrap();
    let verified = process::run(&["verify"], &url, "").await;
    assert_eq!(verified.code, 0, "{}", verified.stderr);

    applied(&db, "m20990101_000002_of_the_future_breaking").await;
    let refused = isipo.get(READY).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    assert!(refused.text.contains("newer than this program"), "{}", refused.text);
    let serve = process::run(&["serve"], &url, "").await;
    assert!(
        serve.code == 1 && serve.stderr.contains("m20990101_000002_of_the_future_breaking"),
        "{}",
        serve.stderr
    );
}

async fn applied(db: &khoosheh::store::Database, migration: &str) {
    let row = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{migration}', 0)");
    db.execute_unprepared(&row).await.unwrap();
}

/// Ends all sessions of a database but one's own.
const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[actix_web::test]
async fn a_database_may_be_read_only_for_a_while() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let (isipo, db) = (service.login("isipo").await, service.database().await);
    let refresh = log_in(&service.anonymous()).await.body["refresh_token"].as_str().unwrap().to_owned();
    let (_, name) = service.database_url().rsplit_once('/').unwrap();
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
        .await
        .unwrap();
    db.execute_unprepared(END_SESSIONS).await.unwrap();
    until(async || (write(&isipo, "پیش").await.status == 503).then_some(())).await;
    until(async || (isipo.get(READY).await.body == json!({"status": "read_only"})).then_some(())).await;
    // A new instance starts, reads, and lets people in.
    let (running, beside) = service.beside(|_| {}).await;
    let logged_in = log_in(&beside).await;
    assert_eq!((logged_in.status, logged_in.body.get("refresh_token")), (200, None), "{}", logged_in.text);
    let reader = beside.with_token(logged_in.body["access_token"].as_str().unwrap());
    assert_eq!((reader.get(ORGANISATIONS).await.status, write(&reader, "پیش").await.status), (200, 503));
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let refreshed = beside.form("/api/v1/auth/token", &form).await;
    assert_eq!((refreshed.status, refreshed.body.get("refresh_token")), (200, None), "{}", refreshed.text);
    let client =
        [("grant_type", "client_credentials"), ("client_id", "integrator"), ("client_secret", PASSWORD)];
    assert_eq!(beside.form("/api/v1/auth/token", &client).await.status, 200);
    // Nobody guesses without end meanwhile.
    let guess = [("grant_type", "password"), ("username", "kerman"), ("password", "wrong")];
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(beside.form("/api/v1/auth/token", &guess).await.status);
    }
    assert_eq!((statuses[0], statuses[11]), (400, 429), "{statuses:?}");

    db.execute_unprepared("SET default_transaction_read_only = off").await.unwrap();
    db.execute_unprepared(&format!("ALTER DATABASE {name} RESET default_transaction_read_only"))
        .await
        .unwrap();
    for client in [&isipo, &reader] {
        until(async || (write(client, "پس").await.status != 503).then_some(())).await;
        for _ in 0..4 {
            let status = client.get(READY).await;
            assert_eq!(status.body, json!({"status": "ok"}), "no connection stays read-only");
        }
    }
    assert_eq!(
        beside.form("/api/v1/auth/token", &form).await.status,
        200,
        "the refresh token was not used up"
    );
    running.stop().await;
    service.stop().await;
}

async fn log_in(client: &Client) -> Answer {
    client
        .form(
            "/api/v1/auth/token",
            &[("grant_type", "password"), ("username", "isipo"), ("password", PASSWORD)],
        )
        .await
}

#[actix_web::test]
async fn a_locked_table_keeps_no_probe_waiting() {
    let Some(service) = Service::start(Backend::Postgres, |config| config.connections_per_worker = 2).await
    else {
        return;
    };
    let (isipo, db) = (service.login("isipo").await, service.database().await);
    let lock = db.begin_to_write().await.unwrap();
    lock.execute_unprepared("LOCK TABLE change_log IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let writers: Vec<_> = (0..12)
        .map(|n| {
            let isipo = isipo.clone();
            tokio::task::spawn_local(async move { write(&isipo, &format!("منتظر {n}")).await.status })
        })
        .collect();
    for _ in 0..14 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        for path in [READY, "/api/v1/clusters"] {
            assert_eq!(isipo.get(path).await.status, 200, "{path}");
        }
    }
    lock.roll_back().await;
    for writer in writers {
        assert!(matches!(writer.await.unwrap(), 201 | 503));
    }
    until(async || (write(&isipo, "پس").await.status != 503).then_some(())).await;
    service.stop().await;
}

/// The rule of libpq: the first host that answers and is what is wanted.
#[actix_web::test]
async fn several_hosts_may_be_named() {
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let several = scratch.url.replacen('@', &format!("@127.0.0.1:{free},"), 1);
    let server = Server::serve(&format!("{several}?target_session_attrs=read-write"), &[]).await;
    let isipo = server.client().login("isipo").await;
    assert_eq!(write(&isipo, "ورشو").await.status, 201);
    server.terminate();
    assert_eq!(server.ended().await, 0);
    let wait = ("KHOOSHEH_DATABASE_WAIT_SECONDS", "1");
    let refused = process::run(
        &["serve"],
        &[("DATABASE_URL", &format!("{several}?target_session_attrs=standby")), wait],
        "",
    )
    .await;
    assert_eq!(refused.code, 1, "there is no standby: {}", refused.stderr);
    scratch.remove().await;
}

/// PgBouncer, ended with the test; none where it is not installed, which is a failure in CI.
struct Pooler(Child, u16, #[allow(dead_code)] tempfile::TempDir);

impl Pooler {
    fn start(mode: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n\
             pool_mode = {mode}\nignore_startup_parameters = extra_float_digits,options\n[users]\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, config.replace("* =", "* = user=postgres")).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
            std::os::unix::fs::chown(&file, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        match command.spawn() {
            Ok(child) => Some(Self(child, port, folder)),
            Err(_) => {
                assert!(std::env::var_os("CI").is_none(), "PgBouncer is missing");
                eprintln!("skipped: PgBouncer is missing");
                None
            }
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[actix_web::test]
async fn a_pooler_that_keeps_no_sessions_is_refused() {
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    for mode in ["transaction", "session"] {
        let Some(pooler) = Pooler::start(mode) else { return };
        until(async || std::net::TcpStream::connect(("127.0.0.1", pooler.1)).ok()).await;
        let (_, name) = scratch.url.rsplit_once('/').unwrap();
        let url = format!("postgres://postgres@127.0.0.1:{}/{name}", pooler.1);
        let refused =
            process::run(&["serve"], &[("DATABASE_URL", &url), ("KHOOSHEH_BIND", "127.0.0.1:0")], "").await;
        // Also the limits of time do not reach the server through this one.
        assert!(
            refused.code == 1 && refused.stderr.contains("does not keep sessions"),
            "{mode}: {}",
            refused.stderr
        );
    }
    scratch.remove().await;
}

/// Record times, tokens and signatures follow the clock of the database, which all instances share.
#[actix_web::test]
async fn a_clock_that_is_wrong_is_corrected() {
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    if !std::path::Path::new(library).exists() {
        assert!(std::env::var_os("CI").is_none(), "faketime is missing");
        return eprintln!("skipped: faketime is missing");
    }
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    let right = Server::serve(&scratch.url, &[]).await;
    let ahead = Server::serve(
        &scratch.url,
        &[("LD_PRELOAD", library), ("FAKETIME", "+10m"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")],
    )
    .await;
    let isipo = ahead.client().login("isipo").await;
    let made = write(&isipo, "ورشو").await;
    assert_eq!(made.status, 201, "{}", made.text);
    let here = Client { address: right.address.clone(), ..isipo.clone() };
    let path = format!("{ORGANISATIONS}/{}", made.id());
    let changed = here.patch(&path, "*", json!({"name_en": "German silver"})).await;
    assert_eq!(changed.status, 200, "a token of the one is good for the other: {}", changed.text);
    let moment =
        |name: &str| changed.body[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(moment("created_at") <= moment("updated_at"), "{}", changed.text);
    assert!(chrono::Utc::now() - moment("created_at") < chrono::TimeDelta::minutes(1));
    assert!(ahead.log().contains("corrected") || ahead.greeting.contains("corrected"), "{}", ahead.greeting);
    right.kill();
    ahead.kill();
    scratch.remove().await;
}

/// What is under way when the time is over is given up in order: no thread panics.
#[actix_web::test]
async fn a_stop_gives_up_what_does_not_end() {
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    let server = Server::serve(&scratch.url, &[("KHOOSHEH_SHUTDOWN_TIMEOUT_SECONDS", "2")]).await;
    let isipo = server.client().login("isipo").await;
    let db = connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap();
    let lock = db.begin_to_write().await.unwrap();
    lock.execute_unprepared("LOCK TABLE external_ref, organisation, cluster IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let waiting: Vec<_> = ["/api/v1/clusters", "/api/v1/reports/funnel", ORGANISATIONS]
        .map(|path| {
            let request = isipo.request(reqwest::Method::GET, path);
            tokio::spawn(async move { request.send().await.map(|answer| answer.status().as_u16()) })
        })
        .into_iter()
        .chain([tokio::spawn({
            let request = isipo
                .request(reqwest::Method::POST, ORGANISATIONS)
                .json(&json!({"kind": "association", "name_fa": "x", "province": "IR-15"}));
            async move { request.send().await.map(|answer| answer.status().as_u16()) }
        })])
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.terminate();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap(), 503, "an answer, not a cut connection");
    }
    lock.roll_back().await;
    let (code, log) = server.ended_with_log().await;
    assert!(code == 0 && !log.contains("panicked") && !log.contains("Tokio context"), "{code}: {log}");
    scratch.remove().await;
}

/// With the database away at the start, the service waits and says so.
#[actix_web::test]
async fn a_start_waits_for_the_database() {
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, name) = scratch.url.rsplit_once('/').unwrap();
    let url = format!("postgres://postgres@{free}/{name}");
    let far = scratch.url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let forward = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let listener = tokio::net::TcpListener::bind(free).await.unwrap();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let far = far.clone();
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(far).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    let server = Server::serve(&url, &[]).await;
    assert!(server.greeting.contains("the database is away: trying again"), "{}", server.greeting);
    assert_eq!(server.client().get(READY).await.status, 200);
    server.kill();
    forward.abort();
    let never =
        process::run(&["serve"], &[("DATABASE_URL", &url), ("KHOOSHEH_DATABASE_WAIT_SECONDS", "1")], "")
            .await;
    assert!(never.code == 1 && never.stderr.contains("trying again"), "{}", never.stderr);
    scratch.remove().await;
}
