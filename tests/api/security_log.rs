//! The security log: what is in it, what is not, who reads it; the history of all records; and that neither
//! keeps anybody waiting.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use khoosheh::store::security_event;
use reqwest::Method;
use sea_orm::{ConnectionTrait, EntityTrait, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use serde_json::{Value, json};

use crate::{
    api_clients::client_with,
    auth::{TOKEN, log_in, refresh},
    cdas, on_both,
    process::{Server, run},
    resilience::until,
    support::{Answer, Backend, Client, PASSWORD, Scratch, Service},
    webhooks::{Manner, create, deliveries, setting, until_in_state},
};

on_both!(
    logins_and_failures_are_logged,
    refusals_name_the_account,
    changes_of_accounts_are_logged_with_the_change,
    reads_of_personal_data_and_exports_are_logged,
    personal_data_that_is_given_again_is_logged_again,
    personal_data_that_is_sent_to_webhooks_is_logged,
    no_secret_and_no_personal_value_is_logged,
    auditors_read_and_change_nothing,
    the_history_of_all_records_is_found,
    the_feed_names_authors,
    old_events_are_forgotten,
);

const EVENTS: &str = "/api/v1/security-events";

/// The events of a kind that belong to a request, once there is one.
async fn events(auditor: &Client, kind: &str, of: &Answer) -> Vec<Value> {
    let path = format!("{EVENTS}?kind={kind}&request_id={}", of.header("x-request-id"));
    until(async || {
        let items = auditor.get(&path).await.body["items"].as_array().unwrap().clone();
        (!items.is_empty()).then_some(items)
    })
    .await
}

async fn one(auditor: &Client, kind: &str, of: &Answer) -> Value {
    let mut found = events(auditor, kind, of).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.pop().unwrap()
}

async fn logins_and_failures_are_logged(service: &Service) {
    let (auditor, nobody) = (service.login("auditor").await, service.anonymous());
    let form = |username: &str, password: &str| {
        [("grant_type", "password".to_owned()), ("username", username.into()), ("password", password.into())]
    };
    let good = nobody
        .send(
            nobody
                .request(Method::POST, TOKEN)
                .header("user-agent", "a browser")
                .form(&form("lorestan", PASSWORD)),
        )
        .await;
    let event = one(&auditor, "login", &good).await;
    assert_eq!(
        (&event["username"], &event["address"], &event["operation"]),
        (&json!("lorestan"), &json!("127.0.0.1"), &json!("create_token"))
    );
    assert!(event["user_agent"].as_str().unwrap().len() == 16 && event["account_id"].is_string(), "{event}");

    let admin = service.login("admin").await;
    let disabled = admin.get("/api/v1/users?q=kerman").await.items("id")[0].to_owned();
    assert_eq!(
        admin.patch(&format!("/api/v1/users/{disabled}"), "*", json!({"disabled": true})).await.status,
        200
    );
    for (username, password, reason, named) in [
        ("lorestan", "wrong", "wrong_secret", json!("lorestan")),
        ("kerman", PASSWORD, "disabled", json!("kerman")),
        ("integrator", PASSWORD, "wrong_grant", json!("integrator")),
        // People type passwords where their names belong.
        ("my own secret password", "x", "unknown_account", Value::Null),
    ] {
        let event = one(&auditor, "login_failed", &log_in(&nobody, username, password).await).await;
        assert_eq!((&event["reason"], &event["username"]), (&json!(reason), &named), "{event}");
    }
    // The tenth failure closes the account for the address. Those who find it closed stand there once in a
    // while.
    let mut last = None;
    for _ in 0..9 {
        last = Some(log_in(&nobody, "lorestan", "wrong").await);
    }
    assert_eq!(one(&auditor, "login_closed", &last.unwrap()).await["username"], "lorestan");
    for _ in 0..5 {
        assert_eq!(log_in(&nobody, "lorestan", PASSWORD).await.status, 429);
    }
    assert_eq!(auditor.count(&format!("{EVENTS}?kind=login_closed")).await, 1);

    let client =
        [("grant_type", "client_credentials"), ("client_id", "integrator"), ("client_secret", PASSWORD)];
    let token = nobody
        .send(nobody.request(Method::POST, TOKEN).header("acting-for", "\"u-17\"; name=\"x\"").form(&client))
        .await;
    let event = one(&auditor, "login", &token).await;
    assert_eq!((&event["username"], &event["acting_for"]), (&json!("integrator"), &json!("u-17")), "{event}");

    let ministry = log_in(&nobody, "ministry", PASSWORD).await;
    let token = ministry.body["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(&nobody, token).await.status, 200);
    let long_ago = "UPDATE refresh_token SET used_at = '2026-01-01T00:00:00+00:00' WHERE used_at IS NOT NULL";
    service.database().await.execute_unprepared(long_ago).await.unwrap();
    assert_eq!(one(&auditor, "token_reused", &refresh(&nobody, token).await).await["username"], "ministry");
    let out =
        nobody.form("/api/v1/auth/revoke", &[("token", good.body["refresh_token"].as_str().unwrap())]).await;
    assert_eq!(one(&auditor, "logout", &out).await["username"], "lorestan");
}

async fn refusals_name_the_account(service: &Service) {
    let (auditor, viewer, kerman) =
        (service.login("auditor").await, service.login("ministry").await, service.login("kerman").await);
    let by_permission = viewer.post("/api/v1/clusters", json!({})).await;
    let by_scope = kerman
        .post("/api/v1/clusters", json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}))
        .await;
    for (answer, username, reason) in
        [(by_permission, "ministry", "forbidden"), (by_scope, "kerman", "outside_scope")]
    {
        assert_eq!(answer.status, 403);
        let event = one(&auditor, "forbidden", &answer).await;
        assert_eq!((&event["username"], &event["reason"]), (&json!(username), &json!(reason)), "{event}");
        assert_eq!(
            (&event["operation"], &event["resource"]),
            (&json!("create_cluster"), &json!("cluster")),
            "{event}"
        );
    }
}

