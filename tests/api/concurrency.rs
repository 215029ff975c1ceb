//! Many at once, and the same once more: versions, idempotency keys, codes and names.

use std::collections::BTreeSet;

use khoosheh::store::idempotent_answer;
use reqwest::Method;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    api_clients::{self, client_with},
    cdas::{CDAS, national_code},
    clusters::{CLUSTERS, claimed, cluster, register},
    on_both,
    support::{Answer, Backend, Client, Service},
};

on_both!(
    of_sixteen_writers_one_wins,
    of_eight_changes_of_state_one_happens,
    eight_requests_with_one_key_make_one_record,
    a_key_belongs_to_one_request_of_one_account,
    a_key_is_free_again_after_a_day,
    an_answer_with_personal_data_is_not_repeated_to_who_may_not_see_it_any_more,
    a_repeated_transition_is_answered_as_at_first,
    a_refused_request_does_not_use_up_its_key,
    a_key_works_across_instances,
    codes_are_consecutive_however_many_ask,
    of_many_with_one_name_one_is_created,
    of_many_puts_of_one_reference_one_creates,
);

/// Does it so many times at once; `request` gets the number.
async fn at_once(
    client: &Client,
    times: usize,
    request: impl Fn(&Client, usize) -> reqwest::RequestBuilder,
) -> Vec<Answer> {
    let mut running = JoinSet::new();
    for number in 0..times {
        let (client, request) = (client.clone(), request(client, number));
        running.spawn(async move { client.send(request).await });
    }
    running.join_all().await
}

fn split(answers: Vec<Answer>, status: u16) -> (Vec<Answer>, Vec<Answer>) {
    answers.into_iter().partition(|answer| answer.status == status)
}

fn create(client: &Client, key: &str, body: Value) -> reqwest::RequestBuilder {
    client.request(Method::POST, CLUSTERS).header("idempotency-key", key.as_bytes()).json(&body)
}

async fn total(client: &Client, name: &str) -> Value {
    client.send(client.request(Method::GET, CLUSTERS).query(&[("q", name), ("count", "true")])).await.body["total"].clone()
}

async fn of_sixteen_writers_one_wins(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = register(&lorestan, "ورشو", json!({})).await;
    let path = created.header("location");
    let patch = |client: &Client, n| {
        client.request(Method::PATCH, path).header("if-match", "\"1\"").json(&json!({"employment_total": n}))
    };
    let (won, lost) = split(at_once(&lorestan, 16, patch).await, 200);
    assert_eq!((won.len(), lost.len()), (1, 15));
    assert!(lost.iter().all(
        |answer| (answer.status, answer.code(), answer.version_tag()) == (412, "stale_version", "\"2\"")
    ));
    let now = lorestan.get(path).await;
    assert_eq!((now.version_tag(), &now.body), ("\"2\"", &won[0].body));
    assert_eq!(lorestan.get(&format!("{path}/history")).await.items("kind"), ["created", "updated"]);
}

async fn of_eight_changes_of_state_one_happens(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = claimed(&lorestan, "ورشو", json!({})).await;
    let path = created.header("location");
    let identify = |client: &Client, n| {
        let request =
            client.request(Method::POST, &format!("{path}/transitions")).header("if-match", "\"1\"");
        request.json(&json!({"to": "identified", "effective_on": format!("2015-01-0{}", n + 1)}))
    };
    let (won, lost) = split(at_once(&lorestan, 8, identify).await, 200);
    assert_eq!((won.len(), lost.iter().map(|answer| answer.status).collect::<Vec<_>>()), (1, vec![412; 7]));
    assert_eq!(lorestan.get(path).await.body, won[0].body);
    let day = won[0].body["identified_on"].as_str().unwrap();
    let report = lorestan.get(&format!("/api/v1/reports/identified-clusters?as_of={day}")).await;
    assert_eq!(report.items("state").last(), Some(&"identified"));
}

async fn eight_requests_with_one_key_make_one_record(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let body = cluster("ورشو", json!({"name_en": "Nickel silver"}));
    let (created, busy) =
        split(at_once(&lorestan, 8, |client, _| create(client, "k-1", body.clone())).await, 201);
    assert!(!created.is_empty());
    for answer in &busy {
        assert_eq!(
            (answer.status, answer.code(), answer.header("retry-after")),
            (409, "request_in_progress", "1")
        );
    }
    assert_eq!(
        created.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(),
        1,
        "one did the work"
    );
    let again = lorestan.send(create(&lorestan, "k-1", body)).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    for answer in &created {
        assert_eq!(
            (&answer.text, answer.etag(), answer.header("location")),
            (&again.text, again.etag(), again.header("location"))
        );
    }
    assert_eq!(total(&lorestan, "ورشو").await, 1);
    assert_eq!(lorestan.get(again.header("location")).await.body, again.body);
}

