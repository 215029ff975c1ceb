//! Completes the OpenAPI document that utoipa collects from the handlers.
//!
//! What holds for every operation of a kind is said here once and not on each handler: tags, common
//! parameters and headers, shared error responses, the roles behind a permission, merge-patch bodies,
//! and an example for each body.

use serde_json::{Map, Value, json};

use super::catalogue::CATALOGUE;

/// What the document says beyond its operations.
pub struct Frame<'a> {
    /// The `info` object.
    pub info: Value,
    /// Name and description of each tag; an operation is tagged by the first segment of its path.
    pub tags: &'a [(&'a str, &'a str)],
    /// Name and description of each permission.
    pub permissions: &'a [(&'a str, &'a str)],
    /// The roles that hold a permission.
    pub roles: &'a dyn Fn(&str) -> Vec<String>,
}

/// The prefix of all resources.
pub const PREFIX: &str = "/api/v1";

/// Completes a document. The result is what clients see and what the [`super::contract`] enforces.
pub fn complete(mut document: Value, frame: &Frame<'_>) -> Value {
    document["openapi"] = json!("3.1.0");
    document["info"] = frame.info.clone();
    document["servers"] = json!([{ "url": "/", "description": "This service" }]);
    add_patches(&mut document);
    let schemas = document["components"]["schemas"].clone();
    let mut used_tags = Vec::new();
    for (path, item) in members(&mut document["paths"]) {
        for (method, operation) in members(item) {
            let tag = tag_of(path);
            if !used_tags.contains(&tag) {
                used_tags.push(tag.clone());
            }
            complete_operation(path, method, tag, operation, &schemas, frame);
        }
    }
    let described = frame.tags.iter().filter(|(name, _)| used_tags.iter().any(|tag| tag == name));
    document["tags"] = described.map(|(name, text)| json!({ "name": name, "description": text })).collect();
    document["components"]["responses"] = shared_responses();
    document["components"]["parameters"] = shared_parameters();
    document["components"]["headers"] = shared_headers();
    document["components"]["securitySchemes"] = security_schemes(frame.permissions);
    document
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}

fn tag_of(path: &str) -> String {
    let rest = path.strip_prefix(PREFIX).unwrap_or(path).trim_start_matches('/');
    let first = rest.split('/').next().unwrap_or_default();
    match first {
        "health" | "metrics" | "openapi.json" | "problems" => "service",
        ".well-known" => "auth",
        other => other,
    }
    .to_owned()
}

/// For each `XInput` that a PATCH takes, adds `XPatch`: the same properties, none required, all nullable
/// (RFC 7396: null removes).
fn add_patches(document: &mut Value) {
    let mut inputs = Vec::new();
    for (_, item) in members(&mut document["paths"]) {
        let Some(content) = item.pointer_mut("/patch/requestBody/content") else { continue };
        let Some(reference) = content.pointer("/application~1json/schema/$ref").and_then(Value::as_str) else { continue };
        let Some(name) = reference.strip_prefix("#/components/schemas/").and_then(|r| r.strip_suffix("Input")) else { continue };
        let media = json!({ "schema": { "$ref": format!("#/components/schemas/{name}Patch") } });
        inputs.push(name.to_owned());
        *content = json!({ "application/merge-patch+json": media, "application/json": media });
    }
    for name in inputs {
        let mut patch = document["components"]["schemas"][format!("{name}Input")].clone();
        if let Some(patch) = patch.as_object_mut() {
            patch.remove("required");
            patch.insert("description".into(), json!(format!(
                "A JSON Merge Patch (RFC 7396) of {name}Input: a field left out stays as it is, null removes it."
            )));
        }
        for (_, property) in members(&mut patch["properties"]) {
            make_nullable(property);
        }
        document["components"]["schemas"][format!("{name}Patch")] = patch;
    }
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

/// A parameter is there or not; utoipa makes an optional one nullable.
fn never_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        schema["type"] = types.iter().find(|kind| **kind != "null").cloned().unwrap_or_default();
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        *schema = alternatives.iter().find(|alternative| alternative["type"] != "null").cloned().unwrap_or_default();
    }
}

