//! What everybody may know, without a token.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, claimed, register},
    on_both,
    support::Service,
};

on_both!(the_directory_is_everybodys, the_public_has_its_own_limit);

const DIRECTORY: &str = "/api/v1/public/clusters";
const STATISTICS: &str = "/api/v1/public/statistics";

async fn the_directory_is_everybodys(service: &Service) {
    let (nobody, isipo) = (service.anonymous(), service.login("isipo").await);
    let all = nobody.get(DIRECTORY).await;
    assert_eq!((all.status, all.header("cache-control")), (200, "public, max-age=300"));
    assert!(!all.header("vary").contains("Authorization"), "a token makes no difference");
    let reported = isipo.get("/api/v1/reports/identified-clusters").await;
    assert_eq!(
        (all.items("code"), &all.body["total"]),
        (reported.items("code"), &reported.body["total"]),
        "what the report counts"
    );
    let stone =
        &all.body["items"].as_array().unwrap().iter().find(|item| item["name_fa"] == "سنگ").unwrap().clone();
    let mut fields: Vec<_> = stone.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort();
    let published = [
        "aliases", "code", "counties", "isic", "location", "name_en", "name_fa", "products", "province",
        "state",
    ];
    assert_eq!(
        fields, published,
        "no figures of a cluster, that may be those of one firm, and nobody's name"
    );

    register(&isipo, "نامزد", json!({})).await;
    let there = json!({"location": {"latitude": 33.5, "longitude": 48.25}, "province": "IR-08", "isic": [{"code": "2610"}]});
    let found = claimed(&isipo, "شناخته", there).await;
    let identified = json!({"to": "identified", "effective_on": "2015-03-01"});
    assert_eq!(isipo.transition(found.header("location"), "*", identified).await.status, 200);
    let known = nobody.send(nobody.request(Method::GET, DIRECTORY).header("if-none-match", all.etag())).await;
    assert_eq!(
        (known.status, known.items("name_fa").len()),
        (200, all.items("name_fa").len() + 1),
        "one more, and no candidate"
    );
    let again =
        nobody.send(nobody.request(Method::GET, DIRECTORY).header("if-none-match", known.etag())).await;
    assert_eq!(again.status, 304);
    for (query, expected) in
        [("province=IR-08&isic=2610", 1), ("province=IR-15&isic=2610", 0), ("isic=26", 1)]
    {
        assert_eq!(nobody.get(&format!("{DIRECTORY}?{query}")).await.body["total"], expected, "{query}");
    }
    let map = nobody.get(&format!("{DIRECTORY}?isic=26&format=geojson")).await;
    let map: Value = serde_json::from_str(&map.text).unwrap();
    assert_eq!(map["features"][0]["geometry"], json!({"type": "Point", "coordinates": [48.25, 33.5]}));
    assert_eq!(
        (&map["type"], &map["features"][0]["properties"]["name_fa"]),
        (&json!("FeatureCollection"), &json!("شناخته"))
    );
    let table = nobody.get(&format!("{DIRECTORY}?isic=26&format=csv")).await;
    assert!(table.text.starts_with("code,name_fa,") && table.text.contains("شناخته"), "{}", table.text);
    assert_eq!(isipo.delete(found.header("location"), "*").await.status, 204);
    assert_eq!(nobody.get(&format!("{DIRECTORY}?isic=26")).await.body["total"], 0);
}

async fn the_public_has_its_own_limit(service: &Service) {
    let (running, limited) = service.beside(|config| config.public_requests_per_minute = 2).await;
    for expected in [200, 200, 429] {
        assert_eq!(limited.get(STATISTICS).await.status, expected);
    }
    assert_eq!(
        limited.get(DIRECTORY).await.header("retry-after").parse::<u64>().map(|seconds| seconds > 0),
        Ok(true)
    );
    assert_eq!(
        limited.login("lorestan").await.get(CLUSTERS).await.status,
        200,
        "those who have a token are not counted with the public"
    );
    running.stop().await;
}
