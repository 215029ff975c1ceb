//! API clients, which national administrators keep: their secrets, scopes, province and sessions.

use reqwest::Method;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::{Value, json};

use crate::{
    auth::{TOKEN, is_live, log_in},
    on_both,
    organisations::lives_and_dies,
    support::{Answer, Client, PASSWORD, Service},
};

on_both!(
    an_api_client_from_creation_to_tombstone,
    only_administrators_keep_api_clients,
    a_secret_is_told_once,
    a_repeated_creation_tells_no_secret,
    a_new_secret_ends_the_one_before,
    scopes_limit_what_it_may_do,
    a_province_limits_what_it_sees,
    what_it_may_no_longer_do_ends_its_sessions,
    names_are_shared_with_users,
    what_an_api_client_is_made_of_is_checked,
    api_clients_are_listed_and_found,
);

const API_CLIENTS: &str = "/api/v1/api-clients";

async fn create(admin: &Client, client_id: &str, scopes: &[&str], province: Value) -> Answer {
    let mut input = json!({"client_id": client_id, "display_name": "سامانهٔ نو", "scopes": scopes});
    if !province.is_null() {
        input["province"] = province;
    }
    let created = admin.post(API_CLIENTS, input).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created
}

/// Creates an API client, and gives the answer and a client with its token.
pub async fn client_with(
    admin: &Client,
    client_id: &str,
    scopes: &[&str],
    province: Value,
) -> (Answer, Client) {
    let created = create(admin, client_id, scopes, province).await;
    let token = token(admin, client_id, secret(&created)).await;
    assert_eq!(token.status, 200, "{}", token.text);
    let client = admin.with_token(token.body["access_token"].as_str().unwrap());
    (created, client)
}

