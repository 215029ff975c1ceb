//! The service as its operators and browsers see it: health, metrics, documentation, headers, limits,
//! compression.

use std::{collections::BTreeSet, io::Read};

use khoosheh::problem::problem_types::CATALOGUE;
use reqwest::Method;
use serde_json::json;

use crate::{
    on_both,
    support::{Answer, Service},
};

on_both!(
    health_is_told,
    metrics_count_requests,
    the_documentation_needs_no_network,
    every_answer_carries_safe_headers,
    a_request_id_is_taken_or_made,
    foreign_pages_need_permission,
    callers_are_limited,
    large_answers_are_compressed,
    problems_are_catalogued,
    problems_speak_two_languages,
);

async fn health_is_told(service: &Service) {
    for path in ["/health/live", "/health/ready"] {
        let answer = service.anonymous().get(path).await;
        assert_eq!((answer.status, &answer.body), (200, &json!({"status": "ok"})), "{path}");
    }
}

async fn metrics_count_requests(service: &Service) {
    let isipo = service.login("isipo").await;
    isipo.get("/api/v1/clusters?q=سنگ").await;
    isipo.get("/api/v1/clusters/not-a-uuid").await;
    isipo.get("/nothing").await;
    let metrics = isipo.get("/metrics").await;
    assert!(
        metrics.header("content-type").starts_with("text/plain; version=0.0.4"),
        "{}",
        metrics.header("content-type")
    );
    for labels in [
        "http_request_seconds_count{operation=\"list_clusters\",status=\"200\"}",
        "http_request_seconds_count{operation=\"get_cluster\",status=\"404\"}",
        "http_request_seconds_count{operation=\"none\",status=\"404\"}",
        "http_request_seconds_bucket{operation=\"create_token\",status=\"200\",le=\"0.1\"}",
        "database_statement_seconds_count{failed=\"false\"}",
        "disk_free_bytes{of=\"files\"}",
        "disk_free_bytes{of=\"temporary\"}",
    ] {
        assert!(
            metrics.text.lines().any(|line| line.starts_with(labels)),
            "{labels} is not in {}",
            metrics.text
        );
    }
    assert!(
        !metrics.text.contains("سنگ") && !metrics.text.contains("not-a-uuid"),
        "labels are few and hold nobody's data"
    );
}

async fn the_documentation_needs_no_network(service: &Service) {
    let nobody = service.anonymous();
    let fetch = async |path: &str| {
        let answer = nobody.http.get(format!("{}{path}", nobody.address)).send().await.unwrap();
        let headers = answer.headers().clone();
        (answer.status().as_u16(), headers, answer.text().await.unwrap())
    };
    let (status, headers, page) = fetch("/docs/").await;
    assert_eq!((status, headers["content-type"].to_str().unwrap().starts_with("text/html")), (200, true));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'self'") && !policy.contains("http"), "{policy}");
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "something comes from elsewhere: {page}"
    );
    let sources = page
        .split(['"', '\''])
        .filter(|text| text.starts_with("./") && (text.ends_with(".js") || text.ends_with(".css")));
    let sources: BTreeSet<&str> = sources.collect();
    assert!(sources.len() >= 3, "{page}");
    for source in sources {
        let (status, _, text) = fetch(&format!("/docs/{}", source.trim_start_matches("./"))).await;
        assert!(status == 200 && !text.is_empty(), "{source}: {status}");
    }
    let (_, _, start) = fetch("/docs/swagger-initializer.js").await;
    assert!(start.contains("/openapi.json"), "{start}");
    assert_eq!(fetch("/docs").await.2, page, "without the slash one gets there as well");
    assert_eq!(fetch("/docs/nothing.js").await.0, 404);
}

async fn every_answer_carries_safe_headers(service: &Service) {
    let isipo = service.login("isipo").await;
    for path in
        ["/api/v1/clusters", "/api/v1/clusters/x", "/nothing", "/health/live", "/openapi.json", "/docs/"]
    {
        let answer = isipo.http.get(format!("{}{path}", isipo.address)).send().await.unwrap();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
        assert!(
            answer.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!answer.headers().contains_key("server"), "{path}");
    }
    let answer = isipo.get("/api/v1/clusters").await;
    assert_eq!(
        (answer.header("cache-control"), answer.header("content-type")),
        ("private, no-cache", "application/json")
    );
    assert!(answer.header("vary").contains("Authorization"), "{}", answer.header("vary"));
}

