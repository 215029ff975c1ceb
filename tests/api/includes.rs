//! What a cluster brings along with `include=`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, register},
    on_both,
    process::Server,
    support::{Backend, Client, Scratch, Service},
};

on_both!(
    a_cluster_brings_its_claims_and_its_industry,
    every_cluster_of_a_list_brings_its_own,
    an_answer_with_claims_changes_with_them,
    what_is_not_asked_for_does_not_come,
);

async fn a_cluster_brings_its_claims_and_its_industry(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    let whole = lorestan.get(&format!("{stone}?include=claims,industry")).await;
    assert_eq!(whole.body["claims"], lorestan.get(&format!("{stone}/claims")).await.body["items"]);
    assert_eq!(whole.body["claims"].as_array().unwrap().len(), 2);
    assert_eq!(whole.body["industry"], lorestan.get("/api/v1/industries/2396").await.body);
    let persian = lorestan.get(&format!("{stone}?include=claims&calendar=persian")).await;
    assert_eq!((&persian.body["claims"][0]["claimed_on"], &persian.body["claims"][1]["claimed_on"]), (&Value::Null, &json!("1392-12-07")));
}

async fn every_cluster_of_a_list_brings_its_own(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let bare = register(&lorestan, "ورشو", json!({"isic": [{"code": "2599"}]})).await;
    let mut path = format!("{CLUSTERS}?include=industry,claims&sort=code&page_size=5");
    let mut seen = 0;
    loop {
        let page = lorestan.get(&path).await;
        for cluster in page.body["items"].as_array().unwrap() {
            let own = lorestan.get(&format!("{CLUSTERS}/{}/claims", cluster["id"].as_str().unwrap())).await;
            assert_eq!(cluster["claims"], own.body["items"]);
            assert_eq!((&cluster["industry"]["code"], &cluster["industry"]["level"]), (&cluster["isic"][0]["code"], &json!("class")));
            seen += 1;
        }
        let link = page.header("link");
        let Some(next) = link.strip_prefix('<').and_then(|link| link.split_once('>')) else { break };
        path = next.0.to_owned();
        assert!(path.contains("include=industry,claims"), "{path}");
    }
    assert_eq!(seen, 12);
    assert_eq!(lorestan.get(&format!("{}?include=claims", bare.header("location"))).await.body["claims"], json!([]));
}

async fn an_answer_with_claims_changes_with_them(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = format!("{CLUSTERS}/{}", lorestan.cluster_named("عسل").await.id());
    let with_claims = format!("{path}?include=claims");
    let before = lorestan.get(&with_claims).await;
    let known = || lorestan.send(lorestan.request(Method::GET, &with_claims).header("if-none-match", before.etag()));
    assert_eq!(known().await.status, 304);
    let claim = lorestan.post(&format!("{path}/claims"), json!({"source_title": "خبر"})).await;
    let after = known().await;
    assert_eq!((after.status, after.body["claims"].as_array().unwrap().len()), (200, 3));
    assert_ne!(after.etag(), before.etag());
    assert_eq!(lorestan.delete(claim.header("location"), "*").await.status, 204);
    assert_eq!(known().await.status, 304);
    assert_eq!(lorestan.patch(&path, after.etag(), json!({"name_en": "Wild honey"})).await.status, 200, "the cluster itself is the version seen");
    assert_eq!(known().await.status, 200);
}

async fn what_is_not_asked_for_does_not_come(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    let keys = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let plain = keys(&lorestan.get(&stone).await.body);
    assert!(!plain.contains(&"claims".to_owned()) && !plain.contains(&"industry".to_owned()));
    let sparse = lorestan.get(&format!("{stone}?fields=code,claims&include=claims,industry")).await;
    assert_eq!(keys(&sparse.body), ["code", "claims"]);
    for (query, error) in [
        ("include=projects", ("/include/0", "not_in_list")),
        ("include=claims&include=industry", ("/include", "repeated")),
        ("include=", ("/include/0", "not_in_list")),
    ] {
        for path in [stone.as_str(), CLUSTERS] {
            let refused = lorestan.get(&format!("{path}?{query}")).await;
            assert_eq!((refused.status, refused.errors()), (400, vec![error]), "{query}");
        }
    }
}

/// How many statements a process of its own sends to the database for a request, once all is warm.
pub async fn statements(client: &Client, path: &str) -> u64 {
    let total = async || {
        let metrics = client.get("/metrics").await.text;
        let counts = metrics.lines().filter(|line| line.starts_with("database_statement_seconds_count"));
        counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum::<u64>()
    };
    let mut fewest = u64::MAX;
    // Each worker has connections and a cache of its own: the least of several is what a warm one needs.
    for _ in 0..6 {
        let before = total().await;
        assert_eq!(client.get(path).await.status, 200);
        fewest = fewest.min(total().await - before);
    }
    fewest
}

async fn includes_cost_one_statement_each(backend: Backend) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let server = Server::serve(&scratch.url, &[]).await;
    let lorestan = server.client().login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    for (query, more) in [("?", 0), ("?include=claims", 1), ("?include=industry", 1), ("?include=claims,industry", 2)] {
        assert_eq!(statements(&lorestan, &format!("{stone}{query}")).await, 3 + more, "{query}: the cluster, its project, and what may follow");
        for size in [1, 3, 11] {
            assert_eq!(statements(&lorestan, &format!("{CLUSTERS}{query}&page_size={size}")).await, 3 + more, "{query} of {size}");
        }
    }
    let report = "/api/v1/reports/identified-clusters?as_of=2014-03-20";
    assert_eq!(statements(&lorestan, report).await, 2, "the clusters, and their sources");
    assert_eq!(statements(&lorestan, &format!("{CLUSTERS}?count=true")).await, 4, "a count is a statement of its own");
    server.kill();
    scratch.remove().await;
}

mod an_include_costs_one_statement {
    use super::*;

    #[actix_web::test]
    async fn sqlite() {
        includes_cost_one_statement_each(Backend::Sqlite).await;
    }

    #[actix_web::test]
    async fn postgres() {
        includes_cost_one_statement_each(Backend::Postgres).await;
    }
}