pub async fn token(client: &Client, client_id: &str, secret: &str) -> Answer {
    client
        .form(
            TOKEN,
            &[("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret)],
        )
        .await
}

pub fn secret(answer: &Answer) -> &str {
    answer.body["client_secret"].as_str().unwrap_or_else(|| panic!("no secret in {}", answer.text))
}

fn is_never_stored(answer: &Answer) -> bool {
    answer.headers.get_all("cache-control").iter().any(|value| value == "no-store")
}

/// Everything that is stored, but for the accounts with their hashes.
async fn stored(service: &Service) -> String {
    let db = service.database().await;
    let mut found = String::new();
    for table in ["change_log", "idempotent_answer", "search_term", "session", "external_ref"] {
        let rows = db
            .query_all_raw(Statement::from_string(
                db.get_database_backend(),
                format!("SELECT * FROM {table}"),
            ))
            .await
            .unwrap();
        for row in rows {
            for column in row.column_names() {
                found.extend(row.try_get::<String>("", &column).ok());
                found.extend(row.try_get::<Value>("", &column).ok().map(|value| value.to_string()));
            }
        }
    }
    found
}

async fn an_api_client_from_creation_to_tombstone(service: &Service) {
    let admin = service.login("admin").await;
    let created =
        create(&admin, "erp", &["projects:read", "cdas:read", "projects:read"], json!("IR-15")).await;
    assert_eq!(created.header("location"), format!("{API_CLIENTS}/{}", created.id()));
    assert_eq!(
        (&created.body["scopes"], &created.body["disabled"]),
        (&json!(["cdas:read", "projects:read"]), &json!(false))
    );
    let history = lives_and_dies(&admin, &created, json!({"display_name": "نامی دیگر"})).await;
    assert_eq!(
        history.body["items"][1]["changes"],
        json!([{"field": "display_name", "from": "سامانهٔ نو", "to": "نامی دیگر"}])
    );
    let gone = token(&admin, "erp", secret(&created)).await;
    assert_eq!((gone.status, gone.code()), (401, "invalid_client"));
}

async fn only_administrators_keep_api_clients(service: &Service) {
    let admin = service.login("admin").await;
    let path = create(&admin, "erp", &["projects:read"], Value::Null).await.header("location").to_owned();
    let mut others = vec![service.login_integrator().await];
    for name in ["isipo", "ministry", "lorestan", "lorestan-viewer", "supervisor", "cda"] {
        others.push(service.login(name).await);
    }
    for other in others {
        for refused in [
            other.get(API_CLIENTS).await,
            other.get(&path).await,
            other.get(&format!("{path}/history")).await,
            other
                .post(
                    API_CLIENTS,
                    json!({"client_id": "own", "display_name": "x", "scopes": ["projects:read"]}),
                )
                .await,
            other.patch(&path, "*", json!({"disabled": true})).await,
            other.delete(&path, "*").await,
            other.send(other.request(Method::POST, &format!("{path}/secret")).header("if-match", "*")).await,
        ] {
            assert_eq!((refused.status, refused.code()), (403, "forbidden"));
        }
    }
    assert_eq!(admin.get(&path).await.version_tag(), "\"1\"");
    let person = admin.get("/api/v1/users?q=lorestan").await;
    assert_eq!(
        admin.get(&format!("{API_CLIENTS}/{}", person.items("id")[0])).await.status,
        404,
        "a user is no API client"
    );
}

async fn a_secret_is_told_once(service: &Service) {
    let admin = service.login("admin").await;
    let created = create(&admin, "erp", &["projects:read"], json!("IR-15")).await;
    let secret = secret(&created);
    assert!(secret.len() >= 24, "{secret} can be guessed");
    assert!(is_never_stored(&created), "{:?}", created.headers);
    let tokens = token(&admin, "erp", secret).await;
    assert_eq!((tokens.status, &tokens.body["scope"]), (200, &json!("projects:read")), "{}", tokens.text);
    let basic = admin.http.post(format!("{}{TOKEN}", admin.address)).basic_auth("erp", Some(secret));
    assert_eq!(
        admin.send(basic.form(&[("grant_type", "client_credentials")])).await.status,
        200,
        "also as RFC 6749 prefers"
    );
    assert_eq!(token(&admin, "erp", &secret[1..]).await.code(), "invalid_client");
    assert_eq!(log_in(&admin, "erp", secret).await.code(), "invalid_grant", "a system is no person");

    let path = created.header("location");
    let changed = admin.patch(path, "\"1\"", json!({"display_name": "x"})).await;
    let mut shown = changed.text;
    for place in [
        path,
        API_CLIENTS,
        &format!("{API_CLIENTS}?format=csv"),
        &format!("{path}/history"),
        &format!("{path}/history?format=csv"),
    ] {
        shown += &admin.get(place).await.text;
    }
    shown += &stored(service).await;
    let account =
        khoosheh::accounts::account::Entity::find_by_id(created.id().parse::<uuid::Uuid>().unwrap());
    let account = account.one(&service.database().await).await.unwrap().unwrap();
    assert!(account.password_hash.starts_with("$argon2id$"), "{}", account.password_hash);
    assert!(shown.contains("erp"), "the search looks at what is stored");
    for hidden in [secret, "$argon2", "password_hash", "client_secret"] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
}

async fn a_repeated_creation_tells_no_secret(service: &Service) {
    let admin = service.login("admin").await;
    let post = async |path: &str, body: &Value| {
        let request = admin
            .request(Method::POST, path)
            .header("idempotency-key", format!("key-{path}"))
            .header("if-match", "\"1\"");
        admin.send(if body.is_null() { request } else { request.json(body) }).await
    };
    let input = json!({"client_id": "erp", "display_name": "x", "scopes": ["projects:read"]});
    let created = post(API_CLIENTS, &input).await;
    let rotation = format!("{}/secret", created.header("location"));
    let rotated = post(&rotation, &Value::Null).await;
    for (path, body, first) in [(API_CLIENTS, &input, &created), (rotation.as_str(), &Value::Null, &rotated)]
    {
        let repeated = post(path, body).await;
        assert_eq!(
            (repeated.status, repeated.header("idempotency-replayed")),
            (first.status, "true"),
            "{}",
            repeated.text
        );
        let mut without = first.body.clone();
        assert!(without.as_object_mut().unwrap().remove("client_secret").is_some());
        assert_eq!(repeated.body, without);
        assert_eq!(repeated.header("location"), first.header("location"));
    }
    let stored = stored(service).await;
    assert!(stored.contains("key-/api/v1/api-clients"), "the answers are kept");
    for told in [secret(&created), secret(&rotated)] {
        assert!(!stored.contains(told), "and the secrets are not");
    }
    assert_eq!(token(&admin, "erp", secret(&rotated)).await.status, 200, "a repetition makes no new secret");
    let other = json!({"client_id": "erp2", "display_name": "x", "scopes": ["projects:read"]});
    assert_eq!(post(API_CLIENTS, &other).await.code(), "idempotency_key_reused");
}

async fn a_new_secret_ends_the_one_before(service: &Service) {
    let admin = service.login("admin").await;
    let (created, erp) = client_with(&admin, "erp", &["projects:read"], Value::Null).await;
    let path = format!("{}/secret", created.header("location"));
    let rotate = async |etag: Option<&str>| {
        let request = admin.request(Method::POST, &path);
        admin.send(etag.iter().fold(request, |request, etag| request.header("if-match", *etag))).await
    };
    let bare = rotate(None).await;
    assert_eq!((bare.status, bare.code(), bare.version_tag()), (428, "precondition_required", "\"1\""));
    assert_eq!(rotate(Some("\"2\"")).await.code(), "stale_version");
    assert!(is_live(&admin, erp.token.as_ref().unwrap()).await, "what is refused changes nothing");

    let rotated = rotate(Some(created.etag())).await;
    assert_eq!(
        (rotated.status, &rotated.body["version"], is_never_stored(&rotated)),
        (200, &json!(2), true),
        "{}",
        rotated.text
    );
    assert_ne!(secret(&rotated), secret(&created));
    assert!(!is_live(&admin, erp.token.as_ref().unwrap()).await, "at once");
    assert_eq!(token(&admin, "erp", secret(&created)).await.code(), "invalid_client");
    let again = token(&admin, "erp", secret(&rotated)).await;
    assert!(is_live(&admin, again.body["access_token"].as_str().unwrap()).await);
    assert!(
        !admin.get(&format!("{}/history", created.header("location"))).await.text.contains(secret(&rotated))
    );
}

async fn scopes_limit_what_it_may_do(service: &Service) {
    let admin = service.login("admin").await;
    let (_, erp) = client_with(&admin, "erp", &["cdas:read", "organisations:write"], Value::Null).await;
    assert_eq!(erp.get("/api/v1/cdas").await.status, 200);
    assert_eq!(
        erp.post("/api/v1/organisations", json!({"kind": "bank", "name_fa": "بانک نو"})).await.status,
        201
    );
    for refused in [
        erp.get("/api/v1/organisations").await,
        erp.get("/api/v1/projects").await,
        erp.get("/api/v1/provinces").await,
        erp.post("/api/v1/cdas", json!({})).await,
        erp.get("/api/v1/users").await,
    ] {
        assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{}", refused.text);
    }
}

async fn a_province_limits_what_it_sees(service: &Service) {
    let admin = service.login("admin").await;
    let scopes = [
        "clusters:read",
        "clusters:write",
        "cdas:read",
        "projects:read",
        "milestones:read",
        "organisations:read",
    ];
    for (client_id, province, counts) in [
        ("kerman-erp", json!("IR-08"), [2, 0, 0, 0, 2]),
        ("lorestan-erp", json!("IR-15"), [11, 1, 1, 20, 5]),
        ("isipo-erp", Value::Null, [13, 1, 1, 20, 5]),
    ] {
        let (created, client) = client_with(&admin, client_id, &scopes, province.clone()).await;
        assert_eq!(created.body["province"], province);
        let resources = ["clusters", "cdas", "projects", "milestones", "organisations"];
        for (resource, count) in resources.into_iter().zip(counts) {
            let list = client.get(&format!("/api/v1/{resource}?count=true&page_size=1")).await;
            assert_eq!(list.body["total"], count, "{client_id} {resource}");
        }
        if client_id == "kerman-erp" {
            let cluster = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2396"}]});
            assert_eq!(client.post("/api/v1/clusters", cluster).await.code(), "outside_scope");
        }
    }
}

async fn what_it_may_no_longer_do_ends_its_sessions(service: &Service) {
    let admin = service.login("admin").await;
    let (created, _) = client_with(&admin, "erp", &["projects:read", "cdas:read"], Value::Null).await;
    let path = created.header("location");
    for (change, comes_back) in [
        (json!({"scopes": ["projects:read"]}), true),
        (json!({"province": "IR-15"}), true),
        (json!({"disabled": true}), false),
        (json!({"disabled": false}), true),
        (Value::Null, false),
    ] {
        let before = token(&admin, "erp", secret(&created)).await;
        let changed = if change.is_null() {
            admin.delete(path, "*").await
        } else {
            admin.patch(path, "*", change.clone()).await
        };
        assert!(changed.status < 300, "{change}: {}", changed.text);
        if before.status == 200 {
            assert!(!is_live(&admin, before.body["access_token"].as_str().unwrap()).await, "{change}");
        }
        let after = token(&admin, "erp", secret(&created)).await;
        assert_eq!(after.status, if comes_back { 200 } else { 401 }, "{change}: {}", after.text);
        if comes_back {
            assert_eq!(after.body["scope"], "projects:read");
        }
    }
}

async fn names_are_shared_with_users(service: &Service) {
    let admin = service.login("admin").await;
    let created = create(&admin, "erp", &["projects:read"], Value::Null).await;
    for taken in ["erp", "lorestan", "integrator"] {
        let refused = admin
            .post(API_CLIENTS, json!({"client_id": taken, "display_name": "x", "scopes": ["projects:read"]}))
            .await;
        assert_eq!(
            (refused.status, refused.code(), refused.errors()),
            (409, "duplicate", vec![("/client_id", "duplicate")]),
            "{taken}"
        );
        assert!(!refused.text.contains("client_secret"));
    }
    assert_eq!(
        admin.patch(created.header("location"), "*", json!({"client_id": "admin"})).await.errors(),
        [("/client_id", "duplicate")]
    );
    let user =
        json!({"username": "erp", "display_name": "x", "role": "national_viewer", "password": PASSWORD});
    assert_eq!(admin.post("/api/v1/users", user).await.errors(), [("/username", "duplicate")]);
}

async fn what_an_api_client_is_made_of_is_checked(service: &Service) {
    let admin = service.login("admin").await;
    let empty = admin.post(API_CLIENTS, json!({})).await;
    let needed = vec![("/client_id", "required"), ("/display_name", "required"), ("/scopes", "required")];
    assert_eq!((empty.status, empty.errors()), (422, needed));
    let path = create(&admin, "erp", &["projects:read"], Value::Null).await.header("location").to_owned();
    for (change, error) in [
        (json!({"scopes": ["projects:read", "projects:erase"]}), ("/scopes/1", "not_in_list")),
        (json!({"scopes": ["users:manage"]}), ("/scopes/0", "not_in_list")),
        (json!({"scopes": ["api-clients:manage"]}), ("/scopes/0", "not_in_list")),
        (json!({"scopes": [""]}), ("/scopes/0", "not_in_list")),
        (json!({"scopes": []}), ("/scopes", "too_few_items")),
        (json!({"scopes": "projects:read"}), ("/scopes", "wrong_type")),
        (json!({"client_id": "ERP"}), ("/client_id", "wrong_pattern")),
        (json!({"display_name": " "}), ("/display_name", "wrong_pattern")),
        (json!({"province": "IR-99"}), ("/province", "not_in_list")),
        (json!({"client_secret": "a secret of my own"}), ("/client_secret", "unknown_field")),
        (json!({"role": "national_admin"}), ("/role", "unknown_field")),
        (json!({"password_hash": "x"}), ("/password_hash", "unknown_field")),
    ] {
        let refused = admin.patch(&path, "*", change.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{change}");
    }
    assert_eq!(admin.get(&path).await.version_tag(), "\"1\"");
}

async fn api_clients_are_listed_and_found(service: &Service) {
    let admin = service.login("admin").await;
    create(&admin, "yazd-erp", &["cdas:read", "projects:read"], json!("IR-21")).await;
    create(&admin, "another", &["projects:read"], Value::Null).await;
    for (query, expected) in [
        ("sort=client_id", &["another", "integrator", "yazd-erp"][..]),
        ("sort=-client_id", &["yazd-erp", "integrator", "another"]),
        ("sort=created_at,id", &["integrator", "yazd-erp", "another"]),
        ("sort=-updated_at,-id", &["another", "yazd-erp", "integrator"]),
        ("province=IR-21", &["yazd-erp"]),
        ("q=yazd", &["yazd-erp"]),
        ("q=لرستان", &["integrator"]),
    ] {
        assert_eq!(
            admin.get(&format!("{API_CLIENTS}?{query}")).await.items("client_id"),
            expected,
            "{query}"
        );
    }
    for wrong in ["role=integrator", "province=IR-99", "sort=password_hash", "fields=password_hash"] {
        assert_eq!(admin.get(&format!("{API_CLIENTS}?{wrong}")).await.status, 400, "{wrong}");
    }
    let table = admin.get(&format!("{API_CLIENTS}?province=IR-21&format=csv")).await;
    let lines: Vec<_> = table.text.lines().collect();
    let columns = "id,version,created_at,created_by,updated_at,updated_by,external_refs,client_id,display_name,province,scopes,disabled";
    assert_eq!((lines.len(), lines[0]), (2, columns));
    assert!(lines[1].ends_with("yazd-erp,سامانهٔ نو,IR-21,cdas:read;projects:read,false"), "{}", lines[1]);
}
