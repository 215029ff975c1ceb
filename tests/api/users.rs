//! Accounts of people, which national administrators keep.

use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::{Value, json};

use crate::{
    auth::{is_live, log_in, refresh},
    on_both,
    support::{Answer, Client, PASSWORD, Service},
};

on_both!(
    an_administrator_keeps_accounts,
    role_and_province_must_fit,
    a_name_belongs_to_one_account,
    who_is_shut_out_stays_out,
    a_change_of_role_ends_sessions,
    no_password_is_ever_shown,
    users_are_listed_and_found,
);

const USERS: &str = "/api/v1/users";

fn newcomer() -> Value {
    json!({"username": "ilam", "display_name": "شرکت شهرک‌های صنعتی ایلام", "role": "provincial_manager", "province": "IR-16", "password": "a long enough password"})
}

async fn create(admin: &Client, changes: Value) -> Answer {
    let mut body = newcomer();
    for (field, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(field)),
            value => body[field] = value.clone(),
        }
    }
    admin.post(USERS, body).await
}

async fn an_administrator_keeps_accounts(service: &Service) {
    let admin = service.login("admin").await;
    let created = create(&admin, json!({})).await;
    assert_eq!((created.status, created.version_tag()), (201, "\"1\""), "{}", created.text);
    let path = format!("{USERS}/{}", created.id());
    assert_eq!(created.header("location"), path);
    let read = admin.get(&path).await;
    assert_eq!((read.status, &read.body, read.version_tag()), (200, &created.body, "\"1\""));
    assert_eq!(
        (&read.body["role"], &read.body["province"], &read.body["disabled"]),
        (&json!("provincial_manager"), &json!("IR-16"), &json!(false))
    );
    assert_eq!(log_in(&admin, "ilam", "a long enough password").await.status, 200);

    let named = admin.patch(&path, "\"1\"", json!({"display_name": "ایلام"})).await;
    assert_eq!(
        (named.status, named.version_tag(), &named.body["display_name"]),
        (200, "\"2\"", &json!("ایلام"))
    );
    assert_eq!(
        log_in(&admin, "ilam", "a long enough password").await.status,
        200,
        "the password stays as it was"
    );
    assert_eq!(admin.patch(&path, "\"1\"", json!({"display_name": "دیگر"})).await.code(), "stale_version");
    let without =
        admin.send(admin.request(reqwest::Method::PATCH, &path).json(&json!({"display_name": "دیگر"}))).await;
    assert_eq!(
        (without.status, without.code(), without.version_tag()),
        (428, "precondition_required", "\"2\"")
    );

    assert_eq!(admin.delete(&path, "\"1\"").await.code(), "stale_version");
    assert_eq!(admin.delete(&path, "\"2\"").await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    assert_eq!(admin.delete(&path, "\"2\"").await.status, 204, "repeating a deletion is no error");
    let history = admin.get(&format!("{path}/history")).await;
    assert_eq!(history.items("kind"), ["created", "updated", "deleted"]);
    assert_eq!(
        history.body["items"][1]["changes"],
        json!([{"field": "display_name", "from": newcomer()["display_name"], "to": "ایلام"}])
    );
    assert_eq!(service.login("isipo").await.get(USERS).await.code(), "forbidden");
}

async fn role_and_province_must_fit(service: &Service) {
    let admin = service.login("admin").await;
    for role in ["provincial_manager", "provincial_viewer", "supervisor", "cda"] {
        let answer = create(&admin, json!({"role": role, "province": null})).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![("/province", "required")]), "{role}");
    }
    for role in ["national_admin", "national_manager", "national_viewer", "auditor"] {
        let answer = create(&admin, json!({"role": role})).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![("/province", "not_applicable")]), "{role}");
    }
    for (changes, errors) in [
        (json!({"role": "integrator"}), [("/role", "not_in_list")]),
        (json!({"role": "emperor"}), [("/role", "not_in_list")]),
        (json!({"password": null}), [("/password", "required")]),
        (json!({"password": "elevenchars"}), [("/password", "too_short")]),
        (json!({"password": "aaaaaaaaaaaa"}), [("/password", "weak_password")]),
        (json!({"password": "password1234"}), [("/password", "weak_password")]),
        (json!({"username": "Ilam"}), [("/username", "wrong_pattern")]),
        (json!({"username": "i"}), [("/username", "wrong_pattern")]),
        (json!({"username": "ایلام"}), [("/username", "wrong_pattern")]),
        (json!({"display_name": " "}), [("/display_name", "wrong_pattern")]),
        (json!({"password_hash": "x"}), [("/password_hash", "unknown_field")]),
        (json!({"kind": "client"}), [("/kind", "unknown_field")]),
    ] {
        let answer = create(&admin, changes).await;
        assert_eq!((answer.status, answer.errors()), (422, errors.to_vec()), "{}", answer.text);
    }
    let path = format!("{USERS}/{}", create(&admin, json!({})).await.id());
    let national = admin.patch(&path, "\"1\"", json!({"role": "national_viewer"})).await;
    assert_eq!(
        national.errors(),
        [("/province", "not_applicable")],
        "what a change makes keeps the same rules"
    );
    let national = admin.patch(&path, "\"1\"", json!({"role": "national_viewer", "province": null})).await;
    assert_eq!((national.status, &national.body["province"]), (200, &Value::Null));
    for field in ["username", "role", "display_name"] {
        let answer = admin.patch(&path, "\"2\"", json!({ field: null })).await;
        assert!(
            answer.status == 422 && answer.errors()[0].0 == format!("/{field}"),
            "what is needed cannot be removed: {}",
            answer.text
        );
    }
}

