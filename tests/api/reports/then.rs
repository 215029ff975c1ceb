//! The past as the records themselves tell it, one by one: what reports are held against.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::Client;

/// A day and what was known at a moment, as the query of a report and of a record.
pub struct Then<'a> {
    pub client: &'a Client,
    pub query: String,
}

impl<'a> Then<'a> {
    pub fn new(client: &'a Client, as_of: &str, known_at: Option<&str>) -> Self {
        let known = known_at.map(|moment| format!("&known_at={moment}")).unwrap_or_default();
        Self { client, query: format!("as_of={as_of}&calendar=persian{known}") }
    }

    /// A record as it was; none where nobody knew of it.
    pub async fn record(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(&format!("/api/v1/{path}?{}", self.query)).await;
        (answer.status == 200).then_some(answer.body)
    }

    /// The records of a kind as they were, by their ids.
    pub async fn records(&self, list: &str) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        for id in self.client.get(&format!("/api/v1/{list}?page_size=200")).await.items("id") {
            if let Some(record) = self.record(&format!("{list}/{id}")).await {
                found.insert(id.to_owned(), record);
            }
        }
        found
    }

    /// What a report says: its rows, its totals.
    pub async fn report(&self, name: &str, more: &str) -> (Vec<Value>, Value) {
        let answer = self.client.get(&format!("/api/v1/reports/{name}?{}{more}", self.query)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        let items = answer.body["items"].as_array().unwrap().clone();
        assert_eq!(answer.body["total"], json!(items.len()));
        (items, answer.body["totals"].clone())
    }
}

/// The changes of state of a record by a Persian day, as they were known: the state and the day, oldest first.
pub async fn events(then: &Then<'_>, path: &str, day: &str, known_at: &str) -> Vec<(String, String)> {
    let history = then.client.get(&format!("/api/v1/{path}/history?calendar=persian")).await;
    let entries = history.body["items"].as_array().unwrap().iter();
    let known = entries.filter(|entry| entry["changed_at"].as_str().unwrap() <= known_at && entry["transition"].is_object());
    let told = known.map(|entry| ["to", "effective_on"].map(|name| entry["transition"][name].as_str().unwrap().to_owned()));
    told.filter(|[_, on]| on.as_str() <= day).map(|[to, on]| (to, on)).collect()
}
