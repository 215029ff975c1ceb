//! What goes wrong in practice: a process that is killed, one that is stopped, and several instances at once.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use crate::{
    on_both, on_each,
    process::Server,
    raw,
    support::{Answer, Backend, Client, Scratch, Service},
};

const CLUSTERS: &str = "/api/v1/clusters";

on_both!(what_one_instance_writes_the_other_shows, two_instances_race_for_one_version);

async fn what_one_instance_writes_the_other_shows(service: &Service) {
    let here = service.login("lorestan").await;
    let (running, beside) = service.beside(|_| {}).await;
    let there = beside.with_token(here.token.as_ref().unwrap());
    let created = here
        .post(CLUSTERS, json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}))
        .await;
    let path = created.header("location");
    assert_eq!(there.get(path).await.body, created.body);
    let changed = there.patch(path, created.etag(), json!({"name_en": "German silver"})).await;
    assert_eq!(here.get(path).await.body, changed.body);
    let twice = here
        .post(CLUSTERS, json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}))
        .await;
    assert_eq!(twice.code(), "duplicate");
    let keyed = |client: &Client| {
        let request = client.request(Method::POST, CLUSTERS).header("idempotency-key", "one");
        let request =
            request.json(&json!({"province": "IR-15", "name_fa": "گیوه", "isic": [{"code": "1520"}]}));
        let client = client.clone();
        async move { client.send(request).await }
    };
    let (first, second) = (keyed(&here).await, keyed(&there).await);
    assert_eq!((first.status, second.status, second.header("idempotency-replayed")), (201, 201, "true"));
    assert_eq!(first.body, second.body);
    running.stop().await;
}

async fn two_instances_race_for_one_version(service: &Service) {
    let here = service.login("lorestan").await;
    let (running, beside) = service.beside(|_| {}).await;
    let there = beside.with_token(here.token.as_ref().unwrap());
    let path = format!("{CLUSTERS}/{}", here.cluster_named("زیتون").await.id());
    let etag = here.get(&path).await.etag().to_owned();
    let writers = (0..16).map(|n| {
        let (client, path, etag) =
            (if n % 2 == 0 { here.clone() } else { there.clone() }, path.clone(), etag.clone());
        tokio::task::spawn(async move {
            client.patch(&path, &etag, json!({"name_en": format!("Stone {n}")})).await
        })
    });
    let answers: Vec<Answer> =
        futures_util::future::join_all(writers).await.into_iter().map(Result::unwrap).collect();
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(
        answers
            .iter()
            .filter(|answer| answer.status != 200)
            .all(|answer| answer.status == 412 && answer.etag() == won[0].version_tag())
    );
    assert_eq!(there.get(&path).await.body, won[0].body);
    running.stop().await;
}

on_each!(a_kill_under_load_loses_nothing);

/// What a writer has sent.
#[derive(Debug)]
struct Sent {
    key: String,
    body: Value,
    /// The answer; none where the server was gone before it.
    created: Option<Value>,
}

async fn a_kill_under_load_loses_nothing(backend: Backend) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let server = Server::serve(&scratch.url, &[]).await;
    let client = server.client().login("isipo").await;
    let before = client.count(CLUSTERS).await;
    let (report, mut sent) = mpsc::unbounded_channel();
    let writers: Vec<_> = (0..4)
        .map(|writer| tokio::spawn(write_until_refused(client.clone(), writer, report.clone())))
        .collect();
    drop(report);
    let mut all = Vec::new();
    for _ in 0..60 {
        all.push(sent.recv().await.expect("the writers write"));
    }
    server.kill();
    futures_util::future::join_all(writers).await;
    while let Some(last) = sent.recv().await {
        all.push(last);
    }
    let unanswered = all.iter().filter(|sent| sent.created.is_none()).count();
    assert_eq!(unanswered, 4, "the last request of each writer has no answer");

    let server = Server::serve(&scratch.url, &[]).await;
    let client = server.client().login("isipo").await;
    for sent in &all {
        let repeated = post(&client, &sent.key, &sent.body).await.unwrap();
        assert_eq!(repeated.status, 201, "{}", repeated.text);
        if let Some(created) = &sent.created {
            assert_eq!(
                (&repeated.body, repeated.header("idempotency-replayed")),
                (created, "true"),
                "what was acknowledged is there"
            );
        }
        let path = repeated.header("location");
        assert_eq!(client.get(path).await.body, repeated.body);
        assert_eq!(
            client.get(&format!("{path}/history")).await.items("kind"),
            ["created"],
            "with its history entry"
        );
    }
    assert_eq!(client.count(CLUSTERS).await, before + all.len() as u64, "and each of them once");
    server.kill();
    scratch.remove().await;
}

async fn write_until_refused(client: Client, writer: u32, report: mpsc::UnboundedSender<Sent>) {
    for number in 0.. {
        let key = format!("writer-{writer}-{number}");
        let body = json!({"province": "IR-15", "name_fa": format!("خوشهٔ {writer} {number}"), "isic": [{"code": "2599"}]});
        let created = post(&client, &key, &body).await.map(|answer| {
            assert_eq!(answer.status, 201, "{}", answer.text);
            answer.body
        });
        let goes_on = created.is_some();
        report.send(Sent { key, body, created }).unwrap();
        if !goes_on {
            return;
        }
    }
}

/// A POST with a key; none where the server is gone before its answer.
async fn post(client: &Client, key: &str, body: &Value) -> Option<Answer> {
    let request = client.request(Method::POST, CLUSTERS).header("idempotency-key", key).json(body);
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.ok()?;
    let body = serde_json::from_str(&text).ok()?;
    Some(Answer { status, headers, text, body })
}

#[actix_web::test]
async fn a_stop_lets_requests_finish() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let server = Server::serve(&scratch.url, &[("KHOOSHEH_SHUTDOWN_DELAY_SECONDS", "1")]).await;
    let client = server.client().login("isipo").await;
    let body = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}).to_string();
    let (first, rest) = body.as_bytes().split_at(10);
    let length = body.len().to_string();
    let headers = [("content-type", "application/json"), ("content-length", length.as_str())];
    let mut upload = raw::open(&client, "POST", CLUSTERS, &headers, first).await;
    // Connections are accepted in their order: after this answer the upload is in a worker's hands.
    assert_eq!(client.get("/health/ready").await.status, 200);
    server.terminate();
    let ready =
        until(async || Some(client.get("/health/ready").await).filter(|answer| answer.status == 503)).await;
    assert_eq!((ready.code(), ready.header("retry-after")), ("unavailable", "2"));
    assert_eq!(
        client.get("/api/v1/provinces").await.status,
        200,
        "until the listener closes the service serves"
    );
    let address = server.address.trim_start_matches("http://").to_owned();
    until(async || TcpStream::connect(&address).await.err()).await;
    upload.write_all(rest).await.unwrap();
    let mut bytes = Vec::new();
    upload.read_to_end(&mut bytes).await.unwrap();
    let answer = raw::parse(&bytes).expect("an answer to the request in flight");
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(server.ended().await, 0);
    let server = Server::serve(&scratch.url, &[]).await;
    assert_eq!(server.client().login("isipo").await.get(answer.header("location")).await.body, answer.body);
}

/// Asks again and again until there is something.
pub async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect("it happens within 20 s")
}
