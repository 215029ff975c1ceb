//! Holds answers against the OpenAPI document: the status is documented, and the body has its schema.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

use jsonschema::Validator;
use khoosheh::api;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Answer;

static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Default::default);

/// Panics where the answer is not what the document says.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((pattern, operation)) = operation(method, path) else {
        assert!(answer.status >= 400, "{method} {path} is not documented and answers {}", answer.status);
        return;
    };
    let place = format!("{method} {pattern} {}", answer.status);
    let response = &operation["responses"][answer.status.to_string()];
    assert!(!response.is_null(), "{place}: the status is not documented: {}", answer.text);
    let response = response["$ref"]
        .as_str()
        .map_or(response, |r| api::document().pointer(r.trim_start_matches('#')).unwrap());
    assert!(!answer.header("x-request-id").is_empty(), "{place}: no request id");
    let Some(content) = response["content"].as_object() else {
        assert_eq!(answer.text, "", "{place}: a body that is not documented");
        return;
    };
    let media_type = answer.header("content-type").split(';').next().unwrap().trim();
    let media = content
        .get(media_type)
        .unwrap_or_else(|| panic!("{place}: the media type {media_type} is not documented"));
    if media_type.contains("json") {
        let errors: Vec<String> = validator(&format!("{place} {media_type}"), &media["schema"])
            .iter_errors(&answer.body)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{place}: {errors:#?}\n{}", answer.text);
    }
}

/// The operation of a path, and its pattern; patterns without parameters come first.
pub fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = api::document()["paths"].as_object().unwrap();
    let mut matching: Vec<_> = paths.iter().filter(|(pattern, _)| matches(pattern, path)).collect();
    matching.sort_by_key(|(pattern, _)| pattern.matches('{').count());
    let (pattern, item) = matching.first()?;
    let operation = &item[method.as_str().to_lowercase()];
    (!operation.is_null()).then_some((pattern.as_str(), operation))
}

fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern.iter().zip(path).all(|(p, s)| p == &s || (p.starts_with('{') && !s.is_empty()))
}

fn validator(place: &str, schema: &Value) -> &'static Validator {
    VALIDATORS.lock().unwrap().entry(place.to_owned()).or_insert_with(|| {
        let root = json!({ "components": api::document()["components"], "allOf": [schema] });
        Box::leak(Box::new(jsonschema::draft202012::new(&root).unwrap()))
    })
}

/// A schema of the document, with the formats of its values.
pub fn schema(schema: &Value) -> Validator {
    let root = json!({ "components": api::document()["components"], "allOf": [schema] });
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&root)
        .unwrap()
}
