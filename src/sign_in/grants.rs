//! The token endpoint of OAuth 2 and its grants (RFC 6749).

use crate::http::security_log;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, http::header, post, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::{
        Authenticator,
        account::{self, Kind},
        failures::Closed,
        password,
        session::{self, Device, Redeemed},
    },
    client,
    config::Config,
    http::{Body, Database, contract},
    problem::{Problem, Text, Violation, problem_types},
    store::{WriteTransaction, fault, now, security_event},
};

/// The form of an OAuth 2 endpoint. Errors are reported according to RFC 6749, section 5.2.
pub struct OauthForm<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for OauthForm<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let form = Body::<T>::from_request(request, payload);
        Box::pin(async move {
            match form.await {
                Ok(form) => Ok(Self(form.0)),
                Err(problem) if matches!(problem.code(), "validation_failed" | "malformed_form") => {
                    let is_grant = problem.names("/grant_type", "not_in_list");
                    let error = if is_grant { "unsupported_grant_type" } else { "invalid_request" };
                    Err(oauth(problem.into_kind(&problem_types::INVALID_TOKEN_REQUEST), error))
                }
                Err(problem) => Err(problem),
            }
        })
    }
}

/// A token request, as a form (RFC 6749). Unknown parameters are ignored, as the RFC requires.
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    /// Grant type of the request.
    #[schema(value_type = GrantType, example = "password")]
    grant_type: String,
    /// The user name, with `password`.
    #[schema(max_length = 100, nullable = false, example = "isipo")]
    username: Option<String>,
    /// The password, with `password`.
    #[schema(max_length = 200, nullable = false, format = Password, example = "correct horse battery staple")]
    password: Option<String>,
    /// The refresh token, with `refresh_token`. It can be used once.
    #[schema(max_length = 200, nullable = false)]
    refresh_token: Option<String>,
    /// The client id, with `client_credentials`; HTTP Basic works as well.
    #[schema(max_length = 100, nullable = false)]
    client_id: Option<String>,
    /// The client secret, with `client_credentials`; HTTP Basic works as well.
    #[schema(max_length = 200, nullable = false, format = Password)]
    client_secret: Option<String>,
    /// Requested permissions, separated by spaces; by default all that the account has.
    #[schema(max_length = 1000, nullable = false)]
    scope: Option<String>,
}

/// The grant types of RFC 6749 that are served.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code)]
pub enum GrantType {
    /// A person's user name and password.
    Password,
    /// A refresh token from an earlier answer.
    RefreshToken,
    /// An API client's id and secret.
    ClientCredentials,
}

/// The tokens (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
pub struct TokenResponse {
    /// The access token, a JWT (RFC 9068): send it as `Authorization: Bearer …`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3Qi…")]
    access_token: String,
    /// Always `Bearer`.
    #[schema(value_type = String, example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token lives.
    #[schema(minimum = 1, example = 900)]
    expires_in: i64,
    /// Refresh token, for people: it gives new tokens once. Missing while the database is read-only, and
    /// while the password has to be changed.
    #[schema(required = false, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The permissions that the token carries, separated by spaces; empty where the password has to be
    /// changed first.
    #[schema(example = "reference:read clusters:read reports:read")]
    scope: String,
    /// `true` if somebody else has set the password: the token is valid only for `POST /auth/password`, `GET
    /// /auth/me` and `POST /auth/revoke`. Otherwise omitted.
    #[schema(required = false, example = false)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    must_change_password: bool,
}

