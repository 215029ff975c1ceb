//! Who is told of what: a webhook sees what the account behind it may see, at the time.

use serde_json::{Value, json};

use crate::{
    api_clients::{client_with, secret, token},
    cdas,
    clusters::{CLUSTERS, register},
    on_both,
    resilience::until,
    support::{Answer, Client, PASSWORD, Service},
    webhooks::{
        Manner, Received, Receivers, WEBHOOKS, create, deliveries, execute, log_of, path_of, post, setting,
        until_in_state,
    },
};

on_both!(
    a_province_is_told_of_its_own,
    nobody_asks_for_what_they_may_not_read,
    a_change_by_somebody_else_widens_nothing,
    a_webhook_that_lost_its_owner_gets_another_with_no_wider_rights,
    only_the_owner_and_administrators_renew_a_secret,
    personal_data_is_masked_as_for_the_account,
    a_webhook_is_told_no_more_than_the_token_that_made_it,
    what_a_receiver_repeats_is_for_those_who_may_see_it,
    an_account_that_is_shut_out_is_told_nothing,
    what_waits_for_who_is_shut_out_is_kept,
    what_may_not_be_read_any_more_is_not_sent,
    what_belongs_to_the_nation_is_kept_by_it,
);

fn told(received: &[Received]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut told: Vec<_> = received
        .iter()
        .map(|received| received.event())
        .map(|event| (text(&event["type"]), text(&event["data"]["id"])))
        .collect();
    told.sort();
    told
}

async fn a_province_is_told_of_its_own(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let (isipo, kerman) = (lorestan.login("isipo").await, lorestan.login("kerman").await);
    for (client, name) in [(&lorestan, "lorestan"), (&kerman, "kerman"), (&isipo, "nation")] {
        create(client, &receivers.url(name), &["cluster", "organisation"]).await;
    }
    let of_province = isipo
        .post(
            WEBHOOKS,
            json!({"url": receivers.url("of-kerman"), "resources": ["cluster"], "province": "IR-08"}),
        )
        .await;
    assert_eq!(
        (of_province.status, &of_province.body["province"]),
        (201, &json!("IR-08")),
        "{}",
        of_province.text
    );
    let silver = register(&lorestan, "ورشو", json!({})).await;
    let bank = isipo.post("/api/v1/organisations", json!({"kind": "bank", "name_fa": "بانک نمونه"})).await;
    let honey = isipo.cluster_named("عسل").await;
    assert_eq!(
        isipo.patch(&format!("{CLUSTERS}/{}", honey.id()), "*", json!({"province": "IR-08"})).await.status,
        200
    );
    let event = |kind: &str, record: &Answer| (kind.to_owned(), record.id().to_owned());
    let sorted = |mut events: Vec<_>| {
        events.sort();
        events
    };
    for (name, expected) in [
        (
            "lorestan",
            vec![
                event("cluster.out_of_scope", &honey),
                event("cluster.upsert", &silver),
                event("organisation.upsert", &bank),
            ],
        ),
        ("kerman", vec![event("cluster.upsert", &honey), event("organisation.upsert", &bank)]),
        (
            "nation",
            vec![
                event("cluster.upsert", &honey),
                event("cluster.upsert", &silver),
                event("organisation.upsert", &bank),
            ],
        ),
        ("of-kerman", vec![event("cluster.upsert", &honey)]),
    ] {
        let taken = receivers.until_taken(name, expected.len()).await;
        assert_eq!(told(&taken), sorted(expected), "{name}");
    }
    let left = receivers
        .taken("lorestan")
        .into_iter()
        .map(|received| received.event())
        .find(|event| event["type"] == "cluster.out_of_scope");
    assert_eq!(left.unwrap()["data"]["data"], Value::Null);
    running.stop().await;
    receivers.stop().await;
}

