//! Completes the OpenAPI document that utoipa collects from the handlers.
//!
//! Adds what all operations of a kind share, so that no handler repeats it: tags, common parameters and
//! headers, shared error responses, the roles behind a permission, merge-patch bodies, and an example for
//! each body.

mod example;
mod patch;
mod shared;

use serde_json::{Map, Value, json};
use utoipa::openapi::{
    ObjectBuilder, RefOr, Schema, SchemaFormat, extensions::ExtensionsBuilder, schema::Type,
};

use self::{example::add_examples, patch::add_patches};
use super::authorization::Format;
use crate::lifecycle::machine::Machine;

/// Parts of the document beyond its operations.
pub struct Frame<'a> {
    /// The `info` object.
    pub info: Value,
    /// Name and description of each tag; an operation is tagged by the first segment of its path.
    pub tags: &'a [(&'a str, &'a str)],
    /// Name and description of each permission.
    pub permissions: &'a [(&'a str, &'a str)],
    /// The state machines, each described with its transitions.
    pub machines: &'a [Machine],
    /// The formats of the lists and reports of a path.
    pub formats: &'a dyn Fn(&str) -> &'static [Format],
    /// The roles that hold a permission.
    pub roles: &'a dyn Fn(&str) -> Vec<String>,
}

/// The prefix of all resources.
pub const PREFIX: &str = "/api/v1";

/// Media type of an answer to `fields=`: required fields of the full one may be missing.
pub const SPARSE: &str = "application/vnd.khoosheh.sparse+json";

/// Schema member with the media types of a file.
const MEDIA_TYPES: &str = "x-media-types";

/// Schema of a file in any of these media types.
pub fn file(about: &str, media_types: &[impl AsRef<str>]) -> RefOr<Schema> {
    let media_types: Vec<&str> = media_types.iter().map(AsRef::as_ref).collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("binary".into())))
        .description(Some(about))
        .extensions(Some(ExtensionsBuilder::new().add(MEDIA_TYPES, json!(media_types)).build()))
        .into()
}

/// Path suffix of file contents: the hash in the path identifies the content, so that it needs no version.
const FILE: &str = "/content";

/// Path suffixes of POST operations that change a record; all others create one.
const CHANGING_POSTS: [&str; 2] = ["/transitions", "/secret"];

/// Completes a document. Clients see the result, and [`super::contract`] enforces it.
pub fn complete(mut document: Value, frame: &Frame<'_>) -> Value {
    document["openapi"] = json!("3.1.0");
    document["info"] = frame.info.clone();
    document["servers"] = json!([{ "url": "/", "description": "This service" }]);
    members(&mut document["components"]["schemas"]).for_each(|(_, schema)| join_parts(schema));
    bound_dates(&mut document);
    refer_to_items(&mut document["components"]["schemas"]);
    add_patches(&mut document);
    document["components"]["schemas"]["Sparse"] = json!({
        "type": "object",
        "additionalProperties": true,
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
    document["components"]["responses"] = shared::responses();
    document["components"]["parameters"] = shared::parameters();
    document["components"]["headers"] = shared::headers();
    document["components"]["securitySchemes"] = shared::security_schemes(frame.permissions);
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

/// Joins the parts of a representation into one object: utoipa describes the flattened row of a record as a
/// part of its own, next to what is derived and included.
fn join_parts(schema: &mut Value) {
    let Some(parts) =
        schema["allOf"].as_array().filter(|parts| parts.iter().any(|part| part["allOf"].is_array()))
    else {
        return;
    };
    let parts = parts.iter().flat_map(|part| match part["allOf"].as_array() {
        Some(inner) => inner.clone(),
        None => vec![part.clone()],
    });
    let (others, objects): (Vec<_>, Vec<_>) = parts.partition(|part| part["properties"].is_null());
    let mut object = json!({ "type": "object", "required": [], "properties": {} });
    for part in objects {
        let required = part["required"].as_array().cloned().unwrap_or_default();
        if let Some(all) = object["required"].as_array_mut() {
            all.extend(required)
        }
        let properties = part["properties"].as_object().cloned().unwrap_or_default();
        if let Some(all) = object["properties"].as_object_mut() {
            all.extend(properties)
        }
    }
    schema["allOf"] = others.into_iter().chain([object]).collect();
}

/// Limits dates to the years 1000 to 8999 of either calendar.
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

/// Replaces inline schemas by references: utoipa inlines the items of a `Page_X`, the rows and totals of a
/// `Report_X_Y` and the states of a `Transition_X`; client generators need `X`.
fn refer_to_items(schemas: &mut Value) {
    let all = schemas.clone();
    for (name, schema) in members(schemas) {
        if let Some(item) = name.strip_prefix("Page_") {
            schema["properties"]["items"]["items"] =
                json!({ "$ref": format!("#/components/schemas/{item}") });
        }
        // Rows and totals of a report, besides its common head.
        if let Some((item, totals)) = name.strip_prefix("Report_").and_then(|parts| parts.split_once('_')) {
            let own = &mut schema["allOf"][1]["properties"];
            own["items"]["items"] = json!({ "$ref": format!("#/components/schemas/{item}") });
            own["totals"] = json!({ "$ref": format!("#/components/schemas/{totals}"), "description": own["totals"]["description"] });
        }
        if let Some(state) = name.strip_prefix("Transition_").or(name.strip_prefix("AllowedTransition_")) {
            // The example is the second state: no transition leads to the first.
            schema["properties"]["to"] =
                json!({ "$ref": format!("#/components/schemas/{state}"), "example": all[state]["enum"][1] });
        }
    }
}

/// Describes path parameters handled by extractors: ids, and references.
fn add_path_parameters(path: &str, operation: &mut Value) {
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    let mut given = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { continue };
        if parameters.iter().any(|parameter| parameter["in"] == "path" && parameter["name"] == name) {
            continue;
        }
        let (about, schema) = match name {
            "system" => {
                ("The other system".to_owned(), json!({ "type": "string", "example": "lorestan-erp" }))
            }
            "key" => ("The record's key there".to_owned(), json!({ "type": "string", "example": "K-17" })),
            _ => {
                // Names such as `{claim_id}`; `{id}` is named after its list.
                let record = name
                    .strip_suffix("_id")
                    .unwrap_or(segments[index - 1].trim_end_matches('s'))
                    .replace(['-', '_'], " ");
                (format!("The id of the {record}"), json!({ "type": "string", "format": "uuid" }))
            }
        };
        given.push(
            json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema }),
        );
    }
    if !given.is_empty() {
        given.append(&mut parameters);
        operation["parameters"] = Value::Array(given);
    }
}

