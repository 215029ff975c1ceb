//! The document: committed, complete, true to itself, and the same everywhere.

use std::collections::HashSet;

use khoosheh::api;
use serde_json::Value;

use crate::{
    conform,
    support::{Backend, Service},
    sweep::operations,
};

fn follow(value: &'static Value) -> &'static Value {
    value["$ref"].as_str().map_or(value, |reference| {
        api::document()
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} leads nowhere"))
    })
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
    let is_same = std::fs::read_to_string(file).unwrap() == format!("{:#}\n", api::document());
    assert!(
        is_same,
        "the API has changed: run `cargo run -- openapi > openapi/openapi.json`, look at the difference, and commit it"
    );
}

#[test]
fn the_committed_states_are_those_of_the_code() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/states.md");
    let is_same = std::fs::read_to_string(file).unwrap() == api::states_document();
    assert!(
        is_same,
        "the rules of states have changed: run `cargo run -- states > docs/states.md`, look at the difference, and commit it"
    );
}

#[test]
fn every_operation_is_described() {
    let tags: HashSet<&str> =
        api::document()["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = HashSet::new();
    for operation in operations() {
        let (id, document) = (operation.id(), operation.document);
        assert!(ids.insert(id), "{id} is there twice");
        assert!(is_text(&document["summary"]), "{id} has no summary");
        let own = document["tags"].as_array().unwrap();
        assert!(own.len() == 1 && tags.contains(own[0].as_str().unwrap()), "{id}: {own:?}");
        assert!(document["security"].is_array(), "{id} says nothing of its security");
        assert_eq!(document["x-roles"].is_array(), operation.is_guarded(), "{id}");
        for parameter in document["parameters"].as_array().into_iter().flatten().map(follow) {
            let name = &parameter["name"];
            assert!(is_text(&parameter["description"]), "{id}: the parameter {name} is not described");
            assert!(parameter["schema"].is_object(), "{id}: the parameter {name} has no schema");
        }
        let path_parameters = document["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(follow)
            .filter(|parameter| parameter["in"] == "path");
        assert_eq!(
            path_parameters.count(),
            operation.pattern.matches('{').count(),
            "{id}: every part of the path is a parameter"
        );
    }
}

#[test]
fn every_answer_is_described() {
    for operation in operations() {
        let (id, responses) = (operation.id(), operation.document["responses"].as_object().unwrap());
        let has = |status: &str| responses.contains_key(status);
        let must = |condition: bool, statuses: &[&str]| {
            let missing: Vec<_> = statuses.iter().filter(|status| condition && !has(status)).collect();
            assert!(missing.is_empty(), "{id} does not say {missing:?}");
        };
        assert!(has("200") || has("201") || has("204"), "{id} never succeeds");
        must(true, &["429", "500", "503"]);
        must(operation.is_guarded(), &["401", "403"]);
        must(operation.pattern.contains('{'), &["404"]);
        must(!operation.media_types().is_empty(), &["400", "408", "413", "415", "422"]);
        must(
            operation.document["parameters"]
                .as_array()
                .is_some_and(|list| list.iter().any(|p| follow(p)["in"] == "query")),
            &["400"],
        );
        must(
            operation.document["parameters"]
                .as_array()
                .is_some_and(|list| list.iter().any(|p| follow(p)["name"] == "If-Match")),
            &["412", "428"],
        );
        for (status, response) in responses {
            let response = follow(response);
            assert!(is_text(&response["description"]), "{id} {status} is not described");
            let is_problem = status.starts_with('4') || status.starts_with('5');
            assert!(
                !is_problem || response["content"]["application/problem+json"].is_object(),
                "{id} {status} is not a problem"
            );
        }
    }
}

/// Every reference leads somewhere, and every example is a valid value of the schema beside it.
#[test]
fn every_example_is_valid() {
    let (mut examples, mut faults) = (0, Vec::new());
    walk(api::document(), &mut String::new(), &mut |pointer, value| {
        follow(value);
        let is_property_named_so = pointer.ends_with("/properties");
        let (schema, given) = match (&value["schema"], value.get("example")) {
            (Value::Object(_), Some(example)) => (&value["schema"], vec![example]),
            _ if !is_property_named_so && is_schema(value) => {
                let list = value["examples"].as_array().into_iter().flatten();
                (value, value.get("example").into_iter().chain(list).collect())
            }
            _ => return,
        };
        for example in given {
            examples += 1;
            faults.extend(
                conform::schema(schema)
                    .iter_errors(example)
                    .map(|error| format!("{pointer}: {}: {error}", error.instance_path())),
            );
        }
    });
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(examples > 100, "only {examples} examples: the walk has lost its way");
    for operation in operations() {
        let bodies = operation.document["requestBody"]["content"].as_object().into_iter().flatten();
        let answers = operation.document["responses"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|response| follow(response)["content"].as_object().into_iter().flatten());
        for (media_type, media) in bodies
            .chain(answers)
            .filter(|(media_type, _)| media_type.contains("json") || media_type.contains("form"))
        {
            assert!(
                media.get("example").is_some(),
                "{}: a body of {media_type} has no example",
                operation.id()
            );
        }
    }
}

fn is_schema(value: &Value) -> bool {
    ["type", "enum", "oneOf", "allOf", "anyOf", "$ref"].iter().any(|keyword| value.get(keyword).is_some())
}

fn walk(value: &'static Value, pointer: &mut String, look: &mut impl FnMut(&str, &'static Value)) {
    let length = pointer.len();
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            look(pointer, value);
            members
                .iter()
                .filter(|(name, _)| *name != "example" && *name != "examples")
                .map(|(name, member)| (name.clone(), member))
                .collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => return,
    };
    for (name, member) in members {
        pointer.push('/');
        pointer.push_str(&name);
        walk(member, pointer, look);
        pointer.truncate(length);
    }
}

#[actix_web::test]
async fn both_databases_serve_the_same_document() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(service) = Service::start(backend, |_| {}).await else { return };
        let served = service.anonymous().get("/openapi.json").await;
        assert_eq!((served.status, served.header("content-type")), (200, "application/json"));
        assert_eq!(served.text, api::document().to_string(), "{backend:?}");
        service.stop().await;
    }
}
