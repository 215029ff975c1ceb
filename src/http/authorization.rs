//! Authorization middleware: finds the operation in the document, and admits only permitted callers with a
//! valid query string.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, ResponseError,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap},
    },
    middleware::Next,
    web,
};
use serde_json::Value;

use super::{
    Database, Ready,
    connection::Listener,
    contract::{self, Access, Contract, Operation},
    document::{PREFIX, SPARSE},
    negotiation::preferences,
    rate_limit::{PublicRateLimit, RateLimit},
    security_log::{self, Asked, Known},
};
use crate::{
    accounts::Authenticator,
    client,
    config::Config,
    persian::Calendar,
    personal,
    policy::{Caller, roles::BEFORE_PASSWORD_CHANGE},
    presentation::Presentation,
    problem::{Language, Problem, Text, problem_types},
};

/// The formats of lists and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `text/csv`.
    Csv,
    /// A spreadsheet (Office Open XML).
    Xlsx,
    /// A chart.
    Svg,
    /// Points on the map (RFC 7946).
    GeoJson,
}

impl Format {
    /// All formats. Among equally preferred ones, the first wins.
    const ALL: [Self; 5] = [Self::Json, Self::Csv, Self::Xlsx, Self::Svg, Self::GeoJson];

    /// Its name in `format=`, and file extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Svg => "svg",
            Self::GeoJson => "geojson",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Svg => "image/svg+xml",
            Self::GeoJson => "application/geo+json",
        }
    }
}

/// Results of the authorization middleware, for the extractors.
#[derive(Clone)]
pub struct Call(Arc<Parts>);

struct Parts {
    /// Number of personal values shown in clear.
    shown: AtomicU64,
    operation: Arc<Operation>,
    query: Value,
    calendar: Calendar,
    language: Language,
    format: Format,
    caller: Option<Arc<Caller>>,
}

impl Call {
    /// The call admitted by the middleware.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))
    }

    /// The operation of the document.
    pub fn operation(&self) -> &Operation {
        &self.0.operation
    }

    /// The query parameters, typed.
    pub fn query(&self) -> &Value {
        &self.0.query
    }

    /// Requested `include=` values.
    pub fn includes(&self) -> Vec<&str> {
        self.0.query["include"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Serializes in the requested calendar and language, with personal data in clear if the caller may see
    /// it.
    pub fn rendered<T>(&self, work: impl FnOnce() -> T) -> T {
        let in_clear = self.0.caller.as_ref().is_some_and(|caller| caller.may(personal::PERMISSION));
        let how = Presentation { calendar: self.0.calendar, language: self.0.language, in_clear };
        let (rendered, shown) = how.counted(work);
        self.shows(shown);
        rendered
    }

    /// Adds to the count of personal values shown in clear.
    pub fn shows(&self, count: u64) {
        self.0.shown.fetch_add(count, Ordering::Relaxed);
    }

    /// Number of personal values that the answer shows in clear.
    pub fn shown(&self) -> u64 {
        self.0.shown.load(Ordering::Relaxed)
    }

    /// The calendar of the dates in the request and the answer.
    pub fn calendar(&self) -> Calendar {
        self.0.calendar
    }

    /// The format of the answer.
    pub fn format(&self) -> Format {
        self.0.format
    }

    /// Whether CSV begins with a byte order mark.
    pub fn has_byte_order_mark(&self) -> bool {
        self.0.query["bom"].as_bool().unwrap_or(false)
    }

    /// Fields requested by `fields=`; none for all.
    pub fn fields(&self) -> Option<Vec<&str>> {
        Some(self.0.query["fields"].as_array()?.iter().filter_map(Value::as_str).collect())
    }

    /// Columns of the answer as CSV: those of the operation, or the requested fields.
    pub fn columns(&self) -> Vec<&str> {
        let fields = self.fields();
        let is_wanted = |column: &&str| {
            fields
                .as_ref()
                .is_none_or(|fields| fields.iter().any(|field| column.split('.').next() == Some(*field)))
        };
        self.0.operation.columns.iter().map(String::as_str).filter(is_wanted).collect()
    }

    /// The language of the answer.
    pub fn language(&self) -> Language {
        self.0.language
    }

    /// The caller; an error on public operations.
    pub fn caller(&self) -> Result<Arc<Caller>, Problem> {
        self.0.caller.clone().ok_or_else(|| Problem::new(&problem_types::UNAUTHENTICATED))
    }
}

/// The middleware.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody, BoxBody>>, Error> {
    match admit(&request).await {
        Ok(()) => {
            let response = next.call(request).await?;
            let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
            security_log::notice(response.request(), response.status(), problem);
            Ok(response.map_into_left_body())
        }
        Err(problem) => {
            security_log::notice(request.request(), problem.status_code(), Some(&problem));
            Ok(request.error_response(problem).map_into_right_body())
        }
    }
}

async fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    let missing = || Problem::internal("the application lacks its data");
    let contract = request.app_data::<web::Data<Contract>>().ok_or_else(missing)?;
    let limit = request.app_data::<web::Data<RateLimit>>().ok_or_else(missing)?;
    let address = client::key(request.request());
    // No identifier contains bytes that are not UTF-8, and no database accepts NUL.
    if contract::decode(request.path()).is_none_or(|path| path.contains('\0')) || is_elsewhere(request) {
        limit.take(request.request(), &address)?;
        return Err(Problem::new(&problem_types::NOT_FOUND));
    }
    let operation =
        request.match_pattern().and_then(|pattern| contract.operation(request.method(), &pattern));
    let Some(operation) = operation else {
        if request.method() != Method::OPTIONS {
            limit.take(request.request(), &address)?;
        }
        // All paths below the prefix have to be in the document.
        return if request.path().starts_with(PREFIX) {
            Err(no_operation(contract, request.path()))
        } else {
            Ok(())
        };
    };
    request.extensions_mut().insert(Asked(operation.clone()));
    let caller = match &operation.access {
        Access::Public => {
            let path = request.path().strip_prefix(PREFIX);
            if path.is_some_and(|path| path.starts_with("/public/")) {
                request
                    .app_data::<web::Data<PublicRateLimit>>()
                    .ok_or_else(missing)?
                    .0
                    .take(request.request(), &address)?;
            } else if OPERATION.contains(&request.path()) {
                // Counted separately, so that other clients at the address of a supervisor cannot make it
                // believe that the service is down.
                limit.take(request.request(), &format!("{address} operation"))?;
            } else {
                limit.take(request.request(), &address)?;
            }
            None
        }
        Access::Permissions(permissions) => {
            let caller = match authenticate(request).await {
                Ok(caller) => caller,
                Err(problem) => {
                    limit.take(request.request(), &address)?;
                    return Err(problem);
                }
            };
            limit.take(request.request(), &caller.username)?;
            tracing::Span::current().record("account", caller.username.as_str());
            request.extensions_mut().insert(Known(caller.clone()));
            if caller.must_change_password && !BEFORE_PASSWORD_CHANGE.contains(&operation.id.as_str()) {
                return Err(Problem::new(&problem_types::PASSWORD_CHANGE_REQUIRED));
            }
            if !permissions.is_empty() && !permissions.iter().any(|permission| caller.may(permission)) {
                return Err(Problem::insufficient_scope(permissions));
            }
            Some(caller)
        }
    };
    let calendar = calendar_of(request.query_string());
    let query = operation.query(request.query_string(), calendar)?;
    if let Some(caller) = &caller
        && let Some(missing) = operation.permissions_of(&query).find(|permission| !caller.may(permission))
    {
        return Err(Problem::insufficient_scope(&[missing]));
    }
    let format = format(request, operation, &query)?;
    let language = request.extensions().get::<Language>().copied().unwrap_or_default();
    let call = Call(Arc::new(Parts {
        shown: AtomicU64::new(0),
        operation: operation.clone(),
        query,
        calendar,
        language,
        format,
        caller,
    }));
    request.extensions_mut().insert(call);
    Ok(())
}

/// Endpoints for supervisors and monitoring, which may have a listener of their own.
const OPERATION: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];

