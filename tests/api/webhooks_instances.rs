//! Webhooks with many workers in several instances, and with processes that are killed.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use khoosheh::{
    clusters,
    policy::Caller,
    store::{
        Transaction,
        outbox::{self, Lanes, Outcome, attempt},
    },
};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};
use serde_json::json;

use crate::{
    clusters::register,
    on_both, on_each,
    process::Server,
    resilience::until,
    support::{Backend, Scratch, Service},
    webhooks::{
        Manner, Receivers, create, deliveries, execute, log_of, path_of, post, secret, sending, setting,
        until_in_state, versions,
    },
};

on_both!(
    two_instances_send_each_event_once,
    what_a_lost_instance_has_claimed_is_sent_by_another,
    many_changes_at_once_are_each_told_once
);

async fn two_instances_send_each_event_once(service: &Service) {
    let (first, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let (second, there) = service.beside(sending).await;
    let there = there.with_token(lorestan.token.as_ref().unwrap());
    let names = ["a", "b", "c"];
    let mut webhooks = Vec::new();
    for name in names {
        receivers.behave(name, Manner::Slow(std::time::Duration::from_millis(5)));
        webhooks.push(create(&lorestan, &receivers.url(name), &["cluster"]).await);
    }
    let writers = (0..6).map(|writer| {
        let client = if writer % 2 == 0 { lorestan.clone() } else { there.clone() };
        tokio::spawn(async move {
            let cluster = register(&client, &format!("خوشهٔ {writer}"), json!({})).await;
            for number in 0..9 {
                assert_eq!(
                    client
                        .patch(cluster.header("location"), "*", json!({"name_en": format!("N{number}")}))
                        .await
                        .status,
                    200
                );
            }
            (cluster.id().to_owned(), (1..=10).collect::<Vec<i64>>())
        })
    });
    let made: BTreeMap<_, _> =
        futures_util::future::join_all(writers).await.into_iter().map(Result::unwrap).collect();
    for (name, webhook) in names.iter().zip(&webhooks) {
        let delivered = until_in_state(&lorestan, webhook, "delivered", 60).await;
        assert!(delivered.iter().all(|delivery| delivery["attempts"] == 1), "{name}: claimed twice");
        assert_eq!(versions(&receivers.requests(name)), made, "{name}: each once, in order");
    }
    first.stop().await;
    second.stop().await;
    receivers.stop().await;
}

async fn what_a_lost_instance_has_claimed_is_sent_by_another(service: &Service) {
    let (silent, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_workers = 0).await;
    let webhook = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    let asked = post(&lorestan, &format!("{}/test", path_of(&webhook))).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let db = service.database().await;
    let claim = async || outbox::claim(&db, Lanes::Prompt, 10, TimeDelta::seconds(3)).await.unwrap();
    let claimed = claim().await;
    assert_eq!((claimed.len(), claim().await.len()), (1, 0));
    let (other, _) = service.beside(sending).await;
    let delivered = until_in_state(&lorestan, &webhook, "delivered", 1).await;
    assert_eq!((&delivered[0]["id"], &delivered[0]["attempts"]), (&json!(claimed[0].id), &json!(2)));
    assert_eq!(log_of(&lorestan, &webhook, &delivered[0]).await.body["log"][0]["number"], 2);
    // The lost one was only slow: its claim has lapsed, and what came of it changes nothing.
    let [late] = claimed.as_slice() else { panic!("{claimed:?}") };
    let attempt = attempt::Model {
        delivery_id: late.id,
        number: late.attempts,
        attempted_at: khoosheh::store::now(),
        duration_ms: 5_000,
        status: Some(500),
        fault: Some(attempt::Fault::Refused),
        answer: None,
    };
    outbox::record_outcome(&db, late, attempt, Outcome::Dead).await.unwrap();
    assert_eq!(until_in_state(&lorestan, &webhook, "delivered", 1).await[0]["id"], delivered[0]["id"]);
    for running in [silent, other] {
        running.stop().await;
    }
    receivers.stop().await;
}

/// More changes than one step takes, and more than a webhook is given in it.
async fn many_changes_at_once_are_each_told_once(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_timeout_seconds = 20).await;
    let mut webhooks = Vec::new();
    for name in ["a", "b"] {
        receivers.behave(name, Manner::Stalls(usize::MAX));
        webhooks.push(create(&lorestan, &receivers.url(name), &["cluster"]).await);
    }
    let cluster = register(&lorestan, "ورشو", json!({})).await;
    let db = service.database().await;
    let another =
        if db.get_database_backend() == DbBackend::Postgres { "gen_random_uuid()" } else { "randomblob(16)" };
    let copies = format!(
        "INSERT INTO change_log (resource, record_id, version, kind, province, changed_at, changed_by, request_id, data, previous_hash, hash) \
         WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 1300) \
         SELECT resource, {another}, version, kind, province, changed_at, changed_by, request_id, data, previous_hash, hash \
         FROM change_log, n WHERE request_id = '{}'",
        cluster.header("x-request-id")
    );
    execute(&db, &copies).await;
    for webhook in &webhooks {
        let path = format!("{}/deliveries", path_of(webhook));
        until(async || (lorestan.count(&path).await == 1_301).then_some(())).await;
        let once = "SELECT count(*) AS n FROM webhook_delivery WHERE seq IS NOT NULL GROUP BY webhook_id, seq HAVING count(*) > 1";
        assert!(
            db.query_one_raw(Statement::from_string(db.get_database_backend(), once))
                .await
                .unwrap()
                .is_none()
        );
        // A step that finds nothing new adds nothing.
        register(&lorestan, &format!("خوشهٔ {}", webhook.id()), json!({})).await;
    }
    until(async || {
        (lorestan.count(&format!("{}/deliveries", path_of(&webhooks[0]))).await == 1_303).then_some(())
    })
    .await;
    receivers.stop().await;
    running.stop().await;
}

