//! Nothing that a client sends reaches the database unchecked: long lists, long words, and what is said to be
//! opaque.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both, raw,
    support::{Client, Service},
    sweep::operations,
};

on_both!(
    every_list_of_values_may_be_as_long_as_the_document_says,
    a_word_of_any_length_is_kept_and_found,
    a_name_may_be_as_long_as_the_document_says,
    no_header_is_a_fault_of_ours,
);

/// As many values as a parameter takes, different ones as far as there are any.
fn values(schema: &Value, schemas: &Value, most: usize) -> Vec<String> {
    let schema = schema["$ref"].as_str().map_or(schema, |name| &schemas[name.rsplit('/').next().unwrap()]);
    if let Some(listed) = schema["enum"].as_array() {
        // The sections of ISIC first, which stand for the most classes.
        let mut listed: Vec<&str> = listed.iter().map(|value| value.as_str().unwrap()).collect();
        listed.sort_by_key(|value| value.len());
        return listed.iter().cycle().take(most).map(|value| value.to_string()).collect();
    }
    if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("-Q")) {
        return (0..most).map(|n| format!("13{}-Q{}", 60 + n / 4, 1 + n % 4)).collect();
    }
    (0..most).map(|n| format!("شهر{n}")).collect()
}

async fn every_list_of_values_may_be_as_long_as_the_document_says(service: &Service) {
    let isipo = service.login("isipo").await;
    let schemas = &khoosheh::api::document()["components"]["schemas"];
    let mut asked = 0;
    for operation in operations()
        .into_iter()
        .filter(|operation| operation.method == Method::GET && !operation.pattern.contains('{'))
    {
        for parameter in operation.document["parameters"].as_array().into_iter().flatten() {
            let (Some(name), schema) = (parameter["name"].as_str(), &parameter["schema"]) else { continue };
            if parameter["in"] != "query" || schema["type"] != "array" {
                continue;
            }
            let Some(most) = schema["maxItems"].as_u64() else { continue };
            let different = values(&schema["items"], schemas, most as usize);
            // The section of ISIC with most divisions, as often as it may be named.
            let alike =
                different.iter().any(|value| value == "C").then(|| vec!["C".to_owned(); most as usize]);
            for values in [Some(different), alike].into_iter().flatten() {
                let request = isipo.request(Method::GET, operation.pattern);
                let answer = isipo.send(request.query(&[(name, values.join(","))])).await;
                let is_sort = name == "sort" && answer.status == 400;
                let is_denied = answer.status == 403;
                assert!(
                    answer.status == 200 || is_sort || is_denied,
                    "{} of {}: {}",
                    name,
                    operation.pattern,
                    answer.text
                );
                asked += usize::from(answer.status == 200);
            }
        }
    }
    assert!(asked > 60, "{asked} lists were asked for");
}

async fn created(client: &Client, path: &str, body: Value) -> Value {
    let created = client.post(path, body).await;
    assert_eq!(created.status, 201, "{path}: {}", created.text);
    created.body
}

async fn a_word_of_any_length_is_kept_and_found(service: &Service) {
    let lorestan = service.login("lorestan").await;
    // Letters that no page of an index makes shorter.
    let word: String = (0..2_000_u32).map(|n| char::from_u32(0x4E00 + n * 7_919 % 20_000).unwrap()).collect();
    let start: String = word.chars().take(90).collect();
    let decision = json!({"body": "provincial_committee", "decided_on": "2014-04-09", "title_fa": "مصوبه", "province": "IR-15", "text_fa": word});
    let stone = lorestan.cluster_named("سنگ").await;
    let claims = format!("/api/v1/clusters/{}/claims", stone.id());
    let claim = json!({"source_title": "گزارش", "claimed_name": "سنگ", "note": word});
    for (list, body) in [("/api/v1/decisions", decision), (claims.as_str(), claim)] {
        created(&lorestan, list, body).await;
    }
    let found =
        lorestan.send(lorestan.request(Method::GET, "/api/v1/decisions").query(&[("q", start)])).await;
    assert!(found.status == 200 && found.body["items"].as_array().unwrap().len() <= 1, "{}", found.text);
    let project = json!({"vision": word});
    let projects = lorestan.get("/api/v1/projects").await;
    let path = format!("/api/v1/projects/{}", projects.body["items"][0]["id"].as_str().unwrap());
    assert!(lorestan.patch(&path, "*", project).await.status < 500);
}

async fn a_name_may_be_as_long_as_the_document_says(service: &Service) {
    let isipo = service.login("isipo").await;
    // Each folds to eighteen letters.
    let name = "ﷺ".repeat(200);
    created(&isipo, "/api/v1/organisations", json!({"kind": "ministry", "name_fa": name})).await;
    let enterprise =
        json!({"name_fa": name, "province": "IR-15", "county": name, "isic": [{"code": "2396"}]});
    let made = created(&isipo, "/api/v1/enterprises", enterprise).await;
    let found =
        isipo.send(isipo.request(Method::GET, "/api/v1/enterprises").query(&[("county", &name)])).await;
    assert_eq!(found.items("id"), [made["id"].as_str().unwrap()]);
    let page = isipo.get("/api/v1/organisations?sort=-name_fa&page_size=1").await;
    assert_eq!(
        isipo
            .get(&format!(
                "/api/v1/organisations?sort=-name_fa&page_size=1&cursor={}",
                page.body["next_cursor"].as_str().unwrap()
            ))
            .await
            .status,
        200
    );
}

async fn no_header_is_a_fault_of_ours(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let cluster = lorestan.cluster_named("سنگ").await;
    let path = format!("/api/v1/clusters/{}", cluster.id());
    let hostile = [
        "\"99999999999999999999\"",
        "\"-9223372036854775808.-1.x\"",
        "é\u{80}",
        "\"\"",
        ",,,,",
        "W/",
        "*, \"1\"",
        "%00",
        "\\0",
    ];
    for name in [
        "if-match",
        "if-none-match",
        "idempotency-key",
        "x-request-id",
        "accept",
        "accept-language",
        "range",
        "prefer",
        "user-agent",
    ] {
        for value in hostile.iter().map(|value| value.to_string()).chain(["x".repeat(20_000)]) {
            for (method, body) in
                [("GET", ""), ("PATCH", "{\"name_en\":\"Stone\"}"), ("PUT", "{}"), ("DELETE", "")]
            {
                let headers = [(name, value.as_str()), ("content-type", "application/json")];
                // What changes the record is not what this is about.
                let target = if method == "DELETE" { format!("{path}0") } else { path.clone() };
                let answer = raw::send(&lorestan, method, &target, &headers, body.as_bytes()).await;
                assert!(answer.status < 500, "{method} with {name}: {value:.40}: {}", answer.text);
            }
        }
    }
    for credentials in [
        "a\0b:secret",
        "%00:x",
        &format!("{}:x", "n".repeat(30_000)),
        &format!("integrator:{}", "s".repeat(30_000)),
    ] {
        let basic = format!("Basic {}", STANDARD.encode(credentials));
        let headers =
            [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let answer = raw::send(
            &service.anonymous(),
            "POST",
            "/api/v1/auth/token",
            &headers,
            b"grant_type=client_credentials",
        )
        .await;
        assert!((400..500).contains(&answer.status), "{credentials:.20}: {}", answer.text);
    }
}
