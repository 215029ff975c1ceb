//! Logging in, going on, and out: the token endpoint of OAuth 2 and what it gives.

use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    on_both,
    support::{Answer, Client, PASSWORD, Service},
};

on_both!(
    a_person_logs_in_and_goes_on,
    a_reused_refresh_token_ends_the_session,
    an_api_client_gets_tokens,
    a_token_can_be_narrowed,
    bad_token_requests_say_what_rfc_6749_says,
    nobody_learns_which_accounts_exist,
    logging_out_ends_the_session,
    logging_out_reaches_other_instances,
    a_new_password_ends_all_sessions,
);

pub const TOKEN: &str = "/api/v1/auth/token";

/// A password login, which may fail.
pub async fn log_in(client: &Client, username: &str, password: &str) -> Answer {
    client.form(TOKEN, &[("grant_type", "password"), ("username", username), ("password", password)]).await
}

pub async fn refresh(client: &Client, token: &str) -> Answer {
    client.form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// Whether an access token is accepted.
pub async fn is_live(client: &Client, token: &str) -> bool {
    match client.with_token(token).get("/api/v1/auth/me").await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

fn text<'a>(answer: &'a Answer, field: &str) -> &'a str {
    answer.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", answer.text))
}

async fn a_person_logs_in_and_goes_on(service: &Service) {
    let nobody = service.anonymous();
    let first = log_in(&nobody, "lorestan", PASSWORD).await;
    assert_eq!((first.status, first.header("cache-control")), (200, "no-store"));
    assert_eq!((text(&first, "token_type"), &first.body["expires_in"]), ("Bearer", &json!(900)));
    assert_eq!(text(&first, "scope"), crate::roles::DOMAIN.concat().join(" "));
    let me = nobody.with_token(text(&first, "access_token")).get("/api/v1/auth/me").await;
    assert_eq!(
        (text(&me, "username"), text(&me, "role"), text(&me, "province")),
        ("lorestan", "provincial_manager", "IR-15")
    );

    let second = refresh(&nobody, text(&first, "refresh_token")).await;
    assert_eq!((second.status, text(&second, "scope")), (200, text(&first, "scope")));
    assert_ne!(text(&second, "refresh_token"), text(&first, "refresh_token"));
    assert!(
        is_live(&nobody, text(&second, "access_token")).await
            && is_live(&nobody, text(&first, "access_token")).await
    );
    assert_eq!(refresh(&nobody, text(&second, "refresh_token")).await.status, 200);
    // A name is a name, however it is written.
    assert_eq!(log_in(&nobody, "Lorestan", PASSWORD).await.status, 200);
}

async fn a_reused_refresh_token_ends_the_session(service: &Service) {
    let nobody = service.anonymous();
    let other = log_in(&nobody, "lorestan", PASSWORD).await;
    let first = log_in(&nobody, "lorestan", PASSWORD).await;
    let second = refresh(&nobody, text(&first, "refresh_token")).await;
    // An answer may be lost, and two windows may use a token at once: it has successors for some seconds.
    let (again, third) = tokio::join!(
        refresh(&nobody, text(&first, "refresh_token")),
        refresh(&nobody, text(&first, "refresh_token"))
    );
    assert_eq!((again.status, third.status), (200, 200), "{}", again.text);
    let long_ago = "UPDATE refresh_token SET used_at = '2026-01-01T00:00:00+00:00' WHERE used_at IS NOT NULL";
    service.database().await.execute_unprepared(long_ago).await.unwrap();
    let reused = refresh(&nobody, text(&first, "refresh_token")).await;
    assert_eq!(
        (reused.status, reused.code(), text(&reused, "error")),
        (400, "invalid_grant", "invalid_grant")
    );
    assert!(text(&reused, "detail").contains("used before"), "{}", reused.text);
    let newest = refresh(&nobody, text(&second, "refresh_token")).await;
    assert_eq!((newest.status, newest.code()), (400, "invalid_grant"), "the whole family is revoked");
    let (running, fresh) = service.beside(|_| {}).await;
    for dead in [&first, &second] {
        assert!(!is_live(&fresh, text(dead, "access_token")).await);
    }
    assert!(is_live(&fresh, text(&other, "access_token")).await, "another login of the same person goes on");
    running.stop().await;

    // Of many that use a token long after it was used, none goes on.
    let shared = text(&other, "refresh_token").to_owned();
    assert_eq!(refresh(&nobody, &shared).await.status, 200);
    service.database().await.execute_unprepared(long_ago).await.unwrap();
    let attempts = (0..6).map(|_| {
        tokio::spawn({
            let (nobody, shared) = (nobody.clone(), shared.clone());
            async move { refresh(&nobody, &shared).await.status }
        })
    });
    let statuses =
        futures_util::future::join_all(attempts).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(statuses, [400; 6]);
}

