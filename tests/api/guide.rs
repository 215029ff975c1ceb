//! The guide to the API keeps its word: every request of it is sent, and gets the answer that stands there.

use std::{collections::HashMap, time::Duration};

use khoosheh::problem::problem_types::CATALOGUE;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    on_both,
    support::{Client, Service},
};

on_both!(the_guide_keeps_its_word);

const ENGLISH: &str = include_str!("../../docs/API.md");
const PERSIAN: &str = include_str!("../../docs/API.fa.md");

/// A message of HTTP as the guide writes it.
struct Message<'a> {
    first: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

impl<'a> Message<'a> {
    fn parse(text: &'a str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let first = lines.next().unwrap();
        Self {
            first,
            headers: lines.map(|line| line.split_once(": ").unwrap()).collect(),
            body: body.trim_end(),
        }
    }
}

/// The blocks of HTTP of a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```http\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// What answers have given.
#[derive(Default)]
struct Values(HashMap<String, String>);

impl Values {
    fn put_into(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    /// Whether a text is the one that the page shows; a name that is new takes what stands in its place.
    fn is(&mut self, shown: &str, real: &str) -> bool {
        let shown = self.put_into(shown);
        if let Some((before, rest)) = shown.split_once("${") {
            let (name, after) = rest.split_once('}').unwrap();
            let value = real.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            return value.is_some_and(|value| self.0.insert(name.to_owned(), value.to_owned()).is_none());
        }
        shown == "…" || shown == real
    }

    /// Where an answer is not what the page shows of it.
    fn difference(&mut self, shown: &Value, real: &Value, place: &str) -> Option<String> {
        let differs = || Some(format!("{place}: {shown} is shown, and {real} has come"));
        match (shown, real) {
            (Value::Object(shown), Value::Object(real)) => shown.iter().find_map(|(name, shown)| {
                self.difference(shown, real.get(name).unwrap_or(&Value::Null), &format!("{place}/{name}"))
            }),
            (Value::Array(shown), Value::Array(real)) => {
                let (open, shown) = match shown.split_last() {
                    Some((last, before)) if last == "…" => (true, before),
                    _ => (false, shown.as_slice()),
                };
                if real.len() < shown.len() || (!open && real.len() > shown.len()) {
                    return differs();
                }
                shown.iter().zip(real).enumerate().find_map(|(index, (shown, real))| {
                    self.difference(shown, real, &format!("{place}/{index}"))
                })
            }
            (Value::String(shown), Value::String(real)) if self.is(shown, real) => None,
            (Value::String(shown), _) if shown == "…" => None,
            _ if shown == real => None,
            _ => differs(),
        }
    }
}

/// Sends a request, and holds the answer against the page. What is only read may take its time to become so.
async fn exchange(client: &Client, request: &Message<'_>, answer: &Message<'_>, values: &mut Values) {
    let (method, path) = request.first.split_once(' ').unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let mut sent = client
            .http
            .request(method.parse().unwrap(), format!("{}{}", client.address, values.put_into(path)));
        sent = sent.bearer_auth(client.token.as_ref().unwrap());
        for (name, value) in &request.headers {
            sent = sent.header(*name, values.put_into(value));
        }
        if !request.body.is_empty() {
            sent = sent.body(values.put_into(request.body));
        }
        let real = client.send(sent).await;
        let expected = answer.first.strip_prefix("HTTP/1.1 ").unwrap();
        let mut difference = (real.status.to_string() != expected)
            .then(|| format!("{expected} is shown, and {} has come", real.status));
        for (name, shown) in &answer.headers {
            let is_so = difference.is_some() || values.is(shown, real.header(name));
            difference =
                difference
                    .or((!is_so)
                        .then(|| format!("{name}: {shown} is shown, and {} has come", real.header(name))));
        }
        if difference.is_none() && !answer.body.is_empty() {
            difference = values.difference(&serde_json::from_str(answer.body).unwrap(), &real.body, "");
        }
        match difference {
            None => return,
            Some(_) if method == "GET" && Instant::now() < patience => {
                tokio::time::sleep(Duration::from_millis(100)).await
            }
            Some(difference) => panic!("{}\n{difference}\n{}", request.first, real.text),
        }
    }
}

async fn the_guide_keeps_its_word(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let mut values = Values::default();
    let blocks = blocks(ENGLISH);
    assert!(blocks.len() > 30 && blocks.len().is_multiple_of(2), "{} blocks", blocks.len());
    for pair in blocks.chunks(2) {
        exchange(&lorestan, &Message::parse(pair[0]), &Message::parse(pair[1]), &mut values).await;
    }
}

#[test]
fn both_guides_show_the_same_requests_and_every_code() {
    assert_eq!(blocks(ENGLISH), blocks(PERSIAN));
    for kind in CATALOGUE {
        for (page, text) in [("API.md", ENGLISH), ("API.fa.md", PERSIAN)] {
            assert!(text.contains(&format!("`{}`", kind.code)), "{page} does not name {}", kind.code);
        }
    }
}
