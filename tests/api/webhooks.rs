//! Webhooks: what one is made of, its secrets and signatures, where it may lead, and its deliveries.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use khoosheh::{config::Config, server::Running};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::{
    clusters::{CLUSTERS, register},
    on_both,
    organisations::lives_and_dies,
    resilience::until,
    support::{Answer, Client, Service},
};

on_both!(
    a_webhook_from_creation_to_tombstone,
    a_province_has_so_many_webhooks,
    a_secret_is_told_once_and_kept_to_itself,
    every_event_is_signed_and_says_what_the_feed_says,
    a_new_secret_overlaps_the_one_before,
    private_addresses_are_refused,
    what_a_name_stands_for_is_refused_when_it_is_sent_to,
    deliveries_are_listed_and_found,
    a_test_says_how_it_went,
    old_deliveries_are_forgotten,
);

pub const WEBHOOKS: &str = "/api/v1/webhooks";

/// How a receiver answers.
#[derive(Clone)]
pub enum Manner {
    /// With this status.
    Status(u16),
    /// With this status to so many requests of each event, and then with 204.
    First(usize, u16),
    /// With this status and these headers.
    With(u16, &'static str, String),
    /// Never, to so many requests of each event, and then with 204.
    Stalls(usize),
    /// With 204 after so long.
    Slow(Duration),
    /// With this text.
    Says(u16, String),
    /// With 200, and a text that never ends.
    Dribbles,
}

/// A request that has come.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: String,
    /// The status that it was answered with; none where it was not.
    pub status: Option<u16>,
}

impl Received {
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether the reference library takes it with a secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(self.body.as_bytes(), &self.headers).is_ok()
    }
}

#[derive(Default)]
struct Heard {
    manners: HashMap<String, Manner>,
    requests: Vec<(String, Received)>,
}

/// A server that receives events; each path of it is a receiver of its own.
pub struct Receivers {
    pub address: String,
    heard: Arc<Mutex<Heard>>,
    handle: ServerHandle,
}

impl Receivers {
    pub fn start() -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let data = web::Data::from(heard.clone());
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(receive)));
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { address, heard, handle }
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }

    pub fn behave(&self, name: &str, manner: Manner) {
        self.heard.lock().unwrap().manners.insert(name.to_owned(), manner);
    }

    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// All requests that a receiver has got.
    pub fn requests(&self, name: &str) -> Vec<Received> {
        self.heard
            .lock()
            .unwrap()
            .requests
            .iter()
            .filter(|(to, _)| to == name)
            .map(|(_, received)| received.clone())
            .collect()
    }

    /// Those that it has taken.
    pub fn taken(&self, name: &str) -> Vec<Received> {
        self.requests(name)
            .into_iter()
            .filter(|received| received.status.is_some_and(|status| status < 300))
            .collect()
    }

    /// Waits until it has taken so many different events, and gives all that it has taken.
    pub async fn until_taken(&self, name: &str, count: usize) -> Vec<Received> {
        until(async || {
            let taken = self.taken(name);
            let ids: std::collections::BTreeSet<_> =
                taken.iter().map(|received| received.id().to_owned()).collect();
            (ids.len() >= count).then_some(taken)
        })
        .await
    }
}