async fn a_request_id_is_taken_or_made(service: &Service) {
    let isipo = service.login("isipo").await;
    let with_id = async |id: &str| {
        let request = isipo.request(Method::POST, "/api/v1/clusters").header("x-request-id", id);
        isipo
            .send(request.json(&json!({"province": "IR-15", "name_fa": id, "isic": [{"code": "2599"}]})))
            .await
    };
    let created = with_id("call-17").await;
    assert_eq!(created.header("x-request-id"), "call-17");
    let history = isipo.get(&format!("{}/history", created.header("location"))).await;
    assert_eq!(history.items("request_id"), ["call-17"], "what was written can be traced to the request");
    for unusable in ["with space", &"x".repeat(101)] {
        let made = with_id(unusable).await.header("x-request-id").to_owned();
        assert_eq!(uuid::Uuid::parse_str(&made).unwrap().get_version_num(), 7, "{made}");
    }
}

async fn foreign_pages_need_permission(service: &Service) {
    let (running, open) =
        service.beside(|config| config.cors_origins = vec!["https://app.example".into()]).await;
    let preflight = |origin: &'static str, method: &'static str| {
        let request = open
            .request(Method::OPTIONS, "/api/v1/clusters")
            .header("origin", origin)
            .header("access-control-request-method", method);
        request.header("access-control-request-headers", "authorization,if-match,idempotency-key").send()
    };
    let allowed = preflight("https://app.example", "PATCH").await.unwrap();
    assert_eq!(
        (allowed.status().as_u16(), &allowed.headers()["access-control-allow-origin"]),
        (200, &"https://app.example".parse().unwrap())
    );
    let methods = allowed.headers()["access-control-allow-methods"].to_str().unwrap();
    assert!(
        ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().all(|method| methods.contains(method)),
        "{methods}"
    );
    let headers = allowed.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(
        ["authorization", "content-type", "if-match", "idempotency-key"]
            .iter()
            .all(|name| headers.contains(name)),
        "{headers}"
    );

    let isipo = open.login("isipo").await;
    let answer = isipo
        .send(isipo.request(Method::GET, "/api/v1/clusters").header("origin", "https://app.example"))
        .await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://app.example"));
    assert!(
        ["etag", "link", "x-request-id", "retry-after"]
            .iter()
            .all(|name| answer.header("access-control-expose-headers").contains(name))
    );
    let refused = open
        .send(open.request(Method::GET, "/api/v1/clusters").header("origin", "https://app.example"))
        .await;
    assert_eq!(
        (refused.status, refused.header("access-control-allow-origin")),
        (401, "https://app.example"),
        "a page can read a refusal as well"
    );

    let denied = preflight("https://evil.example", "GET").await.unwrap();
    assert!(denied.headers().get("access-control-allow-origin").is_none());
    let foreign = isipo
        .http
        .get(format!("{}/api/v1/clusters", isipo.address))
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    assert!(foreign.headers().get("access-control-allow-origin").is_none());
    running.stop().await;
    let closed = service.anonymous();
    let answer = closed
        .http
        .get(format!("{}/health/live", closed.address))
        .header("origin", "https://app.example")
        .send()
        .await
        .unwrap();
    assert!(answer.headers().get("access-control-allow-origin").is_none(), "no page unless it is configured");
}

async fn callers_are_limited(service: &Service) {
    let tokens = [service.login("isipo").await.token.unwrap(), service.login("kerman").await.token.unwrap()];
    let (running, limited) = service.beside(|config| config.requests_per_minute = 3).await;
    let [isipo, kerman] = tokens.map(|token| limited.with_token(&token));
    for left in ["\"default\";r=2", "\"default\";r=1", "\"default\";r=0"] {
        let answer = isipo.get("/api/v1/provinces").await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, left));
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=3;w=60");
    }
    let refused = isipo.get("/api/v1/clusters").await;
    assert_eq!(
        (refused.status, refused.code(), refused.header("ratelimit")),
        (429, "too_many_requests", "\"default\";r=0")
    );
    assert!(
        (1..=20).contains(&refused.header("retry-after").parse::<u64>().unwrap()),
        "{}",
        refused.header("retry-after")
    );
    assert_eq!(kerman.get("/api/v1/provinces").await.status, 200, "each caller has its own");
    let statuses = futures_util::future::join_all((0..6).map(|_| limited.get("/api/v1/provinces"))).await;
    assert_eq!(
        statuses.iter().filter(|answer| answer.status == 429).count(),
        3,
        "guessing tokens is limited by address"
    );
    assert_eq!(limited.form("/api/v1/auth/token", &[]).await.status, 429);
    assert_eq!(limited.get("/health/live").await.status, 200, "health has a limit of its own");
    running.stop().await;
}

