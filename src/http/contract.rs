//! Validation of requests against the OpenAPI document.
//!
//! At startup each method and path of the document becomes an [`Operation`]: access, query parameters, body.
//! Requests are validated against it, so that each limit, pattern or list of values is defined once, in the
//! schema that clients read, and all violations are found at once.

use std::{collections::HashMap, sync::Arc};

use actix_web::{dev::ResourceDef, http::Method};
use chrono::{DateTime, Datelike, Utc};
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::{
    document::{self, required_properties},
    json::LONGEST_LIST,
    render::digest,
    static_document::StaticDocument,
    validation_messages,
};
use crate::{
    persian::{Calendar, Date, calendar, text},
    personal::{Email, LegalId, NationalCode, Phone},
    problem::{Place, Problem, Text, Violation, Violations, problem_types},
};

/// Access control of an operation.
#[derive(Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without a token.
    Public,
    /// Every account whose role or grant holds one of these permissions; every account where there is none.
    Permissions(Vec<String>),
}

/// Member of a query parameter with the permission required by each of its values.
pub const PERMISSIONS_OF_VALUES: &str = "x-permissions";

/// One method on one path.
pub struct Operation {
    /// The `operationId`.
    pub id: String,
    /// Access control.
    pub access: Access,
    /// Accepted media types of its body; none if it takes no body.
    pub media_types: Vec<String>,
    /// Media types of its answers.
    pub formats: Vec<String>,
    /// The columns of its list as CSV; `a.b` for a member of a member.
    pub columns: Vec<String>,
    /// Whether an unsupported `Accept` gives 406.
    pub negotiates: bool,
    /// Whether its body contains a password.
    pub is_secret: bool,
    parameters: HashMap<String, Kind>,
    /// Permissions required by values of query parameters: parameter, value, permission.
    permissions_of_values: Vec<(String, String, String)>,
    required: bool,
    query: Validator,
    body: Option<Validator>,
    merged: Option<Validator>,
}

/// Type of a parameter, by which its text is parsed into a JSON value.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Number,
    Boolean,
    Text,
    List,
}

/// Every operation of the document, and the document itself.
pub struct Contract {
    /// The published document.
    pub document: StaticDocument,
    /// The hash of the document, which tells the answers of one build from those of another.
    pub fingerprint: String,
    schemas: Value,
    operations: HashMap<String, Arc<Operation>>,
    paths: Vec<(ResourceDef, Vec<Method>)>,
}

impl Contract {
    /// Parses the document. Fails, at startup, if a schema in it is invalid.
    pub fn new(document: &Value) -> Result<Self, String> {
        let mut operations = HashMap::new();
        let mut paths = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let mut methods = Vec::new();
            for (method, operation) in item.as_object().into_iter().flatten() {
                let method =
                    Method::from_bytes(method.to_uppercase().as_bytes()).map_err(|e| e.to_string())?;
                let key = format!("{method} {path}");
                operations.insert(key, Arc::new(Operation::new(document, operation)?));
                methods.push(method);
            }
            if methods.contains(&Method::GET) {
                methods.push(Method::HEAD);
            }
            paths.push((ResourceDef::new(path.as_str()), methods));
        }
        let text = document.to_string();
        let fingerprint = digest(&text);
        let served = StaticDocument::new("application/json", text);
        Ok(Self {
            document: served,
            fingerprint,
            schemas: document["components"]["schemas"].clone(),
            operations,
            paths,
        })
    }

    /// The schemas that the document names.
    pub fn schemas(&self) -> &Value {
        &self.schemas
    }

    /// The operation of a method and a path pattern such as `/api/v1/clusters/{id}`.
    pub fn operation(&self, method: &Method, pattern: &str) -> Option<&Arc<Operation>> {
        self.operations.get(&format!("{method} {pattern}"))
    }

    /// The methods that a path answers; none for an unknown path.
    pub fn methods(&self, path: &str) -> &[Method] {
        self.paths.iter().find(|(resource, _)| resource.is_match(path)).map_or(&[], |(_, methods)| methods)
    }
}

