//! The one error type of the service: problem details (RFC 9457) in Persian or English.

use std::{borrow::Cow, cell::Cell, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::catalogue::{self, Kind};
use crate::lifecycle::Missing;

/// The language of titles and details. `code` never depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Persian, which is also the answer to a request that states no preference.
    #[default]
    Persian,
    /// English.
    English,
}

thread_local! {
    static LANGUAGE: Cell<Language> = const { Cell::new(Language::Persian) };
}

/// Does `work` with a [`Text`] serialized in a language. It travels like the calendar ([`crate::persian::calendar::using`]),
/// for the same reason.
pub fn speaking<T>(language: Language, work: impl FnOnce() -> T) -> T {
    struct Restore(Language);
    impl Drop for Restore {
        fn drop(&mut self) {
            LANGUAGE.set(self.0);
        }
    }
    let _earlier = Restore(LANGUAGE.replace(language));
    work()
}

/// A sentence in both languages.
#[derive(Clone, Debug)]
pub struct Text {
    /// The Persian sentence.
    pub fa: Cow<'static, str>,
    /// The English sentence.
    pub en: Cow<'static, str>,
}

impl Text {
    /// Makes a sentence from its two forms.
    pub fn new(fa: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { fa: fa.into(), en: en.into() }
    }

    /// The form in one language.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Persian => &self.fa,
            Language::English => &self.en,
        }
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.in_language(LANGUAGE.get()))
    }
}

/// Where a refused value stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the request body.
    Body,
    /// In the query string.
    Query,
    /// In a header.
    Header,
}

/// One broken rule: where, which, and what is wrong with the value.
#[derive(Clone, Debug)]
pub struct Violation {
    place: Place,
    pointer: String,
    code: &'static str,
    detail: Text,
}

/// The code of a date that is well-formed and that its calendar does not have, such as 1392-12-30.
pub const NO_SUCH_DAY: &str = "no_such_day";

impl Violation {
    /// A violation at a place; the pointer is a JSON pointer (RFC 6901) into it.
    pub fn new(place: Place, pointer: impl Into<String>, code: &'static str, detail: Text) -> Self {
        Self { place, pointer: pointer.into(), code, detail }
    }

    /// Where the refused value stood, as a JSON pointer.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The stable name of the rule.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong with the value.
    pub fn detail(&self) -> &Text {
        &self.detail
    }

    /// A violation in the body.
    pub fn body(pointer: impl Into<String>, code: &'static str, detail: Text) -> Self {
        Self::new(Place::Body, pointer, code, detail)
    }

    /// A violation in the query string; the pointer is `/` and the parameter's name.
    pub fn query(parameter: &str, code: &'static str, detail: Text) -> Self {
        Self::new(Place::Query, format!("/{parameter}"), code, detail)
    }

    /// A violation in a header; the pointer is `/` and the header's name.
    pub fn header(name: &str, code: &'static str, detail: Text) -> Self {
        Self::new(Place::Header, format!("/{name}"), code, detail)
    }
}

/// An answer that refuses. Every fault that a client can meet is one of these.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: &'static Kind,
    detail: Option<Text>,
    violations: Vec<Violation>,
    missing: Vec<Missing>,
    headers: Vec<(HeaderName, HeaderValue)>,
    members: Map<String, Value>,
    /// For the log and the command line; never part of an answer.
    cause: Option<String>,
}

impl Problem {
    /// A problem of the catalogue, with its usual detail.
    pub fn new(kind: &'static Kind) -> Self {
        Self(Box::new(Parts {
            kind,
            detail: None,
            violations: Vec::new(),
            missing: Vec::new(),
            headers: Vec::new(),
            members: Map::new(),
            cause: None,
        }))
    }

