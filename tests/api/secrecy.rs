//! What an answer gives away besides its content: to whoever may not see a record, who has logged out, or who
//! stores answers on their way.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api_clients::client_with,
    cdas,
    clusters::{CLUSTERS, cluster, register},
    imports::send,
    on_both,
    support::{Answer, Client, PASSWORD, Service},
    sweep::operations,
    webhooks::{log_of, setting, until_in_state},
};

on_both!(
    nobody_learns_what_is_wrong_below_a_record_that_is_not_there,
    personal_answers_are_stored_nowhere,
    a_kept_answer_is_for_those_who_may_still_see_it,
    events_end_with_the_session,
    a_name_of_a_private_network_is_no_other_than_none,
    a_name_has_no_hidden_characters,
);

async fn nobody_learns_what_is_wrong_below_a_record_that_is_not_there(service: &Service) {
    let admin = service.login("admin").await;
    let mut tried = 0;
    for operation in
        operations().iter().filter(|operation| !operation.media_types().is_empty() && !operation.takes_file())
    {
        if !operation.pattern.contains('{') || operation.pattern.contains("by-ref") {
            continue;
        }
        let path = operation.path(|_| Uuid::new_v4().to_string());
        for body in [json!({"nonsense": 1}), json!([])] {
            let answer =
                admin.send(operation.with_body(admin.request(operation.method.clone(), &path), &body)).await;
            assert_eq!(
                (answer.status, answer.code()),
                (404, "not_found"),
                "{} {body}: {}",
                operation.id(),
                answer.text
            );
            tried += 1;
        }
    }
    assert!(tried > 80, "only {tried}");
}

async fn personal_answers_are_stored_nowhere(service: &Service) {
    let (lorestan, viewer) = (service.login("lorestan").await, service.login("ministry").await);
    let cda = cdas::register(&lorestan, json!({})).await;
    let path = cda.header("location");
    let own = format!("/api/v1/{}", path.trim_start_matches("/api/v1/"));
    for path in
        [own.clone(), format!("{own}/history"), cdas::CDAS.to_owned(), format!("{}?format=csv", cdas::CDAS)]
    {
        assert_eq!(lorestan.get(&path).await.header("cache-control"), "no-store", "{path}");
        assert_eq!(viewer.get(&path).await.header("cache-control"), "private, no-cache", "{path}: masked");
    }
    assert_eq!(cda.header("cache-control"), "no-store");
    assert_eq!(lorestan.get(CLUSTERS).await.header("cache-control"), "private, no-cache");
}

async fn a_kept_answer_is_for_those_who_may_still_see_it(service: &Service) {
    let (admin, isipo) = (service.login("admin").await, service.login("isipo").await);
    let (made, erp) = client_with(&admin, "erp", &["clusters:read", "clusters:write"], json!("IR-15")).await;
    let send = async |client: &Client, key: &str| {
        client
            .send(
                client
                    .request(Method::POST, CLUSTERS)
                    .header("idempotency-key", key)
                    .json(&cluster(key, json!({}))),
            )
            .await
    };
    let first = send(&erp, "A").await;
    assert_eq!((first.status, send(&erp, "A").await.header("idempotency-replayed")), (201, "true"));
    let moved = async |cluster: &Answer, province: &str| {
        assert_eq!(
            isipo.patch(cluster.header("location"), "*", json!({"province": province})).await.status,
            200
        );
    };
    moved(&first, "IR-08").await;
    let replayed = send(&erp, "A").await;
    assert_eq!((replayed.status, replayed.code()), (403, "outside_scope"), "{}", replayed.text);
    moved(&first, "IR-15").await;
    assert_eq!(send(&erp, "A").await.status, 201);
    // The account itself belongs elsewhere by now.
    assert_eq!(admin.patch(made.header("location"), "*", json!({"province": "IR-08"})).await.status, 200);
    let token = crate::api_clients::token(&admin, "erp", crate::api_clients::secret(&made)).await;
    let elsewhere = admin.with_token(token.body["access_token"].as_str().unwrap());
    assert_eq!(send(&elsewhere, "A").await.code(), "outside_scope");
}

async fn events_end_with_the_session(service: &Service) {
    let anonymous = service.anonymous();
    let form = [("grant_type", "password"), ("username", "lorestan"), ("password", PASSWORD)];
    let session = anonymous.form("/api/v1/auth/token", &form).await;
    let lorestan = anonymous.with_token(session.body["access_token"].as_str().unwrap());
    let rows = |number: usize| format!("E-{number},واحد {number},IR-15,2396\n");
    let file = "key,name_fa,province,isic\n".to_owned() + &(0..4_000).map(rows).collect::<String>();
    let sent = send(&lorestan, "resource=enterprises&mode=apply&system=erp", "text/csv", file).await;
    let events =
        lorestan.request(Method::GET, &format!("{}/events", sent.header("location"))).send().await.unwrap();
    let mut events = events.bytes_stream();
    assert!(events.next().await.unwrap().is_ok());
    let token = session.body["refresh_token"].as_str().unwrap();
    assert_eq!(anonymous.form("/api/v1/auth/revoke", &[("token", token)]).await.status, 200);
    let rest: Vec<_> = events.collect().await;
    let text: String =
        rest.into_iter().map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap()).collect();
    assert!(!text.contains("finished"), "{text}");
}

async fn a_name_of_a_private_network_is_no_other_than_none(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |config| {
        (config.webhook_networks, config.webhook_retry_seconds) = (Vec::new(), vec![3_600])
    })
    .await;
    let mut faults = Vec::new();
    for host in ["localhost", "nobody.invalid"] {
        let created = lorestan
            .post("/api/v1/webhooks", json!({"url": format!("https://{host}/"), "resources": ["cluster"]}))
            .await;
        assert_eq!(created.status, 201, "{}", created.text);
        register(&lorestan, &format!("خوشهٔ {host}"), json!({})).await;
        let tried = crate::resilience::until(async || {
            let waiting = until_in_state(&lorestan, &created, "pending", 1).await;
            let log = log_of(&lorestan, &created, &waiting[0]).await.body["log"].clone();
            log.as_array().is_some_and(|log| !log.is_empty()).then_some(log)
        })
        .await;
        faults.push((tried[0]["fault"].clone(), tried[0]["status"].clone(), tried[0]["answer"].clone()));
    }
    assert_eq!(faults[0], faults[1]);
    assert_eq!(faults[0].0, "unreachable");
    running.stop().await;
    receivers.stop().await;
}

async fn a_name_has_no_hidden_characters(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for hidden in [
        '\u{202e}', '\u{2066}', '\u{200f}', '\u{200d}', '\u{7}', '\u{85}', '\n', '\u{2028}', '\u{feff}',
        '\u{ad}',
    ] {
        let name = format!("سنگ{hidden}ازنا");
        for (field, value, pointer) in
            [("name_fa", json!(name), "/name_fa"), ("aliases", json!(["سنگ", name]), "/aliases/1")]
        {
            let refused = lorestan.post(CLUSTERS, cluster("نمونه", json!({ field: value }))).await;
            assert_eq!(
                (refused.status, refused.errors()),
                (422, vec![(pointer, "wrong_format")]),
                "{hidden:?}: {}",
                refused.text
            );
        }
    }
    let created =
        lorestan.post(CLUSTERS, cluster("نیم\u{200c}فاصله", json!({"aliases": ["می\u{200c}شود"]}))).await;
    assert_eq!(
        (created.status, &created.body["name_fa"]),
        (201, &Value::from("نیم\u{200c}فاصله")),
        "{}",
        created.text
    );
}