fn complete_operation(path: &str, method: &str, tag: String, operation: &mut Value, schemas: &Value, frame: &Frame<'_>) {
    operation["tags"] = json!([tag]);
    let is_resource = path.starts_with(PREFIX) && tag != "auth";
    let is_guarded = operation["security"].as_array().is_some_and(|list| list.iter().any(|s| s.get("oauth2").is_some()));
    let has_body = operation.get("requestBody").is_some();
    let has_parameters = operation["parameters"].as_array().is_some_and(|list| !list.is_empty());
    let changes_existing = matches!(method, "patch" | "delete" | "put") || path.ends_with("/transitions");

    if is_guarded {
        describe_roles(operation, frame);
    }
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    parameters.iter_mut().for_each(|parameter| never_null(&mut parameter["schema"]));
    let mut refer = |name: &str| parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
    if is_resource {
        refer("Calendar");
        if method == "get" {
            refer("IfNoneMatch");
        }
        if method == "post" {
            refer("IdempotencyKey");
        }
        if changes_existing {
            refer(if method == "put" { "IfMatchOnReplace" } else { "IfMatch" });
        }
    }
    if path.starts_with(PREFIX) {
        refer("AcceptLanguage");
    }
    if method == "get" && lists_items(operation, schemas) {
        operation["responses"]["200"]["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
        parameters.push(json!({
            "name": "format", "in": "query",
            "description": "The format of the answer; before `Accept`. CSV is UTF-8 with stable columns.",
            "schema": { "type": "string", "enum": ["json", "csv"] },
        }));
    }
    if let Some(fields) = fields_parameter(method, is_resource, operation, schemas) {
        parameters.push(fields);
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }

    let mut statuses = vec![("500", "InternalError"), ("503", "Unavailable"), ("429", "TooManyRequests")];
    if has_parameters || has_body || is_resource {
        statuses.push(("400", "BadRequest"));
    }
    if is_guarded {
        statuses.extend([("401", "Unauthenticated"), ("403", "Forbidden")]);
    }
    if path.contains('{') {
        statuses.push(("404", "NotFound"));
    }
    if method == "get" && is_resource {
        statuses.extend([("304", "NotModified"), ("406", "NotAcceptable")]);
    }
    if has_body {
        statuses.extend([
            ("408", "RequestTimeout"), ("413", "PayloadTooLarge"), ("415", "UnsupportedMediaType"), ("422", "ValidationFailed"),
        ]);
    }
    if is_resource && method != "get" {
        statuses.push(("409", "Conflict"));
    }
    if is_resource && changes_existing {
        statuses.extend([("412", "StaleVersion"), ("428", "PreconditionRequired")]);
    }
    for (status, response) in statuses {
        if operation["responses"].get(status).is_none() {
            operation["responses"][status] = json!({ "$ref": format!("#/components/responses/{response}") });
        }
    }
    for (status, response) in members(&mut operation["responses"]) {
        if status.starts_with('2') {
            complete_success(status, response, is_resource, schemas);
        }
    }
    if let Some(content) = operation.pointer_mut("/requestBody/content") {
        add_examples(content, schemas);
        operation["requestBody"]["required"] = json!(true);
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        responses.sort_keys();
    }
}

fn complete_success(status: &str, response: &mut Value, is_resource: bool, schemas: &Value) {
    if response["description"].as_str().unwrap_or_default().is_empty() {
        response["description"] = json!(match status {
            "201" => "Created",
            "204" => "Done; nothing to answer",
            _ => "The answer",
        });
    }
    let mut headers = Map::new();
    let mut refer = |name: &str| headers.insert(name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    if is_resource && status != "204" {
        refer("ETag");
    }
    if status == "201" {
        refer("Location");
    }
    refer("X-Request-Id");
    let is_page = response.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str)
        .is_some_and(|r| r.contains("/Page_"));
    if is_page {
        refer("Link");
    }
    response["headers"] = Value::Object(headers);
    if let Some(content) = response.get_mut("content") {
        add_examples(content, schemas);
    }
}

fn lists_items(operation: &Value, schemas: &Value) -> bool {
    let schema = operation.pointer("/responses/200/content/application~1json/schema");
    schema.is_some_and(|schema| properties(schema, schemas).iter().any(|(name, _)| *name == "items"))
}

/// Lists the fields that `fields=` may name: those of the record, or of the items of a page.
fn fields_parameter(method: &str, is_resource: bool, operation: &Value, schemas: &Value) -> Option<Value> {
    if method != "get" || !is_resource {
        return None;
    }
    let schema = operation.pointer("/responses/200/content/application~1json/schema")?;
    let record = properties(schema, schemas);
    let (_, items) = record.iter().find(|(name, _)| *name == "items").map_or((0, Some(schema)), |(_, s)| (0, s.get("items")));
    let names: Vec<Value> = properties(items?, schemas).into_iter().map(|(name, _)| json!(name)).collect();
    Some(json!({
        "name": "fields", "in": "query", "style": "form", "explode": false,
        "description": "Answer with these fields only, separated by commas.",
        "schema": { "type": "array", "items": { "type": "string", "enum": names }, "minItems": 1 },
    }))
}

/// The properties of a schema, through references and `allOf`, in order.
pub fn properties<'a>(schema: &'a Value, schemas: &'a Value) -> Vec<(&'a str, &'a Value)> {
    let schema = resolve(schema, schemas);
    let mut found: Vec<_> = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| properties(part, schemas)).collect();
    found.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, s)| (name.as_str(), s)));
    found
}