async fn nobody_asks_for_what_they_may_not_read(service: &Service) {
    let admin = service.login("admin").await;
    let (_, erp) = client_with(&admin, "erp", &["webhooks:manage", "clusters:read"], json!("IR-15")).await;
    let asked = |resources: Value| json!({"url": "https://erp.example.ir/", "resources": resources});
    let refused = erp.post(WEBHOOKS, asked(json!(["cluster", "project"]))).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    let webhook = erp.post(WEBHOOKS, asked(json!(["cluster", "cluster_claim"]))).await;
    assert_eq!(webhook.status, 201, "{}", webhook.text);
    let refused = erp.patch(&path_of(&webhook), "*", json!({"resources": ["project"]})).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    let elsewhere = json!({"url": "https://erp.example.ir/", "resources": ["cluster"], "province": "IR-08"});
    let refused = erp.post(WEBHOOKS, elsewhere).await;
    assert_eq!((refused.status, refused.code()), (403, "outside_scope"), "{}", refused.text);
    // Its deliveries tell of the province of before.
    for moved in ["IR-08", "IR-15"] {
        let national = create(&service.login("isipo").await, "https://erp.example.ir/", &["cluster"]).await;
        let refused =
            service.login("isipo").await.patch(&path_of(&national), "*", json!({"province": moved})).await;
        assert_eq!(refused.errors(), [("/province", "immutable")]);
    }
    let (_, reader) = client_with(&admin, "reader", &["changes:read", "clusters:read"], json!("IR-15")).await;
    for refused in [
        reader.get(WEBHOOKS).await,
        reader.post(WEBHOOKS, asked(json!(["cluster"]))).await,
        reader.get(&path_of(&webhook)).await,
    ] {
        assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    }
}

async fn a_change_by_somebody_else_widens_nothing(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let admin = lorestan.login("admin").await;
    let scopes = ["webhooks:manage", "cdas:read"];
    let (made, erp) = client_with(&admin, "erp", &scopes, json!("IR-15")).await;
    let (_, other) = client_with(&admin, "other", &scopes, json!("IR-15")).await;
    let masked = create(&erp, &receivers.url("masked"), &["cda"]).await;
    // Whoever may see more changes it, and gives it an address: its owner may not see more by that.
    for change in [
        json!({"description": "x"}),
        json!({"url": receivers.url("moved")}),
        json!({"is_active": false}),
        json!({"is_active": true}),
    ] {
        let changed = lorestan.patch(&path_of(&masked), "*", change).await;
        assert_eq!(
            (changed.status, &changed.body["account_id"]),
            (200, &made.body["id"]),
            "{}",
            changed.text
        );
    }
    let widened = lorestan.patch(&path_of(&masked), "*", json!({"resources": ["cda", "cluster"]})).await;
    assert_eq!(
        (widened.status, widened.errors()),
        (422, vec![("/resources", "not_permitted")]),
        "{}",
        widened.text
    );
    // Whoever may see less has the events of another sent to itself: as masked as it sees them.
    let clear = create(&lorestan, &receivers.url("clear"), &["cda"]).await;
    assert_eq!(other.patch(&path_of(&clear), "*", json!({"url": receivers.url("taken")})).await.status, 200);
    let kept = create(&lorestan, &receivers.url("kept"), &["cda"]).await;
    assert_eq!(other.patch(&path_of(&kept), "*", json!({"description": "x"})).await.status, 200);
    let cda = cdas::register(&lorestan, json!({})).await;
    let own = cda.body["national_code"].as_str().unwrap();
    let stars = format!("******{}", &own[6..]);
    for (name, told) in [("moved", stars.as_str()), ("taken", &stars), ("kept", own)] {
        assert_eq!(code_told(&receivers, name).await, told, "{name}");
    }
    running.stop().await;
    receivers.stop().await;
}

