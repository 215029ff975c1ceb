//! The catalogue of indicators: how it begins, and how the nation keeps it.

use std::collections::BTreeMap;

use khoosheh::server;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both,
    projects::{comes_in_order, made, named, walk},
    support::{Client, Service},
};

on_both!(
    the_catalogue_begins_with_three_indicators_for_each_theme,
    what_the_nation_has_changed_stays_as_it_is,
    an_indicator_is_added_changed_and_deleted,
    every_rule_of_an_indicator_is_kept,
    filters_of_indicators_let_through_what_they_name,
    indicators_are_listed_in_every_documented_order,
);

pub const INDICATORS: &str = "/api/v1/indicators";

const THEMES: [&str; 9] = [
    "return_on_cost",
    "joint_action",
    "scale",
    "information_network",
    "target_market_presence",
    "networking_culture",
    "interactive_learning",
    "innovation",
    "public_private_cooperation",
];

/// What an indicator needs; `more` adds to it.
pub fn indicator(code: &str, more: Value) -> Value {
    let mut input = json!({
        "code": code, "theme": "scale", "name_fa": format!("شاخص {code}"), "unit_fa": "درصد", "direction": "up", "frequency": "quarter", "decimals": 2,
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// The id of the indicator of a code.
pub async fn coded(client: &Client, code: &str) -> String {
    named(client, INDICATORS, code).await
}

async fn the_catalogue_begins_with_three_indicators_for_each_theme(service: &Service) {
    let isipo = service.login("isipo").await;
    let all = walk(&isipo, &format!("{INDICATORS}?page_size=200")).await;
    let mut by_theme = BTreeMap::new();
    for indicator in &all {
        *by_theme.entry(indicator["theme"].as_str().unwrap()).or_insert(0) += 1;
        for field in ["name_en", "unit_en", "formula_fa", "formula_en"] {
            assert!(indicator[field].is_string(), "{}: {field}", indicator["code"]);
        }
        assert_eq!((&indicator["is_active"], &indicator["version"]), (&json!(true), &json!(1)));
        // A change is held against the bounds of the whole input.
        let path = format!("{INDICATORS}/{}", indicator["id"].as_str().unwrap());
        let changed = isipo.patch(&path, "\"1\"", json!({"is_active": false})).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(isipo.get(&format!("{path}/history")).await.items("request_id")[0], "migrate");
    }
    assert!(THEMES.iter().all(|theme| by_theme[theme] >= 3) && by_theme.len() == 9, "{by_theme:?}");
    for frequency in ["month", "quarter", "half_year", "year"] {
        assert!(all.iter().any(|indicator| indicator["frequency"] == frequency), "{frequency}");
    }
}

async fn what_the_nation_has_changed_stays_as_it_is(service: &Service) {
    let (isipo, one, other) =
        (service.login("isipo").await, service.database().await, service.database().await);
    let path = async |code: &str| format!("{INDICATORS}/{}", coded(&isipo, code).await);
    let (changed, renamed, deleted) =
        (path("MARKET-EXPORT").await, path("SCALE-SALES").await, path("LEARN-VISITS").await);
    assert_eq!(
        isipo.patch(&changed, "*", json!({"unit_fa": "دلار", "unit_en": "US dollars"})).await.status,
        200
    );
    assert_eq!(isipo.patch(&renamed, "*", json!({"code": "SALES"})).await.status, 200);
    assert_eq!(isipo.delete(&deleted, "*").await.status, 204);
    let before = walk(&isipo, &format!("{INDICATORS}?page_size=200&sort=code")).await;
    let (first, second) = tokio::join!(server::migrate(&one), server::migrate(&other));
    first.and(second).unwrap();
    assert_eq!(walk(&isipo, &format!("{INDICATORS}?page_size=200&sort=code")).await, before);
    made(&isipo, INDICATORS, indicator("LEARN-VISITS", json!({}))).await;
}

async fn an_indicator_is_added_changed_and_deleted(service: &Service) {
    let isipo = service.login("isipo").await;
    let input = indicator(
        "WATER",
        json!({
            "theme": "innovation", "name_en": "Water", "unit_en": "percent", "direction": "down", "frequency": "half_year", "decimals": 6,
            "formula_fa": "آب", "formula_en": "water", "is_active": false, "external_refs": [{"system": "erp", "key": "1"}],
        }),
    );
    let created = made(&isipo, INDICATORS, input.clone()).await;
    let path = created.header("location");
    for (field, value) in input.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    assert_eq!(service.login("lorestan").await.get(path).await.body, created.body);
    let changed = isipo.patch(path, created.etag(), json!({"name_en": null, "frequency": "month"})).await;
    assert_eq!(
        (&changed.body["name_en"], &changed.body["frequency"], changed.etag()),
        (&Value::Null, &json!("month"), "\"2\"")
    );
    let stale = isipo.patch(path, created.etag(), json!({"decimals": 0})).await;
    assert_eq!((stale.status, stale.code()), (412, "stale_version"));
    let by_ref = format!("{INDICATORS}/by-ref/erp/1");
    assert_eq!(isipo.get(&by_ref).await.body, changed.body);
    let replace = isipo
        .request(Method::PUT, &by_ref)
        .header("if-match", changed.etag())
        .json(&indicator("WATER", json!({})));
    let replaced = isipo.send(replace).await;
    assert_eq!(
        (replaced.status, &replaced.body["formula_fa"], &replaced.body["is_active"]),
        (200, &Value::Null, &json!(true))
    );
    let taken = isipo.post(INDICATORS, indicator("WATER", json!({}))).await;
    assert_eq!((taken.status, taken.errors()), (409, vec![("/code", "duplicate")]));
    for status in [204, 204] {
        assert_eq!(isipo.delete(path, replaced.etag()).await.status, status);
    }
    assert_eq!(isipo.get(path).await.status, 404);
    assert_eq!(
        isipo.get(&format!("{path}/history")).await.items("kind"),
        ["created", "updated", "updated", "deleted"]
    );
    made(&isipo, INDICATORS, indicator("WATER", json!({}))).await;
}

async fn every_rule_of_an_indicator_is_kept(service: &Service) {
    let isipo = service.login("isipo").await;
    let bare = made(
        &isipo,
        INDICATORS,
        json!({
            "code": "W2", "theme": "scale", "name_fa": "آب", "unit_fa": "لیتر", "direction": "down", "frequency": "year",
        }),
    );
    let bare = bare.await;
    assert_eq!(
        (&bare.body["decimals"], &bare.body["is_active"], &bare.body["unit_en"]),
        (&json!(0), &json!(true), &Value::Null)
    );
    for (patch, error) in [
        (json!({"code": "w2"}), ("/code", "wrong_pattern")),
        (json!({"code": "W"}), ("/code", "wrong_pattern")),
        (json!({"theme": "water"}), ("/theme", "not_in_list")),
        (json!({"frequency": "week"}), ("/frequency", "not_in_list")),
        (json!({"direction": "left"}), ("/direction", "not_in_list")),
        (json!({"decimals": 7}), ("/decimals", "too_large")),
        (json!({"decimals": -1}), ("/decimals", "too_small")),
        (json!({"unit_fa": null}), ("/unit_fa", "wrong_type")),
        (json!({"unit_fa": " "}), ("/unit_fa", "wrong_pattern")),
        (json!({"province": "IR-15"}), ("/province", "unknown_field")),
    ] {
        let refused = isipo.patch(bare.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{patch}");
    }
    for name in ["lorestan", "integrator"] {
        let provincial =
            if name == "integrator" { service.login_integrator().await } else { service.login(name).await };
        for refused in [
            provincial.post(INDICATORS, indicator("W3", json!({}))).await,
            provincial.patch(bare.header("location"), "*", json!({"decimals": 3})).await,
            provincial.delete(bare.header("location"), "*").await,
        ] {
            assert_eq!((refused.status, refused.code()), (403, "outside_scope"), "{name}");
        }
    }
}

async fn filters_of_indicators_let_through_what_they_name(service: &Service) {
    let (isipo, kerman) = (service.login("isipo").await, service.login("kerman").await);
    made(
        &isipo,
        INDICATORS,
        indicator("WATER", json!({"is_active": false, "frequency": "month", "name_en": "Water"})),
    )
    .await;
    for (query, codes) in [
        ("is_active=false", vec!["WATER"]),
        ("frequency=month", vec!["INFO-VISITS", "WATER"]),
        ("theme=innovation", vec!["INNOVATION-PRODUCTS", "INNOVATION-RIGHTS", "INNOVATION-RND"]),
        (
            "theme=innovation,scale&frequency=half_year,month",
            vec!["SCALE-CAPACITY", "SCALE-EMPLOYMENT", "WATER"],
        ),
        ("theme=scale&is_active=false&q=water", vec!["WATER"]),
        ("q=صادرات", vec!["MARKET-COUNTRIES", "MARKET-EXPORT"]),
        ("q=market-fairs", vec!["MARKET-FAIRS"]),
    ] {
        let page = kerman.get(&format!("{INDICATORS}?sort=code&count=true&{query}")).await;
        assert_eq!(
            (page.items("code"), &page.body["total"]),
            (codes.clone(), &json!(codes.len())),
            "{query}"
        );
    }
    for (query, error) in [
        ("theme=water", ("/theme/0", "not_in_list")),
        ("is_active=perhaps", ("/is_active", "wrong_type")),
        ("province=IR-15", ("/province", "unknown_parameter")),
    ] {
        assert_eq!(isipo.get(&format!("{INDICATORS}?{query}")).await.errors(), [error], "{query}");
    }
}

async fn indicators_are_listed_in_every_documented_order(service: &Service) {
    let isipo = service.login("isipo").await;
    comes_in_order(&isipo, INDICATORS, &["code", "created_at", "updated_at", "id"]).await;
    let names = walk(&isipo, &format!("{INDICATORS}?page_size=5&sort=name_fa")).await;
    assert_eq!((names[0]["name_fa"].as_str(), names.len()), (Some("آموزش‌های برگزارشده"), 31));
}
