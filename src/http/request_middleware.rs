//! Middleware of every request: request id, HEAD, timeout, panics, localised problems, security headers,
//! metrics and one log line.

use std::{
    borrow::Cow,
    cell::Cell,
    panic::AssertUnwindSafe,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use futures_util::FutureExt;
use tracing::Instrument;

use super::{
    Call, Shutdown, negotiation,
    rate_limit::Remaining,
    shutdown,
    unread::{IsShared, Pieces, Share, Unread},
};
use crate::{
    client,
    clock::new_id,
    config::Config,
    problem::{Language, Problem, Text, problem_types},
    store::work,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Request id: from `X-Request-Id`, or generated.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    /// The id that the envelope has set.
    pub fn of(request: &HttpRequest) -> String {
        request.extensions().get::<Self>().map(|id| id.0.clone()).unwrap_or_default()
    }

    fn take_or_make(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let usable =
            given.filter(|id| (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
        Self(usable.map_or_else(|| new_id().to_string(), str::to_owned))
    }
}

/// Marks a HEAD request, which handlers see as a GET: the body of the answer is not sent.
#[derive(Clone, Copy, Debug)]
pub struct HeadersOnly;

impl HeadersOnly {
    /// Whether the request is one.
    pub fn is_asked_of(request: &HttpRequest) -> bool {
        request.extensions().get::<Self>().is_some()
    }
}

/// Deadline of the request. File uploads extend it with each chunk received.
#[derive(Clone, Debug)]
pub struct Deadline(Rc<Cell<Instant>>, Duration);

impl Deadline {
    fn after(limit: Duration) -> Self {
        Self(Rc::new(Cell::new(Instant::now() + limit)), limit)
    }

    /// The deadline that the envelope has set.
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self::after(Duration::ZERO))
    }

    /// Restarts the timeout.
    pub fn renew(&self) {
        self.0.set(Instant::now() + self.1);
    }

    async fn passed(&self) {
        while self.0.get() > Instant::now() {
            tokio::time::sleep_until(self.0.get().into()).await;
        }
    }
}

/// The middleware, outermost of all.
pub async fn envelope(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::take_or_make(request.headers());
    request.extensions_mut().insert(id.clone());
    if request.method() == Method::HEAD {
        // The dispatcher omits the body of the answer to a HEAD.
        request.head_mut().method = Method::GET;
        request.extensions_mut().insert(HeadersOnly);
    }
    let (method, path, language) =
        (request.method().clone(), request.path().to_owned(), negotiation::language(request.headers()));
    request.extensions_mut().insert(language);
    let limit = request
        .app_data::<web::Data<Config>>()
        .map_or(Duration::from_secs(30), |config| config.request_timeout());
    let deadline = Deadline::after(limit);
    request.extensions_mut().insert(deadline.clone());
    let span =
        tracing::error_span!("request", id = id.0.as_str(), %method, path, account = tracing::field::Empty);

    let shutdown = request.app_data::<web::Data<Shutdown>>().cloned();
    let work = AssertUnwindSafe(work::abandonable(next.call(request))).catch_unwind();
    let in_time = async {
        tokio::select! {
            biased;
            outcome = work => Ok(outcome),
            () = deadline.passed() => Err(&problem_types::TIMED_OUT),
            () = shutdown::cut_off(shutdown) => Err(&problem_types::UNAVAILABLE),
        }
    };
    let outcome = in_time.instrument(span.clone()).await;
    let (mut outcome, operation) = span.in_scope(|| match outcome {
        Ok(Ok(Ok(response))) => {
            let operation = Call::of(response.request())
                .map_or_else(|_| "none".to_owned(), |call| call.operation().id.clone());
            (Ok(in_pieces(finished(response, language, &id), language, &id)), operation)
        }
        Ok(Ok(Err(error))) => (Err(of_error(&error).render(language, &path, &id.0)), "none".to_owned()),
        Ok(Err(_)) => {
            (Err(Problem::internal("a handler panicked").render(language, &path, &id.0)), "none".to_owned())
        }
        Err(kind) => {
            (Err(Problem::new(kind).retry_after(2).render(language, &path, &id.0)), "none".to_owned())
        }
    });
    let remaining = outcome
        .as_ref()
        .ok()
        .and_then(|response| response.request().extensions().get::<Remaining>().copied());
    let headers = match &mut outcome {
        Ok(response) => response.headers_mut(),
        Err(response) => response.headers_mut(),
    };
    decorate(headers, &id, path.starts_with("/docs"), remaining);
    let status =
        outcome.as_ref().map_or_else(|response| response.status(), |response| response.status()).as_u16();
    let elapsed = started.elapsed();
    let labels = [("operation", operation.clone()), ("status", status.to_string())];
    metrics::histogram!("http_request_seconds", &labels).record(elapsed.as_secs_f64());
    span.in_scope(|| {
        tracing::info!(operation, status, milliseconds = elapsed.as_secs_f64() * 1e3, "answered")
    });
    // If the request is dropped with its future, the finished answer is passed as an error.
    outcome.map_err(|response| InternalError::from_response("", response).into())
}

/// Renders a problem for the caller, and converts bare errors of libraries.
fn finished<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    language: Language,
    id: &RequestId,
) -> ServiceResponse<BoxBody> {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let problem = match response.response().error() {
        Some(error) => of_error(error),
        None if is_error && !response.headers().contains_key(header::CONTENT_TYPE) => {
            Cow::Owned(Problem::new(problem_types::of_status(response.status().as_u16())))
        }
        None => return response.map_into_boxed_body(),
    };
    tracing::debug!(%problem, "refused");
    let mut rendered = problem.render(language, response.request().path(), &id.0);
    // CORS headers of the answer apply to the problem as well.
    let kept = response
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("access-control-") || **name == header::VARY);
    kept.for_each(|(name, value)| rendered.headers_mut().append(name.clone(), value.clone()));
    ServiceResponse::new(response.request().clone(), rendered)
}

