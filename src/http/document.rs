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

/// The media type of an answer to `fields=`: what is required in the full one may be missing there.
pub const SPARSE: &str = "application/vnd.khoosheh.sparse+json";

/// Completes a document. The result is what clients see and what the [`super::contract`] enforces.
pub fn complete(mut document: Value, frame: &Frame<'_>) -> Value {
    document["openapi"] = json!("3.1.0");
    document["info"] = frame.info.clone();
    document["servers"] = json!([{ "url": "/", "description": "This service" }]);
    bound_dates(&mut document);
    refer_to_items(&mut document["components"]["schemas"]);
    add_patches(&mut document);
    document["components"]["schemas"]["Sparse"] = json!({
        "type": "object",
        "description": "What `application/json` would have held, each record with the fields that `fields` names and no others.",
        "example": { "id": "0193f0a0-0000-7000-8000-000000000000" },
    });
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
    add_links(&mut document);
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

/// No date of the programme lies outside the years 1000 to 8999 of either calendar.
fn bound_dates(value: &mut Value) {
    if value.get("format").is_some_and(|format| format == "date") {
        value["pattern"] = json!("^[1-8][0-9]{3}-[0-9]{2}-[0-9]{2}$");
    }
    match value {
        Value::Object(parts) => parts.values_mut().for_each(bound_dates),
        Value::Array(parts) => parts.iter_mut().for_each(bound_dates),
        _ => {}
    }
}

/// utoipa spells out the items of a `Page_X`; a client generator wants them to be `X`.
fn refer_to_items(schemas: &mut Value) {
    for (name, schema) in members(schemas) {
        if let Some(item) = name.strip_prefix("Page_") {
            schema["properties"]["items"]["items"] = json!({ "$ref": format!("#/components/schemas/{item}") });
        }
    }
}

/// For each `XInput` that a PATCH takes, adds `XPatch`: the same properties, none required, and null for
/// each that the record can be without (RFC 7396: null removes).
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
    let schemas = document["components"]["schemas"].clone();
    for name in inputs {
        let mut patch = patch_of(&schemas[format!("{name}Input")], &schemas);
        patch["description"] = json!(format!("A JSON Merge Patch (RFC 7396) of {name}Input: a field left out stays as it is, null removes it."));
        document["components"]["schemas"][format!("{name}Patch")] = patch;
    }
}