/// Whether the path is served only at the other address of the service.
fn is_elsewhere(request: &ServiceRequest) -> bool {
    let is_apart =
        request.app_data::<web::Data<Config>>().is_some_and(|config| config.operation_bind.is_some());
    let is_operation_address = request.conn_data::<Listener>() == Some(&Listener::Operation);
    is_apart && OPERATION.contains(&request.path()) != is_operation_address
}

/// 404 for an unknown path, 405 with `Allow` for a path that has other methods.
pub fn no_operation(contract: &Contract, path: &str) -> Problem {
    let methods = contract.methods(path);
    if methods.is_empty() {
        return Problem::new(&problem_types::NOT_FOUND);
    }
    let list = methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    Problem::new(&problem_types::METHOD_NOT_ALLOWED).header(header::ALLOW, list)
}

/// The access token of a request (RFC 6750, section 2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

async fn authenticate(request: &ServiceRequest) -> Result<Arc<Caller>, Problem> {
    let challenge =
        |value: &str| Problem::new(&problem_types::UNAUTHENTICATED).header(header::WWW_AUTHENTICATE, value);
    let Some(token) = bearer(request.headers()) else { return Err(challenge("Bearer realm=\"khoosheh\"")) };
    let missing = || Problem::internal("the application lacks its data");
    let authenticator = request.app_data::<web::Data<Authenticator>>().ok_or_else(missing)?;
    let db = request.app_data::<Database>().ok_or_else(missing)?;
    let caller = authenticator.caller(db.get_ref(), token).await?;
    caller.ok_or_else(|| challenge("Bearer realm=\"khoosheh\", error=\"invalid_token\""))
}

/// Parsed before the other parameters, because it determines the format of their dates. An invalid value is
/// refused with them.
fn calendar_of(query: &str) -> Calendar {
    let is_persian = |(name, value): &(String, String)| name == "calendar" && value == "persian";
    let is_named = query.contains("calendar") || query.contains('%');
    match contract::pairs(query).filter(|_| is_named) {
        Some(pairs) if pairs.iter().any(is_persian) => Calendar::Persian,
        _ => Calendar::Gregorian,
    }
}

/// `format=` before `Accept` (RFC 9110, section 12.5.1).
fn format(request: &ServiceRequest, operation: &Operation, query: &Value) -> Result<Format, Problem> {
    if let Some(named) = query["format"].as_str() {
        return Ok(Format::ALL.into_iter().find(|format| format.name() == named).unwrap_or(Format::Json));
    }
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    if !operation.negotiates {
        return Ok(Format::Json);
    }
    let weight = |media_type: &str| {
        let family = media_type.split('/').next().unwrap_or_default();
        let offers = preferences(accept).filter_map(|(name, weight)| {
            let name = name.to_ascii_lowercase();
            let specificity = if name == media_type {
                3
            } else if name == format!("{family}/*") {
                2
            } else if name == "*/*" {
                1
            } else {
                0
            };
            (specificity > 0).then_some((specificity, weight))
        });
        offers.max_by_key(|(specificity, _)| *specificity).map_or(0.0, |(_, weight)| weight)
    };
    // Problems are JSON too: clients that accept only their type still get JSON.
    let problem = "application/problem+json";
    if !operation.formats.iter().map(String::as_str).chain([problem]).any(|format| weight(format) > 0.0) {
        let list = operation.formats.join(", ");
        return Err(Problem::new(&problem_types::NOT_ACCEPTABLE).detail(Text::new(
            format!("پاسخ تنها در این قالب‌ها داده می‌شود: {list}"),
            format!("The answer comes in these formats only: {list}"),
        )));
    }
    let weigh = |format: Format| match format {
        Format::Json => [format.media_type(), problem, SPARSE].into_iter().map(weight).fold(0.0, f32::max),
        _ if operation.formats.iter().any(|offered| offered == format.media_type()) => {
            weight(format.media_type())
        }
        _ => 0.0,
    };
    Ok(Format::ALL.into_iter().rev().max_by(|a, b| weigh(*a).total_cmp(&weigh(*b))).unwrap_or(Format::Json))
}

/// The caller as an extractor.
pub struct CurrentCaller(pub Arc<Caller>);

impl std::ops::Deref for CurrentCaller {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for CurrentCaller {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Call::of(request).and_then(|call| call.caller()).map(Self))
    }
}