/// Get tokens
///
/// The token endpoint of OAuth 2: `password` for people, `client_credentials` for API clients,
/// `refresh_token` to renew tokens. A refresh token works once, and once more within 30 seconds in case its
/// answer was lost; later, using it again ends the session, because somebody else may have it. After several
/// failed logins an account is closed for the address that they came from, for some minutes (429); from other
/// addresses logging in to it takes up to some seconds longer.
///
/// A login begins a session, which ends after `session_days` of the configuration (90) at the latest, even
/// with refreshes: the answer is then `invalid_grant`, and the person logs in again. `GET /auth/sessions`
/// lists the sessions of the caller.
///
/// If somebody else has set the password, `must_change_password` is true: ask the person for a new one, send
/// it with this token to `POST /auth/password`, and log in again. Everything else is refused until then (403,
/// `password_change_required`).
///
/// While the database is read-only (a standby, a full disk) the answer has an access token, but no refresh
/// token: once it has expired, log in again or use your existing refresh token.
#[utoipa::path(
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenResponse, description = "Tokens")),
    security(()),
)]
#[post("/auth/token")]
pub async fn create_token(
    request: HttpRequest,
    form: OauthForm<TokenRequest>,
    db: Database,
    authenticator: web::Data<Authenticator>,
    config: web::Data<Config>,
) -> Result<HttpResponse, Problem> {
    let form = form.0;
    let issued = match form.grant_type.as_str() {
        "password" => log_in(&request, &form, &db, &authenticator, &config).await?,
        "client_credentials" => log_in_client(&request, &form, &db, &authenticator, &config).await?,
        _ => refresh(&request, &form, &db, &config).await?,
    };
    let (access_token, expires_in) =
        authenticator.issue(&issued.account, issued.session.as_ref(), &issued.scope)?;
    let answer = TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in,
        refresh_token: issued.refresh_token,
        scope: issued.scope,
        must_change_password: issued.account.must_change_password,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Result of a token request.
struct Issued {
    account: account::Model,
    /// None if the database took no writes.
    session: Option<session::Model>,
    scope: String,
    refresh_token: Option<String>,
}

async fn log_in(
    request: &HttpRequest,
    form: &TokenRequest,
    db: &Database,
    authenticator: &Authenticator,
    config: &Config,
) -> Result<Issued, Problem> {
    let username = form.username.as_deref().ok_or_else(|| invalid_request("username"))?;
    let secret = form.password.clone().ok_or_else(|| invalid_request("password"))?;
    let account = prove(request, db, authenticator, config, username, secret, Kind::Person).await?;
    let account = account.ok_or_else(not_granted)?;
    let scope = granted(form, &account.permissions())?;
    if account.must_change_password {
        return begin_session(request, db, config, account, String::new(), None).await;
    }
    begin_session(request, db, config, account, scope, Some(TimeDelta::days(config.refresh_token_days))).await
}

/// Begins a session, with a refresh token of this lifetime if requested. While the database takes no writes
/// there is neither.
async fn begin_session(
    request: &HttpRequest,
    db: &Database,
    config: &Config,
    account: account::Model,
    scope: String,
    refresh_lifetime: Option<TimeDelta>,
) -> Result<Issued, Problem> {
    let origin = security_log::origin(request);
    let mut event = security_event::Model::new(security_event::Kind::Login, &origin)
        .by(&account.clone().into_caller(|_| true), &origin);
    if account.must_change_password {
        event = event.because(problem_types::PASSWORD_CHANGE_REQUIRED.code);
    }
    let lifetime = refresh_lifetime
        .unwrap_or(TimeDelta::seconds(config.access_token_seconds))
        .min(TimeDelta::days(config.session_days));
    let begin = async {
        let transaction = db.begin_to_write().await?;
        let session = session::begin(&transaction, account.id, &scope, Device::of(request), lifetime).await?;
        let refresh_token = match refresh_lifetime {
            Some(_) => Some(session::issue(&transaction, session.id, session.created_at + lifetime).await?),
            None => None,
        };
        security_event::insert(&transaction, vec![event.clone()]).await?;
        transaction.commit().await?;
        Ok((Some(session), refresh_token))
    };
    let (session, refresh_token) = match begin.await {
        Err(error) if fault::takes_no_writes(&error) => (None, None),
        begun => begun?,
    };
    event.tell();
    Ok(Issued { account, session, scope, refresh_token })
}

async fn log_in_client(
    request: &HttpRequest,
    form: &TokenRequest,
    db: &Database,
    authenticator: &Authenticator,
    config: &Config,
) -> Result<Issued, Problem> {
    let (id, secret) = match (basic_credentials(request), &form.client_id, &form.client_secret) {
        (Some(pair), ..) => pair,
        (None, Some(id), Some(secret)) => (id.clone(), secret.clone()),
        (None, None, _) => return Err(invalid_request("client_id")),
        (None, Some(_), None) => return Err(invalid_request("client_secret")),
    };
    let account = prove(request, db, authenticator, config, &id, secret, Kind::Client).await?;
    let account = account.ok_or_else(|| {
        let problem = Problem::new(&problem_types::INVALID_CLIENT)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"khoosheh\"");
        oauth(problem, "invalid_client")
    })?;
    let scope = granted(form, &account.permissions())?;
    begin_session(request, db, config, account, scope, None).await
}