async fn receive(request: HttpRequest, body: String, heard: web::Data<Mutex<Heard>>) -> HttpResponse {
    let name = request.path().trim_start_matches('/').to_owned();
    let header =
        |(name, value): (&actix_web::http::header::HeaderName, &actix_web::http::header::HeaderValue)| {
            (
                HeaderName::from_bytes(name.as_str().as_bytes()).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            )
        };
    let mut received =
        Received { headers: request.headers().iter().map(header).collect(), body, status: None };
    let (manner, place) = {
        let mut heard = heard.lock().unwrap();
        let id = received.headers.get("webhook-id").cloned();
        let before = heard
            .requests
            .iter()
            .filter(|(to, earlier)| *to == name && earlier.headers.get("webhook-id").cloned() == id)
            .count();
        let manner = match heard.manners.get(&name).cloned().unwrap_or(Manner::Status(204)) {
            Manner::First(count, _) | Manner::Stalls(count) if before >= count => Manner::Status(204),
            manner => manner,
        };
        received.status = match &manner {
            Manner::Status(status)
            | Manner::First(_, status)
            | Manner::With(status, ..)
            | Manner::Says(status, _) => Some(*status),
            Manner::Dribbles => Some(200),
            Manner::Stalls(_) | Manner::Slow(_) => None,
        };
        heard.requests.push((name, received));
        (manner, heard.requests.len() - 1)
    };
    let build = |status| HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap());
    match manner {
        Manner::Status(status) | Manner::First(_, status) => build(status).finish(),
        Manner::With(status, name, value) => build(status).insert_header((name, value)).finish(),
        Manner::Says(status, text) => build(status).body(text),
        Manner::Dribbles => build(200).streaming(futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, actix_web::Error>(web::Bytes::from_static(b".")), ()))
        })),
        Manner::Stalls(_) => std::future::pending().await,
        Manner::Slow(pause) => {
            tokio::time::sleep(pause).await;
            heard.lock().unwrap().requests[place].1.status = Some(204);
            build(204).finish()
        }
    }
}

/// What an instance needs that sends to receivers of a test.
pub fn sending(config: &mut Config) {
    config.webhook_workers = 16;
    config.webhook_timeout_seconds = 5;
    config.webhook_retry_seconds = vec![0; 8];
    config.webhook_networks = vec!["127.0.0.0/8".parse().unwrap()];
}

/// An instance that sends, receivers, and a client of the instance that is logged in as somebody.
pub async fn setting(
    service: &Service,
    name: &str,
    adjust: impl FnOnce(&mut Config),
) -> (Running, Receivers, Client) {
    let (running, client) = service
        .beside(|config| {
            sending(config);
            adjust(config);
        })
        .await;
    (running, Receivers::start(), client.login(name).await)
}

