//! Examples of bodies, built from those of their parts.

use serde_json::{Value, json};

use super::{members, properties, required_properties, resolve};

/// Adds an example to each media type that has a schema and no example.
pub fn add_examples(content: &mut Value, schemas: &Value) {
    for (media_type, media) in members(content) {
        let is_structured = media_type.contains("json") || media_type.contains("form");
        if is_structured && media.get("example").is_none() && media.get("schema").is_some() {
            media["example"] = example(&media["schema"], schemas, true);
        }
    }
}

/// The given example, or one built from those of the parts. Optional parts appear at the top level only:
/// deeper they are noise, and could recurse forever.
fn example(schema: &Value, schemas: &Value, is_top: bool) -> Value {
    given_example(schema, schemas, is_top).unwrap_or_else(|| {
        let resolved = resolve(schema, schemas);
        match resolved["type"].as_str() {
            Some("array") => json!([]),
            Some("object") => json!({}),
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(true),
            Some("string") => json!(if resolved["format"] == "date" { "2014-03-20" } else { "…" }),
            _ => Value::Null,
        }
    })
}

fn given_example(schema: &Value, schemas: &Value, is_top: bool) -> Option<Value> {
    let resolved = resolve(schema, schemas);
    if let Some(given) = schema
        .get("example")
        .or(resolved.get("example"))
        .or(resolved["examples"].get(0))
        .or(resolved["enum"].get(0))
    {
        return Some(given.clone());
    }
    let alternatives = resolved["oneOf"].as_array().into_iter().flatten();
    if let Some(example) = alternatives
        .filter(|part| part["type"] != "null")
        .find_map(|part| given_example(part, schemas, is_top))
    {
        return Some(example);
    }
    let parts = properties(resolved, schemas);
    if !parts.is_empty() {
        let required = required_properties(resolved, schemas);
        let shown = parts.into_iter().filter_map(|(name, part)| {
            let value = match required.contains(&name) {
                true => Some(example(part, schemas, false)),
                false if is_top => given_example(part, schemas, false),
                false => None,
            };
            Some((name.to_owned(), value?))
        });
        return Some(Value::Object(shown.collect()));
    }
    match (resolved["type"].as_str(), resolved["format"].as_str()) {
        (Some("array"), _) => given_example(&resolved["items"], schemas, false).map(|item| json!([item])),
        (Some("string"), Some("uuid")) => Some(json!("0193f0a0-0000-7000-8000-000000000000")),
        (Some("string"), Some("date-time")) => Some(json!("2026-11-23T08:30:00.000000Z")),
        _ => None,
    }
}
