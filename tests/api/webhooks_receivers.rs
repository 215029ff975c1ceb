//! Receivers that fail, stall, redirect, are gone or slow: each gets each event at least once, in the order
//! of each record, and the others are not held up.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use khoosheh::{
    store::{
        bulk, now,
        outbox::delivery::{self, State},
    },
    webhooks::payload,
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    clusters::register,
    on_both,
    resilience::until,
    support::{Client, Service},
    webhooks::{
        Manner, Received, create, deliveries, execute, log_of, path_of, post, secret, setting,
        until_in_state, versions,
    },
};

on_both!(
    each_event_comes_at_least_once_in_order_and_signed,
    who_stalls_holds_nobody_up,
    who_lags_has_half_of_the_workers,
    who_is_slow_gets_one_at_a_time,
    a_redirect_is_not_followed,
    gone_switches_off,
    failing_for_days_switches_off,
    an_answer_without_end_keeps_nobody_waiting,
    many_deliveries_are_asked_for_again_in_parts,
    what_fails_to_the_end_is_dead_until_it_is_asked_for,
    the_pauses_grow,
    a_receiver_may_ask_for_a_pause,
);

/// Makes some clusters and changes each some times; gives of each the versions that it has had.
async fn change_much(client: &Client) -> BTreeMap<String, Vec<i64>> {
    let mut made = BTreeMap::new();
    for name in ["ورشو", "گیوه", "خیارشور"] {
        let cluster = register(client, name, json!({})).await;
        for number in 0..3 {
            assert_eq!(
                client
                    .patch(cluster.header("location"), "*", json!({"name_en": format!("N{number}")}))
                    .await
                    .status,
                200
            );
        }
        made.insert(cluster.id().to_owned(), vec![1, 2, 3, 4]);
    }
    made
}

/// The versions of each record, without those that have come again.
fn first_times(received: &[Received]) -> BTreeMap<String, Vec<i64>> {
    let mut versions = versions(received);
    versions.values_mut().for_each(|versions| versions.dedup());
    versions
}

async fn each_event_comes_at_least_once_in_order_and_signed(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_timeout_seconds = 1).await;
    let manners = [
        ("ok", Manner::Status(200)),
        ("fails", Manner::First(2, 500)),
        ("stalls", Manner::Stalls(1)),
        ("redirects", Manner::First(1, 307)),
        ("slow", Manner::Slow(Duration::from_millis(150))),
    ];
    let mut webhooks = Vec::new();
    for (name, manner) in &manners {
        receivers.behave(name, manner.clone());
        webhooks.push(create(&lorestan, &receivers.url(name), &["cluster"]).await);
    }
    let made = change_much(&lorestan).await;
    for ((name, _), webhook) in manners.iter().zip(&webhooks) {
        let taken = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                if receivers.taken(name).len() >= 12 {
                    break receivers.taken(name);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let taken =
            taken.await.unwrap_or_else(|_| panic!("{name} has taken {:?}", versions(&receivers.taken(name))));
        assert_eq!(first_times(&taken), made, "{name}");
        // Nothing of a record comes before what is before it has been taken.
        assert_eq!(first_times(&receivers.requests(name)), made, "{name}");
        assert!(
            receivers.requests(name).iter().all(|received| received.is_signed_with(secret(webhook))),
            "{name}"
        );
        until_in_state(&lorestan, webhook, "delivered", 12).await;
    }
    let of_fails = deliveries(&lorestan, &webhooks[1], "").await;
    assert!(of_fails.iter().all(|delivery| delivery["attempts"].as_i64().unwrap() >= 3), "{of_fails:?}");
    running.stop().await;
    receivers.stop().await;
}

