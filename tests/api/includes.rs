//! What a cluster brings along with `include=`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api_clients::client_with,
    clusters::{CLUSTERS, register},
    on_both, on_each,
    process::Server,
    support::{Backend, Client, Scratch, Service},
};

on_both!(
    a_cluster_brings_its_claims_and_its_industry,
    every_cluster_of_a_list_brings_its_own,
    an_answer_with_claims_changes_with_them,
    what_is_not_asked_for_does_not_come,
    what_may_not_be_read_is_not_included,
);

/// Each value of `include=` needs the permission of the records that it brings, whichever operation it is
/// asked of.
async fn what_may_not_be_read_is_not_included(service: &Service) {
    let admin = service.login("admin").await;
    let document = admin.get("/openapi.json").await.body;
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["get"];
        let Some(include) = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|parameter| parameter["name"] == "include")
        else {
            continue;
        };
        let own = operation["security"][0]["oauth2"][0].as_str().unwrap();
        let path = path
            .replace("{id}", &uuid::Uuid::nil().to_string())
            .replace("{system}", "erp")
            .replace("{key}", "A");
        for value in include["schema"]["items"]["enum"].as_array().unwrap() {
            let value = value.as_str().unwrap();
            let needed = include["x-permissions"][value]
                .as_str()
                .unwrap_or_else(|| panic!("{path}: {value} names no permission"));
            tried += 1;
            let path = format!("{path}?include={value}");
            let (_, narrow) = client_with(&admin, &format!("narrow-{tried}"), &[own], Value::Null).await;
            let answer = narrow.get(&path).await;
            if needed != own {
                assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{path}");
                assert!(answer.body["detail"].as_str().unwrap().contains(needed), "{path}: {}", answer.text);
                assert!(answer.header("www-authenticate").contains(&format!("scope=\"{needed}\"")), "{path}");
            }
            let (_, both) = client_with(&admin, &format!("both-{tried}"), &[own, needed], Value::Null).await;
            assert_ne!(both.get(&path).await.status, 403, "{path}");
        }
    }
    assert!(tried > 40, "only {tried}");
}

async fn a_cluster_brings_its_claims_and_its_industry(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    let whole = lorestan.get(&format!("{stone}?include=claims,industry")).await;
    assert_eq!(whole.body["claims"], lorestan.get(&format!("{stone}/claims")).await.body["items"]);
    assert_eq!(whole.body["claims"].as_array().unwrap().len(), 2);
    assert_eq!(whole.body["industry"], lorestan.get("/api/v1/industries/2396").await.body);
    let persian = lorestan.get(&format!("{stone}?include=claims&calendar=persian")).await;
    assert_eq!(
        (&persian.body["claims"][0]["claimed_on"], &persian.body["claims"][1]["claimed_on"]),
        (&Value::Null, &json!("1392-12-07"))
    );
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
            assert_eq!(
                (&cluster["industry"]["code"], &cluster["industry"]["level"]),
                (&cluster["isic"][0]["code"], &json!("class"))
            );
            seen += 1;
        }
        let link = page.header("link");
        let Some(next) = link.strip_prefix('<').and_then(|link| link.split_once('>')) else { break };
        path = next.0.to_owned();
        assert!(path.contains("include=industry,claims"), "{path}");
    }
    assert_eq!(seen, 12);
    assert_eq!(
        lorestan.get(&format!("{}?include=claims", bare.header("location"))).await.body["claims"],
        json!([])
    );
}

async fn an_answer_with_claims_changes_with_them(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = format!("{CLUSTERS}/{}", lorestan.cluster_named("عسل").await.id());
    let with_claims = format!("{path}?include=claims");
    let before = lorestan.get(&with_claims).await;
    let known =
        || lorestan.send(lorestan.request(Method::GET, &with_claims).header("if-none-match", before.etag()));
    assert_eq!(known().await.status, 304);
    let claim = lorestan.post(&format!("{path}/claims"), json!({"source_title": "خبر"})).await;
    let after = known().await;
    assert_eq!((after.status, after.body["claims"].as_array().unwrap().len()), (200, 3));
    assert_ne!(after.etag(), before.etag());
    assert_eq!(lorestan.delete(claim.header("location"), "*").await.status, 204);
    assert_eq!(known().await.status, 304);
    assert_eq!(
        lorestan.patch(&path, after.etag(), json!({"name_en": "Wild honey"})).await.status,
        200,
        "the cluster itself is the version seen"
    );
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

/// How many statements a process of its own sends to the database for a request, once all is warm: the least
/// of several times, until it is what is expected. Each worker has connections and a cache of its own, and
/// the service has work of its own now and then, the more the slower the machine is.
pub async fn statements(client: &Client, path: &str, expected: u64) -> u64 {
    let total = async || {
        let metrics = client.get("/metrics").await.text;
        let counts = metrics.lines().filter(|line| line.starts_with("database_statement_seconds_count"));
        counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum::<u64>()
    };
    let mut fewest = u64::MAX;
    for _ in 0..60 {
        let before = total().await;
        assert_eq!(client.get(path).await.status, 200);
        fewest = fewest.min(total().await - before);
        if fewest <= expected {
            break;
        }
    }
    fewest
}

async fn an_include_costs_one_statement(backend: Backend) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let server = Server::serve(&scratch.url, &[]).await;
    let lorestan = server.client().login("lorestan").await;
    let stone = format!("{CLUSTERS}/{}", lorestan.cluster_named("سنگ").await.id());
    for (query, more) in
        [("?", 0), ("?include=claims", 1), ("?include=industry", 1), ("?include=claims,industry", 2)]
    {
        assert_eq!(
            statements(&lorestan, &format!("{stone}{query}"), 3 + more).await,
            3 + more,
            "{query}: the cluster, its project, and what may follow"
        );
        for size in [1, 3, 11] {
            assert_eq!(
                statements(&lorestan, &format!("{CLUSTERS}{query}&page_size={size}"), 3 + more).await,
                3 + more,
                "{query} of {size}"
            );
        }
    }
    let report = "/api/v1/reports/identified-clusters?as_of=2014-03-20";
    assert_eq!(statements(&lorestan, report, 2).await, 2, "the clusters, and their sources");
    assert_eq!(
        statements(&lorestan, &format!("{CLUSTERS}?count=true"), 4).await,
        4,
        "a count is a statement of its own"
    );
    server.kill();
    scratch.remove().await;
}

on_each!(an_include_costs_one_statement);