async fn a_webhook_that_lost_its_owner_gets_another_with_no_wider_rights(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let admin = lorestan.login("admin").await;
    let (made, erp) = client_with(&admin, "erp", &["webhooks:manage", "cdas:read"], json!("IR-15")).await;
    let webhook = create(&erp, &receivers.url("erp"), &["cda"]).await;
    assert_eq!(admin.delete(made.header("location"), "*").await.status, 204);
    let cda = cdas::register(&lorestan, json!({})).await;
    until(async || {
        Some(admin.get(&path_of(&webhook)).await.body).filter(|webhook| webhook["is_active"] == false)
    })
    .await;
    let taken_over = lorestan.patch(&path_of(&webhook), "*", json!({"is_active": true})).await;
    assert_eq!(taken_over.status, 200, "{}", taken_over.text);
    assert_ne!(taken_over.body["account_id"], made.body["id"]);
    assert_eq!(
        code_told(&receivers, "erp").await,
        format!("******{}", &cda.body["national_code"].as_str().unwrap()[6..])
    );
    running.stop().await;
    receivers.stop().await;
}

async fn only_the_owner_and_administrators_renew_a_secret(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let (_, erp) = client_with(&admin, "erp", &["webhooks:manage", "clusters:read"], json!("IR-15")).await;
    let webhook = create(&lorestan, "https://erp.example.ir/", &["cluster"]).await;
    let renew = async |client: &Client| post(client, &format!("{}/secret", path_of(&webhook))).await;
    for refused in [renew(&erp).await, renew(&service.login("isipo").await).await] {
        assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{}", refused.text);
    }
    for allowed in [&lorestan, &admin] {
        assert_eq!(renew(allowed).await.status, 200);
    }
}

/// A CDA is made; gives the national code that a receiver is told.
async fn code_told(receivers: &Receivers, name: &str) -> String {
    let taken = receivers.until_taken(name, 1).await;
    taken[0].event()["data"]["data"]["national_code"].as_str().unwrap().to_owned()
}

async fn personal_data_is_masked_as_for_the_account(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let admin = lorestan.login("admin").await;
    let (_, erp) = client_with(&admin, "erp", &["webhooks:manage", "cdas:read"], json!("IR-15")).await;
    create(&erp, &receivers.url("masked"), &["cda"]).await;
    create(&lorestan, &receivers.url("clear"), &["cda"]).await;
    let cda = cdas::register(&lorestan, json!({})).await;
    let own = cda.body["national_code"].as_str().unwrap();
    assert_eq!(code_told(&receivers, "clear").await, own);
    assert_eq!(code_told(&receivers, "masked").await, format!("******{}", &own[6..]));
    running.stop().await;
    receivers.stop().await;
}

async fn a_webhook_is_told_no_more_than_the_token_that_made_it(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let form = [
        ("grant_type", "password"),
        ("username", "lorestan"),
        ("password", PASSWORD),
        ("scope", "webhooks:manage cdas:read"),
    ];
    let token = lorestan.form("/api/v1/auth/token", &form).await;
    let narrow = lorestan.with_token(token.body["access_token"].as_str().unwrap());
    let webhook = create(&narrow, &receivers.url("narrow"), &["cda"]).await;
    let cda = cdas::register(&lorestan, json!({})).await;
    let own = cda.body["national_code"].as_str().unwrap();
    assert_eq!(code_told(&receivers, "narrow").await, format!("******{}", &own[6..]));
    // Whoever changes it stands behind it with what that token allows.
    let url = receivers.url("wide");
    assert_eq!(lorestan.patch(&path_of(&webhook), "*", json!({"url": url})).await.status, 200);
    let second = cdas::register(&lorestan, json!({})).await;
    assert_eq!(code_told(&receivers, "wide").await, second.body["national_code"].as_str().unwrap());
    running.stop().await;
    receivers.stop().await;
}