async fn who_stalls_holds_nobody_up(service: &Service) {
    // Fewer workers than the stalled ones would take, if each were given what it may have.
    let (running, receivers, lorestan) = setting(service, "lorestan", |config| {
        config.webhook_workers = 12;
        config.webhook_timeout_seconds = 20;
    })
    .await;
    let mut stalled = Vec::new();
    for name in ["stalls-a", "stalls-b"] {
        receivers.behave(name, Manner::Stalls(usize::MAX));
        stalled.push(create(&lorestan, &receivers.url(name), &["cluster"]).await);
    }
    let ok = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    let made = change_much(&lorestan).await;
    for name in ["الف", "ب", "پ", "ت", "ث", "ج"] {
        register(&lorestan, name, json!({})).await;
    }
    let taken = receivers.until_taken("ok", 18).await;
    assert!(
        versions(&taken)
            .iter()
            .filter(|(id, _)| made.contains_key(*id))
            .all(|(id, versions)| made[id] == *versions)
    );
    until_in_state(&lorestan, &ok, "delivered", 18).await;
    for (webhook, name) in stalled.iter().zip(["stalls-a", "stalls-b"]) {
        let pending = deliveries(&lorestan, webhook, "&state=pending").await;
        assert_eq!(pending.len(), 18);
        assert_eq!(
            receivers.requests(name).len(),
            4,
            "{name}: so many at the same time, each of another record"
        );
        assert_eq!(versions(&receivers.requests(name)).len(), 4, "{name}");
    }
    receivers.stop().await;
    running.stop().await;
}

/// How many receivers have not taken the last delivery at once.
async fn lagging(db: &khoosheh::store::Database) -> i64 {
    let count = Statement::from_string(
        db.get_database_backend(),
        "SELECT count(*) AS n FROM webhook_lane WHERE failures > 0",
    );
    db.query_one_raw(count).await.unwrap().unwrap().try_get("", "n").unwrap()
}

async fn who_lags_has_half_of_the_workers(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |config| {
        config.webhook_workers = 4;
        config.webhook_timeout_seconds = 60;
        config.webhook_retry_seconds = vec![1; 8];
    })
    .await;
    let (names, db) = (["a", "b", "c", "d"], service.database().await);
    for name in names {
        receivers.behave(name, Manner::Status(500));
        create(&lorestan, &receivers.url(name), &["cluster"]).await;
    }
    register(&lorestan, "ورشو", json!({})).await;
    until(async || (lagging(&db).await == 4).then_some(())).await;
    names.iter().for_each(|name| receivers.behave(name, Manner::Stalls(usize::MAX)));
    let stalled = || {
        names
            .iter()
            .flat_map(|name| receivers.requests(name))
            .filter(|received| received.status.is_none())
            .count()
    };
    let is_due = |delivery: &delivery::Model| {
        delivery.claimed_until.is_none() && delivery.next_attempt_at.is_some_and(|at| at <= now())
    };
    until(async || {
        let due = delivery::Entity::find()
            .all(&db)
            .await
            .unwrap()
            .iter()
            .filter(|delivery| is_due(delivery))
            .count();
        (stalled() == 2 && due == 2).then_some(())
    })
    .await;
    let ok = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    for name in ["گیوه", "خیارشور", "گلیم"] {
        register(&lorestan, name, json!({})).await;
    }
    until_in_state(&lorestan, &ok, "delivered", 3).await;
    assert_eq!(stalled(), 2);
    receivers.stop().await;
    running.stop().await;
}

async fn who_is_slow_gets_one_at_a_time(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_timeout_seconds = 3).await;
    let db = service.database().await;
    receivers.behave("slow", Manner::Slow(Duration::from_millis(1_300)));
    let webhook = create(&lorestan, &receivers.url("slow"), &["cluster"]).await;
    register(&lorestan, "ورشو", json!({})).await;
    until_in_state(&lorestan, &webhook, "delivered", 1).await;
    assert_eq!(lagging(&db).await, 1);
    for name in ["گیوه", "خیارشور", "گلیم"] {
        register(&lorestan, name, json!({})).await;
    }
    let under_way = || receivers.requests("slow").iter().filter(|received| received.status.is_none()).count();
    let delivered = until(async || {
        assert!(under_way() <= 1, "two at a time");
        Some(deliveries(&lorestan, &webhook, "&state=delivered").await)
            .filter(|delivered| delivered.len() == 3)
    });
    delivered.await;
    receivers.behave("slow", Manner::Status(204));
    until_in_state(&lorestan, &webhook, "delivered", 4).await;
    register(&lorestan, "سفال", json!({})).await;
    until_in_state(&lorestan, &webhook, "delivered", 5).await;
    assert_eq!(lagging(&db).await, 0, "it is quick again");
    running.stop().await;
    receivers.stop().await;
}

