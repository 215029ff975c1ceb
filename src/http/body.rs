//! Request extractors: query, body and merge patch, each validated against the OpenAPI document before
//! deserialization.

use std::{future::Future, ops::Deref, pin::Pin};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Call, Precondition, Ready, contract, data, json, record_extractor,
    upload_quota::{BodyQuota, UploadShare},
};
use crate::{
    config::Config,
    persian::calendar,
    personal,
    problem::{Problem, Text, Violation, problem_types},
    store::{self, Input, Record},
};

/// Typed query parameters of an operation. The middleware has refused unknown and invalid ones.
pub struct Query<T>(pub T);

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Call::of(request).and_then(|call| typed_query(&call).map(Self)))
    }
}

/// Parses the query parameters of a type; ignores all others.
pub(crate) fn typed_query<T: DeserializeOwned>(call: &Call) -> Result<T, Problem> {
    let typed = calendar::using(call.calendar(), || T::deserialize(call.query()));
    typed.map_err(|error| Problem::invalid_query(vec![Violation::query("", "invalid", mistyped(&error))]))
}

/// A request body, JSON or form, as the document describes it.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let call = Call::of(&request)?;
            let body = async {
                let mut value = read(&request, payload, &call).await?;
                call.operation().body(&mut value, call.calendar())?;
                typed(value, &call).map(Self)
            };
            refused_last(body.await, &request).await
        })
    }
}

/// A JSON Merge Patch (RFC 7396) of a version that the caller has seen.
pub struct Patch {
    members: Value,
    precondition: Precondition,
    call: Call,
}

impl FromRequest for Patch {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let call = Call::of(&request)?;
            let members = async {
                let mut members = read(&request, payload, &call).await?;
                call.operation().body(&mut members, call.calendar())?;
                Ok(members)
            };
            let members = refused_last(members.await, &request).await?;
            Ok(Self { members, precondition: Precondition::of(&request), call })
        })
    }
}

/// Reports errors of a body only after the records of the path have been looked up.
async fn refused_last<T>(body: Result<T, Problem>, request: &HttpRequest) -> Result<T, Problem> {
    if body.is_err() {
        record_extractor::looked_up(request).await;
    }
    body
}

impl Patch {
    /// Applies the patch to the record's current input, validated by the same rules as at its creation; 428
    /// or 412 if the caller has not seen this version.
    pub fn onto<R: Record, I: Input<R>>(self, row: &R) -> Result<I, Problem> {
        self.precondition.holds_for(row)?;
        // Before the comparison: the answer would reveal that the value is the current one.
        let names_somebody = store::personal::unique_values(row)
            .into_iter()
            .any(|(field, _)| self.members.get(field).is_some());
        if names_somebody && !self.call.caller()?.may(personal::PERMISSION) {
            return Err(Problem::insufficient_scope(&[personal::PERMISSION]));
        }
        let present = personal::in_clear(|| {
            calendar::using(self.call.calendar(), || serde_json::to_value(I::from(row)))
        });
        let mut merged = present.map_err(Problem::internal)?;
        merge(&mut merged, self.members);
        self.call.operation().merged(&mut merged, self.call.calendar())?;
        typed(merged, &self.call)
    }
}

/// The algorithm of RFC 7396, section 2.
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(target) = target {
        for (name, value) in patch {
            if value.is_null() {
                target.shift_remove(&name);
            } else {
                merge(target.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

fn typed<T: DeserializeOwned>(value: Value, call: &Call) -> Result<T, Problem> {
    calendar::using(call.calendar(), || serde_json::from_value(value))
        .map_err(|error| Problem::invalid(vec![Violation::body("", "invalid", mistyped(&error))]))
}

/// An error of deserialization after schema validation; the message contains no internal type names.
fn mistyped(error: &serde_json::Error) -> Text {
    Text::new(format!("مقداری پذیرفته نیست: {error}"), format!("A value is not acceptable: {error}"))
}

/// Maximum bytes of a body without a token: a login, or the longest token to be revoked with all characters
/// escaped.
const LARGEST_OF_NOBODY: usize = 16 * 1024;

async fn read(request: &HttpRequest, payload: Payload, call: &Call) -> Result<Value, Problem> {
    let media_type = accepted_media_type(request, call)?;
    let config = data::<Config>(request)?;
    let limit =
        if call.caller().is_ok() { config.body_limit } else { config.body_limit.min(LARGEST_OF_NOBODY) };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit as u64));
    }
    let quota = data::<BodyQuota>(request)?;
    let share = call.caller().ok().map(|caller| quota.0.begin(caller.id)).transpose()?;
    let reading = read_bytes(payload, limit, share);
    let bytes = tokio::time::timeout(config.body_timeout(), reading).await.map_err(|_| too_slow())??;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let byte = error.valid_up_to();
        Problem::new(&problem_types::MALFORMED_JSON).detail(Text::new(
            format!("بدنهٔ درخواست از بایت {byte} به بعد UTF-8 درستی نیست."),
            format!("The request body is not valid UTF-8 from byte {byte} on."),
        ))
    })?;
    if media_type == "application/x-www-form-urlencoded" {
        return form(text);
    }
    let value = json::parse(text).map_err(unread)?;
    // The fingerprint of a request is stored: it must not include a fast hash of a password.
    let recognised = if call.operation().is_secret { without_passwords(&value).into() } else { bytes };
    request.extensions_mut().insert(RawBody(recognised));
    Ok(value)
}