/// An object of which any part may be given, also of the objects in it.
fn patch_of(object: &Value, schemas: &Value) -> Value {
    let mut patch = object.clone();
    let required = patch["required"].take();
    if let Some(patch) = patch.as_object_mut() {
        patch.shift_remove("required");
    }
    for (name, property) in members(&mut patch["properties"]) {
        let inner = property["oneOf"].as_array().and_then(|parts| parts.iter().find(|part| part["type"] != "null")).unwrap_or(property);
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
        operation["responses"]["200"]["content"][SPARSE] = json!({ "schema": { "$ref": "#/components/schemas/Sparse" } });
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
        statuses.extend([("408", "RequestTimeout"), ("413", "PayloadTooLarge"), ("415", "UnsupportedMediaType"), ("422", "ValidationFailed")]);
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
    let is_page = response.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str).is_some_and(|r| r.contains("/Page_"));
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

/// An example: the given one, or one that is built from those of the parts.
fn example(schema: &Value, schemas: &Value) -> Value {
    given_example(schema, schemas).unwrap_or_else(|| {
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

fn given_example(schema: &Value, schemas: &Value) -> Option<Value> {
    let resolved = resolve(schema, schemas);
    if let Some(given) = schema.get("example").or(resolved.get("example")).or(resolved["examples"].get(0)).or(resolved["enum"].get(0)) {
        return Some(given.clone());
    }
    let alternatives = resolved["oneOf"].as_array().into_iter().flatten();
    if let Some(example) = alternatives.filter(|part| part["type"] != "null").find_map(|part| given_example(part, schemas)) {
        return Some(example);
    }
    let parts = properties(resolved, schemas);
    if !parts.is_empty() {
        let required = required_properties(resolved, schemas);
        let shown = parts.into_iter().filter_map(|(name, part)| {
            let value = if required.contains(&name) { Some(example(part, schemas)) } else { given_example(part, schemas) };
            Some((name.to_owned(), value?))
        });
        return Some(Value::Object(shown.collect()));
    }
    match (resolved["type"].as_str(), resolved["format"].as_str()) {
        (Some("array"), _) => given_example(&resolved["items"], schemas).map(|item| json!([item])),
        (Some("string"), Some("uuid")) => Some(json!("0193f0a0-0000-7000-8000-000000000000")),
        (Some("string"), Some("date-time")) => Some(json!("2026-11-23T08:30:00.000000Z")),
        _ => None,
    }
}

fn required_properties<'a>(schema: &'a Value, schemas: &'a Value) -> Vec<&'a str> {
    let schema = resolve(schema, schemas);
    let own = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    own.chain(schema["allOf"].as_array().into_iter().flatten().flat_map(|part| required_properties(part, schemas))).collect()
}

/// From the answer that has a record, links lead to what can be done with it (OpenAPI, Link Object).
fn add_links(document: &mut Value) {
    let paths = document["paths"].clone();
    for (path, item) in paths.as_object().into_iter().flatten() {
        let Some((collection, own)) = path.strip_suffix('}').and_then(|p| p.rsplit_once("/{")).filter(|_| item.get("patch").is_some()) else {
            continue;
        };
        let parents = collection.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Map<String, Value> = parents.map(|name| (format!("path.{name}"), json!(format!("$request.path.{name}")))).collect();
        parameters.insert(format!("path.{own}"), json!("$response.body#/id"));
        let mut links = Map::new();
        for method in ["get", "patch", "delete"] {
            let id = item[method]["operationId"].as_str().unwrap_or_default();
            links.insert(id.to_owned(), json!({ "operationId": id, "parameters": parameters }));
            parameters.insert("header.If-Match".into(), json!("$response.header.ETag"));
        }
        document["paths"][collection]["post"]["responses"]["201"]["links"] = Value::Object(links.clone());
        links.shift_remove(item["get"]["operationId"].as_str().unwrap_or_default());
        document["paths"][path]["get"]["responses"]["200"]["links"] = Value::Object(links);
    }
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
        let example = codes.first().map(|kind| {
            json!({
                "type": format!("/problems/{}", kind.code), "title": kind.title_en, "status": kind.status,
                "detail": kind.detail_en, "instance": "/api/v1/clusters", "code": kind.code,
                "request_id": "0193f0a0-0000-7000-8000-00000000abcd",
            })
        });
        let mut response = json!({
            "description": format!("{description} Codes: {names}."),
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" }, "example": example,
            } },
        });
        for (status, header) in [(429, "Retry-After"), (503, "Retry-After"), (401, "WWW-Authenticate"), (412, "ETag")] {
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
    let header = |name: &str, required: bool, description: &str, schema: Value| json!({ "name": name, "in": "header", "required": required, "description": description, "schema": schema });
    let etag = || json!({ "type": "string", "example": "\"1\"" });
    json!({
        "Calendar": {
            "name": "calendar", "in": "query",
            "description": "The calendar of every date in the request and the answer. Persian dates look like `1392-12-29`.",
            "schema": { "type": "string", "enum": ["gregorian", "persian"], "default": "gregorian" },
        },
        "AcceptLanguage": header("Accept-Language", false, "The language of problems: `fa` (the default) or `en`.",
            json!({ "type": "string", "example": "en" })),
        "IdempotencyKey": header("Idempotency-Key", false,
            "Makes the request safe to repeat: within 24 hours, the same key and body get the first answer again.",
            json!({ "type": "string", "pattern": "^[!-~]{1,200}$" })),
        "IfMatch": header("If-Match", true, "The `ETag` of the version that you have seen.", etag()),
        "IfMatchOnReplace": header("If-Match", false, "The `ETag` of the version that you have seen; needed when the record exists.", etag()),
        // Without an example: interactive documentation would send it, and get 304.
        "IfNoneMatch": header("If-None-Match", false, "The `ETag` that you hold; while it is current the answer is 304.",
            json!({ "type": "string" })),
    })
}

fn shared_headers() -> Value {
    let text = |description: &str, example: &str| json!({ "description": description, "schema": { "type": "string" }, "example": example });
    json!({
        "ETag": text("The version of this representation (RFC 9110).", "\"1\""),
        "Location": text("The address of the new record.", "/api/v1/clusters/0193f0a0-0000-7000-8000-000000000000"),
        "Link": text("`rel=\"next\"`: the next page (RFC 8288).", "</api/v1/clusters?cursor=eyJ…>; rel=\"next\""),
        "X-Request-Id": text("The id of this request, yours or ours.", "0193f0a0-0000-7000-8000-00000000abcd"),
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