async fn a_redirect_is_not_followed(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = vec![0]).await;
    receivers.behave("moved", Manner::With(308, "location", receivers.url("target")));
    let webhook = create(&lorestan, &receivers.url("moved"), &["cluster"]).await;
    register(&lorestan, "ورشو", json!({})).await;
    let dead = until_in_state(&lorestan, &webhook, "dead", 1).await;
    let log = log_of(&lorestan, &webhook, &dead[0]).await.body["log"].clone();
    assert_eq!((&log[1]["status"], &log[1]["fault"]), (&json!(308), &json!("redirected")));
    assert_eq!((receivers.requests("moved").len(), receivers.requests("target").len()), (2, 0));
    running.stop().await;
    receivers.stop().await;
}

async fn gone_switches_off(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    receivers.behave("gone", Manner::Status(410));
    let (gone, ok) = (
        create(&lorestan, &receivers.url("gone"), &["cluster"]).await,
        create(&lorestan, &receivers.url("ok"), &["cluster"]).await,
    );
    register(&lorestan, "ورشو", json!({})).await;
    let off = until(async || {
        Some(lorestan.get(&path_of(&gone)).await).filter(|webhook| webhook.body["is_active"] == false)
    })
    .await;
    assert_eq!(
        (&off.body["disabled_reason"], off.body["disabled_at"].is_string()),
        (&json!("gone"), true),
        "{}",
        off.text
    );
    let history = lorestan.get(&format!("{}/history", path_of(&gone))).await;
    assert_eq!(
        (&history.body["items"][1]["changed_by_name"], &history.body["is_intact"]),
        (&Value::Null, &json!(true))
    );
    let told = receivers.requests("gone").len();
    register(&lorestan, "گیوه", json!({})).await;
    receivers.until_taken("ok", 2).await;
    assert_eq!(receivers.requests("gone").len(), told, "nothing more is sent");
    // Switched on again, it is told of what it has missed.
    receivers.behave("gone", Manner::Status(200));
    let on = lorestan.patch(&path_of(&gone), "*", json!({"is_active": true})).await;
    assert_eq!(
        (on.status, &on.body["disabled_reason"], &on.body["disabled_at"]),
        (200, &Value::Null, &Value::Null),
        "{}",
        on.text
    );
    assert_eq!(
        versions(&receivers.until_taken("gone", 2).await),
        versions(&receivers.until_taken("ok", 2).await)
    );
    until_in_state(&lorestan, &ok, "delivered", 2).await;
    running.stop().await;
    receivers.stop().await;
}

async fn failing_for_days_switches_off(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = vec![3_600; 9]).await;
    receivers.behave("bad", Manner::Status(500));
    let webhook = create(&lorestan, &receivers.url("bad"), &["cluster"]).await;
    register(&lorestan, "ورشو", json!({})).await;
    let db = service.database().await;
    let attempted = async |count: usize| {
        until(async || {
            let delivery = deliveries(&lorestan, &webhook, "").await.pop()?;
            let log = log_of(&lorestan, &webhook, &delivery).await.body["log"].clone();
            (log.as_array().unwrap().len() == count).then_some(())
        })
        .await
    };
    let an_hour_passes =
        async || execute(&db, "UPDATE webhook_delivery SET next_attempt_at = created_at").await;
    attempted(1).await;
    execute(&db, "UPDATE webhook_lane SET failing_since = '2026-01-01T00:00:00+00:00'").await;
    an_hour_passes().await;
    let off = until(async || {
        Some(lorestan.get(&path_of(&webhook)).await).filter(|webhook| webhook.body["is_active"] == false)
    })
    .await;
    assert_eq!(off.body["disabled_reason"], "failing", "{}", off.text);
    // Switched on, it has as many days again; and one success counts as much.
    assert_eq!(lorestan.patch(&path_of(&webhook), "*", json!({"is_active": true})).await.status, 200);
    an_hour_passes().await;
    attempted(3).await;
    assert_eq!(lorestan.get(&path_of(&webhook)).await.body["is_active"], true);
    receivers.behave("bad", Manner::Status(204));
    an_hour_passes().await;
    until_in_state(&lorestan, &webhook, "delivered", 1).await;
    let failing = Statement::from_string(
        db.get_database_backend(),
        "SELECT 1 FROM webhook_lane WHERE failing_since IS NOT NULL",
    );
    assert!(db.query_one_raw(failing).await.unwrap().is_none());
    running.stop().await;
    receivers.stop().await;
}