async fn a_key_belongs_to_one_request_of_one_account(service: &Service) {
    let (lorestan, isipo) = (service.login("lorestan").await, service.login("isipo").await);
    let body = cluster("ورشو", json!({}));
    let first = lorestan.send(create(&lorestan, "k-1", body.clone())).await;
    let stone = lorestan.cluster_named("سنگ").await;
    let claims = format!("{CLUSTERS}/{}/claims", stone.id());
    let elsewhere = lorestan
        .request(Method::POST, &claims)
        .header("idempotency-key", "k-1")
        .json(&json!({"source_title": "x"}));
    let elsewise = lorestan
        .request(Method::POST, &format!("{CLUSTERS}?calendar=persian"))
        .header("idempotency-key", "k-1")
        .json(&body);
    for other in [create(&lorestan, "k-1", cluster("ورشوسازی", json!({}))), elsewhere, elsewise] {
        let refused = lorestan.send(other).await;
        assert_eq!((refused.status, refused.code()), (422, "idempotency_key_reused"));
    }
    assert_eq!(lorestan.get(&claims).await.items("id").len(), 2);

    let theirs = isipo.send(create(&isipo, "k-1", cluster("ورشو", json!({"province": "IR-08"})))).await;
    assert_eq!((theirs.status, theirs.header("idempotency-replayed")), (201, ""));
    assert_ne!(theirs.id(), first.id());
    let same_person = service.login("lorestan").await;
    assert_eq!(
        same_person.send(create(&same_person, "k-1", body.clone())).await.id(),
        first.id(),
        "the key is the account's, not the token's"
    );

    for key in ["", "two words", "کلید", &"k".repeat(201)] {
        let refused = lorestan.send(create(&lorestan, key, body.clone())).await;
        assert_eq!(
            (refused.status, refused.errors()),
            (400, vec![("/Idempotency-Key", "wrong_pattern")]),
            "{key}"
        );
    }
}

async fn a_key_is_free_again_after_a_day(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let first = lorestan.send(create(&lorestan, "k-1", cluster("ورشو", json!({})))).await;
    let age = async |hours: i64| {
        let created_at = khoosheh::store::now() - chrono::TimeDelta::hours(hours);
        let db = service.database().await;
        let mut row = idempotent_answer::Entity::find().one(&db).await.unwrap().unwrap();
        row.created_at = created_at;
        row.checksum = None;
        row.into_active_model().reset_all().update(&db.unguarded()).await.unwrap();
    };
    age(23).await;
    let again = lorestan.send(create(&lorestan, "k-1", cluster("ورشو", json!({})))).await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed"), again.id()),
        (201, "true", first.id()),
        "{}",
        again.text
    );
    age(25).await;
    let another = lorestan.send(create(&lorestan, "k-1", cluster("ورشوسازی", json!({})))).await;
    assert_eq!((another.status, another.header("idempotency-replayed")), (201, ""), "{}", another.text);
}

async fn an_answer_with_personal_data_is_not_repeated_to_who_may_not_see_it_any_more(service: &Service) {
    let admin = service.login("admin").await;
    let scopes = ["cdas:read", "cdas:write", "personal-data:read"];
    let (made, client) = client_with(&admin, "register", &scopes, json!("IR-15")).await;
    let code = national_code(9_999);
    let person = json!({"national_code": code, "name_fa": "عامل نو", "province": "IR-15"});
    let send = async |client: &Client| {
        client.send(client.request(Method::POST, CDAS).header("idempotency-key", "k-1").json(&person)).await
    };
    let first = send(&client).await;
    assert_eq!((first.status, &first.body["national_code"]), (201, &json!(code)), "{}", first.text);
    let narrowed = admin.patch(made.header("location"), "*", json!({"scopes": &scopes[..2]})).await;
    assert_eq!(narrowed.status, 200, "{}", narrowed.text);
    let token = api_clients::token(&admin, "register", api_clients::secret(&made)).await;
    let refused = send(&admin.with_token(token.body["access_token"].as_str().unwrap())).await;
    assert_eq!((refused.status, refused.code()), (422, "idempotency_key_reused"), "{}", refused.text);
    assert!(!refused.text.contains(&code));
}

async fn a_repeated_transition_is_answered_as_at_first(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = claimed(&lorestan, "ورشو", json!({})).await;
    let path = created.header("location");
    let identify = || {
        let request =
            lorestan.request(Method::POST, &format!("{path}/transitions")).header("idempotency-key", "k-1");
        lorestan.send(request.header("if-match", "\"1\"").json(&json!({"to": "identified"})))
    };
    let first = identify().await;
    assert_eq!((first.status, first.version_tag()), (200, "\"2\""));
    assert_eq!(lorestan.patch(path, "\"2\"", json!({"name_en": "x"})).await.version_tag(), "\"3\"");
    let again = identify().await;
    assert_eq!(
        (again.status, again.version_tag(), again.header("idempotency-replayed")),
        (200, "\"2\"", "true")
    );
    assert_eq!((again.text, lorestan.get(path).await.version_tag()), (first.text, "\"3\""));
}