/// Sends an answer in memory piece by piece, counted as unread by its address; 429 if that is too much, for
/// one that can be requested again.
fn in_pieces(
    response: ServiceResponse<BoxBody>,
    language: Language,
    id: &RequestId,
) -> ServiceResponse<BoxBody> {
    let BodySize::Sized(length @ Pieces::LONG..) = response.response().body().size() else { return response };
    let (request, response) = response.into_parts();
    let is_counted = !response.extensions().contains::<IsShared>() && !HeadersOnly::is_asked_of(&request);
    let must = request.method() != Method::GET || response.status().is_client_error();
    let (response, body) = response.into_parts();
    let bytes = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return ServiceResponse::new(request, response.set_body(body)),
    };
    let share = if is_counted { hold(&request, length, must) } else { Ok(None) };
    match share {
        Ok(share) => {
            ServiceResponse::new(request, response.set_body(BoxBody::new(Pieces::new(bytes, share))))
        }
        Err(problem) => {
            let rendered = problem.render(language, request.path(), &id.0);
            ServiceResponse::new(request, rendered)
        }
    }
}

fn hold(request: &HttpRequest, length: u64, must: bool) -> Result<Option<Share>, Problem> {
    let Some(unread) = request.app_data::<web::Data<Unread>>() else { return Ok(None) };
    let share = (**unread).hold(&client::key(request), length, must).ok_or_else(|| {
        let detail = Text::new(
            "پاسخ‌های نخواندهٔ این نشانی بیش از اندازه است؛ نخست آن‌ها را بخوانید.",
            "Too many answers to this address are unread: read them first.",
        );
        Problem::new(&problem_types::TOO_MANY_REQUESTS).detail(detail).retry_after(5)
    })?;
    Ok(Some(share))
}

fn of_error(error: &Error) -> Cow<'_, Problem> {
    match error.as_error::<Problem>() {
        Some(problem) => Cow::Borrowed(problem),
        None => Cow::Owned(Problem::new(problem_types::of_status(
            error.as_response_error().status_code().as_u16(),
        ))),
    }
}

fn decorate(headers: &mut HeaderMap, id: &RequestId, is_documentation: bool, remaining: Option<Remaining>) {
    // A policy set by the handler takes precedence.
    let is_sandboxed = headers.contains_key(header::CONTENT_SECURITY_POLICY);
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(X_REQUEST_ID, &id.0);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    if !is_sandboxed {
        set(
            header::CONTENT_SECURITY_POLICY,
            if is_documentation {
                "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
            } else {
                "default-src 'none'; frame-ancestors 'none'"
            },
        );
    }
    // IETF draft-ietf-httpapi-ratelimit-headers: the policy, and the remaining quota.
    if let Some(Remaining { quota, left }) = remaining {
        set(HeaderName::from_static("ratelimit-policy"), &format!("\"default\";q={quota};w=60"));
        set(HeaderName::from_static("ratelimit"), &format!("\"default\";r={left}"));
    }
}