/// On PostgreSQL a transaction may take its numbers first and commit last.
#[actix_web::test]
async fn what_commits_late_is_sent_too() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let (running, receivers, lorestan) = setting(&service, "lorestan", |_| {}).await;
    let db = service.database().await;
    let stone: uuid::Uuid = lorestan.cluster_named("سنگ").await.id().parse().unwrap();
    let before = clusters::entity::Entity::find_by_id(stone).one(&db).await.unwrap().unwrap();
    // Written before the webhook is made, and committed after it.
    let late = Transaction::begin(&db, Caller::service(), "late".to_owned()).await.unwrap();
    late.update(&before, clusters::entity::Model { employment_total: Some(7), ..before.clone() })
        .await
        .unwrap();
    create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    let early = register(&lorestan, "ورشو", json!({})).await;
    assert_eq!(
        versions(&receivers.until_taken("ok", 1).await),
        BTreeMap::from([(early.id().to_owned(), vec![1])])
    );
    late.commit().await.unwrap();
    let all = versions(&receivers.until_taken("ok", 2).await);
    assert_eq!(
        all,
        BTreeMap::from([(early.id().to_owned(), vec![1]), (stone.to_string(), vec![before.version + 1])])
    );
    running.stop().await;
    receivers.stop().await;
    service.stop().await;
}

on_each!(a_kill_in_mid_delivery_loses_nothing);

async fn a_kill_in_mid_delivery_loses_nothing(backend: Backend) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let variables = [
        ("KHOOSHEH_WEBHOOK_NETWORKS", "[\"127.0.0.0/8\"]"),
        ("KHOOSHEH_WEBHOOK_RETRY_SECONDS", "[0, 0, 0]"),
        ("KHOOSHEH_WEBHOOK_TIMEOUT_SECONDS", "1"),
    ];
    let receivers = Receivers::start();
    receivers.behave("stalls", Manner::Stalls(1));
    let server = Server::serve(&scratch.url, &variables).await;
    let client = server.client().login("lorestan").await;
    let webhook = create(&client, &receivers.url("stalls"), &["cluster"]).await;
    let mut made = BTreeMap::new();
    for name in ["ورشو", "گیوه", "خیارشور"] {
        let cluster = register(&client, name, json!({})).await;
        assert_eq!(
            client
                .patch(cluster.header("location"), "*", json!({"name_en": name.len().to_string()}))
                .await
                .status,
            200
        );
        made.insert(cluster.id().to_owned(), vec![1, 2]);
    }
    // It has sent, and knows nothing of what came of it.
    until(async || (!receivers.requests("stalls").is_empty()).then_some(())).await;
    server.kill();
    let server = Server::serve(&scratch.url, &variables).await;
    let client = server.client().login("lorestan").await;
    until_in_state(&client, &webhook, "delivered", 6).await;
    let mut taken = versions(&receivers.taken("stalls"));
    taken.values_mut().for_each(|versions| versions.dedup());
    assert_eq!(taken, made);
    assert!(receivers.requests("stalls").iter().all(|received| received.is_signed_with(secret(&webhook))));
    let attempts = deliveries(&client, &webhook, "")
        .await
        .iter()
        .map(|delivery| delivery["attempts"].as_i64().unwrap())
        .sum::<i64>();
    assert!(
        attempts >= receivers.requests("stalls").len() as i64,
        "each attempt is counted before it is made"
    );
    server.kill();
    receivers.stop().await;
    scratch.remove().await;
}