async fn a_refused_request_does_not_use_up_its_key(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (body, status) in [
        (json!({}), 422),
        (cluster("سنگ", json!({})), 409),
        (cluster("ورشو", json!({})), 201),
        (json!({}), 422),
    ] {
        assert_eq!(lorestan.send(create(&lorestan, "k-1", body)).await.status, status);
    }
}

async fn a_key_works_across_instances(service: &Service) {
    let (running, elsewhere) = service.beside(|_| {}).await;
    let here = service.login("lorestan").await;
    let there = elsewhere.login("lorestan").await;
    let body = cluster("ورشو", json!({}));
    let mut set = JoinSet::new();
    for n in 0..8 {
        let client = if n % 2 == 0 { here.clone() } else { there.clone() };
        let request = create(&client, "k-1", body.clone());
        set.spawn(async move { client.send(request).await });
    }
    let (created, busy) = split(set.join_all().await, 201);
    assert!(
        !created.is_empty()
            && busy.iter().all(|answer| (answer.status, answer.code()) == (409, "request_in_progress"))
    );
    let again = there.send(create(&there, "k-1", body)).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert!(created.iter().all(|answer| answer.text == again.text));
    assert_eq!(total(&here, "ورشو").await, 1);
    running.stop().await;
}

async fn codes_are_consecutive_however_many_ask(service: &Service) {
    let isipo = service.login("isipo").await;
    let post = |client: &Client, n| {
        client
            .request(Method::POST, CLUSTERS)
            .json(&cluster(&format!("خوشهٔ {n}"), json!({"province": "IR-00"})))
    };
    let created = at_once(&isipo, 20, post).await;
    assert!(created.iter().all(|answer| answer.status == 201), "{created:#?}");
    let codes: BTreeSet<&str> = created.iter().map(|answer| answer.body["code"].as_str().unwrap()).collect();
    let expected: Vec<String> = (1..=20).map(|number| format!("00-{number:04}")).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), expected);
}

async fn of_many_with_one_name_one_is_created(service: &Service) {
    let isipo = service.login("isipo").await;
    let spellings = [
        "قالی‌بافی",
        "قالی بافی",
        "قالیبافی",
        "قالي‌بافي",
        "قالـی بافی",
        "قالیِ بافی",
        "قالی-بافی",
        "قَالی بافی",
    ];
    let post = |client: &Client, n: usize| {
        client.request(Method::POST, CLUSTERS).json(&cluster(spellings[n], json!({"province": "IR-00"})))
    };
    let (created, refused) = split(at_once(&isipo, 8, post).await, 201);
    assert_eq!((created.len(), refused.len()), (1, 7));
    assert!(
        refused
            .iter()
            .all(|answer| (answer.status, answer.errors()) == (409, vec![("/name_fa", "duplicate")]))
    );
    assert_eq!((total(&isipo, "قالی").await, created[0].body["code"].as_str()), (json!(1), Some("00-0001")));
    assert_eq!(
        register(&isipo, "گلیم", json!({"province": "IR-00"})).await.body["code"],
        "00-0002",
        "what was refused took no code"
    );
}

async fn of_many_puts_of_one_reference_one_creates(service: &Service) {
    let integrator = service.login_integrator().await;
    let put = |client: &Client, _| {
        client.request(Method::PUT, &format!("{CLUSTERS}/by-ref/gis/5")).json(&cluster("ورشو", json!({})))
    };
    let (created, refused) = split(at_once(&integrator, 8, put).await, 201);
    assert_eq!(created.len(), 1);
    assert!(
        refused.iter().all(|answer| [(409, "duplicate"), (428, "precondition_required")]
            .contains(&(answer.status, answer.code()))),
        "{refused:#?}"
    );
    assert_eq!(integrator.get(&format!("{CLUSTERS}/by-ref/gis/5")).await.body, created[0].body);
}

mod a_key_survives_a_restart {
    use super::*;

    async fn on(backend: Backend) {
        let Some(service) = Service::start(backend, |_| {}).await else { return };
        let (lorestan, body) = (service.login("lorestan").await, cluster("ورشو", json!({})));
        let first = lorestan.send(create(&lorestan, "k-1", body.clone())).await;
        assert_eq!(first.status, 201, "{}", first.text);
        let service = service.restart().await;
        let lorestan = service.login("lorestan").await;
        let again = lorestan.send(create(&lorestan, "k-1", body)).await;
        assert_eq!(
            (again.status, again.header("idempotency-replayed"), &again.text),
            (201, "true", &first.text)
        );
        assert_eq!((again.etag(), again.header("location")), (first.etag(), first.header("location")));
        let other = lorestan.send(create(&lorestan, "k-1", cluster("ورشوسازی", json!({})))).await;
        assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
        service.stop().await;
    }

    #[actix_web::test]
    async fn sqlite() {
        on(Backend::Sqlite).await;
    }

    #[actix_web::test]
    async fn postgres() {
        on(Backend::Postgres).await;
    }
}
