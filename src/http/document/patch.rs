//! The bodies of PATCH, derived from the inputs.

use serde_json::{Value, json};

use super::{members, resolve};

/// Adds an `XPatch` for each `XInput` of a PATCH: the same properties, all optional, and nullable if the
/// record can be without them (RFC 7396: null removes).
pub fn add_patches(document: &mut Value) {
    let mut inputs = Vec::new();
    for (_, item) in members(&mut document["paths"]) {
        let Some(content) = item.pointer_mut("/patch/requestBody/content") else { continue };
        let Some(reference) = content.pointer("/application~1json/schema/$ref").and_then(Value::as_str)
        else {
            continue;
        };
        let Some(name) =
            reference.strip_prefix("#/components/schemas/").and_then(|r| r.strip_suffix("Input"))
        else {
            continue;
        };
        let media = json!({ "schema": { "$ref": format!("#/components/schemas/{name}Patch") } });
        inputs.push(name.to_owned());
        *content = json!({ "application/merge-patch+json": media, "application/json": media });
    }
    let schemas = document["components"]["schemas"].clone();
    for name in inputs {
        let mut patch = patch_of(&schemas[format!("{name}Input")], &schemas);
        patch["description"] = json!(format!(
            "A JSON Merge Patch (RFC 7396) of {name}Input: a field left out stays as it is, null removes it."
        ));
        document["components"]["schemas"][format!("{name}Patch")] = patch;
    }
}

/// An object with all parts optional, including those of nested objects.
fn patch_of(object: &Value, schemas: &Value) -> Value {
    let mut patch = object.clone();
    let required = patch["required"].take();
    if let Some(patch) = patch.as_object_mut() {
        patch.shift_remove("required");
    }
    for (name, property) in members(&mut patch["properties"]) {
        let inner = property["oneOf"]
            .as_array()
            .and_then(|parts| parts.iter().find(|part| part["type"] != "null"))
            .unwrap_or(property);
        if resolve(inner, schemas).get("properties").is_some() {
            *property = patch_of(resolve(inner, schemas), schemas);
        }
        if !required.as_array().is_some_and(|list| list.iter().any(|required| required == name)) {
            make_nullable(property);
        }
    }
    patch
}

fn make_nullable(property: &mut Value) {
    match property.get("type") {
        Some(Value::String(single)) => {
            let single = single.clone();
            property["type"] = json!([single, "null"]);
        }
        None if property.get("$ref").is_some() => {
            *property = json!({ "oneOf": [{ "type": "null" }, property.clone()] });
        }
        _ => {}
    }
    if let Some(values) = property.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
}