async fn what_a_receiver_repeats_is_for_those_who_may_see_it(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let (_, erp) =
        client_with(&lorestan.login("admin").await, "erp", &["webhooks:manage"], json!("IR-15")).await;
    receivers.behave("echo", Manner::Says(200, "0000000019".to_owned()));
    let webhook = create(&lorestan, &receivers.url("echo"), &["cluster"]).await;
    register(&lorestan, "ورشو", json!({})).await;
    let delivered = until_in_state(&lorestan, &webhook, "delivered", 1).await;
    assert_eq!(log_of(&lorestan, &webhook, &delivered[0]).await.body["log"][0]["answer"], "0000000019");
    assert_eq!(log_of(&erp, &webhook, &delivered[0]).await.body["log"][0]["answer"], Value::Null);
    running.stop().await;
    receivers.stop().await;
}

/// Switches a webhook on as an account that was admitted again.
async fn switch_on(admin: &Client, account: &Answer, webhook: &Answer) {
    let token = token(admin, "erp", secret(account)).await;
    let erp = admin.with_token(token.body["access_token"].as_str().unwrap());
    assert_eq!(erp.patch(&path_of(webhook), "*", json!({"is_active": true})).await.status, 200);
}

async fn what_waits_for_who_is_shut_out_is_kept(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = vec![1; 20]).await;
    let admin = lorestan.login("admin").await;
    let (made, erp) = client_with(&admin, "erp", &["webhooks:manage", "clusters:read"], json!("IR-15")).await;
    receivers.behave("erp", Manner::Status(500));
    let webhook = create(&erp, &receivers.url("erp"), &["cluster"]).await;
    let cluster = register(&lorestan, "ورشو", json!({})).await;
    assert_eq!(
        lorestan.patch(cluster.header("location"), "*", json!({"name_en": "Nickel silver"})).await.status,
        200
    );
    until(async || receivers.requests("erp").pop()).await;
    until(async || (deliveries(&admin, &webhook, "").await.len() == 2).then_some(())).await;
    assert_eq!(admin.patch(made.header("location"), "*", json!({"disabled": true})).await.status, 200);
    // Nothing is changed meanwhile: it is the next attempt that finds it.
    let off = until(async || {
        Some(admin.get(&path_of(&webhook)).await.body).filter(|webhook| webhook["is_active"] == false)
    })
    .await;
    assert_eq!(off["disabled_reason"], "not_permitted");
    assert_eq!(deliveries(&admin, &webhook, "&state=pending").await.len(), 2);
    assert_eq!(admin.patch(made.header("location"), "*", json!({"disabled": false})).await.status, 200);
    receivers.behave("erp", Manner::Status(204));
    switch_on(&admin, &made, &webhook).await;
    until_in_state(&admin, &webhook, "delivered", 2).await;
    assert_eq!(told(&receivers.taken("erp")).len(), 2);
    running.stop().await;
    receivers.stop().await;
}