async fn changes_of_accounts_are_logged_with_the_change(service: &Service) {
    let (auditor, admin) = (service.login("auditor").await, service.login("admin").await);
    let user = json!({"username": "ilam", "display_name": "ایلام", "role": "provincial_manager", "province": "IR-16", "password": PASSWORD});
    let created = admin.post("/api/v1/users", user).await;
    let path = format!("/api/v1/users/{}", created.id());
    let changed = admin
        .patch(&path, "*", json!({"role": "provincial_viewer", "password": "quite another password"}))
        .await;
    let renamed = admin.patch(&path, "*", json!({"display_name": "شرکت ایلام"})).await;
    let deleted = admin.delete(&path, "*").await;
    for (answer, kind, reason) in [
        (&created, "account_created", Value::Null),
        (&changed, "account_changed", json!("password,role")),
        (&renamed, "account_changed", json!("other")),
        (&deleted, "account_deleted", Value::Null),
    ] {
        let event = one(&auditor, kind, answer).await;
        assert_eq!((&event["username"], &event["reason"]), (&json!("admin"), &reason), "{event}");
        assert_eq!(
            (&event["record_id"], &event["resource"]),
            (&created.body["id"], &json!("user")),
            "{event}"
        );
        assert_eq!(event["address"], "127.0.0.1");
    }
    let client = admin.get("/api/v1/api-clients").await.items("id")[0].to_owned();
    let secret = admin.post(&format!("/api/v1/api-clients/{client}/secret"), Value::Null).await;
    assert_eq!(secret.status, 428, "{}", secret.text);
    let secret = admin
        .send(
            admin
                .request(Method::POST, &format!("/api/v1/api-clients/{client}/secret"))
                .header("if-match", "*"),
        )
        .await;
    assert_eq!(one(&auditor, "account_changed", &secret).await["reason"], "secret");
    // What is refused has changed nothing.
    let before = auditor.count(&format!("{EVENTS}?kind=account_changed")).await;
    assert_eq!(admin.patch(&path, "*", json!({"disabled": true})).await.status, 404);
    let taken =
        json!({"username": "lorestan", "display_name": "x", "role": "national_viewer", "password": PASSWORD});
    assert_eq!(admin.post("/api/v1/users", taken).await.status, 409);
    assert_eq!(auditor.count(&format!("{EVENTS}?kind=account_changed")).await, before);
    assert_eq!(
        auditor
            .count(&format!(
                "{EVENTS}?kind=account_created&account_id={}",
                admin.get("/api/v1/auth/me").await.id()
            ))
            .await,
        1
    );
}

