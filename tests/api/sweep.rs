//! Every operation of the document, records that exist to call it on, and bodies to call it with.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
};

use khoosheh::{api, persian::text};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::{Client, PASSWORD, Service};

/// What the sweeps change a password to.
pub const NEW_PASSWORD: &str = "incorrect donkey torch needle";

pub struct Operation {
    pub method: Method,
    pub pattern: &'static str,
    pub document: &'static Value,
}

/// Every operation that the document describes.
pub fn operations() -> Vec<Operation> {
    let paths = api::document()["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(pattern, item)| {
        item.as_object().unwrap().iter().map(move |(method, document)| (pattern, method, document))
    });
    let found = methods.map(|(pattern, method, document)| Operation {
        method: method.to_uppercase().parse().unwrap(),
        pattern,
        document,
    });
    found.collect()
}

/// Those that need a token.
pub fn guarded() -> Vec<Operation> {
    operations().into_iter().filter(Operation::is_guarded).collect()
}

impl Operation {
    pub fn id(&self) -> &'static str {
        self.document["operationId"].as_str().unwrap()
    }

    /// What it is about, such as `cluster`.
    pub fn kind(&self) -> &'static str {
        let (_, kind) = self.id().split_once('_').unwrap();
        let kind = ["_by_reference", "_history", "_content"]
            .iter()
            .fold(kind, |kind, ending| kind.trim_end_matches(ending));
        kind.strip_prefix("project_").unwrap_or(kind)
    }

    /// Whether it is about what belongs to no province, exists for everybody and is kept by the nation.
    pub fn is_national(&self) -> bool {
        self.kind() == "indicator"
    }

    /// Whether it needs a token. Everything does that is not explicitly public.
    pub fn is_guarded(&self) -> bool {
        self.document["security"] != json!([{}])
    }

    /// Whether it answers with a list.
    pub fn is_list(&self) -> bool {
        self.method == Method::GET && self.takes("format")
    }

    /// The media types of its body; none where it takes no body.
    pub fn media_types(&self) -> Vec<&'static str> {
        let content = self.document["requestBody"]["content"].as_object();
        content.into_iter().flat_map(|content| content.keys().map(String::as_str)).collect()
    }

    /// The parameter of this name, or of this reference.
    pub fn parameter(&self, name: &str) -> Option<&'static Value> {
        let shared = format!("#/components/parameters/{name}");
        self.document["parameters"]
            .as_array()?
            .iter()
            .find(|parameter| parameter["name"] == name || parameter["$ref"] == shared)
    }

    pub fn takes(&self, parameter: &str) -> bool {
        self.parameter(parameter).is_some()
    }

    /// Its path with these values in the place of its parameters.
    pub fn path(&self, value: impl Fn(&str) -> String) -> String {
        let segments = self.pattern.split('/').map(|segment| {
            match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(name) => value(name),
                None => segment.to_owned(),
            }
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Its path, where it names these records.
    pub fn path_to(&self, records: &Records) -> String {
        let path = self.path(|name| match name {
            // Of nobody.
            "id" if self.pattern.contains("/sessions/") => "0193f0a0-0000-7000-8000-000000000000".to_owned(),
            "id" => records.id_in(self.pattern.split('/').nth(3).unwrap()).to_owned(),
            "system" => "province-erp".to_owned(),
            "key" => records.key.clone(),
            "quarter" => "latest".to_owned(),
            "code" if self.pattern.contains("/provinces/") => "IR-15".to_owned(),
            "code" if self.pattern.contains("/industries/") => "2396".to_owned(),
            "code" => "not_found".to_owned(),
            other => records
                .id(other
                    .strip_suffix("_id")
                    .unwrap_or_else(|| panic!("{}: what stands for {{{other}}}?", self.pattern)))
                .to_owned(),
        });
        let needed = self.document["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
        let value = |parameter: &Value| {
            [&parameter["example"], &parameter["schema"]["enum"][0]]
                .into_iter()
                .find_map(Value::as_str)
                .unwrap()
                .to_owned()
        };
        let query: Vec<_> = needed
            .map(|parameter| format!("{}={}", parameter["name"].as_str().unwrap(), value(parameter)))
            .collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    /// A request with an `If-Match` of this value where the operation needs one.
    pub fn request(&self, client: &Client, path: &str, if_match: &str) -> reqwest::RequestBuilder {
        let request = client.request(self.method.clone(), path);
        if self.takes("IfMatch") { request.header("if-match", if_match) } else { request }
    }

    /// Whether its body is a file.
    pub fn takes_file(&self) -> bool {
        !self.media_types().is_empty() && self.schema()["format"] == "binary"
    }

    /// A request with a body: JSON, or the text of a file.
    pub fn with_body(&self, request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
        match body.as_str().filter(|_| self.takes_file()) {
            Some(text) => {
                let media_types = self.media_types();
                let text_type =
                    ["text/plain", "text/csv"].into_iter().find(|name| media_types.contains(name)).unwrap();
                request.header("content-type", text_type).body(text.to_owned())
            }
            None => request.json(body),
        }
    }

    /// The schema of its body.
    pub fn schema(&self) -> &'static Value {
        let media = &self.document["requestBody"]["content"][self.media_types()[0]];
        api::document().pointer(media["schema"]["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap()
    }

    /// A body with which it succeeds: the example of the document, with these records in the place of others,
    /// and with values of its own where they are unique.
    pub fn body(&self, records: &Records) -> Value {
        if self.takes_file() {
            return json!(if self.kind() == "import" { "key,name_fa,province,isic\n" } else { "test" });
        }
        let mut body = self.document["requestBody"]["content"][self.media_types()[0]]["example"].clone();
        let number = next_number();
        // The first of its kind is made with the reference of the records, others without.
        let is_another = self.method == Method::POST && records.ids.contains_key(self.kind());
        let references =
            if is_another { json!([]) } else { json!([{"system": "province-erp", "key": records.key}]) };
        let own = match (self.id().split('_').next().unwrap(), self.kind()) {
            ("transition", "cluster") => json!({"to": "identified", "decision_id": null}),
            ("transition", "cda") => {
                json!({"to": "certified", "effective_on": "2015-03-21", "decision_id": null})
            }
            ("transition", "project") => json!({"to": "suspended", "decision_id": null}),
            ("transition", "milestone") => json!({"to": "in_progress", "accepted_fraction_bp": null}),
            ("transition", "progress_report") => {
                json!({"to": "submitted", "effective_on": null, "decision_id": null})
            }
            ("change", "password") => json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
            (_, "organisation") => {
                json!({"kind": "firm", "legal_id": with_check_digit(100_000_000 + number, 10, text::is_legal_id)})
            }
            (_, "cda") => json!({"national_code": with_check_digit(number, 9, text::is_national_code)}),
            (_, "cluster") => json!({"name_fa": format!("گلیم {number}")}),
            (_, "claim" | "supervision") => json!({}),
            (_, "project") => {
                json!({"cluster_id": records.id("cluster"), "organisation_id": records.id("organisation")})
            }
            (_, "assignment") => json!({"cda_id": records.id("cda"), "role": "assistant"}),
            (_, "partner") => json!({"organisation_id": records.id("organisation")}),
            (_, "phase") => {
                json!({"phase": if is_another { "evaluation" } else { "diagnostic" }, "actual_start": "2014-03-20"})
            }
            (_, "milestone") => {
                json!({"project_id": records.id("project"), "weight_bp": 0, "evidence_required": false})
            }
            (_, "baseline") => json!({"decision_id": records.id("decision"), "reason": "تأخیر"}),
            (_, "decision") => {
                json!({"cluster_id": records.id("cluster"), "project_id": records.id("project")})
            }
            (_, "attachment") => json!({"subject_id": records.id("project")}),
            (_, "indicator") => json!({"code": format!("I-{number}")}),
            (_, "measurement") => json!({
                "project_id": records.id("project"), "indicator_id": records.id("indicator"), "kind": "target", "period": quarter(number),
            }),
            (_, "progress_report") => {
                json!({"project_id": records.id("project"), "quarter": quarter(number)})
            }
            (_, "joint_action") => json!({"participants": [records.id("enterprise"), records.id("member")]}),
            (_, "payment") => json!({"project_id": records.id("project")}),
            (_, "feasibility_study") => {
                json!({"executor_id": records.id("organisation"), "decision_id": records.id("decision")})
            }
            (_, "lineage_entry") => json!({"decision_id": records.id("decision")}),
            (_, "value_chain_stage") => json!({"enterprises": [{"enterprise_id": records.id("enterprise")}]}),
            (_, "network") => json!({"members": [records.id("enterprise"), records.id("member")]}),
            // A firm is one enterprise: the one of the records.
            (_, "enterprise") if records.ids.contains_key("enterprise") => {
                json!({"cluster_id": records.id("cluster")})
            }
            (_, "enterprise") => {
                json!({"cluster_id": records.id("cluster"), "organisation_id": records.id("organisation")})
            }
            (_, "erasure") => {
                json!({"resource": "supervision", "record_id": records.id("supervision"), "attachments": []})
            }
            (_, "user") => json!({"username": format!("user-{number}"), "role": "provincial_manager"}),
            // Nothing is sent from here.
            (_, "webhook") if self.id() != "replay_webhook" => json!({"is_active": false}),
            (_, "webhook") => json!({}),
            (_, "api_client") => json!({"client_id": format!("client-{number}")}),
            _ => panic!("{}: say here what makes the example of its body a good one", self.id()),
        };
        let body_fields = body.as_object_mut().unwrap();
        body_fields.extend(own.as_object().unwrap().clone());
        let shared = [("province", json!(records.province)), ("external_refs", references)];
        body_fields.extend(
            shared
                .into_iter()
                .filter(|(name, _)| self.schema()["properties"].get(name).is_some())
                .map(|(n, v)| (n.to_owned(), v)),
        );
        body_fields.retain(|_, value| !value.is_null());
        body
    }

    /// What a good body becomes by breaking one rule of its schema, with the pointer and code that say so.
    pub fn broken(&self, good: &Value) -> Vec<(Value, String, &'static str)> {
        if self.kind() == "import" {
            return vec![
                (json!("key,surprise\n"), "/headings/1".to_owned(), "unknown_column"),
                (json!(""), String::new(), "empty_file"),
            ];
        }
        if self.takes_file() {
            return vec![
                (json!("Test"), String::new(), "wrong_sha256"),
                (json!("tes"), String::new(), "wrong_size"),
            ];
        }
        let schema = self.schema();
        let with = |name: &str, value: Option<Value>| {
            let mut body: Map<String, Value> = good.as_object().unwrap().clone();
            match value {
                Some(value) => body.insert(name.to_owned(), value),
                None => body.remove(name),
            };
            Value::Object(body)
        };
        let required = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
        let missing = required.map(|name| (with(name, None), format!("/{name}"), "required"));
        let wrong = schema["properties"].as_object().unwrap().iter().map(|(name, schema)| {
            let value =
                if schema["type"].to_string().contains("boolean") { json!("true") } else { json!(true) };
            (with(name, Some(value)), format!("/{name}"), "wrong_type")
        });
        missing
            .chain(wrong)
            .chain([(with("surprise", Some(json!(1))), "/surprise".to_owned(), "unknown_field")])
            .collect()
    }
}

/// What a list of a kind is called.
pub fn plural(kind: &str) -> String {
    kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"))
}

fn next_number() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(1_000_000);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A quarter of the Persian calendar that lies in the past and is another one for each of many numbers.
fn quarter(number: u32) -> String {
    format!("{}-Q{}", 1210 + number / 4 % 180, number % 4 + 1)
}

/// The number in so many digits, and the digit that makes it right.
fn with_check_digit(number: u32, digits: usize, is_right: fn(&str) -> bool) -> String {
    (0..10).map(|check| format!("{number:0digits$}{check}")).find(|code| is_right(code)).unwrap()
}

/// One record of every kind, all of one province, with the same external reference.
pub struct Records {
    pub province: String,
    pub key: String,
    ids: HashMap<&'static str, String>,
}

impl Records {
    /// Makes them, by the operations of the document and the examples of their bodies.
    pub async fn make(service: &Service, province: &str) -> Self {
        let admin = service.login("admin").await;
        let manager = service.login(if province == "IR-15" { "lorestan" } else { "kerman" }).await;
        let mut records = Self {
            province: province.to_owned(),
            key: format!("key-{}", next_number()),
            ids: HashMap::new(),
        };
        let mut creations: Vec<_> = guarded()
            .into_iter()
            .filter(|operation| operation.document["responses"].get("201").is_some())
            .collect();
        creations.retain(|operation| {
            operation.method == Method::POST && operation.id() != "create_project_milestone"
        });
        // What others refer to comes first.
        let first =
            ["organisation", "cda", "cluster", "project", "indicator", "decision", "baseline", "enterprise"];
        creations.sort_by_key(|operation| {
            first.iter().position(|kind| *kind == operation.kind()).unwrap_or(first.len())
        });
        for operation in creations {
            // A network has two members.
            let kinds = if operation.kind() == "enterprise" {
                vec!["enterprise", "member"]
            } else {
                vec![operation.kind()]
            };
            for kind in kinds {
                // An import is of the province of whoever sends it.
                let author = if kind == "import" { &manager } else { &admin };
                let request = operation.request(author, &operation.path_to(&records), "*");
                let made = author.send(operation.with_body(request, &operation.body(&records))).await;
                assert_eq!(made.status, 201, "{}: {}", operation.id(), made.text);
                records.ids.insert(kind, made.id().to_owned());
            }
            match operation.kind() {
                "project" => records.plan(service, &admin).await,
                // Most can be done in a project that is being implemented.
                "webhook" => {
                    let test = admin
                        .post(&format!("/api/v1/webhooks/{}/test", records.id("webhook")), Value::Null)
                        .await;
                    records.ids.insert("delivery", test.id().to_owned());
                }
                "baseline" => service.put_in_state("project", records.id("project"), "implementing").await,
                _ => {}
            }
        }
        for operation in
            guarded().iter().filter(|operation| operation.takes_file() && operation.method == Method::PUT)
        {
            let request = operation.request(&admin, &operation.path_to(&records), "*");
            let sent = admin.send(operation.with_body(request, &operation.body(&records))).await;
            assert_eq!(sent.status, 200, "{}: {}", operation.id(), sent.text);
        }
        records
    }

    /// Brings the project to where its first baseline can be frozen.
    async fn plan(&self, service: &Service, admin: &Client) {
        let whole = json!({"project_id": self.id("project"), "phase": "action_plan", "title_fa": "همه", "weight_bp": 10_000, "due_on": "2015-01-01"});
        let made = admin.post("/api/v1/milestones", whole).await;
        assert_eq!(made.status, 201, "{}", made.text);
        service.put_in_state("project", self.id("project"), "planning").await;
    }

    /// The one of a kind.
    pub fn id(&self, kind: &str) -> &str {
        self.ids.get(kind).unwrap_or_else(|| panic!("no {kind} is made"))
    }

    /// The one of the kind that a list has, such as `api-clients`.
    fn id_in(&self, list: &str) -> &str {
        let list = list.replace('-', "_");
        self.ids()
            .find(|(kind, _)| plural(kind) == list)
            .unwrap_or_else(|| panic!("nothing in {list} is made"))
            .1
    }

    pub fn ids(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.ids.iter().map(|(kind, id)| (*kind, id.as_str()))
    }

    /// The same records, but for those of some kinds, which are others.
    pub fn with(&self, others: &Self, kinds: impl Fn(&str) -> bool) -> Self {
        let ids =
            self.ids().map(|(kind, id)| (kind, if kinds(kind) { others.id(kind) } else { id }.to_owned()));
        Self { province: self.province.clone(), key: self.key.clone(), ids: ids.collect() }
    }
}