/// Removes null: utoipa makes optional parameters nullable, but a parameter is only present or absent.
fn never_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        schema["type"] = types.iter().find(|kind| **kind != "null").cloned().unwrap_or_default();
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        *schema = alternatives
            .iter()
            .find(|alternative| alternative["type"] != "null")
            .cloned()
            .unwrap_or_default();
    }
}

fn complete_operation(
    path: &str,
    method: &str,
    tag: String,
    operation: &mut Value,
    schemas: &Value,
    frame: &Frame<'_>,
) {
    operation["tags"] = json!([tag]);
    add_path_parameters(path, operation);
    // Login and logout follow OAuth 2; the sessions are an ordinary list.
    let is_resource =
        path.starts_with(PREFIX) && (tag != "auth" || method == "get" && lists_items(operation, schemas));
    // Event streams have no complete version.
    let has_version = is_resource && operation.pointer("/responses/200/content/text~1event-stream").is_none();
    let is_guarded = permissions(operation).is_some();
    let has_body = operation.get("requestBody").is_some();
    let has_parameters = operation["parameters"].as_array().is_some_and(|list| !list.is_empty());
    let changes_existing = match method {
        "post" => CHANGING_POSTS.iter().any(|end| path.ends_with(end)),
        "put" => !path.ends_with(FILE),
        _ => matches!(method, "patch" | "delete"),
    };
    for content in ["/requestBody/content", "/responses/200/content"] {
        spread_media_types(operation.pointer_mut(content), schemas);
    }

    if let Some(machine) =
        frame.machines.iter().find(|machine| path.strip_prefix(PREFIX) == Some(machine.path))
    {
        let text = operation["description"].as_str().unwrap_or_default();
        operation["description"] = json!(format!("{text}\n\n{}", machine.describe()));
    }
    if is_guarded {
        describe_roles(operation, frame);
    }
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    parameters.iter_mut().for_each(|parameter| never_null(&mut parameter["schema"]));
    let mut refer =
        |name: &str| parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
    if is_resource {
        refer("Calendar");
        if method == "get" && has_version {
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
    let formats = (frame.formats)(path);
    if method == "get" && formats.len() > 1 && lists_items(operation, schemas) {
        for format in formats.iter().filter(|format| **format != Format::Json) {
            operation["responses"]["200"]["content"][format.media_type()] =
                json!({ "schema": format_schema(*format) });
        }
        parameters.push(json!({
            "name": "format", "in": "query",
            "description": "The format of the answer; before `Accept`. CSV is UTF-8 with stable columns.",
            "schema": { "type": "string", "enum": formats.iter().map(|format| format.name()).collect::<Vec<_>>() },
        }));
        parameters.push(json!({
            "name": "bom", "in": "query",
            "description": "Whether CSV begins with a byte order mark, by which Excel recognises UTF-8.",
            "schema": { "type": "boolean", "default": false },
        }));
    }
    if let Some(fields) = fields_parameter(method, is_resource, operation, schemas) {
        parameters.push(fields);
        operation["responses"]["200"]["content"][SPARSE] =
            json!({ "schema": { "$ref": "#/components/schemas/Sparse" } });
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }

    let mut statuses = vec![("500", "InternalError"), ("503", "Unavailable"), ("429", "TooManyRequests")];
    if has_parameters || has_body || path.starts_with(PREFIX) {
        statuses.push(("400", "BadRequest"));
    }
    if is_guarded {
        statuses.extend([("401", "Unauthenticated"), ("403", "Forbidden")]);
    }
    if path.ends_with("/auth/token") {
        statuses.push(("401", "Unauthenticated"));
    }
    if path.ends_with("/changes") {
        statuses.push(("410", "ResyncRequired"));
    }
    if path.contains('{') {
        statuses.push(("404", "NotFound"));
    }
    if method == "get" && is_resource {
        statuses.push(("406", "NotAcceptable"));
    }
    if method == "get" && has_version {
        statuses.push(("304", "NotModified"));
    }
    if has_body {
        statuses.extend([
            ("408", "RequestTimeout"),
            ("413", "PayloadTooLarge"),
            ("415", "UnsupportedMediaType"),
            ("422", "ValidationFailed"),
        ]);
    }
    // The `Idempotency-Key` may have been used for another request.
    if is_resource && method == "post" || !has_body && has_date(operation) {
        statuses.push(("422", "ValidationFailed"));
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
            complete_success(status, response, has_version, schemas);
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

fn format_schema(format: Format) -> Value {
    match format {
        Format::Xlsx => json!({ "type": "string", "format": "binary" }),
        Format::GeoJson => json!({ "type": "object", "description": "A FeatureCollection (RFC 7946)." }),
        _ => json!({ "type": "string" }),
    }
}

/// utoipa knows one media type per body; this lists all media types of the schema.
fn spread_media_types(content: Option<&mut Value>, schemas: &Value) {
    let Some(content) = content else { return };
    let media = content["application/octet-stream"].clone();
    if let Some(types) = resolve(&media["schema"], schemas)[MEDIA_TYPES].as_array() {
        *content =
            types.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), media.clone())).collect();
    }
}

fn has_date(operation: &Value) -> bool {
    operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|parameter| parameter["schema"]["format"] == "date")
}