/// A webhook for these kinds of records.
pub async fn create(client: &Client, url: &str, resources: &[&str]) -> Answer {
    let created = client.post(WEBHOOKS, json!({"url": url, "resources": resources})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created
}

pub fn secret(answer: &Answer) -> &str {
    answer.body["secret"].as_str().unwrap_or_else(|| panic!("no secret in {}", answer.text))
}

/// A POST without a body.
pub async fn post(client: &Client, path: &str) -> Answer {
    client.send(client.request(Method::POST, path).header("if-match", "*")).await
}

/// Its deliveries.
pub async fn deliveries(client: &Client, webhook: &Answer, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("{}/deliveries?page_size=200{query}", path_of(webhook))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["items"].as_array().unwrap().clone()
}

pub fn path_of(webhook: &Answer) -> String {
    format!("{WEBHOOKS}/{}", webhook.id())
}

/// Waits until so many deliveries of a webhook are in a state, and gives them.
pub async fn until_in_state(client: &Client, webhook: &Answer, state: &str, count: usize) -> Vec<Value> {
    until(async || {
        Some(deliveries(client, webhook, &format!("&state={state}")).await)
            .filter(|found| found.len() == count)
    })
    .await
}

/// A delivery with its log.
pub async fn log_of(client: &Client, webhook: &Answer, delivery: &Value) -> Answer {
    client.get(&format!("{}/deliveries/{}", path_of(webhook), delivery["id"].as_str().unwrap())).await
}

/// Runs a statement past the service.
pub async fn execute(db: &khoosheh::store::Database, sql: &str) {
    db.execute_unprepared(sql).await.unwrap();
}

/// Of each record the versions that a receiver has taken, in their order.
pub fn versions(taken: &[Received]) -> BTreeMap<String, Vec<i64>> {
    let mut versions: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for received in taken {
        let event = received.event();
        versions
            .entry(event["data"]["id"].as_str().unwrap().to_owned())
            .or_default()
            .push(event["data"]["version"].as_i64().unwrap());
    }
    versions
}

async fn a_webhook_from_creation_to_tombstone(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let input = json!({"url": "https://erp.example.ir/khoosheh", "resources": ["project", "cluster", "project"], "description": "سامانهٔ استان"});
    let created = lorestan.post(WEBHOOKS, input).await;
    assert_eq!(
        (created.status, created.header("location")),
        (201, path_of(&created).as_str()),
        "{}",
        created.text
    );
    assert!(secret(&created).starts_with("whsec_") && created.header("cache-control").contains("no-store"));
    for (field, value) in [
        ("resources", json!(["cluster", "project"])),
        ("province", json!("IR-15")),
        ("is_active", json!(true)),
        ("disabled_reason", Value::Null),
        ("account_id", created.body["created_by"].clone()),
    ] {
        assert_eq!(created.body[field], value, "{field}");
    }
    for (change, reason) in
        [(json!({"is_active": false}), json!("requested")), (json!({"is_active": true}), Value::Null)]
    {
        let changed = lorestan.patch(created.header("location"), "*", change).await;
        assert_eq!(
            (&changed.body["disabled_reason"], changed.body["disabled_at"].is_null()),
            (&reason, reason.is_null()),
            "{}",
            changed.text
        );
    }
    let mut second =
        lorestan.post(WEBHOOKS, json!({"url": "https://erp.example.ir/a", "resources": ["cluster"]})).await;
    second.body.as_object_mut().unwrap().remove("secret");
    let history = lives_and_dies(&lorestan, &second, json!({"url": "https://erp.example.ir/b"})).await;
    let change =
        json!([{"field": "url", "from": "https://erp.example.ir/a", "to": "https://erp.example.ir/b"}]);
    assert_eq!(history.body["items"][1]["changes"], change);
    let empty = lorestan.post(WEBHOOKS, json!({})).await;
    assert_eq!((empty.status, empty.errors()), (422, vec![("/resources", "required"), ("/url", "required")]));
    let unknown = lorestan
        .post(WEBHOOKS, json!({"url": "https://a.ir/", "resources": ["account"], "secret": "whsec_own"}))
        .await;
    assert_eq!(unknown.errors(), [("/resources/0", "not_in_list"), ("/secret", "unknown_field")]);
    for (query, count) in [
        ("q=erp", 1),
        ("is_active=false", 0),
        ("province=IR-15", 1),
        ("province=IR-08", 0),
        ("sort=-created_at,id", 1),
    ] {
        assert_eq!(lorestan.get(&format!("{WEBHOOKS}?{query}")).await.items("id").len(), count, "{query}");
    }
}

async fn a_province_has_so_many_webhooks(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let url = "https://erp.example.ir/";
    let first = create(&lorestan, url, &["cluster"]).await;
    for _ in 1..100 {
        create(&lorestan, url, &["cluster"]).await;
    }
    let refused = lorestan.post(WEBHOOKS, json!({"url": url, "resources": ["cluster"]})).await;
    assert_eq!((refused.status, refused.code()), (409, "too_many_webhooks"));
    create(&service.login("kerman").await, url, &["cluster"]).await;
    assert_eq!(lorestan.delete(&path_of(&first), "*").await.status, 204);
    create(&lorestan, url, &["cluster"]).await;
}

/// All that is stored, but for the webhooks themselves.
async fn stored(db: &khoosheh::store::Database) -> String {
    let mut found = String::new();
    for table in [
        "change_log",
        "idempotent_answer",
        "search_term",
        "webhook_lane",
        "webhook_delivery",
        "webhook_attempt",
    ] {
        for row in db
            .query_all_raw(Statement::from_string(
                db.get_database_backend(),
                format!("SELECT * FROM {table}"),
            ))
            .await
            .unwrap()
        {
            for column in row.column_names() {
                found.extend(row.try_get::<String>("", &column).ok());
                found.extend(row.try_get::<Value>("", &column).ok().map(|value| value.to_string()));
            }
        }
    }
    found
}

async fn a_secret_is_told_once_and_kept_to_itself(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let keyed = async |path: &str, body: Option<Value>| {
        let request = lorestan
            .request(Method::POST, path)
            .header("idempotency-key", format!("key-{path}"))
            .header("if-match", "\"1\"");
        lorestan.send(body.iter().fold(request, |request, body| request.json(body))).await
    };
    let input = json!({"url": "https://erp.example.ir/", "resources": ["cluster"]});
    let created = keyed(WEBHOOKS, Some(input.clone())).await;
    let rotation = format!("{}/secret", created.header("location"));
    let bare = lorestan.send(lorestan.request(Method::POST, &rotation)).await;
    assert_eq!((bare.status, bare.code()), (428, "precondition_required"));
    let rotated = keyed(&rotation, None).await;
    assert_eq!((rotated.status, &rotated.body["version"]), (200, &json!(2)), "{}", rotated.text);
    assert_ne!(secret(&created), secret(&rotated));
    for (path, body) in [(WEBHOOKS, Some(input)), (rotation.as_str(), None)] {
        let repeated = keyed(path, body).await;
        assert_eq!(
            (repeated.header("idempotency-replayed"), repeated.body.get("secret")),
            ("true", None),
            "{}",
            repeated.text
        );
    }
    let path = created.header("location");
    let mut shown = stored(&service.database().await).await;
    for place in [path, WEBHOOKS, &format!("{WEBHOOKS}?format=csv"), &format!("{path}/history")] {
        shown += &lorestan.get(place).await.text;
    }
    assert!(shown.contains("erp.example.ir"), "the search looks at what is stored");
    for hidden in ["whsec_", "expires_at", &secret(&created)[6..], &secret(&rotated)[6..]] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
}

async fn every_event_is_signed_and_says_what_the_feed_says(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let before = register(&lorestan, "گیوه", json!({})).await;
    let feed = lorestan.get("/api/v1/changes?resource=cluster&page_size=1000").await;
    let webhook = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    let made = register(&lorestan, "ورشو", json!({})).await;
    assert_eq!(lorestan.patch(before.header("location"), "*", json!({"name_en": "Giveh"})).await.status, 200);
    assert_eq!(lorestan.delete(made.header("location"), "*").await.status, 204);
    let taken = receivers.until_taken("ok", 3).await;
    let told = lorestan
        .get(&format!(
            "/api/v1/changes?resource=cluster&since={}",
            feed.body["next_cursor"].as_str().unwrap()
        ))
        .await;
    let mut events: Vec<Value> = taken.iter().map(|received| received.event()).collect();
    events.sort_by_key(|event| event["timestamp"].to_string());
    let expected = told.body["items"].as_array().unwrap().iter().map(|change| {
        let kind = format!("cluster.{}", change["kind"].as_str().unwrap());
        json!({"type": kind, "timestamp": change["changed_at"], "data": change})
    });
    assert_eq!(
        events,
        expected.collect::<Vec<_>>(),
        "what is changed from its creation on, as the feed tells it"
    );
    let another = format!("whsec_{}", "A".repeat(32));
    for received in &taken {
        assert!(received.is_signed_with(secret(&webhook)) && !received.is_signed_with(&another));
        let mut forged = received.clone();
        forged.body = forged.body.replace("cluster", "project");
        assert!(!forged.is_signed_with(secret(&webhook)));
        let of_request =
            |name: &str| received.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(of_request("content-type").as_deref(), Some("application/json"));
        assert!(of_request("user-agent").unwrap().starts_with("Khoosheh/"));
        assert!(["cookie", "referer", "authorization"].iter().all(|name| of_request(name).is_none()));
    }
    let ids: Vec<_> = deliveries(&lorestan, &webhook, "")
        .await
        .iter()
        .map(|delivery| delivery["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(taken.iter().all(|received| ids.contains(&received.id().to_owned())));
    running.stop().await;
    receivers.stop().await;
}

async fn a_new_secret_overlaps_the_one_before(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let webhook = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    let rotated = post(&lorestan, &format!("{}/secret", path_of(&webhook))).await;
    let (old, new) = (secret(&webhook), secret(&rotated));
    register(&lorestan, "ورشو", json!({})).await;
    let first = receivers.until_taken("ok", 1).await.remove(0);
    assert!(first.is_signed_with(old) && first.is_signed_with(new), "{:?}", first.headers);

    // A day later.
    let db = service.database().await;
    let query = Statement::from_string(db.get_database_backend(), "SELECT secrets FROM webhook");
    let mut secrets: Value = db.query_one_raw(query).await.unwrap().unwrap().try_get("", "secrets").unwrap();
    let end: chrono::DateTime<chrono::Utc> = secrets[1]["expires_at"].as_str().unwrap().parse().unwrap();
    let left = end - chrono::Utc::now();
    assert!(
        left > chrono::TimeDelta::minutes(23 * 60 + 55) && left <= chrono::TimeDelta::hours(24),
        "{left}"
    );
    secrets[1]["expires_at"] = json!(chrono::Utc::now() - chrono::TimeDelta::seconds(1));
    let update = Statement::from_sql_and_values(
        db.get_database_backend(),
        "UPDATE webhook SET secrets = $1",
        [secrets.into()],
    );
    db.execute_raw(update).await.unwrap();
    register(&lorestan, "گیوه", json!({})).await;
    let second = receivers.until_taken("ok", 2).await.remove(1);
    assert!(!second.is_signed_with(old) && second.is_signed_with(new), "{:?}", second.headers);
    running.stop().await;
    receivers.stop().await;
}

async fn private_addresses_are_refused(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let webhook = create(&lorestan, "https://erp.example.ir/", &["cluster"]).await;
    for (url, code) in [
        ("https://127.0.0.1/", "address_refused"),
        ("https://2130706433/", "address_refused"),
        ("https://0x7f000001/", "address_refused"),
        ("https://0177.0.0.1/", "address_refused"),
        ("https://127.1/", "address_refused"),
        ("https://10.1.2.3/", "address_refused"),
        ("https://169.254.169.254/latest/meta-data/", "address_refused"),
        ("https://100.64.0.1/", "address_refused"),
        ("https://[::1]/", "address_refused"),
        ("https://[::ffff:10.0.0.1]/", "address_refused"),
        ("https://[64:ff9b::a00:1]/", "address_refused"),
        ("https://[2002:7f00:1::]/", "address_refused"),
        ("https://[fd00:ec2::254]/", "address_refused"),
        ("http://erp.example.ir/", "not_https"),
        ("http://127.0.0.1/", "not_https"),
        ("https://user:password@erp.example.ir/", "has_credentials"),
        ("https://erp.example.ir/#part", "has_fragment"),
        ("ftp://erp.example.ir/", "wrong_pattern"),
        ("https://[::1/", "wrong_format"),
    ] {
        let created = lorestan.post(WEBHOOKS, json!({"url": url, "resources": ["cluster"]})).await;
        let changed = lorestan.patch(&path_of(&webhook), "*", json!({"url": url})).await;
        for refused in [created, changed] {
            assert_eq!((refused.status, refused.errors()), (422, vec![("/url", code)]), "{url}");
        }
    }
}

async fn what_a_name_stands_for_is_refused_when_it_is_sent_to(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let (_, port) = receivers.address.rsplit_once(':').unwrap();
    // A literal that the one instance allows, and a name of the same address.
    let literal = create(&lorestan, &receivers.url("literal"), &["cluster"]).await;
    let name = create(&lorestan, &format!("http://localhost:{port}/name"), &["cluster"]).await;
    let safe = create(&lorestan, &format!("https://localhost:{port}/safe"), &["cluster"]).await;
    running.stop().await;
    // The other one allows nothing.
    let (strict, client) = service
        .beside(|config| {
            sending(config);
            config.webhook_networks = Vec::new();
            config.webhook_retry_seconds = Vec::new();
        })
        .await;
    let strict_client = client.with_token(lorestan.token.as_ref().unwrap());
    // In clear nothing is sent to any name; of others nobody learns whether they stand for something.
    for (webhook, fault) in
        [(&literal, "address_refused"), (&name, "address_refused"), (&safe, "unreachable")]
    {
        post(&strict_client, &format!("{}/test", path_of(webhook))).await;
        let dead = until_in_state(&strict_client, webhook, "dead", 1).await;
        let log = log_of(&strict_client, webhook, &dead[0]).await.body["log"].clone();
        assert_eq!((&log[0]["fault"], &log[0]["status"]), (&json!(fault), &Value::Null), "{}", webhook.text);
    }
    for path in ["literal", "name", "safe"] {
        assert!(receivers.requests(path).is_empty(), "nothing has come to {path}");
    }
    strict.stop().await;
    receivers.stop().await;
}

async fn deliveries_are_listed_and_found(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = vec![0]).await;
    receivers.behave("bad", Manner::Says(500, "خطا".repeat(1_000)));
    let good = create(&lorestan, &receivers.url("good"), &["cluster", "cluster_claim"]).await;
    let bad = create(&lorestan, &receivers.url("bad"), &["cluster"]).await;
    let made = crate::clusters::claimed(&lorestan, "ورشو", json!({})).await;
    let delivered = until_in_state(&lorestan, &good, "delivered", 2).await;
    let dead = until_in_state(&lorestan, &bad, "dead", 1).await;
    assert_eq!(deliveries(&lorestan, &bad, "&state=pending,delivered").await, Vec::<Value>::new());
    for (query, count) in [
        ("&resource=cluster", 1),
        ("&resource=cluster_claim,project", 1),
        (&format!("&record_id={}", made.id()), 1),
        ("&record_id=0193f0a0-0000-7000-8000-000000000000", 0),
        ("&sort=-id", 2),
    ] {
        assert_eq!(deliveries(&lorestan, &good, query).await.len(), count, "{query}");
    }
    let page = lorestan.get(&format!("{}/deliveries?page_size=1&count=true&sort=-id", path_of(&good))).await;
    assert_eq!((&page.body["total"], page.items("event")), (&json!(2), vec!["cluster_claim.upsert"]));
    let next = lorestan
        .get(&format!(
            "{}/deliveries?page_size=1&sort=-id&cursor={}",
            path_of(&good),
            page.body["next_cursor"].as_str().unwrap()
        ))
        .await;
    assert_eq!(next.items("event"), ["cluster.upsert"]);
    let table = lorestan.get(&format!("{}/deliveries?format=csv", path_of(&good))).await;
    assert_eq!(table.text.lines().count(), 3);

    let failed = log_of(&lorestan, &bad, &dead[0]).await;
    assert_eq!(
        (&failed.body["attempts"], failed.body["settled_at"].is_string()),
        (&json!(2), true),
        "{}",
        failed.text
    );
    let log = failed.body["log"].as_array().unwrap();
    assert_eq!(log.iter().map(|attempt| attempt["number"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        (&log[0]["status"], &log[0]["fault"], log[0]["answer"].as_str().unwrap().len()),
        (&json!(500), &json!("refused"), 1_024)
    );
    let succeeded = log_of(&lorestan, &good, &delivered[0]).await;
    assert_eq!(
        (&succeeded.body["log"][0]["status"], &succeeded.body["log"][0]["fault"]),
        (&json!(204), &Value::Null)
    );
    // A delivery is found under its own webhook only.
    assert_eq!(log_of(&lorestan, &bad, &delivered[0]).await.status, 404);
    let kerman = service.login("kerman").await;
    assert_eq!(
        (log_of(&kerman, &good, &delivered[0]).await.status, kerman.get(&path_of(&good)).await.status),
        (404, 404)
    );
    for (query, pointer) in [
        ("state=lost", "/state/0"),
        ("resource=account", "/resource/0"),
        ("record_id=x", "/record_id"),
        ("sort=state", "/sort/0"),
    ] {
        let refused = lorestan.get(&format!("{}/deliveries?{query}", path_of(&good))).await;
        assert_eq!((refused.status, refused.errors()[0].0), (400, pointer), "{query}");
    }
    running.stop().await;
    receivers.stop().await;
}

async fn a_test_says_how_it_went(service: &Service) {
    let (running, receivers, lorestan) = setting(service, "lorestan", |_| {}).await;
    let webhook = create(&lorestan, &receivers.url("ok"), &["cluster"]).await;
    let path = format!("{}/test", path_of(&webhook));
    let keyed =
        async || lorestan.send(lorestan.request(Method::POST, &path).header("idempotency-key", "one")).await;
    let (test, again) = (keyed().await, keyed().await);
    assert_eq!(
        (test.status, &test.body["event"], &test.body["state"]),
        (200, &json!("ping"), &json!("pending")),
        "{}",
        test.text
    );
    assert_eq!((again.header("idempotency-replayed"), again.id()), ("true", test.id()));
    let received = receivers.until_taken("ok", 1).await.remove(0);
    assert!(received.is_signed_with(secret(&webhook)));
    let event =
        json!({"type": "ping", "timestamp": test.body["created_at"], "data": {"webhook_id": webhook.id()}});
    assert_eq!((received.id(), received.event()), (test.id(), event));
    until_in_state(&lorestan, &webhook, "delivered", 1).await;
    running.stop().await;
    receivers.stop().await;
}

async fn old_deliveries_are_forgotten(service: &Service) {
    let (running, receivers, lorestan) =
        setting(service, "lorestan", |config| config.webhook_retry_seconds = Vec::new()).await;
    receivers.behave("bad", Manner::Status(500));
    let (good, bad) = (
        create(&lorestan, &receivers.url("ok"), &["cluster"]).await,
        create(&lorestan, &receivers.url("bad"), &["cluster"]).await,
    );
    register(&lorestan, "ورشو", json!({})).await;
    until_in_state(&lorestan, &good, "delivered", 1).await;
    until_in_state(&lorestan, &bad, "dead", 1).await;
    let db = service.database().await;
    let left = async |after_days: i64| {
        let before =
            khoosheh::store::now() - chrono::TimeDelta::days(30) + chrono::TimeDelta::days(after_days);
        khoosheh::store::outbox::forget_old(&db, before).await.unwrap();
        (deliveries(&lorestan, &good, "").await.len(), deliveries(&lorestan, &bad, "").await.len())
    };
    assert_eq!(left(0).await, (1, 1));
    execute(
        &db,
        "UPDATE webhook_delivery SET settled_at = '2026-01-01T00:00:00+00:00' WHERE state = 'delivered'",
    )
    .await;
    assert_eq!(left(0).await, (0, 1));
    execute(&db, "UPDATE webhook_delivery SET settled_at = '2026-01-01T00:00:00+00:00'").await;
    assert_eq!(left(0).await, (0, 0));
    let attempts =
        Statement::from_string(db.get_database_backend(), "SELECT count(*) AS n FROM webhook_attempt");
    let attempts: i64 = db.query_one_raw(attempts).await.unwrap().unwrap().try_get("", "n").unwrap();
    assert_eq!((attempts, lorestan.count(CLUSTERS).await > 0), (0, true));
    running.stop().await;
    receivers.stop().await;
}