    /// A body that breaks rules (422), all of them at once.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let mut problem = Self::new(&catalogue::VALIDATION_FAILED);
        problem.0.violations = violations;
        problem
    }

    /// A query string that breaks rules (400), all of them at once. One that is understood, but names a day that
    /// its calendar does not have, is 422 as in a body.
    pub fn invalid_query(violations: Vec<Violation>) -> Self {
        let is_understood = violations.iter().all(|violation| violation.code == NO_SUCH_DAY);
        let mut problem = Self::new(if is_understood { &catalogue::VALIDATION_FAILED } else { &catalogue::INVALID_PARAMETER });
        problem.0.violations = violations;
        problem
    }

    /// A change of state that is refused (409), with everything that it lacks.
    pub fn missing(missing: Vec<Missing>) -> Self {
        let mut problem = Self::new(&catalogue::REQUIREMENTS_MISSING);
        problem.0.missing = missing;
        problem
    }

    /// A fault of ours (500): what happened goes to the log, never to the client.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(&catalogue::INTERNAL_ERROR).cause(cause)
    }

    /// Keeps what was behind it, for the log and the command line.
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Says more precisely what happened.
    pub fn detail(mut self, detail: Text) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// The same with every pointer below another one: what is wrong in a part is told as wrong in the whole.
    pub fn below(mut self, pointer: &str) -> Self {
        for violation in &mut self.0.violations {
            violation.pointer.insert_str(0, pointer);
        }
        self
    }

    /// Names one more broken rule.
    pub fn violation(mut self, violation: Violation) -> Self {
        self.0.violations.push(violation);
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers.push((name, value));
        }
        self
    }

    /// Adds `Retry-After`, in seconds.
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, seconds.to_string())
    }

    /// Adds an extension member (RFC 9457, section 3.2).
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// The stable code, such as `not_found`.
    pub fn code(&self) -> &'static str {
        self.0.kind.code
    }

    /// Whether it is gone by itself in a while, as the database is away only.
    pub fn is_temporary(&self) -> bool {
        self.code() == catalogue::UNAVAILABLE.code
    }

    /// The sentence that says what happened.
    pub fn text(&self) -> Text {
        let kind = self.0.kind;
        self.0.detail.clone().unwrap_or_else(|| Text::new(kind.detail(Language::Persian), kind.detail(Language::English)))
    }

    /// The broken rules that it names.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// Whether it names this broken rule.
    pub fn names(&self, pointer: &str, code: &str) -> bool {
        self.0.violations.iter().any(|violation| violation.pointer == pointer && violation.code == code)
    }

    /// The same broken rules as another kind of problem.
    pub fn into_kind(mut self, kind: &'static Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The answer in one language. `instance` is the path of the request.
    pub fn render(&self, language: Language, instance: &str, request_id: &str) -> HttpResponse {
        let kind = self.0.kind;
        let mut body = json!({
            "type": format!("/problems/{}", kind.code),
            "title": kind.title(language),
            "status": kind.status,
            "detail": self.0.detail.as_ref().map_or(kind.detail(language), |text| text.in_language(language)),
            "instance": instance,
            "code": kind.code,
            "request_id": request_id,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.0.members.clone());
            if !self.0.violations.is_empty() {
                let errors = self.0.violations.iter().map(|violation| {
                    json!({
                        "in": violation.place,
                        "pointer": violation.pointer,
                        "code": violation.code,
                        "detail": violation.detail.in_language(language),
                    })
                });
                members.insert("errors".into(), errors.collect());
            }
            if !self.0.missing.is_empty() {
                members.insert("missing".into(), speaking(language, || json!(self.0.missing)));
            }
        }
        let mut response = HttpResponse::build(self.status_code());
        for header in &self.0.headers {
            response.append_header(header.clone());
        }
        let language = match language {
            Language::Persian => "fa",
            Language::English => "en",
        };
        response
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .insert_header((header::CONTENT_LANGUAGE, language))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(body.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cause) = &self.0.cause {
            return formatter.write_str(cause);
        }
        let detail = self.0.detail.as_ref().map_or(self.0.kind.detail(Language::English), |text| &text.en);
        write!(formatter, "{}: {detail}", self.0.kind.code)?;
        self.0.missing.iter().try_for_each(|guard| write!(formatter, "; {}: {}", guard.code, guard.detail.en))?;
        self.0.violations.iter().try_for_each(|v| write!(formatter, "; {}: {}", v.pointer, v.detail.en))
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Only a stand-in: the envelope renders the problem again, in the caller's language.
    fn error_response(&self) -> HttpResponse {
        self.render(Language::default(), "", "")
    }
}

/// A problem as it is sent: problem details of RFC 9457 with `code`, `request_id` and `errors`.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code)]
pub struct ProblemBody {
    /// The entry of the error catalogue, relative to this service.
    #[schema(example = "/problems/not_found")]
    r#type: String,
    /// What kind of problem it is, in the language of `Content-Language`.
    #[schema(example = "Not found")]
    title: String,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// What went wrong this time and what can be done.
    #[schema(example = "Nothing is here, or it lies outside what you may see.")]
    detail: String,
    /// The path of the request.
    #[schema(example = "/api/v1/clusters/0193f0a0-0000-7000-8000-000000000000")]
    instance: String,
    /// The stable name of the problem. It never changes and does not depend on the language.
    #[schema(example = "not_found")]
    code: String,
    /// The `X-Request-Id` of the request; give it to the support.
    #[schema(example = "0193f0a0-0000-7000-8000-00000000abcd")]
    request_id: String,
    /// Every broken rule at once, where the request itself was at fault.
    #[schema(required = false, nullable = false)]
    errors: Option<Vec<ViolationBody>>,
    /// The error code of OAuth 2 (RFC 6749, section 5.2); at the token endpoints only.
    #[schema(required = false, nullable = false, example = "invalid_grant")]
    error: Option<String>,
    /// The same as `detail`, under the name of RFC 6749; at the token endpoints only.
    #[schema(required = false, nullable = false)]
    error_description: Option<String>,
    /// The states that may follow, with `transition_not_allowed`.
    #[schema(required = false, nullable = false, example = json!(["approved"]))]
    allowed: Option<Vec<String>>,
    /// Everything that has to be seen to first, with `requirements_missing`.
    #[schema(required = false, nullable = false)]
    missing: Option<Vec<Missing>>,
    /// What kinds of records are in the way, with `still_referred_to`.
    #[schema(required = false, nullable = false, example = json!(["milestone"]))]
    referred_by: Option<Vec<String>>,
    /// The line of the body, with `malformed_json`.
    #[schema(required = false, nullable = false, minimum = 1, example = 1)]
    line: Option<usize>,
    /// The column in that line, with `malformed_json`.
    #[schema(required = false, nullable = false, minimum = 0, example = 12)]
    column: Option<usize>,
}

/// One broken rule.
#[derive(ToSchema)]
#[schema(as = Violation)]
#[allow(dead_code)]
pub struct ViolationBody {
    /// Where the refused value stood.
    r#in: Place,
    /// A JSON pointer (RFC 6901) into the body; for parameters and headers `/` and the name.
    #[schema(example = "/name_fa")]
    pointer: String,
    /// The stable name of the rule.
    #[schema(example = "required")]
    code: String,
    /// What is wrong with the value.
    #[schema(example = "This field is required.")]
    detail: String,
}