impl Operation {
    fn new(document: &Value, operation: &Value) -> Result<Self, String> {
        let mut properties = Map::new();
        let mut parameters = HashMap::new();
        let mut required = Vec::new();
        let mut permissions_of_values = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(document, parameter);
            if parameter["in"] != "query" {
                continue;
            }
            let (Some(name), schema) = (parameter["name"].as_str(), &parameter["schema"]) else { continue };
            parameters.insert(name.to_owned(), Kind::of(resolve(document, schema)));
            properties.insert(name.to_owned(), schema.clone());
            let needs = parameter[PERMISSIONS_OF_VALUES].as_object().into_iter().flatten();
            permissions_of_values.extend(needs.filter_map(|(value, needs)| {
                Some((name.to_owned(), value.clone(), needs.as_str()?.to_owned()))
            }));
            if parameter["required"] == true {
                required.push(name);
            }
        }
        let is_required = !required.is_empty();
        let query = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        let content = operation["requestBody"]["content"].as_object();
        let body = content.and_then(|content| content.values().next()).map(|media| &media["schema"]);
        let merged = body
            .and_then(|schema| schema["$ref"].as_str()?.strip_suffix("Patch"))
            .map(|input| json!({ "$ref": format!("{input}Input") }));
        let answer = operation["responses"]["200"]["content"].as_object();
        Ok(Self {
            id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
            access: access(operation),
            media_types: content.map(|content| content.keys().cloned().collect()).unwrap_or_default(),
            formats: answer.map(|content| content.keys().cloned().collect()).unwrap_or_default(),
            columns: columns(operation, &document["components"]["schemas"]),
            negotiates: operation["responses"].get("406").is_some(),
            is_secret: body.is_some_and(|schema| {
                document::properties(schema, &document["components"]["schemas"])
                    .iter()
                    .any(|(_, p)| p["format"] == "password")
            }),
            parameters,
            permissions_of_values,
            required: is_required,
            query: validator(document, &query)?,
            body: body.map(|schema| validator(document, schema)).transpose()?,
            merged: merged.map(|schema| validator(document, &schema)).transpose()?,
        })
    }

    /// Parses a query string according to the parameter types of the document. 400 names all unknown,
    /// repeated or invalid ones.
    pub fn query(&self, raw: &str, calendar: Calendar) -> Result<Value, Problem> {
        if raw.is_empty() && !self.required {
            return Ok(Value::Object(Map::new()));
        }
        let mut violations = Violations::default();
        let mut values = Map::new();
        for (name, value) in pairs(raw).ok_or_else(malformed_query)? {
            if values.contains_key(&name) {
                violations.push(|| {
                    let (fa, en) = (
                        "این پارامتر بیش از یک بار آمده است؛ چند مقدار را با ویرگول جدا کنید.",
                        "This parameter is repeated; separate several values by commas.",
                    );
                    Violation::query(&name, "repeated", Text::new(fa, en))
                });
                continue;
            }
            let mut value = self.parameters.get(&name).map_or(Value::Null, |kind| kind.read(value));
            clean(&mut value, &mut format!("/{name}"), Place::Query, &mut violations);
            values.insert(name, value);
        }
        let values = Value::Object(values);
        check(&self.query, &values, calendar, Place::Query, &mut violations);
        if violations.is_empty() { Ok(values) } else { Err(Problem::invalid_query(violations)) }
    }

    /// Permissions required by values of a query, in addition to those of the operation.
    pub fn permissions_of<'a>(&'a self, query: &'a Value) -> impl Iterator<Item = &'a str> {
        let is_asked = |name: &str, value: &str| {
            query[name].as_array().is_some_and(|values| values.iter().any(|asked| asked == value))
        };
        self.permissions_of_values
            .iter()
            .filter(move |(name, value, _)| is_asked(name, value))
            .map(|(_, _, permission)| permission.as_str())
    }

    /// Checks a parsed body and brings its text into NFC. 422 names everything that is not acceptable.
    pub fn body(&self, body: &mut Value, calendar: Calendar) -> Result<(), Problem> {
        self.refuse(self.body.as_ref(), body, calendar)
    }

    /// Validates the result of a merge patch.
    pub fn merged(&self, body: &mut Value, calendar: Calendar) -> Result<(), Problem> {
        self.refuse(self.merged.as_ref(), body, calendar)
    }

    fn refuse(
        &self,
        validator: Option<&Validator>,
        body: &mut Value,
        calendar: Calendar,
    ) -> Result<(), Problem> {
        let mut violations = Violations::default();
        clean(body, &mut String::new(), Place::Body, &mut violations);
        let Some(validator) = validator else {
            return Err(Problem::internal(format!("operation {} documents no such body", self.id)));
        };
        check(validator, body, calendar, Place::Body, &mut violations);
        if violations.is_empty() { Ok(()) } else { Err(Problem::invalid(violations)) }
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        match schema["type"].as_str() {
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::List,
            _ => Self::Text,
        }
    }

    /// Text that cannot be parsed stays text, and schema validation reports the expected type.
    fn read(self, text: String) -> Value {
        match self {
            Self::Integer => {
                text::latin_digits(&text).parse::<i64>().map_or(Value::String(text), Value::from)
            }
            Self::Number => text.parse::<f64>().map_or(Value::String(text), Value::from),
            Self::Boolean => text.parse::<bool>().map_or(Value::String(text), Value::from),
            Self::Text => Value::String(text),
            Self::List => text.split(',').map(Value::from).collect(),
        }
    }
}

/// Parses a query string or form; none if an escape is malformed or is not UTF-8.
pub fn pairs(raw: &str) -> Option<Vec<(String, String)>> {
    let parts =
        raw.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")));
    parts
        .map(|(name, value)| Some((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?)))
        .collect()
}

/// Decodes percent-escapes; none if one is malformed or the result is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let is_whole = text
        .split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok().filter(|_| is_whole);
    decoded.map(|text| text.into_owned())
}

fn malformed_query() -> Problem {
    Problem::new(&problem_types::INVALID_PARAMETER).detail(Text::new(
        "رشتهٔ پرس‌وجو درست رمز نشده یا UTF-8 نیست.",
        "The query string is not properly escaped UTF-8.",
    ))
}