async fn an_answer_without_end_keeps_nobody_waiting(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |config| {
        config.webhook_workers = 2;
        config.webhook_timeout_seconds = 60;
    })
    .await;
    receivers.behave("dribbles", Manner::Dribbles);
    let endless = create(&lorestan, &receivers.url("dribbles"), &["cluster"]).await;
    let ok = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    register(&lorestan, "ورشو", json!({})).await;
    until_in_state(&lorestan, &endless, "delivered", 1).await;
    until_in_state(&lorestan, &ok, "delivered", 1).await;
    running.stop().await;
    receivers.stop().await;
}

async fn many_deliveries_are_asked_for_again_in_parts(service: &Service) {
    let (lorestan, db) = (service.login("lorestan").await, service.database().await);
    let webhook = create(&lorestan, "https://erp.example.ir/", &["cluster"]).await;
    let begin = now();
    let delivery = |number: i64| delivery::Model {
        event: "cluster.upsert".to_owned(),
        resource: Some("clusters".to_owned()),
        record_id: Some(Uuid::now_v7()),
        seq: Some(-number),
        state: State::Dead,
        next_attempt_at: None,
        ..payload::ping(webhook.id().parse().unwrap(), begin + TimeDelta::milliseconds(number))
    };
    let dead: Vec<_> = (0..10_002).map(delivery).collect();
    let last = dead[10_000].created_at;
    bulk::insert_all(&db, dead.into_iter().map(|row| row.into_active_model().reset_all()).collect())
        .await
        .unwrap();
    let replay = async |body: Value| lorestan.post(&format!("{}/replay", path_of(&webhook)), body).await.body;
    let first = replay(json!({"state": "dead"})).await;
    assert_eq!((&first["count"], &first["next_since"]), (&json!(10_000), &json!(last)), "{first}");
    let second = replay(json!({"state": "dead", "since": first["next_since"]})).await;
    assert_eq!(second, json!({"count": 2, "next_since": null}));
}

async fn what_fails_to_the_end_is_dead_until_it_is_asked_for(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = vec![0, 0]).await;
    receivers.behave("bad", Manner::Status(500));
    let webhook = create(&lorestan, &receivers.url("bad"), &["cluster"]).await;
    let made = change_much(&lorestan).await;
    // Later ones of the same record go on.
    let dead = until_in_state(&lorestan, &webhook, "dead", 12).await;
    assert!(
        dead.iter().all(|delivery| delivery["attempts"] == 3 && delivery["next_attempt_at"].is_null()),
        "{dead:?}"
    );
    assert_eq!(first_times(&receivers.requests("bad")), made);

    receivers.behave("bad", Manner::Status(200));
    let replay_path = format!("{}/replay", path_of(&webhook));
    let replay = |body| lorestan.post(&replay_path, body);
    let nothing = replay(json!({})).await;
    assert_eq!((nothing.status, nothing.errors()), (422, vec![("", "nothing_chosen")]));
    assert_eq!(
        replay(json!({"since": "2999-01-01T00:00:00Z"})).await.body,
        json!({"count": 0, "next_since": null})
    );
    let one = post(
        &lorestan,
        &format!("{}/deliveries/{}/replay", path_of(&webhook), dead[0]["id"].as_str().unwrap()),
    )
    .await;
    assert_eq!(
        (one.status, &one.body["state"], &one.body["id"]),
        (200, &json!("pending"), &dead[0]["id"]),
        "{}",
        one.text
    );
    let taken = receivers.until_taken("bad", 1).await;
    assert_eq!((taken.len(), taken[0].id()), (1, dead[0]["id"].as_str().unwrap()), "under its id of before");
    until_in_state(&lorestan, &webhook, "dead", 11).await;
    assert_eq!(replay(json!({"state": "dead"})).await.body, json!({"count": 11, "next_since": null}));
    assert_eq!(versions(&receivers.until_taken("bad", 12).await), made, "in order");
    until_in_state(&lorestan, &webhook, "delivered", 12).await;
    let all = replay(json!({"since": dead[4]["created_at"], "state": "delivered"})).await.body["count"]
        .as_u64()
        .unwrap();
    assert!((1..=12).contains(&all), "{all}");
    until(async || (receivers.taken("bad").len() == 12 + all as usize).then_some(())).await;
    let again: Vec<_> = receivers.taken("bad").split_off(12);
    assert!(versions(&again).values().all(|versions| versions.is_sorted()));
    running.stop().await;
    receivers.stop().await;
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no moment")).parse().unwrap()
}