async fn refresh(
    request: &HttpRequest,
    form: &TokenRequest,
    db: &Database,
    config: &Config,
) -> Result<Issued, Problem> {
    let token = form.refresh_token.as_deref().ok_or_else(|| invalid_request("refresh_token"))?;
    match rotate(request, form, token, db, config).await {
        // The refresh token stays valid until it can be redeemed.
        Err(error) if fault::takes_no_writes(&error) => {
            let session =
                session::peek(db.get_ref(), token, config.session_days).await?.ok_or_else(not_granted)?;
            let (account, scope) = holder(form, &session, db.get_ref()).await??;
            Ok(Issued { account, session: Some(session), scope, refresh_token: None })
        }
        outcome => outcome?,
    }
}

/// Redeems a refresh token, and issues the next one. If the token was reused or the session is too old, its
/// end is committed as well.
async fn rotate(
    request: &HttpRequest,
    form: &TokenRequest,
    token: &str,
    db: &Database,
    config: &Config,
) -> Result<Result<Issued, Problem>, DbErr> {
    let transaction = db.begin_to_write().await?;
    let event = |kind| security_event::Model::new(kind, &security_log::origin(request));
    let session = match session::redeem(&transaction, token, config.session_days).await? {
        Redeemed::Live(session) => session,
        Redeemed::Unknown => return Ok(Err(not_granted())),
        Redeemed::Ended => {
            transaction.commit().await?;
            return Ok(Err(ended()));
        }
        Redeemed::Reused(session) => {
            commit_end(transaction, event(security_event::Kind::TokenReused), session).await?;
            return Ok(Err(reused()));
        }
        Redeemed::TooOld(session) => {
            let event =
                event(security_event::Kind::SessionEnded).because("too_old").about("session", session.id);
            commit_end(transaction, event, Some(session)).await?;
            return Ok(Err(too_old()));
        }
    };
    let (account, scope) = match holder(form, &session, &transaction).await? {
        Ok(holder) => holder,
        Err(problem) => return Ok(Err(problem)),
    };
    let expires_at =
        (now() + TimeDelta::days(config.refresh_token_days)).min(session.ends_at(config.session_days));
    session::go_on(&transaction, session.id, Device::of(request), expires_at).await?;
    let refresh_token = session::issue(&transaction, session.id, expires_at).await?;
    transaction.commit().await?;
    Ok(Ok(Issued { account, session: Some(session), scope, refresh_token: Some(refresh_token) }))
}

/// Commits the end of a session together with its event, with the account.
async fn commit_end(
    transaction: WriteTransaction,
    event: security_event::Model,
    session: Option<session::Model>,
) -> Result<(), DbErr> {
    let account_id = session.map_or(Uuid::nil(), |session| session.account_id);
    let account = account::Entity::find_by_id(account_id).one(&transaction).await?;
    let event = account.into_iter().fold(event, |event, account| event.of(account.id, &account.username));
    security_event::insert(&transaction, vec![event.clone()]).await?;
    transaction.commit().await?;
    event.tell();
    Ok(())
}

/// Account of a session, and the granted part of its permissions.
async fn holder(
    form: &TokenRequest,
    session: &session::Model,
    db: &impl ConnectionTrait,
) -> Result<Result<(account::Model, String), Problem>, DbErr> {
    let account = account::Entity::find_by_id(session.account_id).one(db).await?;
    let Some(account) = account.filter(account::Model::is_usable) else { return Ok(Err(not_granted())) };
    let permissions = account.permissions();
    let held: Vec<String> =
        session.scope.split(' ').map(str::to_owned).filter(|granted| permissions.contains(granted)).collect();
    Ok(granted(form, &held).map(|scope| (account, scope)))
}

fn not_granted() -> Problem {
    oauth(Problem::new(&problem_types::INVALID_GRANT), "invalid_grant")
}

