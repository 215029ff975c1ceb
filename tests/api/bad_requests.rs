//! Requests that miss their mark: addresses, methods, media types, and what is too large or too slow.

use reqwest::Method;
use serde_json::json;

use crate::{
    on_both, raw,
    support::Service,
    sweep::{Records, operations},
};

on_both!(
    addresses_that_name_nothing_are_not_found,
    media_types_are_checked,
    wrong_methods_are_told_the_right_ones,
    head_is_get_without_a_body,
    bodies_that_are_too_large_are_refused,
    slow_bodies_are_given_up,
    huge_requests_are_refused,
);

const CLUSTERS: &str = "/api/v1/clusters";

async fn addresses_that_name_nothing_are_not_found(service: &Service) {
    let (admin, nobody) = (service.login("admin").await, service.anonymous());
    let records = Records::make(service, "IR-15").await;
    let nothing = [
        "1",
        "not-a-uuid",
        "0193f0a0-0000-7000-8000-000000000000",
        "%00",
        "%FF",
        "%ZZ",
        "%",
        "' OR 1=1 --",
        "%2e%2e",
        "%D8%B3%D9%86%DA%AF",
        &"x".repeat(5_000),
    ];
    for operation in operations().iter().filter(|operation| operation.pattern.contains('{')) {
        for value in nothing {
            // A reference is text of the other system's: its key may be anything that its pattern lets pass.
            let path = operation
                .path(|name| if name == "system" { "no system".to_owned() } else { value.to_owned() })
                .replace(' ', "%20");
            let headers: &[(&str, &str)] = &[("if-match", "\"1\""), ("content-type", "application/json")];
            let body: &[u8] = if operation.media_types().is_empty() {
                b""
            } else {
                b"{\"source_title\": \"x\", \"to\": \"identified\"}"
            };
            let answer = raw::send(&admin, operation.method.as_str(), &path, headers, body).await;
            let expected: &[u16] = match operation.method {
                Method::GET | Method::DELETE => &[400, 404],
                // What the body lacks may be found out before the record is.
                _ => &[400, 404, 422],
            };
            assert!(
                expected.contains(&answer.status),
                "{} {path:.80}: {} {}",
                operation.id(),
                answer.status,
                answer.text
            );
            if value.len() <= 40 && !value.contains('%') && operation.method == Method::GET {
                assert_eq!((answer.status, answer.code()), (404, "not_found"), "{} {path}", operation.id());
            }
        }
    }
    let trailing = format!("{CLUSTERS}/{}/", records.id("cluster"));
    for path in [
        "/",
        "/nothing",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v2/clusters",
        "/API/V1/clusters",
        "//api/v1/clusters",
        &trailing,
    ] {
        for client in [&admin, &nobody] {
            let answer = raw::send(client, "GET", path, &[], b"").await;
            assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}: {}", answer.text);
        }
    }
}

async fn media_types_are_checked(service: &Service) {
    let admin = service.login("admin").await;
    let records = Records::make(service, "IR-15").await;
    for operation in operations().iter().filter(|operation| !operation.media_types().is_empty()) {
        let accepted = operation.media_types().join(", ");
        let others = [
            None,
            Some("text/plain"),
            Some("application/xml"),
            Some("nonsense"),
            Some("application/jsonx"),
            Some("multipart/form-data"),
        ];
        for given in others
            .into_iter()
            .filter(|given| given.is_none_or(|given| !operation.media_types().contains(&given)))
        {
            let request = operation.request(&admin, &operation.path_to(&records), "\"1\"").body("{}");
            let answer = admin
                .send(match given {
                    Some(given) => request.header("content-type", given),
                    None => request,
                })
                .await;
            assert_eq!(
                (answer.status, answer.code()),
                (415, "unsupported_media_type"),
                "{} {given:?}: {}",
                operation.id(),
                answer.text
            );
            assert_eq!(answer.header("accept"), accepted, "{}", operation.id());
        }
    }
    for given in ["application/json; charset=utf-8", "APPLICATION/JSON"] {
        let answer =
            admin.send(admin.request(Method::POST, CLUSTERS).header("content-type", given).body("{}")).await;
        assert_eq!(answer.status, 422, "{given} is JSON: {}", answer.text);
    }
    let answer = admin.send(admin.request(Method::GET, CLUSTERS).header("accept", "application/pdf")).await;
    assert_eq!((answer.status, answer.code()), (406, "not_acceptable"));
}

async fn wrong_methods_are_told_the_right_ones(service: &Service) {
    let admin = service.login("admin").await;
    let records = Records::make(service, "IR-15").await;
    let operations = operations();
    for operation in &operations {
        let mut allowed: Vec<&str> =
            operations.iter().filter(|o| o.pattern == operation.pattern).map(|o| o.method.as_str()).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"]
            .into_iter()
            .filter(|method| !allowed.contains(method))
        {
            let path = operation.path_to(&records);
            let answer = admin.send(admin.request(method.parse().unwrap(), &path)).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
            let mut told: Vec<&str> = answer.header("allow").split(", ").collect();
            told.sort();
            assert_eq!(told, allowed, "{method} {path}");
            assert!(
                method == "HEAD" || answer.code() == "method_not_allowed",
                "{method} {path}: {}",
                answer.text
            );
        }
    }
}

