//! A database that goes away, or says nothing, and comes back.

use std::sync::Arc;

use khoosheh::{config::Config, server::Running};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    resilience::until,
    support::{Backend, Client, Service},
};

const CLUSTERS: &str = "/api/v1/clusters";

/// A cable to PostgreSQL.
struct Cable {
    address: String,
    state: Arc<watch::Sender<CableState>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CableState {
    Plugged,
    /// Connections break, and new ones are refused.
    Pulled,
    /// Connections stay open, and nothing goes through them.
    Stalled,
}

impl Cable {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(watch::Sender::new(CableState::Plugged));
        let sender = state.clone();
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let (mut state, target) = (sender.subscribe(), target.clone());
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        biased;
                        _ = state.wait_for(|state| *state != CableState::Plugged) => {}
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    }
                    // A stalled connection is open until the cable is in another state; it does not come
                    // back.
                    let _ = state.wait_for(|state| *state != CableState::Stalled).await;
                });
            }
        });
        Self { address, state }
    }

    /// One more instance of the service, at the end of this cable.
    async fn service(&self, service: &Service, adjust: impl FnOnce(&mut Config)) -> (Running, Client) {
        let (user, place) = service.database_url().split_once('@').unwrap();
        let (_, name) = place.split_once('/').unwrap();
        let url = format!("{user}@{}/{name}", self.address);
        let adjusted = |config: &mut Config| {
            config.database_url = url.parse().unwrap();
            adjust(config);
        };
        service.beside(adjusted).await
    }

    fn set(&self, state: CableState) {
        self.state.send_replace(state);
    }
}

/// A service and the cable that leads to its database.
async fn service_with_cable() -> Option<(Service, Cable)> {
    let service = Service::start(Backend::Postgres, |_| {}).await?;
    let (_, place) = service.database_url().split_once('@').unwrap();
    let cable = Cable::to(place.split_once('/').unwrap().0.to_owned()).await;
    Some((service, cable))
}

#[actix_web::test]
async fn a_database_may_go_away_and_come_back() {
    let Some((service, cable)) = service_with_cable().await else { return };
    let (running, beside) = cable.service(&service, |_| {}).await;
    let isipo = beside.login("isipo").await;
    let write = async |name: &str| {
        isipo.post(CLUSTERS, json!({"province": "IR-15", "name_fa": name, "isic": [{"code": "2599"}]})).await
    };
    let before = isipo.count(CLUSTERS).await;
    assert_eq!(write("ورشو").await.status, 201);

    for _ in 0..2 {
        cable.set(CableState::Pulled);
        for answer in [
            isipo.get(CLUSTERS).await,
            write("گیوه").await,
            isipo.get("/health/ready").await,
            isipo.get("/api/v1/clusters?count=true").await,
        ] {
            assert_eq!(
                (answer.status, answer.code(), answer.header("retry-after")),
                (503, "unavailable", "2"),
                "{}",
                answer.text
            );
        }
        let form =
            [("grant_type", "client_credentials"), ("client_id", "integrator"), ("client_secret", "x")];
        assert_eq!(
            beside.form("/api/v1/auth/token", &form).await.status,
            503,
            "nobody is told that a secret is wrong that was not looked at"
        );
        assert_eq!(beside.with_token("x").get(CLUSTERS).await.status, 401);
        for path in ["/health/live", "/metrics", "/openapi.json", "/problems"] {
            assert_eq!(isipo.get(path).await.status, 200, "{path}");
        }
        assert_eq!(isipo.post(CLUSTERS, json!({})).await.status, 422, "what needs no database is still told");
        cable.set(CableState::Plugged);
        until(async || Some(isipo.get("/health/ready").await).filter(|answer| answer.status == 200)).await;
        for _ in 0..8 {
            assert_eq!(isipo.get(CLUSTERS).await.status, 200, "every connection is usable again");
        }
    }
    assert_eq!(write("گیوه").await.status, 201);
    assert_eq!(isipo.count(CLUSTERS).await, before + 2, "what was refused was not written");
    running.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn a_database_that_says_nothing_holds_nobody_up() {
    let Some((service, cable)) = service_with_cable().await else { return };
    let (running, beside) = cable
        .service(&service, |config| (config.body_timeout_seconds, config.request_timeout_seconds) = (1, 2))
        .await;
    let isipo = beside.login("isipo").await;
    let before = isipo.count(CLUSTERS).await;
    cable.set(CableState::Stalled);
    let body = json!({"province": "IR-15", "name_fa": "گیوه", "isic": [{"code": "2599"}]});
    let (read, written, ready) =
        tokio::join!(isipo.get(CLUSTERS), isipo.post(CLUSTERS, body.clone()), isipo.get("/health/ready"));
    for answer in [read, written, ready] {
        assert!(
            answer.status == 503 && matches!(answer.code(), "timed_out" | "unavailable"),
            "{}",
            answer.text
        );
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    assert_eq!(isipo.get("/health/live").await.status, 200);
    cable.set(CableState::Plugged);
    until(async || Some(isipo.get("/health/ready").await).filter(|answer| answer.status == 200)).await;
    until(async || Some(isipo.post(CLUSTERS, body.clone()).await).filter(|answer| answer.status != 503))
        .await;
    assert_eq!(isipo.count(CLUSTERS).await, before + 1, "it is written once");
    running.stop().await;
    service.stop().await;
}
