//! The one error type of the service: problem details (RFC 9457) in Persian or English.

pub mod problem_types;
pub mod violation;

use std::{borrow::Cow, fmt};

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

pub use crate::presentation::Language;
use crate::presentation::Presentation;

pub use self::violation::{MOST_VIOLATIONS, NO_SUCH_DAY, Place, Violation, Violations};
use self::{problem_types::Kind, violation::ViolationBody};

/// Maximum size of a problem in bytes.
const MOST_BYTES: usize = 32 * 1024;
/// Maximum characters of a detail, which may repeat input of the caller.
const LONGEST_DETAIL: usize = 1_000;
/// The most characters of the path that a problem repeats; longer is no path of this service.
const LONGEST_INSTANCE: usize = 8_000;

/// The ETag of a record in a version, in its plain representation. Other representations append a hash after
/// `-`.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
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

    /// The same text, truncated to a number of characters.
    pub(crate) fn cut(mut self, most: usize) -> Self {
        for form in [&mut self.fa, &mut self.en] {
            if let Cow::Owned(short) = cut(form, most) {
                *form = short.into();
            }
        }
        self
    }

    /// The form in one language.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Persian => &self.fa,
            Language::English => &self.en,
        }
    }
}

/// Truncates a text to a number of characters, with an ellipsis.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    // No character has less than a byte.
    let end = if text.len() <= most { None } else { text.char_indices().nth(most) };
    match end {
        None => text.into(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect::<String>().into(),
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.in_language(Presentation::current().language))
    }
}

/// An answer that refuses. Every fault that a client can meet is one of these.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