async fn an_api_client_gets_tokens(service: &Service) {
    let nobody = service.anonymous();
    let form = |id: &'static str, secret: &'static str| {
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)]
    };
    let by_body = nobody.form(TOKEN, &form("integrator", PASSWORD)).await;
    let basic = async |id: &str, secret: &str| {
        let request = nobody
            .request(Method::POST, TOKEN)
            .basic_auth(id, Some(secret))
            .form(&[("grant_type", "client_credentials")]);
        nobody.send(request).await
    };
    for answer in [
        &by_body,
        &basic("integrator", PASSWORD).await,
        &basic("integrator", &PASSWORD.replace(' ', "+")).await,
    ] {
        assert_eq!((answer.status, answer.body.get("refresh_token")), (200, None), "{}", answer.text);
        assert_eq!(text(answer, "scope"), crate::roles::DOMAIN.concat().join(" "));
        assert!(is_live(&nobody, text(answer, "access_token")).await);
    }
    for answer in [
        nobody.form(TOKEN, &form("integrator", "wrong")).await,
        nobody.form(TOKEN, &form("nobody-here", PASSWORD)).await,
        nobody.form(TOKEN, &form("lorestan", PASSWORD)).await,
        basic("integrator", "wrong").await,
    ] {
        assert_eq!(
            (answer.status, answer.code(), text(&answer, "error")),
            (401, "invalid_client", "invalid_client")
        );
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"khoosheh\"");
    }
    assert_eq!(
        log_in(&nobody, "integrator", PASSWORD).await.code(),
        "invalid_grant",
        "a system is not a person"
    );
}

async fn a_token_can_be_narrowed(service: &Service) {
    let nobody = service.anonymous();
    let form = [
        ("grant_type", "password"),
        ("username", "lorestan"),
        ("password", PASSWORD),
        ("scope", "clusters:read reference:read"),
    ];
    let narrow = nobody.form(TOKEN, &form).await;
    assert_eq!(text(&narrow, "scope"), "clusters:read reference:read");
    let again = refresh(&nobody, text(&narrow, "refresh_token")).await;
    assert_eq!(
        (again.status, text(&again, "scope")),
        (200, "clusters:read reference:read"),
        "going on does not widen it (RFC 6749, section 6)"
    );
    for answer in [narrow, again] {
        let client = nobody.with_token(text(&answer, "access_token"));
        assert_eq!(
            client.get("/api/v1/auth/me").await.body["permissions"],
            json!(["reference:read", "clusters:read"])
        );
        assert_eq!(client.get("/api/v1/clusters").await.status, 200);
        assert_eq!(client.post("/api/v1/clusters", json!({})).await.code(), "forbidden");
        assert_eq!(client.get("/api/v1/reports").await.code(), "forbidden");
    }
    // Nobody gets more by asking for it.
    for scope in ["users:manage", "everything"] {
        let form =
            [("grant_type", "password"), ("username", "lorestan"), ("password", PASSWORD), ("scope", scope)];
        let answer = nobody.form(TOKEN, &form).await;
        assert_eq!(
            (answer.status, answer.body["error"].as_str()),
            (400, Some("invalid_scope")),
            "{}",
            answer.text
        );
    }
}

async fn bad_token_requests_say_what_rfc_6749_says(service: &Service) {
    let nobody = service.anonymous();
    for (form, error, field) in [
        (&[][..], "invalid_request", "/grant_type"),
        (&[("grant_type", "")], "invalid_request", "/grant_type"),
        (&[("grant_type", "magic")], "unsupported_grant_type", ""),
        (&[("grant_type", "authorization_code"), ("code", "x")], "unsupported_grant_type", ""),
        (&[("grant_type", "password")], "invalid_request", "/username"),
        (&[("grant_type", "password"), ("username", "isipo")], "invalid_request", "/password"),
        (&[("grant_type", "client_credentials")], "invalid_request", "/client_id"),
        (
            &[("grant_type", "client_credentials"), ("client_id", "integrator")],
            "invalid_request",
            "/client_secret",
        ),
        (&[("grant_type", "refresh_token")], "invalid_request", "/refresh_token"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "never given out")], "invalid_grant", ""),
        (
            &[
                ("grant_type", "password"),
                ("username", "isipo"),
                ("username", "admin"),
                ("password", PASSWORD),
            ],
            "invalid_request",
            "",
        ),
        (
            &[("grant_type", "password"), ("username", "is\0ipo"), ("password", PASSWORD)],
            "invalid_request",
            "/username",
        ),
    ] {
        let answer = nobody.form(TOKEN, form).await;
        assert_eq!(
            (answer.status, answer.body["error"].as_str()),
            (400, Some(error)),
            "{form:?}: {}",
            answer.text
        );
        assert!(!text(&answer, "error_description").is_empty());
        assert!(
            field.is_empty() || answer.errors().iter().any(|(pointer, _)| *pointer == field),
            "{form:?}: {}",
            answer.text
        );
    }
    let unknown = [
        ("grant_type", "password"),
        ("username", "isipo"),
        ("password", PASSWORD),
        ("audience", "everybody"),
    ];
    assert_eq!(
        nobody.form(TOKEN, &unknown).await.status,
        200,
        "unknown parameters are ignored here, as the RFC asks"
    );
}