async fn large_answers_are_compressed(service: &Service) {
    let isipo = service.login("isipo").await;
    let fetch = async |path: &str, accept: &str| {
        let answer = isipo.request(Method::GET, path).header("accept-encoding", accept).send().await.unwrap();
        let headers = answer.headers().clone();
        let header = |name: &str| {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(", ")
        };
        let (encoding, etag, vary) = (header("content-encoding"), header("etag"), header("vary"));
        (encoding, etag, vary, answer.bytes().await.unwrap().to_vec())
    };
    let list = "/api/v1/clusters?page_size=200";
    let (encoding, plain_tag, vary, plain) = fetch(list, "identity").await;
    assert_eq!(encoding, "");
    assert!(vary.contains("Accept-Encoding") && plain.len() > 2_048, "{vary}");
    for encoding in ["gzip", "br", "zstd"] {
        let (given, tag, vary, bytes) = fetch(list, encoding).await;
        assert!(vary.contains("Accept-Encoding"), "{vary}");
        let mut decoded = Vec::new();
        match encoding {
            "gzip" => flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut decoded),
            "br" => brotli::Decompressor::new(bytes.as_slice(), 4096).read_to_end(&mut decoded),
            _ => zstd::Decoder::new(bytes.as_slice()).unwrap().read_to_end(&mut decoded),
        }
        .unwrap();
        assert_eq!((given.as_str(), decoded == plain), (encoding, true));
        assert!(bytes.len() * 3 < plain.len(), "{encoding}: {} of {}", bytes.len(), plain.len());
        assert_ne!(tag, plain_tag, "another representation has another strong ETag");
        let again = isipo
            .send(
                isipo
                    .request(Method::GET, list)
                    .header("accept-encoding", encoding)
                    .header("if-none-match", &tag),
            )
            .await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{encoding}");
    }
    let first = isipo.get(list).await.items("id")[0].to_owned();
    for (path, accept) in [
        (format!("/api/v1/clusters/{first}"), "gzip, br, zstd"),
        (list.to_owned(), "deflate"),
        (list.to_owned(), "gzip;q=0"),
    ] {
        assert_eq!(fetch(&path, accept).await.0, "", "{path} {accept}");
    }
}

async fn problems_are_catalogued(service: &Service) {
    let nobody = service.anonymous();
    let list = nobody.get("/problems").await;
    let codes: Vec<&str> =
        list.body.as_array().unwrap().iter().map(|kind| kind["code"].as_str().unwrap()).collect();
    assert_eq!(codes, CATALOGUE.iter().map(|kind| kind.code).collect::<Vec<_>>());
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "each code is there once");
    for kind in list.body.as_array().unwrap() {
        let one = nobody.get(&format!("/problems/{}", kind["code"].as_str().unwrap())).await;
        assert_eq!((one.status, &one.body), (200, kind));
        assert!(
            ["title_fa", "title_en", "detail_fa", "detail_en"]
                .iter()
                .all(|field| !kind[field].as_str().unwrap().is_empty()),
            "{kind}"
        );
    }
    let unknown = nobody.get("/problems/nothing").await;
    assert_eq!((unknown.status, unknown.code()), (404, "not_found"));
    // The type of a problem leads to its entry.
    assert_eq!(
        nobody.get(unknown.body["type"].as_str().unwrap()).await.body["title_en"],
        unknown.body["title"]
    );
}

async fn problems_speak_two_languages(service: &Service) {
    let nobody = service.anonymous();
    let ask = async |languages: &str| -> Answer {
        nobody
            .send(nobody.http.get(format!("{}/nothing", nobody.address)).header("accept-language", languages))
            .await
    };
    for (languages, language, title) in [
        ("", "fa", "یافت نشد"),
        ("fa", "fa", "یافت نشد"),
        ("en", "en", "Not found"),
        ("en-GB, fa;q=0.5", "en", "Not found"),
        ("de, fa-IR;q=0.2, en;q=0.1", "fa", "یافت نشد"),
        ("*", "fa", "یافت نشد"),
        ("en;q=0", "fa", "یافت نشد"),
    ] {
        let answer = ask(languages).await;
        assert_eq!(
            (answer.header("content-language"), answer.body["title"].as_str().unwrap(), answer.code()),
            (language, title, "not_found"),
            "{languages}"
        );
    }
}
