//! Every path has a rate limit, and what supervisors read may have an address of its own.

use reqwest::Method;

use crate::support::{Backend, Service};

const OPERATION: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];

#[actix_web::test]
async fn every_path_has_a_limit() {
    let Some(service) = Service::start(Backend::Sqlite, |_| {}).await else { return };
    let paths = [
        "/openapi.json",
        "/docs/",
        "/docs",
        "/docs/swagger-ui.css",
        "/docs/nothing.js",
        "/nothing",
        "/%00",
        "/problems",
        "/.well-known/jwks.json",
    ];
    let below = ["/api/v1/nothing", "/api/v1/clusters", "/api/v1/public/clusters"];
    for path in paths.into_iter().chain(below).chain(OPERATION) {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let limits = |config: &mut khoosheh::config::Config| {
                (config.requests_per_minute, config.public_requests_per_minute) = (3, 3);
                config.cors_origins = vec!["*".into()];
            };
            let (running, nobody) = service.beside(limits).await;
            let mut last = 0;
            for number in 1..=4 {
                let request = nobody.http.request(method.clone(), format!("{}{path}", nobody.address));
                let preflight = request
                    .header("origin", "https://example.org")
                    .header("access-control-request-method", "GET");
                let answer = preflight.send().await.unwrap();
                last = answer.status().as_u16();
                assert!(number == 4 || last != 429 || path == "/docs", "{method} {path}: request {number}");
                assert!(last != 429 || answer.headers().contains_key("retry-after"), "{method} {path}");
            }
            assert_eq!(last, 429, "{method} {path} has no limit");
            if !OPERATION.contains(&path) {
                assert_eq!(nobody.get("/health/live").await.status, 200, "health has a limit of its own");
            }
            running.stop().await;
        }
    }
    service.stop().await;
}

#[actix_web::test]
async fn health_and_metrics_may_be_apart() {
    let Some(service) = Service::start(Backend::Sqlite, |_| {}).await else { return };
    let (running, public) =
        service.beside(|config| config.operation_bind = Some(([127, 0, 0, 1], 0).into())).await;
    let apart = format!("http://{}", running.operation_address.unwrap());
    let status = async |address: &str, path: &str| {
        let answer = public.http.get(format!("{address}{path}")).send().await.unwrap();
        answer.status().as_u16()
    };
    for path in OPERATION {
        assert_eq!((status(&apart, path).await, status(&public.address, path).await), (200, 404), "{path}");
    }
    for path in ["/openapi.json", "/docs/", "/problems", "/api/v1/public/clusters"] {
        assert_eq!((status(&apart, path).await, status(&public.address, path).await), (404, 200), "{path}");
    }
    assert_eq!(
        (status(&apart, "/api/v1/clusters").await, status(&public.address, "/api/v1/clusters").await),
        (404, 401)
    );
    running.stop().await;
    service.stop().await;
}
