//! Endpoints for logout, the own account, and OAuth 2 metadata. Login is in [`grants`].

use crate::http::security_log;
use crate::policy::roles;
use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    grants::{self, OauthForm, prove},
    own_sessions,
};
use crate::{
    accounts::{Authenticator, account::Kind, password, session},
    config::Config,
    http::{Answer, Body, CurrentCaller, Database, Routes, Write},
    policy::Role,
    problem::{Problem, Text, Violation, problem_types},
    store::security_event,
};

/// The routes of this module, below `/api/v1`.
pub fn routes(config: &mut Routes<'_>) {
    config.service(grants::create_token).service(revoke_token).service(get_me).service(change_password);
    own_sessions::routes(config);
}

/// Routes of this module at the root.
pub fn well_known_routes(config: &mut Routes<'_>) {
    config.service(list_signing_keys).service(get_authorization_server);
}

/// A revocation request, as a form (RFC 7009).
#[derive(Deserialize, ToSchema)]
pub struct RevocationRequest {
    /// The refresh token or access token.
    #[schema(max_length = 4000, min_length = 1)]
    token: String,
    /// Type of the token; ignored.
    #[schema(max_length = 100, nullable = false, example = "refresh_token")]
    #[allow(dead_code)]
    token_type_hint: Option<String>,
}

/// Log out
///
/// Ends the session of a token: its refresh token at once, its access tokens within seconds.
/// A token that is not known is no error (RFC 7009, section 2.2).
#[utoipa::path(
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The session is over")),
    security(()),
)]
#[post("/auth/revoke")]
pub async fn revoke_token(
    request: HttpRequest,
    form: OauthForm<RevocationRequest>,
    db: Database,
    authenticator: web::Data<Authenticator>,
) -> Result<HttpResponse, Problem> {
    let session = match session::of_refresh_token(db.get_ref(), &form.0.token).await? {
        Some(session) => Some(session),
        None => authenticator.session_of(&db, &form.0.token).await?.map(|(session, _)| session),
    };
    if let Some(session) = session {
        session::revoke(&db.writes(), session).await?;
        authenticator.forget();
        let event = security_event::Model::new(security_event::Kind::Logout, &security_log::origin(&request));
        let account = session::account_of(db.get_ref(), session).await?;
        security_log::log(&request)
            .record(account.into_iter().fold(event, |event, (id, username)| event.of(id, &username)));
    }
    Ok(HttpResponse::Ok().finish())
}

/// The caller.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// The account.
    id: Uuid,
    /// The user name or client id.
    #[schema(example = "lorestan")]
    username: String,
    /// The role.
    #[schema(example = "provincial_manager")]
    role: Role,
    /// The province that exists for the caller; null for the nation.
    #[schema(required, example = "IR-15")]
    province: Option<String>,
    /// The caller's CDA record; null if the caller is not a CDA.
    #[schema(required, example = json!(null))]
    cda_id: Option<Uuid>,
    /// Permissions of the token.
    #[schema(example = json!(["clusters:read", "clusters:write"]))]
    permissions: Vec<String>,
    /// Whether somebody else has set the password: it has to be changed first (`POST /auth/password`), and
    /// everything except that, this and `POST /auth/revoke` is refused (403, `password_change_required`).
    #[schema(example = false)]
    must_change_password: bool,
}

/// Who am I
///
/// The account behind the token, with its role, scope and permissions: use them to build menus.
#[utoipa::path(responses((status = 200, body = Me, description = "The caller")), security(("oauth2" = [])))]
#[get("/auth/me")]
pub async fn get_me(caller: CurrentCaller) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Me {
        id: caller.id,
        username: caller.username.clone(),
        role: caller.role,
        province: caller.scope.province().map(str::to_owned),
        cda_id: caller.cda_id,
        permissions: caller.permissions.clone(),
        must_change_password: caller.must_change_password,
    })
}

/// A change of one's own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password until now.
    #[schema(max_length = 200, format = Password, example = "the password until now")]
    current_password: String,
    /// New password, at least 12 characters.
    #[schema(min_length = 12, max_length = 200, format = Password, example = "correct horse battery staple")]
    new_password: String,
}

/// Change my password
///
/// Ends all sessions of the account: log in again with the new password. The current password, and one that
/// is easily guessed, are refused. A password set by somebody else (`must_change_password` of `GET /auth/me`)
/// has to be changed here before anything else.
#[utoipa::path(request_body = PasswordChange, responses((status = 204, description = "Changed")), security(("oauth2" = [])))]
#[post("/auth/password")]
pub async fn change_password(
    change: Body<PasswordChange>,
    write: Write,
    request: HttpRequest,
    db: Database,
    authenticator: web::Data<Authenticator>,
    config: web::Data<Config>,
) -> Result<Answer, Problem> {
    if write.caller.role == Role::Integrator {
        return Err(Problem::new(&problem_types::FORBIDDEN));
    }
    let PasswordChange { current_password, new_password } = change.0;
    let account =
        prove(&request, &db, &authenticator, &config, &write.caller.username, current_password, Kind::Person)
            .await?;
    let before = account.ok_or_else(|| {
        Problem::invalid(vec![Violation::body(
            "/current_password",
            "wrong_password",
            Text::new("گذرواژهٔ کنونی درست نیست.", "The current password is not right."),
        )])
    })?;
    let mut row = before.clone();
    let present = Some(before.password_hash.clone());
    row.set_password(password::hash_new(new_password, before.names(), present, "/new_password").await?, true);
    let answer = write.update_own(&before, row).await?;
    authenticator.forget();
    Ok(answer)
}

/// The keys that verify access tokens
///
/// A JSON Web Key Set (RFC 7517).
#[utoipa::path(responses((status = 200, body = serde_json::Value, description = "The public keys")), security(()))]
#[get("/.well-known/jwks.json")]
pub async fn list_signing_keys(authenticator: web::Data<Authenticator>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(authenticator.key_set())
}

/// What the authorization server can do
///
/// Metadata according to RFC 8414, from which OAuth 2 libraries configure themselves.
#[utoipa::path(responses((status = 200, body = serde_json::Value, description = "The metadata")), security(()))]
#[get("/.well-known/oauth-authorization-server")]
pub async fn get_authorization_server(authenticator: web::Data<Authenticator>) -> HttpResponse {
    let issuer = authenticator.issuer();
    let scopes: Vec<&str> = roles::PERMISSIONS.iter().map(|(name, _)| *name).collect();
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/api/v1/auth/token"),
        "revocation_endpoint": format!("{issuer}/api/v1/auth/revoke"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "grant_types_supported": ["password", "refresh_token", "client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes,
        "service_documentation": format!("{issuer}/docs/"),
    }))
}