fn unread(why: json::Unread) -> Problem {
    let error = match why {
        json::Unread::Malformed(error) => error,
        json::Unread::TooMany => {
            let most = json::MOST_VALUES;
            let detail = Text::new(
                format!("بدنهٔ درخواست بیش از {most} مقدار دارد."),
                format!("The request body has more than {most} values."),
            );
            return Problem::invalid(vec![Violation::body("", "too_many_items", detail)]);
        }
    };
    let (line, column) = (error.line(), error.column());
    Problem::new(&problem_types::MALFORMED_JSON)
        .detail(Text::new(
            format!("بدنهٔ درخواست در سطر {line}، ستون {column} JSON درستی نیست: {error}"),
            format!("The request body is not well-formed JSON: {error}."),
        ))
        .member("line", line)
        .member("column", column)
}

fn without_passwords(body: &Value) -> String {
    let mut shown = body.clone();
    if let Some(members) = shown.as_object_mut() {
        members.retain(|name, _| !name.contains("password"));
    }
    shown.to_string()
}

/// The bytes of the body as received, except passwords: they identify a repeated request.
#[derive(Clone)]
pub struct RawBody(pub web::Bytes);

pub(super) fn accepted_media_type(request: &HttpRequest, call: &Call) -> Result<String, Problem> {
    let accepted = &call.operation().media_types;
    let given = request.content_type().to_ascii_lowercase();
    let is_unicode = request.encoding().is_ok_and(|encoding| encoding.name() == "UTF-8");
    if accepted.contains(&given) && is_unicode {
        return Ok(given);
    }
    Err(unsupported(accepted.join(", ")))
}

/// 415 with the accepted media types.
pub(super) fn unsupported(accepted: String) -> Problem {
    Problem::new(&problem_types::UNSUPPORTED_MEDIA_TYPE)
        .detail(Text::new(
            format!("Content-Type باید یکی از این‌ها باشد: {accepted}"),
            format!("The Content-Type must be one of: {accepted}"),
        ))
        .header(header::ACCEPT, accepted)
}

/// 408; the connection is unusable afterwards.
pub(super) fn too_slow() -> Problem {
    Problem::new(&problem_types::REQUEST_TIMEOUT).header(header::CONNECTION, "close")
}

pub(super) fn too_large(limit: u64) -> Problem {
    Problem::new(&problem_types::PAYLOAD_TOO_LARGE)
        .detail(Text::new(
            format!("بدنهٔ درخواست نباید از {limit} بایت بزرگ‌تر باشد."),
            format!("The request body may have at most {limit} bytes."),
        ))
        .header(header::CONNECTION, "close")
}

async fn read_bytes(
    mut payload: Payload,
    limit: usize,
    mut share: Option<UploadShare>,
) -> Result<web::Bytes, Problem> {
    let mut bytes = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new(&problem_types::MALFORMED_REQUEST))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit as u64));
        }
        bytes.extend_from_slice(&chunk);
        if let Some(share) = &mut share {
            share.cover(bytes.len() as u64)?;
        }
    }
    Ok(bytes.freeze())
}

fn form(text: &str) -> Result<Value, Problem> {
    let malformed = || Problem::new(&problem_types::MALFORMED_FORM);
    let mut values = Map::new();
    // Parameters without a value count as left out (RFC 6749, section 3.2).
    for (name, value) in
        contract::pairs(text).ok_or_else(malformed)?.into_iter().filter(|(_, value)| !value.is_empty())
    {
        if values.insert(name, Value::String(value)).is_some() {
            return Err(malformed());
        }
    }
    Ok(Value::Object(values))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn merge_patch_follows_the_examples_of_rfc_7396() {
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut merged = target.clone();
            super::merge(&mut merged, patch);
            assert_eq!(merged, result);
        }
    }
}
