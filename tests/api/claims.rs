//! Claims: who says that a cluster exists, when, and under which name.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, register},
    on_both,
    support::{Client, Service},
};

on_both!(
    a_claim_is_recorded_corrected_and_withdrawn,
    a_claim_needs_its_source_only,
    a_claim_stands_under_its_own_cluster_only,
    a_claim_exists_where_its_cluster_does,
    claims_come_in_pages_as_they_were_recorded,
);

/// The path of the claims about one of the demonstration's clusters.
async fn claims_of(client: &Client, name: &str) -> String {
    format!("{CLUSTERS}/{}/claims", client.cluster_named(name).await.id())
}

async fn a_claim_is_recorded_corrected_and_withdrawn(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let claims = claims_of(&lorestan, "عسل").await;
    let given = json!({
        "source_title": "خبرگزاری", "source_url": "https://example.ir/خبر/1", "claimed_on": "1392-12-07", "claimed_name": "عسل الیگودرز",
        "note": "۱۳ خوشه", "external_refs": [{"system": "news", "key": "1"}],
    });
    let created = lorestan.post(&format!("{claims}?calendar=persian"), given.clone()).await;
    assert_eq!((created.status, created.etag().starts_with("\"1-")), (201, true), "{}", created.text);
    let path = created.header("location");
    assert_eq!(path, format!("{claims}/{}", created.id()));
    assert!(
        given.as_object().unwrap().iter().all(|(field, value)| created.body[field] == *value),
        "{}",
        created.text
    );
    let read = lorestan.get(path).await;
    assert_eq!(
        (read.status, read.version_tag(), &read.body["claimed_on"]),
        (200, "\"1\"", &json!("2014-02-26"))
    );
    assert!(claims.contains(read.body["cluster_id"].as_str().unwrap()));

    let unseen = lorestan.send(lorestan.request(Method::PATCH, path).json(&json!({"note": null}))).await;
    assert_eq!((unseen.status, unseen.version_tag()), (428, "\"1\""));
    let corrected =
        lorestan.patch(path, created.etag(), json!({"note": null, "claimed_on": "2014-02-27"})).await;
    assert_eq!(
        (corrected.status, corrected.version_tag(), &corrected.body["note"]),
        (200, "\"2\"", &Value::Null)
    );
    assert_eq!(
        (&corrected.body["claimed_on"], &corrected.body["source_title"]),
        (&json!("2014-02-27"), &given["source_title"])
    );
    assert_eq!(lorestan.patch(path, created.etag(), json!({})).await.status, 412);

    assert_eq!(lorestan.delete(path, created.etag()).await.status, 412);
    assert_eq!(lorestan.delete(path, corrected.etag()).await.status, 204);
    assert_eq!(lorestan.get(path).await.status, 404);
    assert_eq!(lorestan.delete(path, "\"1\"").await.status, 204, "repeating a deletion is no error");
    assert_eq!(lorestan.get(&claims).await.items("claimed_name"), ["عسل", "عسل"]);
}

async fn a_claim_needs_its_source_only(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let claims = claims_of(&lorestan, "عسل").await;
    let bare = lorestan.post(&claims, json!({"source_title": "گزارش سفر"})).await;
    assert_eq!(
        (bare.status, &bare.body["source_url"], &bare.body["claimed_on"]),
        (201, &Value::Null, &Value::Null)
    );
    for (body, errors) in [
        (json!({}), vec![("/source_title", "required")]),
        (
            json!({"source_title": " \t"}),
            vec![("/source_title", "wrong_format"), ("/source_title", "wrong_pattern")],
        ),
        (
            json!({"source_title": "x", "source_url": "javascript:alert(1)"}),
            vec![("/source_url", "wrong_pattern")],
        ),
        (json!({"source_title": "x", "claimed_on": "2013-02-29"}), vec![("/claimed_on", "no_such_day")]),
        (json!({"source_title": "x", "cluster_id": "y"}), vec![("/cluster_id", "unknown_field")]),
        (
            json!({"source_title": "x".repeat(501), "note": ""}),
            vec![("/note", "too_short"), ("/note", "wrong_pattern"), ("/source_title", "too_long")],
        ),
    ] {
        let refused = lorestan.post(&claims, body).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{}", refused.text);
    }
    let emptied = lorestan.patch(bare.header("location"), "*", json!({"source_title": null})).await;
    assert_eq!((emptied.status, emptied.errors()), (422, vec![("/source_title", "wrong_type")]));
}

async fn a_claim_stands_under_its_own_cluster_only(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (honey, olive) = (claims_of(&lorestan, "عسل").await, claims_of(&lorestan, "زیتون").await);
    let first = lorestan.get(&honey).await.body["items"][0].clone();
    let elsewhere = format!("{olive}/{}", first["id"].as_str().unwrap());
    for answer in [
        lorestan.get(&elsewhere).await,
        lorestan.patch(&elsewhere, "*", json!({"note": "x"})).await,
        lorestan.delete(&elsewhere, "*").await,
        lorestan.get(&format!("{honey}/{}", uuid::Uuid::nil())).await,
        lorestan.get(&format!("{honey}/first")).await,
    ] {
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    assert_eq!(lorestan.get(&honey).await.body["items"][0], first);
}

async fn a_claim_exists_where_its_cluster_does(service: &Service) {
    let (lorestan, kerman) = (service.login("lorestan").await, service.login("kerman").await);
    let cluster = register(&lorestan, "ورشو", json!({})).await;
    let claims = format!("{}/claims", cluster.header("location"));
    let claim = lorestan.post(&claims, json!({"source_title": "گزارش سفر"})).await;
    let path = claim.header("location");
    for foreign in [
        kerman.get(path).await,
        kerman.get(&claims).await,
        kerman.post(&claims, json!({"source_title": "x"})).await,
        kerman.patch(path, "*", json!({"note": "x"})).await,
        kerman.delete(path, "*").await,
    ] {
        assert_eq!(foreign.status, 404);
    }
    assert_eq!(lorestan.delete(cluster.header("location"), "*").await.status, 204);
    for gone in [
        lorestan.get(path).await,
        lorestan.get(&claims).await,
        lorestan.post(&claims, json!({"source_title": "x"})).await,
        lorestan.patch(path, "*", json!({"note": "x"})).await,
    ] {
        assert_eq!(gone.status, 404);
    }
}

async fn claims_come_in_pages_as_they_were_recorded(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let claims = format!("{}/claims", register(&lorestan, "ورشو", json!({})).await.header("location"));
    let titles = ["پنج", "چهار", "یک", "سه", "دو"];
    for title in titles {
        assert_eq!(lorestan.post(&claims, json!({"source_title": title})).await.status, 201);
    }
    let mut read = Vec::new();
    let mut cursor = String::new();
    for (size, is_last) in [(2, false), (2, false), (1, true)] {
        let page = lorestan.get(&format!("{claims}?page_size=2&count=true{cursor}")).await;
        assert_eq!(
            (page.items("id").len(), &page.body["total"], page.body["next_cursor"].is_null()),
            (size, &json!(5), is_last)
        );
        read.extend(page.items("source_title").into_iter().map(str::to_owned));
        cursor = format!("&cursor={}", page.body["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(read, titles);
    let backwards = lorestan.get(&format!("{claims}?sort=-id")).await;
    assert_eq!(backwards.items("source_title"), ["دو", "سه", "یک", "چهار", "پنج"]);
    let foreign = lorestan.get(&format!("{claims}?sort=-id{}", "&cursor=bm90aGluZw")).await;
    assert_eq!((foreign.status, foreign.code()), (400, "invalid_cursor"));
}