/// A guard that does not hold.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Missing {
    /// The stable name of the rule.
    #[schema(value_type = String, example = "no_claim")]
    pub code: &'static str,
    /// The unmet condition, in the language of `Accept-Language`.
    #[schema(value_type = String, example = "The cluster needs a claim: who says that it exists.")]
    pub detail: Text,
    /// JSON pointer to the field of the record to fill in, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, nullable = false, example = "/budget")]
    pub pointer: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Parts {
    kind: &'static Kind,
    detail: Option<Text>,
    violations: Violations,
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
            violations: Violations::default(),
            missing: Vec::new(),
            headers: Vec::new(),
            members: Map::new(),
            cause: None,
        }))
    }

    /// An invalid body (422) with all its violations, as far as [`Violations`] stores them.
    pub fn invalid(violations: impl Into<Violations>) -> Self {
        let mut problem = Self::new(&problem_types::VALIDATION_FAILED);
        problem.0.violations = violations.into();
        problem
    }

    /// A query string that breaks rules (400), all of them at once. One that is understood, but names a day
    /// that its calendar does not have, is 422 as in a body.
    pub fn invalid_query(violations: impl Into<Violations>) -> Self {
        let violations = violations.into();
        let is_understood = violations.iter().all(|violation| violation.code() == NO_SUCH_DAY);
        let mut problem = Self::new(if is_understood {
            &problem_types::VALIDATION_FAILED
        } else {
            &problem_types::INVALID_PARAMETER
        });
        problem.0.violations = violations;
        problem
    }

    /// A change of state that is refused (409), with everything that it lacks.
    pub fn missing(missing: Vec<Missing>) -> Self {
        let mut problem = Self::new(&problem_types::REQUIREMENTS_MISSING);
        problem.0.missing = missing;
        problem
    }

    /// 412: the record is no longer in the version that the caller has seen; with the `ETag` of the present
    /// one, where there is any.
    pub fn stale(present: Option<i64>) -> Self {
        let problem = Self::new(&problem_types::STALE_VERSION);
        present.into_iter().fold(problem, |problem, version| problem.header(header::ETAG, etag(version)))
    }

    /// An internal error (500): the cause is logged, and never sent to the client.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(&problem_types::INTERNAL_ERROR).cause(cause)
    }

    /// Adds the cause, for the log and the command line.
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Sets a more precise detail.
    pub fn detail(mut self, detail: Text) -> Self {
        self.0.detail = Some(detail.cut(LONGEST_DETAIL));
        self
    }

    /// Prefixes every pointer: for violations in a part of the body.
    pub fn below(mut self, pointer: &str) -> Self {
        self.0.violations.below(pointer);
        self
    }

    /// Names one more broken rule.
    pub fn violation(mut self, violation: Violation) -> Self {
        self.0.violations.push(|| violation);
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers.push((name, value));
        }
        self
    }

    /// 403 that names permissions which the caller lacks, also as RFC 6750 (section 3.1) has it.
    pub fn insufficient_scope(permissions: &[impl AsRef<str>]) -> Self {
        let list = permissions.iter().map(AsRef::as_ref).collect::<Vec<_>>();
        let named = list.iter().map(|permission| format!("`{permission}`")).collect::<Vec<_>>();
        let detail = Text::new(
            format!("این درخواست به اجازهٔ {} نیاز دارد.", named.join(" یا ")),
            format!("This request needs the permission {}.", named.join(" or ")),
        );
        let challenge =
            format!("Bearer realm=\"khoosheh\", error=\"insufficient_scope\", scope=\"{}\"", list.join(" "));
        Self::new(&problem_types::FORBIDDEN).detail(detail).header(header::WWW_AUTHENTICATE, challenge)
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

    /// Whether it is temporary: the database is unavailable.
    pub fn is_temporary(&self) -> bool {
        self.code() == problem_types::UNAVAILABLE.code
    }

    /// The description of what happened.
    pub fn text(&self) -> Text {
        let kind = self.0.kind;
        self.0
            .detail
            .clone()
            .unwrap_or_else(|| Text::new(kind.detail(Language::Persian), kind.detail(Language::English)))
    }

    /// The broken rules that it names.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// Whether it names this broken rule.
    pub fn names(&self, pointer: &str, code: &str) -> bool {
        self.0.violations.iter().any(|violation| violation.pointer() == pointer && violation.code() == code)
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
            "instance": cut(instance, LONGEST_INSTANCE),
            "code": kind.code,
            "request_id": request_id,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.0.members.clone());
            if !self.0.missing.is_empty() {
                members.insert(
                    "missing".into(),
                    Presentation { language, ..Presentation::current() }.within(|| json!(self.0.missing)),
                );
            }
        }
        if !self.0.violations.is_empty() {
            let room = MOST_BYTES.saturating_sub(body.to_string().len() + r#","errors":[]"#.len());
            body["errors"] = self.0.violations.within(room, language).into();
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
        self.0
            .missing
            .iter()
            .try_for_each(|guard| write!(formatter, "; {}: {}", guard.code, guard.detail.en))?;
        self.0.violations.iter().try_for_each(|v| write!(formatter, "; {}: {}", v.pointer(), v.detail().en))
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Without a body: the envelope renders the problem once, in the caller's language.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// Problem details (RFC 9457) with `code`, `request_id` and `errors`.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code)]
pub struct ProblemBody {
    /// The entry of the error catalogue, relative to this service.
    #[schema(example = "/problems/not_found")]
    r#type: String,
    /// Title of the problem type, in the language of `Content-Language`.
    #[schema(example = "Not found")]
    title: String,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// Description of this problem, and what can be done.
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
    /// All violations of the request; at most 100, and at most 32 KiB.
    #[schema(required = false, nullable = false, max_items = 100)]
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
    /// Kinds of the records that refer to it, with `still_referred_to`.
    #[schema(required = false, nullable = false, example = json!(["milestone"]))]
    referred_by: Option<Vec<String>>,
    /// The line of the body, with `malformed_json`.
    #[schema(required = false, nullable = false, minimum = 1, example = 1)]
    line: Option<usize>,
    /// The column in that line, with `malformed_json`.
    #[schema(required = false, nullable = false, minimum = 0, example = 12)]
    column: Option<usize>,
}
