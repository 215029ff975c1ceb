//! Components that many operations share: responses, parameters, headers, security.

use serde_json::{Map, Value, json};

use super::PREFIX;
use crate::problem::problem_types::CATALOGUE;

/// The refusals, each with the codes of the catalogue that it can carry.
pub fn responses() -> Value {
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
        for (status, header) in
            [(429, "Retry-After"), (503, "Retry-After"), (401, "WWW-Authenticate"), (412, "ETag")]
        {
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
        "ResyncRequired": about(&[410], "The cursor leads nowhere any more."),
        "StaleVersion": about(&[412], "The record has changed since the `ETag` given; `ETag` names its present version, as `If-Match` takes it."),
        "PayloadTooLarge": about(&[413], "The body is too large."),
        "UnsupportedMediaType": about(&[415], "The body is of a media type that is not accepted."),
        "ValidationFailed": about(&[422], "One or more values break a rule; `errors` names them all."),
        "PreconditionRequired": about(&[428], "`If-Match` is missing."),
        "TooManyRequests": about(&[429], "Slow down."),
        "InternalError": about(&[500], "Something failed on our side."),
        "Unavailable": about(&[503], "Away for a moment."),
    })
}

/// Parameters accepted by every operation.
pub fn parameters() -> Value {
    let header = |name: &str, required: bool, description: &str, schema: Value| json!({ "name": name, "in": "header", "required": required, "description": description, "schema": schema });
    let etag = || json!({ "type": "string", "example": "\"1\"" });
    json!({
        "Calendar": {
            "name": "calendar", "in": "query",
            "description": "The calendar of every date in the request and the answer. Persian dates look like `1392-12-29`: `format: date` then means a day of that calendar, so read dates as text.",
            "schema": { "type": "string", "enum": ["gregorian", "persian"], "default": "gregorian" },
        },
        "AcceptLanguage": header("Accept-Language", false, "The language of problems: `fa` (the default) or `en`.",
            json!({ "type": "string", "example": "en" })),
        "IdempotencyKey": header("Idempotency-Key", false,
            "Makes the request safe to repeat: within 24 hours, the same key and body get the first answer again.",
            json!({ "type": "string", "pattern": "^[!-~]{1,200}$" })),
        "IfMatch": header("If-Match", true, "The `ETag` of the version that you have seen.", etag()),
        "IfMatchOnReplace": header("If-Match", false, "The `ETag` of the version that you have seen; needed when the record exists.", etag()),
        // Without an example: interactive documentation would send it, and receive 304.
        "IfNoneMatch": header("If-None-Match", false, "The `ETag` that you hold; while it is current the answer is 304.",
            json!({ "type": "string" })),
    })
}

/// The headers of answers.
pub fn headers() -> Value {
    let text = |description: &str, example: &str| json!({ "description": description, "schema": { "type": "string" }, "example": example });
    json!({
        "ETag": text("The version of this representation (RFC 9110): the record's version, and where the answer holds more than that version alone, `-` and a hash; of a file, its SHA-256. `If-Match` compares the versions.", "\"1\""),
        "Location": text("The address of the new record.", "/api/v1/clusters/0193f0a0-0000-7000-8000-000000000000"),
        "Link": text("`rel=\"next\"`: the next page (RFC 8288).", "</api/v1/clusters?cursor=eyJ…>; rel=\"next\""),
        "X-Request-Id": text("The id of this request, yours or ours.", "0193f0a0-0000-7000-8000-00000000abcd"),
        "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 0 }, "example": 1 },
        "WWW-Authenticate": text("How to authenticate (RFC 6750).", "Bearer realm=\"khoosheh\""),
    })
}

/// OAuth 2 with the permissions as scopes.
pub fn security_schemes(permissions: &[(&str, &str)]) -> Value {
    let scopes: Map<String, Value> =
        permissions.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
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