async fn an_account_that_is_shut_out_is_told_nothing(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let admin = lorestan.login("admin").await;
    let scopes = ["webhooks:manage", "clusters:read", "organisations:read"];
    let (made, erp) = client_with(&admin, "erp", &scopes, json!("IR-15")).await;
    let webhook = create(&erp, &receivers.url("erp"), &["cluster", "organisation"]).await;
    let ok = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    let adjust = async |change: &Value| {
        assert_eq!(admin.patch(made.header("location"), "*", change.clone()).await.status, 200, "{change}")
    };
    let state = async || admin.get(&path_of(&webhook)).await.body;
    let until_off =
        async || until(async || Some(state().await).filter(|webhook| webhook["is_active"] == false)).await;
    let mut clusters = 0;
    // What is told to one is told to all in the same step.
    let mut change_one = async || {
        clusters += 1;
        register(&lorestan, &format!("خوشهٔ {clusters}"), json!({})).await;
        receivers.until_taken("ok", clusters).await;
        clusters
    };
    for (shut_out, admitted) in [
        (json!({"disabled": true}), json!({"disabled": false})),
        (json!({"scopes": ["clusters:read"]}), json!({"scopes": scopes})),
        (json!({"province": "IR-08"}), json!({"province": "IR-15"})),
    ] {
        adjust(&shut_out).await;
        let count = change_one().await;
        assert_eq!(until_off().await["disabled_reason"], "not_permitted", "{shut_out}");
        assert_eq!(deliveries(&admin, &webhook, "").await.len(), count - 1, "{shut_out}");
        adjust(&admitted).await;
        switch_on(&admin, &made, &webhook).await;
        // What was changed meanwhile comes now.
        until_in_state(&admin, &webhook, "delivered", count).await;
    }
    // What takes nothing away switches nothing off.
    for change in [json!({"display_name": "x"}), json!({"province": null})] {
        adjust(&change).await;
        let count = change_one().await;
        until_in_state(&admin, &webhook, "delivered", count).await;
        assert_eq!(state().await["is_active"], true, "{change}");
    }
    // Who may not read one kind any more is still told of others.
    adjust(&json!({"scopes": ["webhooks:manage", "organisations:read"]})).await;
    let count = change_one().await;
    assert_eq!(
        (&state().await["is_active"], deliveries(&admin, &webhook, "").await.len()),
        (&json!(true), count - 1)
    );
    assert_eq!(admin.delete(made.header("location"), "*").await.status, 204);
    let count = change_one().await;
    assert_eq!(until_off().await["disabled_reason"], "not_permitted");
    until_in_state(&lorestan, &ok, "delivered", count).await;
    assert_eq!(deliveries(&admin, &webhook, "").await.len(), count - 2);
    running.stop().await;
    receivers.stop().await;
}

async fn what_may_not_be_read_any_more_is_not_sent(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = vec![3_600; 3]).await;
    let admin = lorestan.login("admin").await;
    let (made, erp) = client_with(&admin, "erp", &["webhooks:manage", "clusters:read"], json!("IR-15")).await;
    receivers.behave("erp", Manner::Status(500));
    let webhook = create(&erp, &receivers.url("erp"), &["cluster"]).await;
    register(&lorestan, "ورشو", json!({})).await;
    until(async || (receivers.requests("erp").len() == 1).then_some(())).await;
    assert_eq!(
        admin.patch(made.header("location"), "*", json!({"scopes": ["webhooks:manage"]})).await.status,
        200
    );
    until(async || {
        deliveries(&lorestan, &webhook, "").await.pop().filter(|delivery| delivery["attempts"] == 1)
    })
    .await;
    // The hour passes.
    until(async || {
        execute(
            &service.database().await,
            "UPDATE webhook_delivery SET next_attempt_at = created_at WHERE state = 'pending'",
        )
        .await;
        Some(deliveries(&lorestan, &webhook, "&state=dead").await).filter(|dead| dead.len() == 1)
    })
    .await;
    let dead = deliveries(&lorestan, &webhook, "").await;
    let log = log_of(&lorestan, &webhook, &dead[0]).await.body["log"].clone();
    assert_eq!((&log[1]["fault"], receivers.requests("erp").len()), (&json!("not_permitted"), 1), "{log}");
    running.stop().await;
    receivers.stop().await;
}

async fn what_belongs_to_the_nation_is_kept_by_it(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let national = create(&isipo, "https://erp.example.ir/", &["cluster"]).await;
    assert_eq!(national.body["province"], Value::Null);
    for hidden in [lorestan.get(&path_of(&national)).await, lorestan.delete(&path_of(&national), "*").await] {
        assert_eq!(hidden.status, 404);
    }
    assert!(!lorestan.get(WEBHOOKS).await.text.contains(national.id()));
    let own = create(&lorestan, "https://erp.example.ir/", &["cluster"]).await;
    assert!(isipo.get(WEBHOOKS).await.text.contains(own.id()));
}
