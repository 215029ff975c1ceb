//! Clusters, from their registration to their tombstone.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both,
    support::{Answer, Client, Service},
};

on_both!(
    a_provincial_company_registers_a_cluster,
    every_field_comes_back_as_it_was_given,
    the_service_gives_out_codes_and_takes_given_ones,
    a_merge_patch_changes_what_it_names,
    a_merge_patch_reaches_into_objects,
    the_result_of_a_patch_is_held_against_every_rule,
    a_change_needs_the_version_that_was_seen,
    every_representation_of_a_version_will_do,
    what_is_known_already_is_not_sent_again,
    a_head_request_is_answered_like_a_get,
    the_answer_has_the_fields_asked_for,
);

pub const CLUSTERS: &str = "/api/v1/clusters";

/// What a cluster of Lorestan needs; `more` adds to it.
pub fn cluster(name: &str, more: Value) -> Value {
    let mut input = json!({"province": "IR-15", "name_fa": name, "isic": [{"code": "2396"}]});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

pub async fn register(client: &Client, name: &str, more: Value) -> Answer {
    let created = client.post(CLUSTERS, cluster(name, more)).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created
}

/// A cluster that somebody claims to exist, as it has to be to be identified.
pub async fn claimed(client: &Client, name: &str, more: Value) -> Answer {
    let created = register(client, name, more).await;
    let claim =
        client.post(&format!("{}/claims", created.header("location")), json!({"source_title": "خبر"})).await;
    assert_eq!(claim.status, 201, "{}", claim.text);
    created
}

/// An answer past the check against the document: one that is compressed, or that answers HEAD.
pub async fn unchecked(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> reqwest::Response {
    let request = headers
        .iter()
        .fold(client.request(method, path), |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

pub fn etag_of(response: &reqwest::Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

async fn a_provincial_company_registers_a_cluster(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = lorestan
        .post(CLUSTERS, json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}))
        .await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.body["state"], "candidate");
    assert_eq!(created.body["isic"], json!([{"code": "2599", "primary": true}]));
    assert_eq!(created.body["code"], "15-0012");
    assert_eq!(created.header("location"), format!("/api/v1/clusters/{}", created.id()));
    assert_eq!(created.version_tag(), "\"1\"");

    let path = created.header("location");
    let changed = lorestan
        .patch(path, created.etag(), json!({"name_en": "German silver", "employment_total": 120}))
        .await;
    assert_eq!((changed.status, changed.version_tag()), (200, "\"2\""));
    assert_eq!(changed.body["name_en"], "German silver");
    let stale = lorestan.patch(path, created.etag(), json!({"name_en": "Nickel silver"})).await;
    assert_eq!((stale.status, stale.code(), stale.version_tag()), (412, "stale_version", "\"2\""));

    assert_eq!(lorestan.delete(path, changed.etag()).await.status, 204);
    assert_eq!(lorestan.get(path).await.status, 404);
    assert_eq!(lorestan.delete(path, "\"1\"").await.status, 204, "repeating a deletion is no error");
    let history = lorestan.get(&format!("{path}/history")).await;
    assert_eq!(history.items("kind"), ["created", "updated", "deleted"]);
}

async fn every_field_comes_back_as_it_was_given(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let full = json!({
        "code": "LR-7", "name_fa": "سنگ نما", "name_en": "Facing stone", "aliases": ["سنگ ساختمانی"], "province": "IR-15",
        "counties": ["ازنا", "خرم‌آباد"], "location": {"latitude": 33.4878, "longitude": 48.3558}, "products": ["سنگ تزئینی"],
        "isic": [{"code": "2396", "primary": true}, {"code": "0810", "primary": false}],
        "identified_on": "2013-08-08", "identified_precision": "day", "identified_not_later_than": "2013-08-08",
        "employment_total": 1850, "employment_female": 210, "annual_turnover_irr": "900000000000000000", "export_usd": "2500000",
        "external_refs": [{"system": "lorestan-erp", "key": "K-17"}],
    });
    let created = lorestan.post(CLUSTERS, full.clone()).await;
    let read = lorestan.get(created.header("location")).await;
    assert_eq!((created.status, read.status, &read.body), (201, 200, &created.body));
    let kept: serde_json::Map<_, _> =
        full.as_object().unwrap().keys().map(|field| (field.clone(), read.body[field].clone())).collect();
    assert_eq!(Value::Object(kept), full);

    let bare = register(&lorestan, "ورشو", json!({})).await;
    for field in ["aliases", "counties", "products", "external_refs"] {
        assert_eq!(bare.body[field], json!([]), "{field}");
    }
    for field in [
        "name_en",
        "location",
        "identified_on",
        "identified_precision",
        "identified_not_later_than",
        "employment_total",
        "export_usd",
    ] {
        assert_eq!(bare.body[field], Value::Null, "{field}");
    }
    let empty = lorestan.post(CLUSTERS, json!({})).await;
    assert_eq!((empty.status, empty.code()), (422, "validation_failed"));
    assert_eq!(empty.errors(), [("/isic", "required"), ("/name_fa", "required"), ("/province", "required")]);
}

async fn the_service_gives_out_codes_and_takes_given_ones(service: &Service) {
    let isipo = service.login("isipo").await;
    let code = async |name, more| register(&isipo, name, more).await.body["code"].clone();
    assert_eq!(code("یک", json!({})).await, "15-0012");
    assert_eq!(code("یک", json!({"province": "IR-00"})).await, "00-0001");
    assert_eq!(code("دو", json!({})).await, "15-0013");
    assert_eq!(code("سه", json!({"code": "LR-7"})).await, "LR-7");
    let taken = isipo.post(CLUSTERS, cluster("چهار", json!({"province": "IR-08", "code": "LR-7"}))).await;
    assert_eq!(
        (taken.status, taken.code(), taken.errors()),
        (409, "duplicate", vec![("/code", "duplicate")])
    );

    assert_eq!(code("چهار", json!({"code": "15-0014"})).await, "15-0014");
    assert_eq!(code("پنج", json!({})).await, "15-0015", "a code that somebody took is not given out");
}

async fn a_merge_patch_changes_what_it_names(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let location = json!({"latitude": 33.5, "longitude": 48.5});
    let more = json!({"name_en": "Nickel silver", "employment_total": 90, "location": location, "aliases": ["الف", "ب"]});
    let created = register(&lorestan, "ورشو", more).await;
    let path = created.header("location");

    let changed = lorestan
        .patch(path, created.etag(), json!({"name_en": null, "aliases": ["پ"], "location": null}))
        .await;
    assert_eq!(
        (changed.status, &changed.body["name_en"], &changed.body["location"]),
        (200, &Value::Null, &Value::Null)
    );
    assert_eq!((&changed.body["aliases"], &changed.body["employment_total"]), (&json!(["پ"]), &json!(90)));
    assert_eq!(
        (&changed.body["version"], &changed.body["created_at"]),
        (&json!(2), &created.body["created_at"])
    );
    assert_eq!(lorestan.get(path).await.body, changed.body);

    let typed = lorestan
        .request(Method::PATCH, path)
        .header("if-match", "\"2\"")
        .header("content-type", "application/merge-patch+json");
    assert_eq!(lorestan.send(typed.body(r#"{"aliases": null}"#)).await.body["aliases"], json!([]));

    let history = lorestan.get(&format!("{path}/history")).await;
    let change = |field: &str| {
        history.body["items"][1]["changes"].as_array().unwrap().iter().find(|change| change["field"] == field)
    };
    assert_eq!(change("name_en").unwrap(), &json!({"field": "name_en", "from": "Nickel silver", "to": null}));
    assert_eq!(change("employment_total"), None);
    assert_eq!(history.body["items"][2]["previous_hash"], history.body["items"][1]["hash"]);
}

async fn a_merge_patch_reaches_into_objects(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created =
        register(&lorestan, "ورشو", json!({"location": {"latitude": 33.5, "longitude": 48.5}})).await;
    let changed =
        lorestan.patch(created.header("location"), "*", json!({"location": {"latitude": 34}})).await;
    assert_eq!(
        (changed.status, &changed.body["location"]["longitude"]),
        (200, &json!(48.5)),
        "{}",
        changed.text
    );
    assert_eq!(changed.body["location"]["latitude"].as_f64(), Some(34.0));
    let halved =
        lorestan.patch(created.header("location"), "*", json!({"location": {"latitude": null}})).await;
    assert_eq!((halved.status, halved.errors()), (422, vec![("/location/latitude", "wrong_type")]));
}

async fn the_result_of_a_patch_is_held_against_every_rule(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = register(&lorestan, "ورشو", json!({"employment_total": 90})).await;
    for (patch, errors) in [
        (json!({"name_fa": null, "isic": null}), vec![("/isic", "wrong_type"), ("/name_fa", "wrong_type")]),
        (json!({"state": "identified"}), vec![("/state", "unknown_field")]),
        (json!({"nmae_en": "x", "id": "y"}), vec![("/id", "unknown_field"), ("/nmae_en", "unknown_field")]),
        (json!({"name_en": 7, "aliases": "x"}), vec![("/aliases", "wrong_type"), ("/name_en", "wrong_type")]),
        (json!({"name_fa": "!؟"}), vec![("/name_fa", "wrong_pattern")]),
        (json!({"employment_female": 91}), vec![("/employment_female", "too_large")]),
        (json!({"employment_total": -1}), vec![("/employment_total", "too_small")]),
        (json!({"annual_turnover_irr": "007"}), vec![("/annual_turnover_irr", "wrong_pattern")]),
        (json!({"annual_turnover_irr": 12}), vec![("/annual_turnover_irr", "wrong_type")]),
        (json!({"location": {"latitude": 91, "longitude": 0}}), vec![("/location/latitude", "too_large")]),
        (json!(["name_en"]), vec![("", "wrong_type")]),
    ] {
        let refused = lorestan.patch(created.header("location"), created.etag(), patch).await;
        assert_eq!((refused.status, refused.code()), (422, "validation_failed"), "{}", refused.text);
        assert_eq!(refused.errors(), errors);
    }
    assert_eq!(lorestan.get(created.header("location")).await.version_tag(), "\"1\"");
}

async fn a_change_needs_the_version_that_was_seen(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = register(&lorestan, "ورشو", json!({})).await;
    let path = created.header("location");
    let bare = [
        lorestan.request(Method::PATCH, path).json(&json!({"name_en": "x"})),
        lorestan.request(Method::DELETE, path),
        lorestan.request(Method::POST, &format!("{path}/transitions")).json(&json!({"to": "identified"})),
    ];
    for request in bare {
        let refused = lorestan.send(request).await;
        assert_eq!(
            (refused.status, refused.code(), refused.version_tag()),
            (428, "precondition_required", "\"1\"")
        );
    }
    for stale in ["\"2\"", "W/\"1\"", "1", "\"\"", "\"1x\"", "\"0\", W/\"1\""] {
        for refused in [
            lorestan.patch(path, stale, json!({"name_en": "x"})).await,
            lorestan.transition(path, stale, json!({"to": "identified"})).await,
            lorestan.delete(path, stale).await,
        ] {
            assert_eq!(
                (refused.status, refused.code(), refused.version_tag()),
                (412, "stale_version", "\"1\""),
                "{stale}"
            );
        }
    }
    assert_eq!(lorestan.patch(path, "*", json!({"name_en": "x"})).await.version_tag(), "\"2\"");
    assert_eq!(lorestan.patch(path, "\"7\", \"2\"", json!({"name_en": "y"})).await.version_tag(), "\"3\"");
}

async fn every_representation_of_a_version_will_do(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let long: Vec<String> = (0..20).map(|n| format!("{}{n}", "نامی دیگر ".repeat(9))).collect();
    let created = register(&lorestan, "ورشو", json!({"aliases": long})).await;
    let path = created.header("location");
    let mut seen = vec![created.etag().to_owned()];
    for (version, (query, encoding)) in [
        ("?fields=code", "identity"),
        ("?calendar=persian", "identity"),
        ("", "gzip"),
        ("", "br"),
        ("?calendar=persian", "zstd"),
    ]
    .into_iter()
    .enumerate()
    {
        let response =
            unchecked(&lorestan, Method::GET, &format!("{path}{query}"), &[("accept-encoding", encoding)])
                .await;
        let etag = etag_of(&response);
        assert_eq!(
            response.headers().get("content-encoding").map_or("identity", |value| value.to_str().unwrap()),
            encoding
        );
        assert!(!seen.contains(&etag), "{etag} is of another representation");
        let changed = lorestan.patch(path, &etag, json!({"employment_total": version})).await;
        assert_eq!(changed.status, 200, "{query} {encoding} {etag}");
        assert_eq!(
            lorestan.patch(path, &etag, json!({"employment_total": 0})).await.status,
            412,
            "{etag} is stale by now"
        );
        seen.push(etag);
    }
}

async fn what_is_known_already_is_not_sent_again(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    for path in [
        &stone,
        CLUSTERS,
        "/api/v1/reports/identified-clusters",
        &format!("{stone}/history"),
        &format!("{CLUSTERS}?format=csv"),
    ] {
        let etag = lorestan.get(path).await.etag().to_owned();
        for known in [&etag, "*", &format!("\"x\", W/{etag}")] {
            let unchanged =
                lorestan.send(lorestan.request(Method::GET, path).header("if-none-match", known)).await;
            assert_eq!((unchanged.status, unchanged.etag()), (304, etag.as_str()), "{path} {known}");
        }
        assert_eq!(
            lorestan.send(lorestan.request(Method::GET, path).header("if-none-match", "\"0\"")).await.status,
            200
        );
    }
    let compressed = unchecked(&lorestan, Method::GET, CLUSTERS, &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (compressed.headers()["content-encoding"].as_bytes(), compressed.status().as_u16()),
        (&b"gzip"[..], 200)
    );
    let etag = etag_of(&compressed);
    let known = [("accept-encoding", "gzip"), ("if-none-match", etag.as_str())];
    assert_eq!(unchecked(&lorestan, Method::GET, CLUSTERS, &known).await.status(), 304);
    register(&lorestan, "ورشو", json!({})).await;
    assert_eq!(unchecked(&lorestan, Method::GET, CLUSTERS, &known).await.status(), 200);
}

async fn a_head_request_is_answered_like_a_get(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    for path in [stone.as_str(), CLUSTERS] {
        let get = lorestan.get(path).await;
        let head = unchecked(&lorestan, Method::HEAD, path, &[]).await;
        assert_eq!((head.status().as_u16(), etag_of(&head)), (200, get.etag().to_owned()));
        assert_eq!(head.headers()["content-type"], get.header("content-type"));
        assert_eq!(head.bytes().await.unwrap(), "");
        assert_eq!(
            unchecked(&lorestan, Method::HEAD, path, &[("if-none-match", get.etag())]).await.status(),
            304
        );
    }
    assert_eq!(
        unchecked(&lorestan, Method::HEAD, &format!("{CLUSTERS}/{}", uuid::Uuid::nil()), &[]).await.status(),
        404
    );
}

async fn the_answer_has_the_fields_asked_for(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = lorestan.cluster_named("سنگ").await;
    let one = lorestan.get(&format!("{CLUSTERS}/{}?fields=name_fa,code,state", stone.id())).await;
    assert_eq!(one.body, json!({"code": "15-0001", "name_fa": "سنگ", "state": "in_development"}));
    let all = lorestan.get(&format!("{CLUSTERS}?fields=code&sort=code&page_size=2")).await;
    assert_eq!(all.body["items"], json!([{"code": "15-0001"}, {"code": "15-0002"}]));
    let table =
        lorestan.get(&format!("{CLUSTERS}?fields=code,name_en&sort=code&page_size=2&format=csv")).await;
    assert_eq!(table.text, "code,name_en\r\n15-0001,Stone\r\n15-0002,Honey\r\n");
    let unknown = lorestan.get(&format!("{CLUSTERS}?fields=code,password_hash")).await;
    assert_eq!((unknown.status, unknown.errors()), (400, vec![("/fields/1", "not_in_list")]));
}