async fn reads_of_personal_data_and_exports_are_logged(service: &Service) {
    let (auditor, lorestan) = (service.login("auditor").await, service.login("lorestan").await);
    let cda = cdas::register(&lorestan, json!({})).await;
    let read = lorestan.get(cda.header("location")).await;
    let event = one(&auditor, "personal_data_read", &read).await;
    assert_eq!((&event["username"], &event["record_id"]), (&json!("lorestan"), &cda.body["id"]), "{event}");
    assert_eq!((&event["resource"], &event["operation"]), (&json!("cda"), &json!("get_cda")), "{event}");
    assert!(event["count"].as_i64().unwrap() >= 1, "{event}");
    let history = lorestan.get(&format!("{}/history", cda.header("location"))).await;
    assert!(one(&auditor, "personal_data_read", &history).await["count"].as_i64().unwrap() >= 1);
    let csv = lorestan.get("/api/v1/cdas?format=csv").await;
    assert!(one(&auditor, "personal_data_read", &csv).await["count"].as_i64().unwrap() >= 1);
    let event = one(&auditor, "exported", &csv).await;
    assert_eq!((&event["reason"], &event["operation"]), (&json!("csv"), &json!("list_cdas")), "{event}");
    let report = lorestan.get("/api/v1/reports/funnel?format=xlsx").await;
    assert_eq!(one(&auditor, "exported", &report).await["reason"], "xlsx");
    // Who sees it masked has seen nothing.
    let masked = service.login("lorestan-viewer").await.get(cda.header("location")).await;
    let clusters = lorestan.get("/api/v1/clusters").await;
    one(&auditor, "personal_data_read", &lorestan.get(cda.header("location")).await).await;
    for answer in [masked, clusters] {
        let path = format!("{EVENTS}?request_id={}", answer.header("x-request-id"));
        assert_eq!(auditor.count(&path).await, 0);
    }
}

async fn personal_data_that_is_given_again_is_logged_again(service: &Service) {
    let (auditor, lorestan) = (service.login("auditor").await, service.login("lorestan").await);
    let input = json!({"national_code": cdas::national_code(4_712), "mobile": "09121234567", "name_fa": "نمونه", "province": "IR-15"});
    let mut counts = Vec::new();
    for replayed in ["", "true"] {
        let answer = lorestan
            .send(lorestan.request(Method::POST, cdas::CDAS).header("idempotency-key", "again").json(&input))
            .await;
        assert_eq!(
            (answer.status, answer.header("idempotency-replayed")),
            (201, replayed),
            "{}",
            answer.text
        );
        counts.push(one(&auditor, "personal_data_read", &answer).await["count"].clone());
    }
    assert_eq!(counts, [2, 2], "the national code and the mobile number, each time");
}

