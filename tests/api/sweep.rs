//! Every operation of the document, and records that exist to call it on.

use khoosheh::api;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Service};

pub struct Operation {
    pub method: Method,
    pub pattern: &'static str,
    pub document: &'static Value,
}

/// Every operation that the document describes.
pub fn operations() -> Vec<Operation> {
    let paths = api::document()["paths"].as_object().unwrap();
    let methods =
        paths.iter().flat_map(|(pattern, item)| item.as_object().unwrap().iter().map(move |(method, document)| (pattern, method, document)));
    let found = methods.map(|(pattern, method, document)| Operation { method: method.to_uppercase().parse().unwrap(), pattern, document });
    found.collect()
}

impl Operation {
    pub fn id(&self) -> &'static str {
        self.document["operationId"].as_str().unwrap()
    }

    /// Whether it needs a token. Everything does that is not explicitly public.
    pub fn is_guarded(&self) -> bool {
        self.document["security"] != json!([{}])
    }

    /// The media types of its body; none where it takes no body.
    pub fn media_types(&self) -> Vec<&'static str> {
        let content = self.document["requestBody"]["content"].as_object();
        content.into_iter().flat_map(|content| content.keys().map(String::as_str)).collect()
    }

    /// Its path with these values in the place of its parameters.
    pub fn path(&self, value: impl Fn(&str) -> String) -> String {
        let segments = self.pattern.split('/').map(|segment| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            Some(name) => value(name),
            None => segment.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Its path, where it names these records.
    pub fn path_to(&self, records: &Records) -> String {
        self.path(|name| match name {
            "id" if self.pattern.contains("/users/") => records.user.clone(),
            "id" => records.cluster.clone(),
            "claim_id" => records.claim.clone(),
            "system" => "province-erp".to_owned(),
            "key" => records.key.clone(),
            "code" if self.pattern.contains("/provinces/") => "IR-15".to_owned(),
            "code" if self.pattern.contains("/industries/") => "2396".to_owned(),
            "code" => "not_found".to_owned(),
            other => panic!("{}: say here what stands for {{{other}}}", self.pattern),
        })
    }

    /// A request with an `If-Match` of this value where the operation takes one.
    pub fn request(&self, client: &Client, path: &str, if_match: &str) -> reqwest::RequestBuilder {
        let request = client.request(self.method.clone(), path);
        let changes = matches!(self.method, Method::PATCH | Method::DELETE) || self.pattern.ends_with("/transitions");
        if changes { request.header("if-match", if_match) } else { request }
    }
}

/// A cluster of one province with a claim and a reference, and a user.
pub struct Records {
    pub cluster: String,
    pub claim: String,
    pub key: String,
    pub user: String,
}

impl Records {
    /// Registers them, as ISIPO.
    pub async fn make(service: &Service, province: &str) -> Self {
        let isipo = service.login("isipo").await;
        let key = format!("of-{province}");
        let references = json!([{"system": "province-erp", "key": key}]);
        let cluster = isipo
            .post("/api/v1/clusters", json!({"province": province, "name_fa": "گلیم", "isic": [{"code": "1393"}], "external_refs": references}))
            .await;
        let claim = isipo.post(&format!("/api/v1/clusters/{}/claims", cluster.id()), json!({"source_title": "سند استان"})).await;
        let users = service.login("admin").await.get("/api/v1/users?q=ministry").await;
        let id = |answer: &Answer| answer.id().to_owned();
        Self { cluster: id(&cluster), claim: id(&claim), key, user: users.items("id")[0].to_owned() }
    }
}