async fn head_is_get_without_a_body(service: &Service) {
    let admin = service.login("admin").await;
    let records = Records::make(service, "IR-15").await;
    // What these two tell is not the same a moment later, whoever asks.
    let moves = |id: &str| ["get_metrics", "list_changes"].contains(&id);
    for operation in
        operations().iter().filter(|operation| operation.method == Method::GET && !moves(operation.id()))
    {
        let path = operation.path_to(&records);
        let sign = if path.contains('?') { '&' } else { '?' };
        for path in [format!("{path}{sign}surprise=1"), path] {
            let ask = async |method: &str| {
                let answer = raw::send(&admin, method, &path, &[("x-request-id", "the-same")], b"").await;
                let mut headers = answer.headers.clone();
                headers.remove("date");
                // Its names come in any order.
                headers.remove("access-control-expose-headers");
                (answer.status, headers, answer.text)
            };
            let (get, head) = (ask("GET").await, ask("HEAD").await);
            assert_eq!((head.0, &head.1), (get.0, &get.1), "{path}");
            assert!(head.2.is_empty() && !get.2.is_empty(), "{path}");
        }
    }
}

async fn bodies_that_are_too_large_are_refused(service: &Service) {
    let (running, small) = service.beside(|config| config.body_limit = 2_048).await;
    let isipo = small.login("isipo").await;
    let body = json!({"name_en": "x".repeat(3_000)}).to_string();
    let json = ("content-type", "application/json");
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (headers, body) in [
        (vec![json], body.as_bytes()),
        (vec![json, ("transfer-encoding", "chunked")], chunked.as_bytes()),
        // What is announced is refused before it comes.
        (vec![json, ("content-length", "10000000000")], &body.as_bytes()[..10]),
    ] {
        let answer = raw::send(&isipo, "POST", CLUSTERS, &headers, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (413, "payload_too_large"),
            "{headers:?}: {}",
            answer.text
        );
        assert!(answer.body["detail"].as_str().unwrap().contains("2048"), "{}", answer.text);
    }
    running.stop().await;
    let isipo = service.login("isipo").await;
    let answer = isipo.post(CLUSTERS, json!("x".repeat(1_048_576))).await;
    assert_eq!((answer.status, answer.code()), (413, "payload_too_large"), "{}", answer.text);
}

async fn slow_bodies_are_given_up(service: &Service) {
    let (running, hasty) = service.beside(|config| config.body_timeout_seconds = 1).await;
    let isipo = hasty.login("isipo").await;
    let headers = [("content-type", "application/json"), ("content-length", "100")];
    for body in [&b""[..], b"{\"province\": \"IR-15\","] {
        let answer = raw::send(&isipo, "POST", CLUSTERS, &headers, body).await;
        assert_eq!((answer.status, answer.code()), (408, "request_timeout"), "{}", answer.text);
        assert_eq!(answer.header("connection"), "close");
    }
    running.stop().await;
}

async fn huge_requests_are_refused(service: &Service) {
    let isipo = service.login("isipo").await;
    let many = (0..5_000).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    let answer = raw::send(&isipo, "GET", &format!("{CLUSTERS}?{many}"), &[], b"").await;
    assert_eq!(
        (answer.status, answer.code(), answer.errors().len()),
        (400, "invalid_parameter", 100),
        "enough of them are named"
    );
    let (long, headers) = ("x".repeat(1_000_000), (0..200).map(|n| format!("x-{n}")).collect::<Vec<_>>());
    let headers: Vec<(&str, &str)> = headers.iter().map(|name| (name.as_str(), "1")).collect();
    for (path, headers) in [
        (format!("{CLUSTERS}?q={}", &long[..60_000]), vec![]),
        (format!("{CLUSTERS}?q={long}"), vec![]),
        (format!("{CLUSTERS}/{long}"), vec![]),
        (CLUSTERS.to_owned(), vec![("x-long", long.as_str())]),
        (CLUSTERS.to_owned(), vec![("idempotency-key", &long[..50_000]), ("accept", "application/pdf")]),
        (CLUSTERS.to_owned(), headers),
    ] {
        // A connection that is closed at once is an answer as well (0).
        let answer = raw::try_send(&isipo, "GET", &path, &headers, b"").await;
        let status = answer.map_or(0, |answer| answer.status);
        assert!(status == 0 || (400..500).contains(&status), "{path:.60}: {status}");
    }
    assert_eq!(isipo.get("/health/live").await.status, 200);
}