async fn personal_data_that_is_sent_to_webhooks_is_logged(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = vec![1; 5]).await;
    let (auditor, admin) = (lorestan.login("auditor").await, lorestan.login("admin").await);
    let (_, blind) = client_with(&admin, "blind", &["webhooks:manage", "cdas:read"], json!("IR-15")).await;
    // One that refuses what it is sent has seen it, each time.
    receivers.behave("clear", Manner::Status(500));
    let clear = create(&lorestan, &receivers.url("clear"), &["cda", "cluster"]).await;
    create(&blind, &receivers.url("masked"), &["cda"]).await;
    let away = create(&lorestan, "http://127.0.0.1:9/", &["cda"]).await;
    let cda = cdas::register(&lorestan, json!({"mobile": "09121234567"})).await;
    crate::clusters::register(&lorestan, "ورشو", json!({})).await;
    until(async || {
        (receivers.requests("clear").iter().filter(|sent| sent.event()["type"] == "cda.upsert").count() >= 2)
            .then_some(())
    })
    .await;
    receivers.behave("clear", Manner::Status(204));
    until_in_state(&lorestan, &clear, "delivered", 2).await;
    receivers.until_taken("masked", 1).await;
    until(async || (deliveries(&lorestan, &away, "").await[0]["attempts"].as_u64() > Some(1)).then_some(()))
        .await;
    let sent =
        receivers.requests("clear").into_iter().filter(|sent| sent.event()["type"] == "cda.upsert").count();
    let path = format!("{EVENTS}?kind=personal_data_read&record_id={}", cda.id());
    let logged =
        until(async || Some(auditor.get(&path).await).filter(|logged| logged.items("id").len() >= sent))
            .await;
    let delivery = receivers
        .requests("clear")
        .iter()
        .find(|sent| sent.event()["type"] == "cda.upsert")
        .unwrap()
        .id()
        .to_owned();
    running.stop().await;
    receivers.stop().await;
    assert_eq!(service.login("auditor").await.count(&path).await as usize, sent, "{}", logged.text);
    for event in logged.body["items"].as_array().unwrap() {
        assert_eq!(
            (&event["username"], &event["reason"], &event["count"]),
            (&json!("lorestan"), &json!("webhook"), &json!(2)),
            "{event}"
        );
        assert_eq!(
            (&event["resource"], &event["request_id"]),
            (&json!("cda"), &json!(format!("webhook {delivery}"))),
            "{event}"
        );
    }
}

async fn no_secret_and_no_personal_value_is_logged(service: &Service) {
    let (nobody, lorestan) = (service.anonymous(), service.login("lorestan").await);
    let code = cdas::national_code(4_711);
    let cda = cdas::register(
        &lorestan,
        json!({"national_code": code, "mobile": "09121234567", "email": "cda@example.ir"}),
    )
    .await;
    lorestan.get(cda.header("location")).await;
    log_in(&nobody, "lorestan", "5ecret in the wrong place").await;
    log_in(&nobody, "5ecret in the wrong field", "x").await;
    let form =
        [("grant_type", "client_credentials"), ("client_id", "integrator"), ("client_secret", PASSWORD)];
    nobody
        .send(
            nobody
                .request(Method::POST, TOKEN)
                .header("acting-for", format!("\"{code}\""))
                .header("user-agent", "5ecret")
                .form(&form),
        )
        .await;
    let auditor = service.login("auditor").await;
    until(async || (auditor.count(&format!("{EVENTS}?kind=login_failed")).await == 2).then_some(())).await;
    let rows = security_event::Entity::find().all(&service.database().await).await.unwrap();
    let text =
        serde_json::to_string(&rows).unwrap() + &auditor.get(&format!("{EVENTS}?page_size=200")).await.text;
    for hidden in [
        "5ecret",
        code.as_str(),
        "9121234567",
        "cda@",
        PASSWORD,
        "$argon2",
        lorestan.token.as_deref().unwrap(),
    ] {
        assert!(!text.contains(hidden), "{hidden} is in the log");
    }
}

async fn auditors_read_and_change_nothing(service: &Service) {
    let auditor = service.login("auditor").await;
    for path in [EVENTS, "/api/v1/history", "/api/v1/clusters", "/api/v1/reports/funnel"] {
        assert_eq!(auditor.get(path).await.status, 200, "{path}");
    }
    for (account, sees) in [("admin", true), ("isipo", false), ("ministry", false), ("lorestan", false)] {
        let client = service.login(account).await;
        for path in [EVENTS, "/api/v1/history"] {
            assert_eq!(client.get(path).await.status, if sees { 200 } else { 403 }, "{account} {path}");
        }
    }
    let cdas = auditor.get("/api/v1/cdas").await;
    assert!(cdas.items("national_code").iter().all(|code| code.starts_with("******")), "{}", cdas.text);
    assert_eq!(auditor.post("/api/v1/clusters", json!({})).await.code(), "forbidden");
    assert_eq!(auditor.get("/api/v1/users").await.code(), "forbidden");
    // As other lists: filters that name what they refuse, pages, CSV.
    assert_eq!(auditor.get(&format!("{EVENTS}?kind=surprise")).await.errors(), [("/kind/0", "not_in_list")]);
    assert_eq!(auditor.get(&format!("{EVENTS}?surprise=1")).await.status, 400);
    let mut path = format!("{EVENTS}?page_size=3&sort=-id");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let page = auditor.get(&path).await;
        ids.extend(page.items("id").into_iter().map(str::to_owned));
        path = format!("{EVENTS}?page_size=3&sort=-id&cursor={}", page.body["next_cursor"].as_str().unwrap());
    }
    let all = auditor.get(&format!("{EVENTS}?page_size=9&sort=-occurred_at,-id")).await;
    assert_eq!(ids.len(), 9);
    assert!(ids.is_sorted_by(|earlier, later| earlier > later) && all.items("id").len() == 9, "{ids:?}");
    assert!(auditor.get(&format!("{EVENTS}?format=csv")).await.text.starts_with("id,occurred_at,kind"));
    let none = format!("{EVENTS}?since=2100-01-01T00:00:00Z");
    assert_eq!(auditor.count(&none).await, 0);
}