fn access(operation: &Value) -> Access {
    let permissions = document::permissions(operation);
    match permissions {
        Some(list) => Access::Permissions(list.into_iter().map(str::to_owned).collect()),
        // Deny by default: an operation is public only if it has an empty security requirement.
        None if operation["security"] == json!([{}]) => Access::Public,
        None => Access::Permissions(vec!["nobody".to_owned()]),
    }
}

/// Columns of an operation's list: the properties of each item, and one nested level.
fn columns(operation: &Value, schemas: &Value) -> Vec<String> {
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    let lists = document::properties(schema, schemas);
    let Some(item) = lists.iter().find(|(name, _)| *name == "items").map(|(_, list)| &list["items"]) else {
        return Vec::new();
    };
    let required = required_properties(item, schemas);
    let mut columns = Vec::new();
    for (name, property) in
        document::properties(item, schemas).into_iter().filter(|(name, _)| required.contains(name))
    {
        let object = property["oneOf"]
            .as_array()
            .and_then(|list| list.iter().find(|s| s["type"] != "null"))
            .unwrap_or(property);
        match document::properties(object, schemas).as_slice() {
            [] => columns.push(name.to_owned()),
            inner => columns.extend(inner.iter().map(|(member, _)| format!("{name}.{member}"))),
        }
    }
    columns
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|r| document.pointer(r.trim_start_matches('#')));
    target.unwrap_or(value)
}

fn validator(document: &Value, schema: &Value) -> Result<Validator, String> {
    // Each validator has its own copy: with all schemas of the document in each, they would take 100 MB.
    let mut needed = Map::new();
    collect_schemas(&document["components"]["schemas"], schema, &mut needed);
    let root = json!({ "allOf": [schema], "components": { "schemas": needed } });
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("date", |text: &str| Date::parse(text).is_ok())
        .with_format("date-time", |text: &str| {
            text.parse::<DateTime<Utc>>().is_ok_and(|moment| (1..=9999).contains(&moment.year()))
        })
        .with_format("int64", |text: &str| text.parse::<i64>().is_ok())
        .with_format("name", text::is_name)
        .with_format(NationalCode::FORMAT, |text: &str| NationalCode::parse(text).is_some())
        .with_format(LegalId::FORMAT, |text: &str| LegalId::parse(text).is_some())
        .with_format(Phone::FORMAT, |text: &str| Phone::parse(text).is_some())
        .with_format(Email::FORMAT, |text: &str| Email::parse(text).is_some())
        .build(&root)
        .map_err(|error| error.to_string())
}

/// Collects the schemas that a schema refers to, directly and indirectly.
fn collect_schemas(schemas: &Value, schema: &Value, found: &mut Map<String, Value>) {
    match schema {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(|r| r.as_str()?.strip_prefix("#/components/schemas/"));
            if let Some(name) = name.filter(|name| !found.contains_key(*name)) {
                found.insert(name.to_owned(), schemas[name].clone());
                collect_schemas(schemas, &schemas[name], found);
            }
            members.values().for_each(|member| collect_schemas(schemas, member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_schemas(schemas, item, found)),
        _ => {}
    }
}

/// Normalizes text to NFC and integral floats to integers, and refuses NUL, which no database accepts. Stops
/// when the problem is full: refused values need not be normalized.
fn clean(value: &mut Value, pointer: &mut String, place: Place, violations: &mut Violations) {
    if violations.is_full() {
        return;
    }
    let length = pointer.len();
    match value {
        Value::String(string) => {
            if let std::borrow::Cow::Owned(normal) = text::nfc(string) {
                *string = normal;
            }
            if string.contains('\0') {
                violations.push(|| nul(place, pointer));
            }
        }
        Value::Number(number) => {
            let whole = number.as_f64().filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < 9e15);
            if let Some(whole) = whole {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                pointer.push_str(&format!("/{index}"));
                clean(item, pointer, place, violations);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                pointer.push('/');
                pointer.push_str(&escape(name));
                clean(member, pointer, place, violations);
                pointer.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn nul(place: Place, pointer: &str) -> Violation {
    let detail = Text::new("نویسهٔ NUL (U+0000) پذیرفته نیست.", "The character NUL (U+0000) is not accepted.");
    Violation::new(place, pointer, "nul_character", detail)
}

/// Escapes a name for a JSON pointer (RFC 6901, section 3).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Reports the violations of a schema, as far as there is room.
fn check(
    validator: &Validator,
    value: &Value,
    calendar: Calendar,
    place: Place,
    violations: &mut Violations,
) {
    if violations.is_full() {
        return;
    }
    calendar::using(calendar, || {
        if validator.is_valid(value) {
            return;
        }
        // The library creates all errors before it returns the first.
        for error in validator.iter_errors(&shortened(value)) {
            validation_messages::explain(&error, place, violations);
        }
    });
}

/// The value with lists truncated to a length that is still too long.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().take(LONGEST_LIST).map(shortened).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), shortened(member))).collect()
        }
        other => other.clone(),
    }
}