async fn a_name_belongs_to_one_account(service: &Service) {
    let admin = service.login("admin").await;
    for taken in ["lorestan", "integrator"] {
        let answer = create(&admin, json!({"username": taken})).await;
        assert_eq!(
            (answer.status, answer.code(), answer.errors()),
            (409, "duplicate", vec![("/username", "duplicate")]),
            "{taken}"
        );
    }
    let created = create(&admin, json!({})).await;
    let path = format!("{USERS}/{}", created.id());
    assert_eq!(
        admin.patch(&path, "\"1\"", json!({"username": "kerman"})).await.errors(),
        [("/username", "duplicate")]
    );
    // Of many at once one is created.
    let attempts = futures_util::future::join_all(
        (0..8).map(|_| create(&admin, json!({"username": "yazd", "province": "IR-21"}))),
    )
    .await;
    let mut statuses = attempts.iter().map(|answer| answer.status).collect::<Vec<_>>();
    statuses.sort();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

async fn who_is_shut_out_stays_out(service: &Service) {
    let admin = service.login("admin").await;
    let password = "a long enough password";
    for way in ["disabled", "deleted"] {
        let created = create(&admin, json!({"username": way})).await;
        let path = format!("{USERS}/{}", created.id());
        service.own_passwords().await;
        let login = log_in(&admin, way, password).await;
        let access = login.body["access_token"].as_str().unwrap();
        assert!(is_live(&admin, access).await);
        if way == "disabled" {
            assert_eq!(admin.patch(&path, "\"1\"", json!({"disabled": true})).await.body["disabled"], true);
        } else {
            assert_eq!(admin.delete(&path, "\"1\"").await.status, 204);
        }
        assert!(!is_live(&admin, access).await, "{way}: the access token is dead at once");
        assert_eq!(
            refresh(&admin, login.body["refresh_token"].as_str().unwrap()).await.code(),
            "invalid_grant",
            "{way}"
        );
        assert_eq!(log_in(&admin, way, password).await.code(), "invalid_grant", "{way}");
        if way == "disabled" {
            assert_eq!(admin.patch(&path, "\"2\"", json!({"disabled": false})).await.status, 200);
            assert_eq!(log_in(&admin, way, password).await.status, 200);
            assert!(!is_live(&admin, access).await, "the old session does not come back");
        }
    }
}

async fn a_change_of_role_ends_sessions(service: &Service) {
    let admin = service.login("admin").await;
    let path = format!("{USERS}/{}", create(&admin, json!({})).await.id());
    let mut password = "a long enough password";
    for (version, change) in
        [json!({"province": "IR-15"}), json!({"role": "cda"}), json!({"password": "quite another password"})]
            .into_iter()
            .enumerate()
    {
        service.own_passwords().await;
        let login = log_in(&admin, "ilam", password).await;
        let changed = admin.patch(&path, &format!("\"{}\"", version + 1), change.clone()).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert!(!is_live(&admin, login.body["access_token"].as_str().unwrap()).await, "{change}");
        assert_eq!(
            refresh(&admin, login.body["refresh_token"].as_str().unwrap()).await.status,
            400,
            "{change}"
        );
        if let Some(new) = change["password"].as_str() {
            assert_eq!(log_in(&admin, "ilam", password).await.status, 400);
            password = if new.is_empty() { password } else { "quite another password" };
        }
    }
    let login = log_in(&admin, "ilam", password).await;
    let me = admin.with_token(login.body["access_token"].as_str().unwrap()).get("/api/v1/auth/me").await;
    assert_eq!((&me.body["role"], &me.body["province"]), (&json!("cda"), &json!("IR-15")));
}

async fn no_password_is_ever_shown(service: &Service) {
    let admin = service.login("admin").await;
    let created = create(&admin, json!({})).await;
    let path = format!("{USERS}/{}", created.id());
    let changed = admin.patch(&path, "\"1\"", json!({"password": "quite another password"})).await;
    assert_eq!(changed.status, 200);
    let mut shown = vec![created.text, changed.text];
    for path in [
        path.clone(),
        format!("{path}/history"),
        USERS.to_owned(),
        format!("{USERS}?format=csv"),
        format!("{path}/history?format=csv"),
    ] {
        shown.push(admin.get(&path).await.text);
    }
    let wrong = admin.patch(&path, "\"2\"", json!({"password": "too short", "role": "emperor"})).await;
    assert_eq!(wrong.status, 422);
    shown.push(wrong.text);
    let db = service.database().await;
    for table in ["change_log", "idempotent_answer", "search_term"] {
        for row in db
            .query_all_raw(Statement::from_string(
                db.get_database_backend(),
                format!("SELECT * FROM {table}"),
            ))
            .await
            .unwrap_or_default()
        {
            let columns = row.column_names();
            shown.extend(columns.iter().filter_map(|column| row.try_get::<String>("", column).ok()));
            shown.extend(
                columns.iter().filter_map(|column| {
                    row.try_get::<Value>("", column).ok().map(|value| value.to_string())
                }),
            );
        }
    }
    assert!(shown.iter().any(|text| text.contains("ilam")), "the search looks at what is stored");
    for secret in [
        "a long enough password",
        "quite another password",
        "too short",
        PASSWORD,
        "$argon2",
        "password_hash",
    ] {
        assert!(shown.iter().all(|text| !text.contains(secret)), "{secret}: {shown:#?}");
    }
    let stored = khoosheh::accounts::account::Entity::find_by_id(
        created.body["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap(),
    )
    .one(&db)
    .await
    .unwrap()
    .unwrap();
    assert!(stored.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.password_hash);
}

async fn users_are_listed_and_found(service: &Service) {
    let admin = service.login("admin").await;
    let people = [
        "admin",
        "auditor",
        "cda",
        "isipo",
        "kerman",
        "lorestan",
        "lorestan-viewer",
        "ministry",
        "supervisor",
    ];
    assert_eq!(
        admin.get(&format!("{USERS}?sort=username")).await.items("username"),
        people,
        "API clients are not users"
    );
    for (filter, found) in [
        ("q=لرستان", &["cda", "lorestan", "lorestan-viewer", "supervisor"][..]),
        ("q=كرمان", &["kerman"]),
        ("role=supervisor,cda", &["cda", "supervisor"]),
        ("province=IR-08", &["kerman"]),
        ("role=cda&province=IR-08", &[]),
    ] {
        assert_eq!(
            admin.get(&format!("{USERS}?sort=username&{filter}")).await.items("username"),
            found,
            "{filter}"
        );
    }
    let client_id = admin.get(&format!("{USERS}?role=integrator")).await;
    assert!(client_id.status == 400 || client_id.items("id").is_empty());
    let integrator = service.login_integrator().await.get("/api/v1/auth/me").await;
    assert_eq!(
        admin.get(&format!("{USERS}/{}", integrator.id())).await.status,
        404,
        "an API client is not a user by its id either"
    );
}