async fn the_history_of_all_records_is_found(service: &Service) {
    let (auditor, lorestan) = (service.login("auditor").await, service.login("lorestan").await);
    let cda = cdas::register(&lorestan, json!({})).await;
    let changed = lorestan.patch(cda.header("location"), "*", json!({"mobile": "09121234567"})).await;
    let me = lorestan.get("/api/v1/auth/me").await.id().to_owned();
    let history = async |query: &str| {
        let answer = auditor.get(&format!("/api/v1/history?page_size=200{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        answer.body["items"].as_array().unwrap().clone()
    };
    let found = history(&format!("&account_id={me}")).await;
    assert_eq!(found.iter().map(|item| item["version"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        (&found[0]["resource"], &found[0]["kind"], &found[0]["record_id"]),
        (&json!("cda"), &json!("created"), &cda.body["id"])
    );
    assert!(found[0]["changed_by_name"].is_string());
    let mobile = json!([{"field": "mobile", "from": null, "to": "+**********67"}]);
    assert_eq!(found[1]["changes"], mobile, "masked, as the auditor sees everything");
    assert_eq!(history(&format!("&request_id={}", changed.header("x-request-id"))).await, found[1..]);
    assert_eq!(history(&format!("&resource=cda&record_id={}", cda.id())).await, found);
    let today = khoosheh::persian::Date::today_in_iran().naive();
    let (yesterday, tomorrow) = (today - TimeDelta::days(1), today + TimeDelta::days(1));
    assert_eq!(history(&format!("&account_id={me}&day={today}")).await, found);
    for other in [yesterday, tomorrow] {
        assert!(history(&format!("&account_id={me}&day={other}")).await.is_empty(), "{other}");
    }
    let persian = khoosheh::persian::Date::from(today).in_calendar(khoosheh::persian::Calendar::Persian);
    assert_eq!(history(&format!("&account_id={me}&day={persian}&calendar=persian")).await.len(), 2);
    // Accounts too, without their secrets.
    let users = history("&resource=user").await;
    assert!(users.len() >= 9 && !serde_json::to_string(&users).unwrap().contains("$argon2"));
    let newest = auditor.get("/api/v1/history?page_size=1&sort=-position&count=true").await;
    assert_eq!(newest.body["items"][0]["request_id"], changed.header("x-request-id"));
    assert!(newest.body["total"].as_u64().unwrap() > 50);
}

async fn the_feed_names_authors(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let begin = lorestan.get("/api/v1/changes?page_size=1000").await;
    let made = begin.body["items"].as_array().unwrap();
    assert!(
        made.iter().all(|change| change["changed_by"].is_null() && change["changed_by_name"].is_null()),
        "the service itself made the demonstration"
    );
    let cursor = begin.body["next_cursor"].as_str().unwrap();
    cdas::register(&lorestan, json!({})).await;
    let news = lorestan.get(&format!("/api/v1/changes?since={cursor}")).await;
    let me = lorestan.get("/api/v1/auth/me").await;
    let change = &news.body["items"][0];
    assert_eq!(
        (&change["changed_by"], &change["changed_by_name"]),
        (&me.body["id"], &json!("شرکت شهرک‌های صنعتی لرستان")),
        "{}",
        news.text
    );
}

async fn old_events_are_forgotten(service: &Service) {
    let (auditor, db) = (service.login("auditor").await, service.database().await);
    let before = auditor.count(EVENTS).await;
    assert!(before > 0);
    assert_eq!(security_event::forget_old(&db, Utc::now() - TimeDelta::days(1)).await.unwrap(), 0);
    assert_eq!(security_event::forget_old(&db, Utc::now() + TimeDelta::days(1)).await.unwrap(), before);
    assert_eq!(auditor.count(EVENTS).await, 0);
}

/// While nobody can write, those who read personal data do not wait for the log, and it is there afterwards.
#[actix_web::test]
async fn nobody_waits_for_the_log() {
    let service = Service::start(Backend::Sqlite, |_| {}).await.unwrap();
    let (auditor, lorestan) = (service.login("auditor").await, service.login("lorestan").await);
    let cda = cdas::register(&lorestan, json!({})).await;
    let read = async || lorestan.get(cda.header("location")).await;
    read().await;
    let db = service.database().await;
    let immediately = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let writer = db.write_connections().begin_with_options(immediately).await.unwrap();
    writer.execute_unprepared("UPDATE account SET disabled = disabled").await.unwrap();
    let begun = Instant::now();
    let mut last = None;
    for _ in 0..50 {
        let answer = read().await;
        assert_eq!(answer.status, 200);
        last = Some(answer);
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    writer.rollback().await.unwrap();
    one(&auditor, "personal_data_read", &last.unwrap()).await;
    assert!(auditor.count(&format!("{EVENTS}?kind=personal_data_read")).await >= 51);
    service.stop().await;
}

#[actix_web::test]
async fn events_are_lines_of_json() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let server = Server::serve(&scratch.url, &[]).await;
    let nobody = server.client();
    let lorestan = nobody.login("lorestan").await;
    log_in(&nobody, "5ecret", "H1dden").await;
    assert_eq!(lorestan.get("/api/v1/users").await.status, 403);
    server.terminate();
    let (code, log) = server.ended_with_log().await;
    assert_eq!(code, 0);
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["login", "login_failed", "forbidden"], "{log}");
    assert_eq!((&lines[2]["username"], &lines[2]["reason"]), (&json!("lorestan"), &json!("forbidden")));
    assert!(!log.contains("5ecret") && !log.contains("H1dden"));
    // What waited when it was asked to end is in the table too.
    let server = Server::serve(&scratch.url, &[("KHOOSHEH_LOG_FILTER", "info,khoosheh::security=off")]).await;
    let auditor = server.client().login("auditor").await;
    let kinds: Vec<_> = auditor
        .get(&format!("{EVENTS}?sort=-id&page_size=4"))
        .await
        .items("kind")
        .iter()
        .map(|kind| (*kind).to_owned())
        .collect();
    assert_eq!(kinds, ["login", "forbidden", "login_failed", "login"]);
    assert!(server.log().lines().all(|line| !line.starts_with('{')), "the target can be switched off");
    server.kill();
    let rotated = run(&["keys", "rotate"], &[("DATABASE_URL", scratch.url.as_str())], "").await;
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    let server = Server::serve(&scratch.url, &[]).await;
    let auditor = server.client().login("auditor").await;
    let events = auditor.get(&format!("{EVENTS}?kind=keys_rotated")).await;
    assert_eq!((events.items("reason"), events.items("request_id")), (vec!["planned"], vec!["command line"]));
    server.kill();
}

/// A standby serves, and the log is the lines of the process alone.
#[actix_web::test]
async fn a_database_that_takes_no_writes_stops_nobody() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let lorestan = service.login("lorestan").await;
    let cda = cdas::register(&lorestan, json!({})).await;
    let (_, name) = service.database_url().rsplit_once('/').unwrap();
    let db = service.database().await;
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
        .await
        .unwrap();
    let (running, standby) = service.beside(|_| {}).await;
    for _ in 0..3 {
        let login = log_in(&standby, "lorestan", PASSWORD).await;
        let reader = standby.with_token(login.body["access_token"].as_str().unwrap());
        assert_eq!(reader.get(cda.header("location")).await.status, 200);
        assert_eq!(reader.get("/api/v1/users").await.status, 403);
        assert_eq!(log_in(&standby, "lorestan", "wrong").await.status, 400);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    running.stop().await;
    service.stop().await;
}
