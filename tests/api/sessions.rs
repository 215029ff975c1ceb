//! Sessions: their owner lists and ends them, and none outlasts its days. A password that somebody else has
//! set is changed first.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use khoosheh::{
    accounts::{account, session},
    store::connection,
};
use reqwest::Method;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::{Value, json};

use crate::{
    auth::{TOKEN, is_live, log_in, refresh},
    on_both, on_each,
    process::run,
    resilience::until,
    support::{Answer, Backend, Client, PASSWORD, Scratch, Service},
    sweep::{NEW_PASSWORD, guarded},
};

on_both!(
    sessions_are_listed_to_their_owner,
    a_user_agent_is_bounded_and_forgotten_with_its_session,
    an_erased_person_leaves_no_device,
    one_session_is_ended,
    all_other_sessions_are_ended,
    an_api_client_has_sessions_too,
    a_session_ends_after_its_days,
    a_session_may_be_shorter_than_its_tokens,
    a_password_of_somebody_else_is_changed_first,
    who_sets_a_password_decides,
    the_command_line_sets_passwords_of_others,
);

on_each!(the_first_account_is_of_whoever_makes_it);

const SESSIONS: &str = "/api/v1/auth/sessions";
const USERS: &str = "/api/v1/users";

fn text<'a>(answer: &'a Answer, field: &str) -> &'a str {
    answer.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", answer.text))
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no moment")).parse().unwrap()
}

/// A login with a device of this name.
async fn log_in_with(client: &Client, username: &str, device: &str) -> Answer {
    let form = [("grant_type", "password"), ("username", username), ("password", PASSWORD)];
    client.send(client.request(Method::POST, TOKEN).header("user-agent", device).form(&form)).await
}

/// The client of a login.
fn client_of(client: &Client, login: &Answer) -> Client {
    client.with_token(text(login, "access_token"))
}