fn complete_success(status: &str, response: &mut Value, has_version: bool, schemas: &Value) {
    if response["description"].as_str().unwrap_or_default().is_empty() {
        response["description"] = json!(match status {
            "201" => "Created",
            "204" => "Done; nothing to answer",
            _ => "The answer",
        });
    }
    let mut headers = Map::new();
    let mut refer = |name: &str| {
        headers.insert(name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
    };
    if has_version && status != "204" {
        refer("ETag");
    }
    if status == "201" {
        refer("Location");
    }
    refer("X-Request-Id");
    let is_page = response
        .pointer("/content/application~1json/schema/$ref")
        .and_then(Value::as_str)
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

/// The `fields=` parameter, with the fields of the record, or of the items of a page.
fn fields_parameter(method: &str, is_resource: bool, operation: &Value, schemas: &Value) -> Option<Value> {
    if method != "get" || !is_resource {
        return None;
    }
    let schema = operation.pointer("/responses/200/content/application~1json/schema")?;
    let record = properties(schema, schemas);
    let (_, items) = record
        .iter()
        .find(|(name, _)| *name == "items")
        .map_or((0, Some(schema)), |(_, s)| (0, s.get("items")));
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
    let mut found: Vec<_> =
        schema["allOf"].as_array().into_iter().flatten().flat_map(|part| properties(part, schemas)).collect();
    found.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, s)| (name.as_str(), s)));
    found
}

/// The required properties of a schema, through references and `allOf`.
pub fn required_properties<'a>(schema: &'a Value, schemas: &'a Value) -> Vec<&'a str> {
    let schema = resolve(schema, schemas);
    let own = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    own.chain(
        schema["allOf"].as_array().into_iter().flatten().flat_map(|part| required_properties(part, schemas)),
    )
    .collect()
}

fn resolve<'a>(schema: &'a Value, schemas: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &schemas[name])
}

/// Adds links from an answer with a record to the operations on it (OpenAPI, Link Object).
fn add_links(document: &mut Value) {
    let paths = document["paths"].clone();
    for (path, item) in paths.as_object().into_iter().flatten() {
        let Some((collection, own)) =
            path.strip_suffix('}').and_then(|p| p.rsplit_once("/{")).filter(|_| item.get("patch").is_some())
        else {
            continue;
        };
        let parents =
            collection.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Map<String, Value> =
            parents.map(|name| (format!("path.{name}"), json!(format!("$request.path.{name}")))).collect();
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

/// Permissions of which an operation needs one; an empty list if any token is enough, none if it is public.
pub fn permissions(operation: &Value) -> Option<Vec<&str>> {
    let mut lists = operation["security"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["oauth2"].as_array())
        .peekable();
    lists.peek()?;
    Some(lists.flatten().filter_map(Value::as_str).collect())
}

fn describe_roles(operation: &mut Value, frame: &Frame<'_>) {
    let mut roles: Vec<String> = Vec::new();
    for permission in permissions(operation).unwrap_or_default() {
        roles.extend(
            (frame.roles)(permission).into_iter().filter(|role| !roles.contains(role)).collect::<Vec<_>>(),
        );
    }
    if roles.is_empty() {
        roles.push("every role".to_owned());
    }
    let words = roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ");
    let text = operation["description"].as_str().unwrap_or_default();
    operation["description"] = json!(format!("{text}\n\nWho may call it: {words}.").trim());
    operation["x-roles"] = json!(roles);
}