fn ended() -> Problem {
    let detail = Text::new(
        "نشست این توکن نوسازی پایان یافته است. دوباره وارد شوید.",
        "The session of this refresh token has ended. Log in again.",
    );
    oauth(Problem::new(&problem_types::INVALID_GRANT).detail(detail), "invalid_grant")
}

fn too_old() -> Problem {
    let detail = Text::new(
        "این نشست پایان یافته است، زیرا بیشترین مدت مجاز یک نشست از زمان ورود سپری شده است. دوباره وارد شوید.",
        "This session has ended: as much time has passed since its login as a session may last, whatever is refreshed. Log in again.",
    );
    oauth(Problem::new(&problem_types::INVALID_GRANT).detail(detail), "invalid_grant")
}

fn reused() -> Problem {
    let detail = Text::new(
        "این توکن نوسازی پیش‌تر به کار رفته است و شاید رونوشتی از آن نزد دیگری باشد؛ نشست آن پایان یافت. دوباره وارد شوید.",
        "This refresh token was used before, and somebody else may hold a copy: its session is ended. Log in again.",
    );
    oauth(Problem::new(&problem_types::INVALID_GRANT).detail(detail), "invalid_grant")
}

/// The requested permissions, which must be held; by default all held ones.
fn granted(form: &TokenRequest, held: &[String]) -> Result<String, Problem> {
    let asked: Vec<&str> = form.scope.as_deref().unwrap_or_default().split_ascii_whitespace().collect();
    if asked.iter().any(|asked| held.iter().all(|held| held != asked)) {
        let detail = Text::new(
            "دسترسی خواسته‌شده وجود ندارد یا از آنِ این حساب نیست.",
            "The scope does not exist, or the account does not have it.",
        );
        return Err(oauth(
            Problem::new(&problem_types::INVALID_TOKEN_REQUEST).detail(detail),
            "invalid_scope",
        ));
    }
    Ok(if asked.is_empty() { held.join(" ") } else { asked.join(" ") })
}

/// The account, if the secret is correct. Takes as long for an unknown account.
pub async fn prove(
    request: &HttpRequest,
    db: &Database,
    authenticator: &Authenticator,
    config: &Config,
    username: &str,
    secret: String,
    kind: Kind,
) -> Result<Option<account::Model>, Problem> {
    let log = security_log::log(request);
    let found = account::by_username(db.get_ref(), username).await?;
    let event = |kind, reason: &str| {
        let event = security_event::Model::new(kind, &security_log::origin(request)).because(reason);
        // An unknown name may be a password.
        found.iter().fold(event, |event, account| event.of(account.id, &account.username))
    };
    let attempt =
        match authenticator.attempts().begin(db.get_ref(), config, username, &client::address(request)).await
        {
            Ok(attempt) => attempt,
            Err(Closed { problem, is_news }) => {
                if is_news {
                    log.record(event(security_event::Kind::LoginClosed, "closed"));
                }
                return Err(problem);
            }
        };
    let reason = match &found {
        None => "unknown_account",
        Some(account) if account.kind != kind => "wrong_grant",
        Some(account) if !account.is_usable() => "disabled",
        Some(_) => "wrong_secret",
    };
    let account = found.clone().filter(|account| account.kind == kind && account.is_usable());
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    if password::verify(secret, hash).await? {
        attempt.succeeded(&db.writes()).await?;
        return Ok(account);
    }
    log.record(event(security_event::Kind::LoginFailed, reason));
    if attempt.failed(&db.writes()).await? {
        log.record(event(security_event::Kind::LoginClosed, reason));
    }
    Ok(None)
}

/// HTTP Basic according to RFC 6749, section 2.3.1: both parts are form-encoded.
fn basic_credentials(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| contract::decode(&part.replace('+', " "));
    Some((decode(id)?, decode(secret)?))
}

fn invalid_request(parameter: &'static str) -> Problem {
    let problem = Problem::new(&problem_types::INVALID_TOKEN_REQUEST).violation(Violation::body(
        format!("/{parameter}"),
        "required",
        Text::new("این پارامتر لازم است.", "This parameter is required."),
    ));
    oauth(problem, "invalid_request")
}

/// Adds the error fields of RFC 6749.
fn oauth(problem: Problem, error: &'static str) -> Problem {
    let description = problem.to_string();
    problem.member("error", error).member("error_description", description)
}