/// The id of the session of a client.
async fn present(client: &Client) -> String {
    let listed = client.get(SESSIONS).await;
    let current =
        listed.body["items"].as_array().unwrap().iter().find(|session| session["is_current"] == true);
    current.unwrap_or_else(|| panic!("no present session in {}", listed.text))["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Moves the beginning of all sessions of an account so many days back.
async fn age(service: &Service, username: &str, days: i64) {
    let db = service.database().await;
    let sql =
        "UPDATE session SET created_at = $1 WHERE account_id IN (SELECT id FROM account WHERE username = $2)";
    let began = khoosheh::clock::now() - TimeDelta::days(days);
    let statement =
        Statement::from_sql_and_values(db.get_database_backend(), sql, [began.into(), username.into()]);
    assert!(db.execute_raw(statement).await.unwrap().rows_affected() > 0);
}

/// The reason and the record of each event of ended sessions, oldest first.
async fn ends(service: &Service, username: &str) -> Vec<(String, Value)> {
    let events = service.login("auditor").await.get("/api/v1/security-events?kind=session_ended").await;
    let items = events.body["items"].as_array().unwrap().iter().filter(|event| event["username"] == username);
    items.map(|event| (event["reason"].as_str().unwrap().to_owned(), event["record_id"].clone())).collect()
}

async fn sessions_are_listed_to_their_owner(service: &Service) {
    let nobody = service.anonymous();
    let phone = log_in_with(&nobody, "lorestan", "a phone").await;
    let desk = log_in_with(&nobody, "lorestan", "a desk").await;
    log_in_with(&nobody, "kerman", "elsewhere").await;
    let lorestan = client_of(&nobody, &desk);
    let listed = lorestan.get(SESSIONS).await;
    assert_eq!(
        (listed.status, listed.items("user_agent")),
        (200, vec!["a phone", "a desk"]),
        "{}",
        listed.text
    );
    assert_eq!((listed.items("address"), &listed.body["next_cursor"]), (vec!["127.0.0.1"; 2], &Value::Null));
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(
        items.iter().map(|session| session["is_current"].as_bool().unwrap()).collect::<Vec<_>>(),
        [false, true]
    );
    for session in items {
        let began = moment(&session["created_at"]);
        assert_eq!(moment(&session["last_used_at"]), began);
        assert_eq!(
            (moment(&session["expires_at"]) - began, moment(&session["ends_at"]) - began),
            (TimeDelta::days(30), TimeDelta::days(90))
        );
    }

    // A refresh is a use, from where it comes.
    let form = [("grant_type", "refresh_token"), ("refresh_token", text(&phone, "refresh_token"))];
    let refreshed = nobody
        .send(nobody.request(Method::POST, TOKEN).header("user-agent", "a newer phone").form(&form))
        .await;
    assert_eq!(refreshed.status, 200);
    let again = lorestan.get(&format!("{SESSIONS}?sort=-last_used_at")).await;
    assert_eq!(again.items("user_agent"), ["a newer phone", "a desk"]);
    let phone = &again.body["items"][0];
    assert_eq!(
        (&phone["id"], &phone["created_at"], &phone["ends_at"]),
        (&items[0]["id"], &items[0]["created_at"], &items[0]["ends_at"])
    );
    for later in ["last_used_at", "expires_at"] {
        assert!(moment(&phone[later]) > moment(&items[0][later]), "{later}: {phone}");
    }

    // As other lists.
    assert_eq!(lorestan.count(SESSIONS).await, 2);
    let first = lorestan.get(&format!("{SESSIONS}?page_size=1&sort=last_used_at")).await;
    let next = lorestan
        .get(&format!("{SESSIONS}?page_size=1&sort=last_used_at&cursor={}", text(&first, "next_cursor")))
        .await;
    assert_eq!([first.items("user_agent"), next.items("user_agent")].concat(), ["a desk", "a newer phone"]);
    assert_eq!(lorestan.get(&format!("{SESSIONS}?account_id=1")).await.code(), "invalid_parameter");
    let known = lorestan
        .send(
            lorestan
                .request(Method::GET, SESSIONS)
                .header("if-none-match", lorestan.get(SESSIONS).await.etag()),
        )
        .await;
    assert_eq!(known.status, 304);

    // What was ended or has expired is gone.
    assert_eq!(
        nobody.form("/api/v1/auth/revoke", &[("token", text(&refreshed, "refresh_token"))]).await.status,
        200
    );
    assert_eq!(lorestan.get(SESSIONS).await.items("user_agent"), ["a desk"]);
    service
        .database()
        .await
        .execute_unprepared("UPDATE session SET expires_at = '2026-01-01T00:00:00+00:00'")
        .await
        .unwrap();
    assert_eq!(lorestan.get(SESSIONS).await.items("user_agent"), [""; 0]);
}

async fn a_user_agent_is_bounded_and_forgotten_with_its_session(service: &Service) {
    let nobody = service.anonymous();
    let long = log_in_with(&nobody, "lorestan", &format!("  a\tphone {}", "x".repeat(300))).await;
    let lorestan = client_of(&nobody, &long);
    let kept = lorestan.get(SESSIONS).await.items("user_agent")[0].to_owned();
    assert!(kept.starts_with("aphone xxx") && kept.len() <= 200, "{kept}");
    let form = [("grant_type", "password"), ("username", "lorestan"), ("password", PASSWORD)];
    let opaque = reqwest::header::HeaderValue::from_bytes(b"caf\xc3\xa9").unwrap();
    let none =
        nobody.send(nobody.request(Method::POST, TOKEN).header("user-agent", opaque).form(&form)).await;
    let listed = client_of(&nobody, &none).get(&format!("{SESSIONS}?sort=-id")).await;
    assert_eq!(listed.body["items"][0]["user_agent"], Value::Null);
    assert_eq!(lorestan.delete(SESSIONS, "*").await.status, 204);
    assert_eq!(
        nobody.form("/api/v1/auth/revoke", &[("token", text(&long, "access_token"))]).await.status,
        200
    );
    let rows = session::Entity::find().all(&service.database().await).await.unwrap();
    let ended: Vec<_> = rows.iter().filter(|session| session.revoked_at.is_some()).collect();
    assert!(
        ended.len() == 2
            && ended.iter().all(|session| session.user_agent.is_none() && session.address.is_none()),
        "{ended:?}"
    );
}

async fn an_erased_person_leaves_no_device(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let id = lorestan.get("/api/v1/auth/me").await.id().to_owned();
    let admin = service.login("admin").await;
    let erased = admin
        .post("/api/v1/erasures", json!({"resource": "user", "record_id": id, "reason": "درخواست"}))
        .await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    assert!(!is_live(&admin, lorestan.token.as_deref().unwrap()).await);
    let rows = session::Entity::find().all(&service.database().await).await.unwrap();
    let (own, others): (Vec<_>, Vec<_>) =
        rows.iter().partition(|session| session.account_id.to_string() == id);
    assert!(own.len() == 1 && own[0].address.is_none() && own[0].user_agent.is_none(), "{own:?}");
    assert!(others.iter().all(|session| session.address.is_some()), "{others:?}");
}

async fn one_session_is_ended(service: &Service) {
    let nobody = service.anonymous();
    let (phone, desk) =
        (log_in(&nobody, "lorestan", PASSWORD).await, log_in(&nobody, "lorestan", PASSWORD).await);
    let (on_phone, at_desk) = (client_of(&nobody, &phone), client_of(&nobody, &desk));
    let (lost, kerman) = (present(&on_phone).await, service.login("kerman").await);
    let path = format!("{SESSIONS}/{lost}");
    for foreign in [
        kerman.delete(&path, "*").await,
        kerman.delete(&format!("{SESSIONS}/{}", uuid::Uuid::now_v7()), "*").await,
    ] {
        assert_eq!((foreign.status, foreign.code()), (404, "not_found"), "{}", foreign.text);
    }
    assert!(is_live(&nobody, text(&phone, "access_token")).await);
    let (running, elsewhere) = service.beside(|_| {}).await;
    assert!(is_live(&elsewhere, text(&phone, "access_token")).await);

    let ended = at_desk.send(at_desk.request(Method::DELETE, &path)).await;
    assert_eq!((ended.status, ended.text.as_str()), (204, ""));
    assert!(!is_live(&nobody, text(&phone, "access_token")).await, "at once where it was ended");
    let since = Instant::now();
    while is_live(&elsewhere, text(&phone, "access_token")).await {
        assert!(since.elapsed() < Duration::from_secs(10), "elsewhere within seconds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.stop().await;
    let refused = refresh(&nobody, text(&phone, "refresh_token")).await;
    assert_eq!(
        (refused.status, refused.code(), text(&refused, "error")),
        (400, "invalid_grant", "invalid_grant")
    );
    assert!(text(&refused, "detail").contains("has ended"), "{}", refused.text);
    assert!(is_live(&nobody, text(&desk, "access_token")).await, "the others go on");
    assert_eq!(at_desk.get(SESSIONS).await.items("id"), [present(&at_desk).await]);
    assert_eq!(at_desk.delete(&path, "*").await.status, 204, "repeating it is no error");
    assert_eq!(kerman.delete(&path, "*").await.status, 404);
    assert_eq!(ends(service, "lorestan").await, [("one".to_owned(), json!(lost))]);
    // The present one too.
    assert_eq!(at_desk.delete(&format!("{SESSIONS}/{}", present(&at_desk).await), "*").await.status, 204);
    assert!(!is_live(&nobody, text(&desk, "access_token")).await);
}

async fn all_other_sessions_are_ended(service: &Service) {
    let nobody = service.anonymous();
    let (phone, desk) =
        (log_in(&nobody, "lorestan", PASSWORD).await, log_in(&nobody, "lorestan", PASSWORD).await);
    let (kerman, at_desk) = (service.login("kerman").await, client_of(&nobody, &desk));
    assert_eq!(at_desk.delete(SESSIONS, "*").await.status, 204);
    assert!(!is_live(&nobody, text(&phone, "access_token")).await);
    assert_eq!(refresh(&nobody, text(&phone, "refresh_token")).await.code(), "invalid_grant");
    assert_eq!(at_desk.get(SESSIONS).await.items("id"), [present(&at_desk).await]);
    assert_eq!(refresh(&nobody, text(&desk, "refresh_token")).await.status, 200, "the present one goes on");
    assert!(is_live(&nobody, kerman.token.as_deref().unwrap()).await, "those of somebody else too");
    assert_eq!(at_desk.delete(SESSIONS, "*").await.status, 204);
    assert_eq!(
        ends(service, "lorestan").await,
        [("others".to_owned(), Value::Null)],
        "where there is none, none is ended"
    );
}

async fn an_api_client_has_sessions_too(service: &Service) {
    let (first, second) = (service.login_integrator().await, service.login_integrator().await);
    let listed = second.get(SESSIONS).await;
    assert_eq!(listed.items("id").len(), 2);
    for session in listed.body["items"].as_array().unwrap() {
        assert_eq!(
            moment(&session["expires_at"]) - moment(&session["created_at"]),
            TimeDelta::seconds(900),
            "it ends with its token"
        );
    }
    assert_eq!(second.delete(SESSIONS, "*").await.status, 204);
    assert!(!is_live(&first, first.token.as_deref().unwrap()).await);
    assert!(is_live(&second, second.token.as_deref().unwrap()).await);
}

async fn a_session_ends_after_its_days(service: &Service) {
    let nobody = service.anonymous();
    let login = log_in(&nobody, "lorestan", PASSWORD).await;
    let other = log_in(&nobody, "kerman", PASSWORD).await;
    let id = present(&client_of(&nobody, &login)).await;
    age(service, "lorestan", 80).await;
    let late = refresh(&nobody, text(&login, "refresh_token")).await;
    assert_eq!((late.status, &late.body["expires_in"]), (200, &json!(900)));
    let listed = client_of(&nobody, &late).get(SESSIONS).await;
    let session = &listed.body["items"][0];
    assert_eq!(session["expires_at"], session["ends_at"], "no refresh token outlives the session");
    let db = service.database().await;
    let tokens = session::refresh_token::Entity::find().all(&db).await.unwrap();
    let last = tokens
        .iter()
        .filter(|token| token.session_id.to_string() == id)
        .map(|token| token.expires_at)
        .min()
        .unwrap();
    assert_eq!(last, moment(&session["ends_at"]));

    // Nor does an access token.
    let short = {
        let sql = "UPDATE session SET created_at = $1";
        let began = khoosheh::clock::now() - TimeDelta::days(90) + TimeDelta::seconds(100);
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [began.into()]))
            .await
            .unwrap();
        refresh(&nobody, text(&late, "refresh_token")).await
    };
    let seconds = short.body["expires_in"].as_i64().unwrap();
    assert!((80..=100).contains(&seconds), "{seconds}");

    age(service, "lorestan", 90).await;
    let (running, fresh) = service.beside(|_| {}).await;
    assert!(!is_live(&fresh, text(&short, "access_token")).await, "its access tokens end with it");
    running.stop().await;
    let refused = refresh(&nobody, text(&short, "refresh_token")).await;
    assert_eq!(
        (refused.status, refused.code(), text(&refused, "error")),
        (400, "invalid_grant", "invalid_grant")
    );
    assert!(text(&refused, "detail").starts_with("This session has ended: "), "{}", refused.text);
    for _ in 0..2 {
        assert!(text(&refresh(&nobody, text(&short, "refresh_token")).await, "detail").contains("has ended"));
    }
    assert_eq!(refresh(&nobody, text(&other, "refresh_token")).await.status, 200, "others go on");
    assert_eq!(ends(service, "lorestan").await, [("too_old".to_owned(), json!(id))]);
    let unknown = refresh(&nobody, "never given out").await;
    assert!(!text(&unknown, "detail").contains("ended"), "{}", unknown.text);
}

async fn a_session_may_be_shorter_than_its_tokens(service: &Service) {
    let (running, nobody) =
        service.beside(|config| (config.session_days, config.refresh_token_days) = (2, 30)).await;
    let lorestan = nobody.login("lorestan").await;
    let session = lorestan.get(SESSIONS).await.body["items"][0].clone();
    assert_eq!(moment(&session["expires_at"]) - moment(&session["created_at"]), TimeDelta::days(2));
    assert_eq!(session["expires_at"], session["ends_at"]);
    let token = session::refresh_token::Entity::find().one(&service.database().await).await.unwrap().unwrap();
    assert_eq!(token.expires_at, moment(&session["ends_at"]), "no refresh token outlives its session");
    running.stop().await;
}

/// A new user, whom an administrator has given a password.
async fn newcomer(admin: &Client) -> Answer {
    let user =
        json!({"username": "ilam", "display_name": "ایلام", "role": "national_admin", "password": PASSWORD});
    let created = admin.post(USERS, user).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created
}

async fn a_password_of_somebody_else_is_changed_first(service: &Service) {
    let (admin, nobody) = (service.login("admin").await, service.anonymous());
    newcomer(&admin).await;
    let login = log_in(&nobody, "ilam", PASSWORD).await;
    assert_eq!(
        (login.status, &login.body["must_change_password"], text(&login, "scope")),
        (200, &json!(true), ""),
        "{}",
        login.text
    );
    assert_eq!(login.body.get("refresh_token"), None);
    let ilam = client_of(&nobody, &login);
    let me = ilam.get("/api/v1/auth/me").await;
    assert_eq!(
        (me.status, &me.body["must_change_password"], &me.body["permissions"]),
        (200, &json!(true), &json!([]))
    );
    let mut refused = 0;
    for operation in
        guarded().iter().filter(|operation| !["get_me", "change_password"].contains(&operation.id()))
    {
        let path = operation.path(|_| uuid::Uuid::now_v7().to_string());
        let answer = ilam.send(operation.request(&ilam, &path, "*")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "password_change_required"),
            "{}: {}",
            operation.id(),
            answer.text
        );
        refused += 1;
    }
    assert!(refused > 100, "{refused}");
    let auditor = service.login("auditor").await;
    let reason = async |kind: &str, of: &Answer| {
        let path = format!("/api/v1/security-events?kind={kind}&request_id={}", of.header("x-request-id"));
        until(async || auditor.get(&path).await.body["items"][0]["reason"].as_str().map(str::to_owned)).await
    };
    assert_eq!(reason("login", &login).await, "password_change_required");
    assert_eq!(reason("forbidden", &ilam.get("/api/v1/clusters").await).await, "password_change_required");

    let change = async |new: &str| {
        ilam.post("/api/v1/auth/password", json!({"current_password": PASSWORD, "new_password": new})).await
    };
    assert_eq!(
        change(PASSWORD).await.errors(),
        [("/new_password", "present_password")],
        "it stays that of somebody else"
    );
    let changed = change(NEW_PASSWORD).await;
    assert_eq!(changed.status, 204, "{}", changed.text);
    assert_eq!(reason("account_changed", &changed).await, "password");
    assert!(!is_live(&nobody, ilam.token.as_deref().unwrap()).await, "its sessions end");
    let login = log_in(&nobody, "ilam", NEW_PASSWORD).await;
    assert!(
        login.body.get("must_change_password").is_none() && login.body["refresh_token"].is_string(),
        "{}",
        login.text
    );
    let ilam = client_of(&nobody, &login);
    let me = ilam.get("/api/v1/auth/me").await;
    let of_admin = admin.get("/api/v1/auth/me").await.body["permissions"].clone();
    assert_eq!((&me.body["must_change_password"], &me.body["permissions"]), (&json!(false), &of_admin));
    assert_eq!(ilam.get(USERS).await.status, 200);

    // Who only logs out has changed nothing.
    let reset = admin.patch(&format!("{USERS}/{}", me.id()), "*", json!({"password": PASSWORD})).await;
    assert_eq!(reset.status, 200, "{}", reset.text);
    let login = log_in(&nobody, "ilam", PASSWORD).await;
    assert_eq!(
        nobody.form("/api/v1/auth/revoke", &[("token", text(&login, "access_token"))]).await.status,
        200
    );
    assert!(!is_live(&nobody, text(&login, "access_token")).await);
    assert_eq!(log_in(&nobody, "ilam", PASSWORD).await.body["must_change_password"], true);
}

async fn who_sets_a_password_decides(service: &Service) {
    let (admin, nobody) = (service.login("admin").await, service.anonymous());
    let id = |answer: Answer| format!("{USERS}/{}", answer.id());
    let (own, lorestan) = (
        id(admin.get("/api/v1/auth/me").await),
        id(service.login("lorestan").await.get("/api/v1/auth/me").await),
    );
    let must = async |username: &str, password: &str| {
        let me = client_of(&nobody, &log_in(&nobody, username, password).await).get("/api/v1/auth/me").await;
        me.body["must_change_password"].as_bool().unwrap()
    };
    assert!(!must("lorestan", PASSWORD).await, "accounts of before are as they were");
    assert_eq!(admin.patch(&lorestan, "*", json!({"display_name": "لرستان"})).await.status, 200);
    assert!(!must("lorestan", PASSWORD).await);
    assert_eq!(admin.patch(&lorestan, "*", json!({"password": NEW_PASSWORD})).await.status, 200);
    assert!(must("lorestan", NEW_PASSWORD).await);
    assert_eq!(admin.patch(&lorestan, "*", json!({"display_name": "شرکت لرستان"})).await.status, 200);
    assert!(must("lorestan", NEW_PASSWORD).await, "another change does not lift it");
    assert_eq!(admin.patch(&own, "*", json!({"password": NEW_PASSWORD})).await.status, 200);
    assert!(!must("admin", NEW_PASSWORD).await, "an administrator chooses the own one");
}

async fn the_command_line_sets_passwords_of_others(service: &Service) {
    let nobody = service.anonymous();
    let url = service.database_url().to_owned();
    let user = async |arguments: &[&str], input: &str| {
        let outcome = run(&[&["user"], arguments].concat(), &[("DATABASE_URL", url.as_str())], input).await;
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    };
    let must = async |username: &str, password: &str| {
        log_in(&nobody, username, password).await.body.get("must_change_password").is_some()
    };
    user(&["create", "yazd", "--role", "national_viewer"], "a given password\n").await;
    assert!(must("yazd", "a given password").await);
    user(&["password", "ministry"], "a given password\n").await;
    assert!(must("ministry", "a given password").await);
}

/// The first account belongs to whoever makes it and gives its password.
async fn the_first_account_is_of_whoever_makes_it(backend: Backend) {
    for (input, is_own) in [("a given password\n", true), ("", false)] {
        let Some(scratch) = Scratch::empty(backend).await else { return };
        let url = [("DATABASE_URL", scratch.url.as_str())];
        assert_eq!(run(&["migrate", "up"], &url, "").await.code, 0);
        let mut must_change = Vec::new();
        let db = connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap().unguarded();
        for name in ["first", "second"] {
            let created = run(&["user", "create", name, "--role", "national_admin"], &url, input).await;
            assert_eq!(created.code, 0, "{}", created.stderr);
            must_change.push(account::by_username(&db, name).await.unwrap().unwrap().must_change_password);
        }
        assert_eq!(must_change, [!is_own, true], "{input}");
        db.close().await.unwrap();
        scratch.remove().await;
    }
}
