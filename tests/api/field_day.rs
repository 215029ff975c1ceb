//! A field app's day: a CDA with a phone and a bad connection. Every request is sent twice, as by an app that
//! did not hear the answer, and the second one changes nothing; each is small.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    every_role::Stored,
    on_both,
    support::{Answer, Client, Service},
};

on_both!(the_day_of_a_cda);

/// The smallest JPEG that there is, of one grey point.
const PHOTO: &[u8] = &[
    0xff, 0xd8, 0xff, 0xdb, 0x00, 0x43, 0x00, 0x03, 0x02, 0x02, 0x02, 0x02, 0x02, 0x03, 0x02, 0x02, 0x02,
    0x03, 0x03, 0x03, 0x03, 0x04, 0x06, 0x04, 0x04, 0x04, 0x04, 0x04, 0x08, 0x06, 0x06, 0x05, 0x06, 0x09,
    0x08, 0x0a, 0x0a, 0x09, 0x08, 0x09, 0x09, 0x0a, 0x0c, 0x0f, 0x0c, 0x0a, 0x0b, 0x0e, 0x0b, 0x09, 0x09,
    0x0d, 0x11, 0x0d, 0x0e, 0x0f, 0x10, 0x10, 0x11, 0x10, 0x0a, 0x0c, 0x12, 0x13, 0x12, 0x10, 0x13, 0x0f,
    0x10, 0x10, 0x10, 0xff, 0xc9, 0x00, 0x0b, 0x08, 0x00, 0x01, 0x00, 0x01, 0x01, 0x01, 0x11, 0x00, 0xff,
    0xcc, 0x00, 0x06, 0x00, 0x10, 0x10, 0x05, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00,
    0xd2, 0xcf, 0x20, 0xff, 0xd9,
];

/// An app, with the bytes that it has received.
struct App<'a> {
    stored: &'a Stored,
    client: Client,
    requests: usize,
    received: usize,
}

impl App<'_> {
    /// Sends a request, and once more as if the first answer had been lost.
    async fn send(&mut self, request: impl Fn(&Client) -> RequestBuilder) -> Answer {
        let first = self.client.send(request(&self.client)).await;
        assert!(first.status < 300, "{}", first.text);
        let written = self.stored.now().await;
        let second = self.client.send(request(&self.client)).await;
        assert_eq!(
            (second.status, &second.text),
            (first.status, &first.text),
            "the repetition gets the same answer"
        );
        assert_eq!(self.stored.now().await, written, "and writes nothing");
        self.requests += 1;
        self.received += first.text.len();
        first
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(|client| client.request(Method::GET, path)).await
    }

    async fn post(&mut self, path: &str, key: &str, etag: &str, body: &Value) -> Answer {
        self.send(|client| {
            client
                .request(Method::POST, path)
                .header("idempotency-key", key)
                .header("if-match", etag)
                .json(body)
        })
        .await
    }
}

async fn the_day_of_a_cda(service: &Service) {
    let stored = &Stored(service.database().await);
    let supervisor = service.login("supervisor").await;
    let mut app = App { stored, client: service.login("cda").await, requests: 0, received: 0 };
    let projects = app.get("/api/v1/projects?mine=true&fields=id,title_fa,progress_bp,next_milestone").await;
    assert_eq!(projects.items("id").len(), 1);
    let project = projects.items("id")[0].to_owned();
    let open = format!(
        "/api/v1/milestones?project_id={project}&state=planned,in_progress,returned&fields=id,title_fa,due_on,state&sort=due_on"
    );
    let milestones = app.get(&open).await;
    let brand = milestones.items("id")[0].to_owned();
    let path = format!("/api/v1/milestones/{brand}");
    let milestone = app.get(&path).await;
    assert_eq!(
        (&milestone.body["state"], &milestone.body["allowed_transitions"][0]["missing"][0]["code"]),
        (&json!("in_progress"), &json!("no_evidence"))
    );

    // The photo: announced, then sent.
    let sha256: String = Sha256::digest(PHOTO).iter().map(|byte| format!("{byte:02x}")).collect();
    let photo = json!({
        "subject_kind": "milestone", "subject_id": brand, "kind": "photo", "title_fa": "نشان روی بسته‌بندی", "file_name": "IMG_0001.jpg",
        "media_type": "image/jpeg", "sha256": sha256, "size_bytes": PHOTO.len(),
    });
    let announced = app.post("/api/v1/attachments", "day-1", "*", &photo).await;
    let content = format!("{}/content", announced.header("location"));
    app.send(|client| client.request(Method::PUT, &content).header("content-type", "image/jpeg").body(PHOTO))
        .await;
    let milestone = app.get(&path).await;
    assert_eq!(
        milestone.body["allowed_transitions"],
        json!([{"to": "submitted", "needs": [], "missing": []}])
    );

    // Handed in, returned, and handed in again.
    let transitions = format!("{path}/transitions");
    let submitted = app.post(&transitions, "day-2", milestone.etag(), &json!({"to": "submitted"})).await;
    assert_eq!(submitted.body["state"], "submitted");
    let returned = supervisor
        .transition(&path, "*", json!({"to": "returned", "reason": "تاریخ عکس خوانده نمی‌شود"}))
        .await;
    assert_eq!(returned.status, 200, "{}", returned.text);
    let late = app.client.send(
        app.client
            .request(Method::POST, &transitions)
            .header("if-match", submitted.etag())
            .json(&json!({"to": "in_progress"})),
    );
    let late = late.await;
    assert_eq!(
        (late.status, late.etag()),
        (412, returned.version_tag()),
        "whoever has not seen the return learns of it"
    );
    let seen = app.get(&path).await;
    let history = app.client.get(&format!("{path}/history")).await;
    let told = &history.body["items"].as_array().unwrap().last().unwrap()["transition"];
    assert_eq!((&told["to"], &told["reason"]), (&json!("returned"), &json!("تاریخ عکس خوانده نمی‌شود")));
    let resumed = app.post(&transitions, "day-3", seen.etag(), &json!({"to": "in_progress"})).await;
    let again = app.post(&transitions, "day-4", resumed.etag(), &json!({"to": "submitted"})).await;
    assert_eq!(again.body["state"], "submitted");
    let accepted = supervisor.transition(&path, "*", json!({"to": "accepted"})).await;
    assert_eq!(accepted.body["accepted_fraction_bp"], 10_000, "{}", accepted.text);

    let shown = supervisor.send(supervisor.request(Method::GET, &content)).await;
    assert_eq!(
        (shown.header("content-type"), shown.header("x-content-type-options")),
        ("image/jpeg", "nosniff")
    );
    assert!(shown.header("content-disposition").starts_with("attachment"));
    assert_eq!(app.requests, 10, "a day is few requests");
    assert!(app.received < 12_000, "and small ones: {} bytes", app.received);
}
