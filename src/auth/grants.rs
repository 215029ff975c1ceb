//! The token endpoint of OAuth 2 and its grants (RFC 6749).

use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, http::header, post, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Authenticator,
    account::{self, Kind},
    failures, password, session,
};
use crate::{
    config::Config,
    http::{Body, Database, Problem, Text, Violation, catalogue, client, contract},
    store::connection,
};

/// The form of an OAuth 2 endpoint. What is wrong with it is told as RFC 6749, section 5.2, asks.
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
                    Err(oauth(problem.into_kind(&catalogue::INVALID_TOKEN_REQUEST), error))
                }
                Err(problem) => Err(problem),
            }
        })
    }
}

/// A token request, as a form (RFC 6749). Parameters that are not known are ignored, as the RFC asks.
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    /// How the caller proves who it is.
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
    /// Permissions asked for, separated by spaces; all that the account has when left out.
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
    /// The refresh token, for people: it gives new tokens once.
    #[schema(required = false, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The permissions that the token carries, separated by spaces.
    #[schema(example = "reference:read clusters:read reports:read")]
    scope: String,
}

/// Get tokens
///
/// The token endpoint of OAuth 2: `password` for people, `client_credentials` for API clients, `refresh_token`
/// to go on. A refresh token works once; using it again ends the session, since somebody else may hold it.
/// Several failed logins close the account and the address for some minutes (429).
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
        "password" => log_in(&request, &form, &db, &config).await?,
        "client_credentials" => log_in_client(&request, &form, &db, &config).await?,
        _ => refresh(&form, &db, &config).await?,
    };
    let answer = TokenResponse {
        access_token: authenticator.issue(&issued.account, issued.session, &issued.scope)?,
        token_type: "Bearer",
        expires_in: authenticator.lifetime(),
        refresh_token: issued.refresh_token,
        scope: issued.scope,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// What a token request has come to.
struct Issued {
    account: account::Model,
    session: Uuid,
    scope: String,
    refresh_token: Option<String>,
}

async fn log_in(request: &HttpRequest, form: &TokenRequest, db: &Database, config: &Config) -> Result<Issued, Problem> {
    let username = form.username.as_deref().ok_or_else(|| invalid_request("username"))?;
    let secret = form.password.clone().ok_or_else(|| invalid_request("password"))?;
    let account = prove(request, db, config, username, secret, Kind::Person).await?;
    let account = account.ok_or_else(|| oauth(Problem::new(&catalogue::INVALID_GRANT), "invalid_grant"))?;
    let scope = granted(form, &account.permissions())?;
    let transaction = connection::begin_to_write(db.get_ref()).await?;
    let session = session::begin(&transaction, account.id, &scope).await?;
    let refresh_token = session::issue(&transaction, session, config.refresh_token_days).await?;
    transaction.commit().await?;
    Ok(Issued { account, session, scope, refresh_token: Some(refresh_token) })
}

async fn log_in_client(request: &HttpRequest, form: &TokenRequest, db: &Database, config: &Config) -> Result<Issued, Problem> {
    let (id, secret) = match (basic_credentials(request), &form.client_id, &form.client_secret) {
        (Some(pair), ..) => pair,
        (None, Some(id), Some(secret)) => (id.clone(), secret.clone()),
        (None, None, _) => return Err(invalid_request("client_id")),
        (None, Some(_), None) => return Err(invalid_request("client_secret")),
    };
    let account = prove(request, db, config, &id, secret, Kind::Client).await?;
    let account = account.ok_or_else(|| {
        let problem = Problem::new(&catalogue::INVALID_CLIENT).header(header::WWW_AUTHENTICATE, "Basic realm=\"khoosheh\"");
        oauth(problem, "invalid_client")
    })?;
    let scope = granted(form, &account.permissions())?;
    let session = session::begin(db.get_ref(), account.id, &scope).await?;
    Ok(Issued { account, session, scope, refresh_token: None })
}

async fn refresh(form: &TokenRequest, db: &Database, config: &Config) -> Result<Issued, Problem> {
    let token = form.refresh_token.as_deref().ok_or_else(|| invalid_request("refresh_token"))?;
    let refused = || oauth(Problem::new(&catalogue::INVALID_GRANT), "invalid_grant");
    let transaction = connection::begin_to_write(db.get_ref()).await?;
    // The end of a session whose token was reused is committed as well.
    let Some(session) = session::redeem(&transaction, token).await? else {
        transaction.commit().await?;
        return Err(refused());
    };
    let account = account::Entity::find_by_id(session.account_id).one(&transaction).await?;
    let account = account.filter(account::Model::is_usable).ok_or_else(refused)?;
    let permissions = account.permissions();
    let held: Vec<String> = session.scope.split(' ').map(str::to_owned).filter(|granted| permissions.contains(granted)).collect();
    let scope = granted(form, &held)?;
    let refresh_token = session::issue(&transaction, session.id, config.refresh_token_days).await?;
    transaction.commit().await?;
    Ok(Issued { account, session: session.id, scope, refresh_token: Some(refresh_token) })
}

/// The permissions asked for, which must be held; all that are held where none is named.
fn granted(form: &TokenRequest, held: &[String]) -> Result<String, Problem> {
    let asked: Vec<&str> = form.scope.as_deref().unwrap_or_default().split_ascii_whitespace().collect();
    if asked.iter().any(|asked| held.iter().all(|held| held != asked)) {
        let detail = Text::new("دسترسی خواسته‌شده وجود ندارد یا از آنِ این حساب نیست.", "The scope does not exist, or the account does not have it.");
        return Err(oauth(Problem::new(&catalogue::INVALID_TOKEN_REQUEST).detail(detail), "invalid_scope"));
    }
    Ok(if asked.is_empty() { held.join(" ") } else { asked.join(" ") })
}

/// The account, if the secret is its own. Takes as long when there is no such account.
pub async fn prove(
    request: &HttpRequest,
    db: &Database,
    config: &Config,
    username: &str,
    secret: String,
    kind: Kind,
) -> Result<Option<account::Model>, Problem> {
    let attempt = failures::attempt(db.get_ref(), config, username, &client::address(request)).await?;
    let account = account::by_username(db.get_ref(), username).await?.filter(|account| account.kind == kind && account.is_usable());
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    if password::verify(secret, hash).await? {
        attempt.succeeded(db.get_ref()).await?;
        return Ok(account);
    }
    Ok(None)
}

/// HTTP Basic, as RFC 6749, section 2.3.1, has it: both parts are form-encoded.
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
    let problem = Problem::new(&catalogue::INVALID_TOKEN_REQUEST).violation(Violation::body(
        format!("/{parameter}"),
        "required",
        Text::new("این پارامتر لازم است.", "This parameter is required."),
    ));
    oauth(problem, "invalid_request")
}

/// Adds what clients of RFC 6749 look for.
fn oauth(problem: Problem, error: &'static str) -> Problem {
    let description = problem.to_string();
    problem.member("error", error).member("error_description", description)
}