async fn the_pauses_grow(service: &Service) {
    let usual = khoosheh::config::Config::default().webhook_retry_seconds;
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = usual.clone()).await;
    let db = service.database().await;
    receivers.behave("bad", Manner::Status(500));
    let webhook = create(&lorestan, &receivers.url("bad"), &["cluster"]).await;
    register(&lorestan, "ورشو", json!({})).await;
    for (number, seconds) in usual.iter().enumerate() {
        let delivery = until(async || {
            let found = deliveries(&lorestan, &webhook, "").await.pop()?;
            let log = log_of(&lorestan, &webhook, &found).await;
            (log.body["log"].as_array().unwrap().len() == number + 1).then_some(log)
        })
        .await;
        let began = moment(&delivery.body["log"][number]["attempted_at"]);
        let pause = (moment(&delivery.body["next_attempt_at"]) - began).num_milliseconds() as f64 / 1_000.0;
        let seconds = *seconds as f64;
        assert!(
            pause >= seconds * 0.9 && pause <= seconds * 1.1 + 3.0,
            "after attempt {}: {pause} s, not {seconds}",
            number + 1
        );
        // The time passes.
        execute(&db, "UPDATE webhook_delivery SET next_attempt_at = created_at, created_at = '2026-01-01T00:00:00+00:00' WHERE state = 'pending'")
            .await;
    }
    let dead = until_in_state(&lorestan, &webhook, "dead", 1).await;
    assert_eq!(dead[0]["attempts"], 10);
    // A receiver takes no event that was signed more than five minutes ago (Standard Webhooks): each attempt
    // is signed when it is made.
    assert!(receivers.requests("bad").iter().all(|received| received.is_signed_with(secret(&webhook))));
    running.stop().await;
    receivers.stop().await;
}

async fn a_receiver_may_ask_for_a_pause(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let date = (Utc::now() + TimeDelta::hours(2)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let cases = [
        ("seconds", "3600".to_owned(), TimeDelta::hours(1)),
        ("date", date, TimeDelta::hours(2)),
        ("absurd", "4000000000".to_owned(), TimeDelta::days(1)),
        ("nonsense", "soon".to_owned(), TimeDelta::zero()),
    ];
    let mut webhooks = Vec::new();
    for (name, value, _) in &cases {
        receivers.behave(name, Manner::With(503, "retry-after", value.clone()));
        webhooks.push(create(&lorestan, &receivers.url(name), &["cluster"]).await);
    }
    register(&lorestan, "ورشو", json!({})).await;
    for ((name, _, expected), webhook) in cases.iter().zip(&webhooks).take(3) {
        let delivery = until(async || {
            let found = deliveries(&lorestan, webhook, "").await.pop()?;
            let log = log_of(&lorestan, webhook, &found).await;
            (log.body["log"].as_array().unwrap().len() == 1).then_some(log)
        })
        .await;
        let pause =
            moment(&delivery.body["next_attempt_at"]) - moment(&delivery.body["log"][0]["attempted_at"]);
        assert!((pause - *expected).abs() < TimeDelta::seconds(10), "{name}: {pause}");
    }
    until_in_state(&lorestan, &webhooks[3], "dead", 1).await;
    running.stop().await;
    receivers.stop().await;
}
