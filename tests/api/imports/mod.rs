//! Files of records from other systems.

mod bad_rows;
mod kills;
mod limits;
mod orders;
mod resources;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, Client};

pub const IMPORTS: &str = "/api/v1/imports";
pub const CSV: &str = "text/csv";
pub const NDJSON: &str = "application/x-ndjson";

/// Sends a file; `order` is the query.
pub async fn send(client: &Client, order: &str, media_type: &str, file: impl Into<reqwest::Body>) -> Answer {
    let request = client
        .request(Method::POST, &format!("{IMPORTS}?{order}"))
        .header("content-type", media_type)
        .body(file);
    client.send(request).await
}

/// The import when it has ended.
pub async fn ended(client: &Client, path: &str) -> Value {
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        if !["waiting", "running"].contains(&answer.body["state"].as_str().unwrap()) {
            return answer.body;
        }
        assert!(Instant::now() < patience, "it does not end: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends a file, and waits until all is done: the import, and its rows.
pub async fn import(
    client: &Client,
    order: &str,
    media_type: &str,
    file: impl Into<reqwest::Body>,
) -> (Value, Vec<Value>) {
    let sent = send(client, order, media_type, file).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    let import = ended(client, sent.header("location")).await;
    (import, rows(client, sent.header("location"), "").await)
}

/// What became of the rows, of all pages.
pub async fn rows(client: &Client, path: &str, filter: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut next = format!("{path}/rows?page_size=200{filter}");
    loop {
        let page = client.get(&next).await;
        assert_eq!(page.status, 200, "{}", page.text);
        rows.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}/rows?page_size=200{filter}&cursor={cursor}"),
            None => return rows,
        }
    }
}

/// The numbers of created, updated, unchanged and failed rows.
pub fn counts(import: &Value) -> [i64; 4] {
    ["created", "updated", "unchanged", "failed"].map(|name| import[name].as_i64().unwrap())
}

/// Column and code of each broken rule of a row.
pub fn faults(row: &Value) -> Vec<(&str, &str)> {
    let faults = row["errors"].as_array().unwrap().iter();
    faults.map(|fault| (fault["column"].as_str().unwrap_or(""), fault["code"].as_str().unwrap())).collect()
}
