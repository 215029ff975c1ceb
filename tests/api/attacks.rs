//! What a review with fresh eyes and an attacker's patience has found once, and must not find again.

use khoosheh::{server, store::schema};
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::{
    on_both,
    support::{Backend, PASSWORD, Service, moment, with_service},
};

on_both!(
    a_query_has_so_many_words,
    every_word_of_a_long_record_is_found,
    a_derived_bound_follows_its_day,
    deleting_at_once_is_deleting,
    nobody_locks_themselves_out,
    an_api_client_can_log_out,
    a_proxy_is_believed_in_its_last_word_only,
    taking_a_migration_back_leaves_nothing,
    related_records_come_along,
    nothing_asked_for_is_dropped,
);

const CLUSTERS: &str = "/api/v1/clusters";

fn cluster(name: &str, more: Value) -> Value {
    let mut input = json!({"province": "IR-15", "name_fa": name, "isic": [{"code": "2396"}]});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn a_query_has_so_many_words(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let refused = lorestan.get(&format!("{CLUSTERS}?q=a+b+c+d+e+f+g+h+i+j+k+l+m")).await;
    assert_eq!((refused.status, refused.errors()), (400, vec![("/q", "too_many_words")]));
    let ligatures =
        lorestan.send(lorestan.request(Method::GET, CLUSTERS).query(&[("q", "ﷺ".repeat(100))])).await;
    assert_eq!(
        (ligatures.status, &ligatures.body["items"]),
        (200, &json!([])),
        "many words, but few different ones"
    );
}

async fn every_word_of_a_long_record_is_found(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let letter = |n: u32| char::from_u32(0x4E00 + n).unwrap().to_string();
    let products: Vec<String> =
        (0..50).map(|p| (0..99).map(|w| letter(p * 99 + w)).collect::<Vec<_>>().join(" ")).collect();
    let created = lorestan.post(CLUSTERS, cluster("ورشو", json!({"products": products}))).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let found =
        lorestan.send(lorestan.request(Method::GET, CLUSTERS).query(&[("q", letter(49 * 99 + 98))])).await;
    assert_eq!(found.items("id"), [created.id()]);
}

async fn a_derived_bound_follows_its_day(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = lorestan.post(CLUSTERS, cluster("ورشو", json!({"identified_on": "2013-01-01"}))).await;
    for day in ["2012-05-05", "2014-01-01"] {
        let changed = lorestan.patch(created.header("location"), "*", json!({"identified_on": day})).await;
        assert_eq!(
            (changed.status, &changed.body["identified_not_later_than"]),
            (200, &json!(day)),
            "{}",
            changed.text
        );
    }
    let bounded = lorestan
        .patch(created.header("location"), "*", json!({"identified_not_later_than": "2014-02-01"}))
        .await;
    assert_eq!(bounded.body["identified_not_later_than"], "2014-02-01");
    let early = lorestan.patch(created.header("location"), "*", json!({"identified_on": "2014-03-01"})).await;
    assert_eq!(early.errors(), [("/identified_not_later_than", "too_early")], "a bound that was given stays");
}

async fn deleting_at_once_is_deleting(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = lorestan.post(CLUSTERS, cluster("ورشو", json!({}))).await;
    let deletions = (0..6).map(|_| lorestan.delete(created.header("location"), created.etag()));
    for answer in futures_util::future::join_all(deletions).await {
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let history = lorestan.get(&format!("{}/history", created.header("location"))).await;
    assert_eq!(history.items("kind"), ["created", "deleted"]);
}

async fn nobody_locks_themselves_out(service: &Service) {
    let admin = service.login("admin").await;
    let me = admin.get("/api/v1/auth/me").await;
    let path = format!("/api/v1/users/{}", me.id());
    assert_eq!(admin.patch(&path, "*", json!({"role": "national_viewer"})).await.status, 403);
    assert_eq!(admin.patch(&path, "*", json!({"disabled": true})).await.status, 403);
    assert_eq!(admin.delete(&path, "*").await.status, 403);
    assert_eq!(admin.patch(&path, "*", json!({"display_name": "مدیر"})).await.status, 200);
}

async fn an_api_client_can_log_out(service: &Service) {
    let client = service.login_integrator().await;
    assert_eq!(client.get("/api/v1/auth/me").await.status, 200);
    let token = client.token.clone().unwrap();
    assert_eq!(service.anonymous().form("/api/v1/auth/revoke", &[("token", &token)]).await.status, 200);
    assert_eq!(client.get("/api/v1/auth/me").await.status, 401);
}

async fn a_proxy_is_believed_in_its_last_word_only(service: &Service) {
    let (running, nobody) = service
        .beside(|config| {
            config.behind_proxy = true;
            config.login_failures_per_account = 2;
        })
        .await;
    let form = [("grant_type", "password"), ("username", "nobody"), ("password", "wrong")];
    for (n, status) in [(0, 400), (1, 400), (2, 429)] {
        // The client writes the first line, the proxy the last.
        let request = nobody
            .request(Method::POST, "/api/v1/auth/token")
            .header("x-forwarded-for", format!("198.51.100.{n}"));
        let answer = nobody.send(request.header("x-forwarded-for", "203.0.113.9").form(&form)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let elsewhere = nobody
        .request(Method::POST, "/api/v1/auth/token")
        .header("x-forwarded-for", "203.0.113.10")
        .form(&form);
    assert_eq!(nobody.send(elsewhere).await.status, 400);
    running.stop().await;
}

async fn taking_a_migration_back_leaves_nothing(service: &Service) {
    let db = service.database().await;
    let has_clusters = async || {
        schema::migrations(&db).await.unwrap().iter().any(|migration| {
            migration.name.ends_with("_clusters") && migration.state == schema::State::Applied
        })
    };
    while has_clusters().await {
        schema::migrate_down(&db).await.unwrap();
        assert_eq!(service.anonymous().get("/health/ready").await.status, 503);
    }
    // Accounts are older than clusters, and found by their words too.
    let of_others = "WHERE resource NOT IN ('user', 'api_client')";
    for (table, condition) in [
        ("search_term", of_others),
        ("external_ref", of_others),
        ("change_log", of_others),
        ("status_event", ""),
        ("code_counter", ""),
    ] {
        let sql = Statement::from_string(
            db.get_database_backend(),
            format!("SELECT count(*) AS n FROM {table} {condition}"),
        );
        let left: i64 = db.query_one_raw(sql).await.unwrap().unwrap().try_get("", "n").unwrap();
        assert_eq!(left, 0, "{table}");
    }
    server::migrate(&db).await.unwrap();
    assert_eq!(service.anonymous().get("/health/ready").await.status, 200);
    let isipo = service.login("isipo").await;
    let now = moment();
    assert_eq!(
        isipo.get(&format!("/api/v1/reports/identified-clusters?known_at={now}")).await.body["total"],
        0
    );
    assert_eq!(isipo.post(CLUSTERS, cluster("سنگ", json!({}))).await.body["code"], "15-0001");
}

async fn related_records_come_along(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let page = lorestan.get(&format!("{CLUSTERS}?include=claims,industry&sort=code")).await;
    let stone = &page.body["items"][0];
    assert_eq!(stone["industry"]["title_en"], "Cutting, shaping and finishing of stone");
    let sources: Vec<&Value> =
        stone["claims"].as_array().unwrap().iter().map(|claim| &claim["claimed_on"]).collect();
    assert_eq!(sources, [&Value::Null, &json!("2014-02-26")]);
    assert_eq!(page.body["items"][2]["claims"].as_array().unwrap().len(), 1);
    let plain = lorestan.get(&format!("{CLUSTERS}/{}", stone["id"].as_str().unwrap())).await;
    assert!(plain.body.get("claims").is_none());
    let one = lorestan.get(&format!("{CLUSTERS}/{}?include=claims", stone["id"].as_str().unwrap())).await;
    assert_eq!(one.body["claims"], stone["claims"]);
    assert_ne!(one.etag(), plain.etag(), "another representation has another ETag");
    let claim = format!(
        "{CLUSTERS}/{}/claims/{}",
        stone["id"].as_str().unwrap(),
        stone["claims"][0]["id"].as_str().unwrap()
    );
    assert_eq!(lorestan.patch(&claim, "*", json!({"note": "چاپ دوم"})).await.status, 200);
    assert_ne!(lorestan.get(&format!("{CLUSTERS}/{}?include=claims", one.id())).await.etag(), one.etag());
}

async fn nothing_asked_for_is_dropped(service: &Service) {
    let isipo = service.login("isipo").await;
    for (path, error) in [
        ("/api/v1/clusters?sort=name_fa,-name_fa", ("/sort", "repeated")),
        ("/api/v1/clusters?include=claims,projects", ("/include/1", "not_in_list")),
        ("/api/v1/reports/identified-clusters?known_at=2999-01-01T00:00:00Z", ("/known_at", "in_future")),
    ] {
        let refused = isipo.get(path).await;
        assert_eq!((refused.status, refused.errors()), (400, vec![error]), "{path}");
    }
    for words in ["!!!", "ء", "-"] {
        for list in [CLUSTERS, "/api/v1/provinces", "/api/v1/industries"] {
            let answer = isipo.send(isipo.request(Method::GET, list).query(&[("q", words)])).await;
            assert!(
                answer.status == 400 || answer.body["items"] == json!([]),
                "{list}?q={words}: {}",
                answer.text
            );
        }
    }
    let report = "/api/v1/reports/identified-clusters?as_of=1392-12-29&calendar=persi%61n";
    assert_eq!(isipo.get(report).await.body["total"], 11, "an escaped parameter is the same parameter");
    let references: Vec<Value> = (0..20).map(|n| json!({"system": "erp", "key": format!("k{n}")})).collect();
    let crowded = isipo
        .put("/api/v1/clusters/by-ref/erp/one-more", cluster("ورشو", json!({"external_refs": references})))
        .await;
    assert_eq!((crowded.status, crowded.errors()), (422, vec![("/external_refs", "too_many_items")]));
}

#[actix_web::test]
async fn a_password_is_not_kept_as_a_fast_hash() {
    with_service(Backend::Sqlite, async |service| {
        let admin = service.login("admin").await;
        let input = |password: &str| json!({"username": "yazd", "display_name": "یزد", "role": "provincial_manager", "province": "IR-21", "password": password});
        let create = |body| admin.send(admin.request(Method::POST, "/api/v1/users").header("idempotency-key", "k").json(&body));
        assert_eq!(create(input(PASSWORD)).await.status, 201);
        let sql = Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT fingerprint FROM idempotent_answer");
        let kept: String = service.database().await.query_one_raw(sql).await.unwrap().unwrap().try_get("", "fingerprint").unwrap();
        let repeated = create(input("another password, the same fingerprint")).await;
        assert_eq!((repeated.status, repeated.header("idempotency-replayed")), (201, "true"));
        assert_eq!(kept.len(), 64);
    })
    .await;
}