async fn nobody_learns_which_accounts_exist(service: &Service) {
    let nobody = service.anonymous();
    let shown = |answer: Answer| {
        let mut names = answer.headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        names.sort();
        (answer.status, names, answer.text.replace(answer.header("x-request-id"), ""))
    };
    let known = shown(log_in(&nobody, "lorestan", "wrong").await);
    assert_eq!(known.0, 400);
    for (username, password) in
        [("nobody-here", "wrong"), ("integrator", PASSWORD), ("x", " "), ("سنگ", "wrong")]
    {
        assert_eq!(shown(log_in(&nobody, username, password).await), known, "{username}");
    }
}

async fn logging_out_ends_the_session(service: &Service) {
    let nobody = service.anonymous();
    let revoke = async |token: &str| {
        let answer = nobody.form("/api/v1/auth/revoke", &[("token", token)]).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    };
    for field in ["refresh_token", "access_token"] {
        let (ended, other) = (log_in(&nobody, "cda", PASSWORD).await, log_in(&nobody, "cda", PASSWORD).await);
        assert!(is_live(&nobody, text(&ended, "access_token")).await);
        revoke(text(&ended, field)).await;
        assert!(
            !is_live(&nobody, text(&ended, "access_token")).await,
            "at once where it was ended, by its {field}"
        );
        assert_eq!(refresh(&nobody, text(&ended, "refresh_token")).await.code(), "invalid_grant");
        assert!(is_live(&nobody, text(&other, "access_token")).await);
        revoke(text(&ended, field)).await;
    }
    for unknown in ["never given out", "eyJhbGciOiJub25lIn0.e30.", "\u{200c}"] {
        revoke(unknown).await;
    }
    let missing = nobody.form("/api/v1/auth/revoke", &[]).await;
    assert_eq!(
        (missing.status, missing.body["error"].as_str()),
        (400, Some("invalid_request")),
        "{}",
        missing.text
    );
}

async fn logging_out_reaches_other_instances(service: &Service) {
    let (running, elsewhere) = service.beside(|_| {}).await;
    let login = log_in(&service.anonymous(), "cda", PASSWORD).await;
    let token = text(&login, "access_token");
    assert!(is_live(&elsewhere, token).await, "a token of one instance is good at the other");
    service.anonymous().form("/api/v1/auth/revoke", &[("token", token)]).await;
    let ended = Instant::now();
    while is_live(&elsewhere, token).await {
        assert!(
            ended.elapsed() < Duration::from_secs(10),
            "what is remembered of a token is forgotten within seconds"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.stop().await;
}

async fn a_new_password_ends_all_sessions(service: &Service) {
    let nobody = service.anonymous();
    let login = log_in(&nobody, "supervisor", PASSWORD).await;
    let supervisor = nobody.with_token(text(&login, "access_token"));
    let change = async |current: &str, new: &str| {
        supervisor
            .post("/api/v1/auth/password", json!({"current_password": current, "new_password": new}))
            .await
    };
    let wrong = change("wrong", "a much better password").await;
    assert_eq!((wrong.status, wrong.errors()), (422, vec![("/current_password", "wrong_password")]));
    assert_eq!(change(PASSWORD, "short").await.errors(), [("/new_password", "too_short")]);
    for (new, code) in [
        (PASSWORD, "present_password"),
        ("password1234", "weak_password"),
        ("supervisor1404", "weak_password"),
    ] {
        let refused = change(PASSWORD, new).await;
        assert_eq!(
            (refused.status, refused.errors()),
            (422, vec![("/new_password", code)]),
            "{new}: {}",
            refused.text
        );
    }
    assert!(is_live(&nobody, text(&login, "access_token")).await);
    assert_eq!(change(PASSWORD, "a much better password").await.status, 204);
    assert!(!is_live(&nobody, text(&login, "access_token")).await);
    assert_eq!(refresh(&nobody, text(&login, "refresh_token")).await.code(), "invalid_grant");
    assert_eq!(log_in(&nobody, "supervisor", PASSWORD).await.code(), "invalid_grant");
    assert_eq!(log_in(&nobody, "supervisor", "a much better password").await.status, 200);
}
