//! The past as the records themselves tell it, one by one: what reports are held against.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{projects::walk, support::Client};

/// So much later than any moment that everything is known.
const FOREVER: &str = "9999-12-31T00:00:00Z";

/// A Persian day and what was known at a moment, as somebody may see it.
pub struct Then<'a> {
    pub client: &'a Client,
    /// The Persian day.
    pub day: &'a str,
    /// Only what was recorded until this moment counts.
    pub known_at: &'a str,
    /// Both, as the query of a report and of a record.
    pub query: String,
    lists: Mutex<HashMap<String, Rc<BTreeMap<String, Value>>>>,
}

impl<'a> Then<'a> {
    pub fn new(client: &'a Client, day: &'a str, known_at: Option<&'a str>) -> Self {
        let known = known_at.map(|moment| format!("&known_at={moment}")).unwrap_or_default();
        let query = format!("as_of={day}&calendar=persian{known}");
        Self { client, day, known_at: known_at.unwrap_or(FOREVER), query, lists: Mutex::default() }
    }

    /// A record as it was; none where nobody knew of it.
    pub async fn record(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(&format!("/api/v1/{path}?{}", self.query)).await;
        (answer.status == 200).then_some(answer.body)
    }

    /// The records of a kind as they were, by their ids.
    pub async fn records(&self, list: &str) -> Rc<BTreeMap<String, Value>> {
        let mut lists = self.lists.lock().await;
        if let Some(found) = lists.get(list) {
            return found.clone();
        }
        let mut found = BTreeMap::new();
        for present in walk(self.client, &format!("/api/v1/{list}?page_size=200")).await {
            let id = present["id"].as_str().unwrap();
            if let Some(record) = self.record(&format!("{list}/{id}")).await {
                found.insert(id.to_owned(), record);
            }
        }
        let found = Rc::new(found);
        lists.insert(list.to_owned(), found.clone());
        found
    }

    /// What stands in a list today and was known then, with Persian dates.
    pub async fn listed(&self, path: &str) -> Vec<Value> {
        let listed = walk(
            self.client,
            &format!(
                "/api/v1/{path}{}calendar=persian&page_size=200",
                if path.contains('?') { '&' } else { '?' }
            ),
        )
        .await;
        listed.into_iter().filter(|row| row["created_at"].as_str().unwrap() <= self.known_at).collect()
    }

    /// What a report says: its rows, its totals.
    pub async fn report(&self, name: &str, more: &str) -> (Vec<Value>, Value) {
        let answer = self.client.get(&format!("/api/v1/reports/{name}?{}{more}", self.query)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        let items = answer.body["items"].as_array().unwrap().clone();
        assert_eq!(answer.body["total"], json!(items.len()));
        (items, answer.body["totals"].clone())
    }

    /// The changes of state of a record by a Persian day, as they were known: the state and the day, oldest
    /// first.
    pub async fn events(&self, path: &str, day: &str) -> Vec<(String, String)> {
        let history = self.client.get(&format!("/api/v1/{path}/history?calendar=persian")).await;
        let entries = history.body["items"].as_array().unwrap().iter();
        let known = entries.filter(|entry| {
            entry["changed_at"].as_str().unwrap() <= self.known_at && entry["transition"].is_object()
        });
        let told = known.map(|entry| {
            ["to", "effective_on"].map(|name| entry["transition"][name].as_str().unwrap().to_owned())
        });
        told.filter(|[_, on]| on.as_str() <= day).map(|[to, on]| (to, on)).collect()
    }
}

impl std::fmt::Display for Then<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.query)
    }
}