fn resolve<'a>(schema: &'a Value, schemas: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &schemas[name])
}

fn add_examples(content: &mut Value, schemas: &Value) {
    for (media_type, media) in members(content) {
        let is_structured = media_type.contains("json") || media_type.contains("form");
        if is_structured && media.get("example").is_none() && media.get("schema").is_some() {
            media["example"] = example(&media["schema"], schemas);
        }
    }
}

/// An example built from those of the properties.
fn example(schema: &Value, schemas: &Value) -> Value {
    let resolved = resolve(schema, schemas);
    for given in [&schema["example"], &resolved["example"], &resolved["examples"][0], &resolved["default"]] {
        if !given.is_null() {
            return given.clone();
        }
    }
    let found = properties(schema, schemas);
    if !found.is_empty() {
        let shown = found.into_iter().filter(|(_, property)| is_shown(property, schemas));
        return shown.map(|(name, property)| (name.to_owned(), example(property, schemas))).collect::<Map<_, _>>().into();
    }
    if let Some(first) = resolved["enum"].get(0) {
        return first.clone();
    }
    let alternatives = resolved["oneOf"].as_array().or(resolved["anyOf"].as_array());
    if let Some(value) = alternatives.and_then(|list| list.iter().find(|s| s["type"] != "null")) {
        return example(value, schemas);
    }
    match resolved["type"].as_str().or(resolved["type"][0].as_str()) {
        Some("array") => json!([example(&resolved["items"], schemas)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => json!(match resolved["format"].as_str() {
            Some("uuid") => "0193f0a0-0000-7000-8000-000000000000",
            Some("date-time") => "2026-11-23T08:30:00.000000Z",
            Some("date") => "2014-03-20",
            _ => "…",
        }),
        _ => Value::Null,
    }
}

/// An optional field without an example of its own says nothing in an example.
fn is_shown(property: &Value, schemas: &Value) -> bool {
    let resolved = resolve(property, schemas);
    let nullable = |value: &Value| value["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
    !nullable(resolved) || !property["example"].is_null() || resolved["examples"].is_array()
}

fn describe_roles(operation: &mut Value, frame: &Frame<'_>) {
    let required = operation["security"][0]["oauth2"].as_array().cloned().unwrap_or_default();
    let roles = match required.first().and_then(Value::as_str) {
        Some(permission) => (frame.roles)(permission),
        None => vec!["every role".to_owned()],
    };
    let words = roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ");
    let text = operation["description"].as_str().unwrap_or_default();
    operation["description"] = json!(format!("{text}\n\nWho may call it: {words}.").trim());
    operation["x-roles"] = json!(roles);
}

fn shared_responses() -> Value {
    let about = |statuses: &[u16], description: &str| {
        let codes: Vec<_> = CATALOGUE.iter().filter(|kind| statuses.contains(&kind.status)).collect();
        let names = codes.iter().map(|kind| format!("`{}`", kind.code)).collect::<Vec<_>>().join(", ");
        let example = codes.first().map(|kind| json!({
            "type": format!("/problems/{}", kind.code), "title": kind.title_en, "status": kind.status,
            "detail": kind.detail_en, "instance": "/api/v1/clusters", "code": kind.code,
            "request_id": "0193f0a0-0000-7000-8000-00000000abcd",
        }));
        let mut response = json!({
            "description": format!("{description} Codes: {names}."),
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" }, "example": example,
            } },
        });
        for (status, header) in [(405, "Allow"), (429, "Retry-After"), (503, "Retry-After"), (401, "WWW-Authenticate"), (412, "ETag")] {
            if statuses.contains(&status) {
                response["headers"][header] = json!({ "$ref": format!("#/components/headers/{header}") });
            }
        }
        response
    };
    json!({
        "NotModified": { "description": "What `If-None-Match` names is still current.", "headers": {
            "ETag": { "$ref": "#/components/headers/ETag" }, "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } } },
        "BadRequest": about(&[400], "The request could not be read, or a parameter is not acceptable."),
        "Unauthenticated": about(&[401], "No valid access token."),
        "Forbidden": about(&[403], "The role does not allow it."),
        "NotFound": about(&[404], "Nothing is there, or it lies outside the caller's scope."),
        "NotAcceptable": about(&[406], "No format that `Accept` asks for can be given."),
        "RequestTimeout": about(&[408], "The body did not arrive in time."),
        "Conflict": about(&[409], "The present state does not allow it."),
        "StaleVersion": about(&[412], "The record has changed since the `ETag` given; the current one is in `ETag`."),
        "PayloadTooLarge": about(&[413], "The body is too large."),
        "UnsupportedMediaType": about(&[415], "The body is of a media type that is not accepted."),
        "ValidationFailed": about(&[422], "One or more values break a rule; `errors` names them all."),
        "PreconditionRequired": about(&[428], "`If-Match` is missing."),
        "TooManyRequests": about(&[429], "Slow down."),
        "InternalError": about(&[500], "Something failed on our side."),
        "Unavailable": about(&[503], "Away for a moment."),
    })
}

fn shared_parameters() -> Value {
    let header = |name: &str, required: bool, description: &str, schema: Value| {
        json!({ "name": name, "in": "header", "required": required, "description": description, "schema": schema })
    };
    let etag = || json!({ "type": "string", "minLength": 1, "maxLength": 1000, "example": "\"1\"" });
    json!({
        "Calendar": {
            "name": "calendar", "in": "query",
            "description": "The calendar of every date in the request and the answer. Persian dates look like `1392-12-29`.",
            "schema": { "type": "string", "enum": ["gregorian", "persian"], "default": "gregorian" },
        },
        "AcceptLanguage": header("Accept-Language", false, "The language of problems: `fa` (the default) or `en`.",
            json!({ "type": "string", "maxLength": 200, "example": "en" })),
        "IdempotencyKey": header("Idempotency-Key", false,
            "Makes the request safe to repeat: within 24 hours, the same key and body get the first answer again.",
            json!({ "type": "string", "pattern": "^[!-~]{1,200}$" })),
        "IfMatch": header("If-Match", true, "The `ETag` of the version that you have seen.", etag()),
        "IfMatchOnReplace": header("If-Match", false, "The `ETag` of the version that you have seen; needed when the record exists.", etag()),
        "IfNoneMatch": header("If-None-Match", false, "The `ETag` that you hold; while it is current the answer is 304.", etag()),
    })
}

fn shared_headers() -> Value {
    let text = |description: &str, example: &str| json!({ "description": description, "schema": { "type": "string" }, "example": example });
    json!({
        "ETag": text("The version of this representation (RFC 9110).", "\"1\""),
        "Location": text("The address of the new record.", "/api/v1/clusters/0193f0a0-0000-7000-8000-000000000000"),
        "Link": text("`rel=\"next\"`: the next page (RFC 8288).", "</api/v1/clusters?cursor=eyJ…>; rel=\"next\""),
        "X-Request-Id": text("The id of this request, yours or ours.", "0193f0a0-0000-7000-8000-00000000abcd"),
        "Allow": text("The methods that this address answers.", "GET, HEAD"),
        "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 0 }, "example": 1 },
        "WWW-Authenticate": text("How to authenticate (RFC 6750).", "Bearer realm=\"khoosheh\""),
    })
}

fn security_schemes(permissions: &[(&str, &str)]) -> Value {
    let scopes: Map<String, Value> = permissions.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    let token = format!("{PREFIX}/auth/token");
    json!({ "oauth2": {
        "type": "oauth2",
        "description": "Access tokens are JWTs (RFC 9068) that live 15 minutes.",
        "flows": {
            "password": { "tokenUrl": token, "refreshUrl": token, "scopes": scopes },
            "clientCredentials": { "tokenUrl": token, "scopes": scopes },
        },
    } })
}
