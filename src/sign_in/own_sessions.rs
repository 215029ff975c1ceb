//! The caller's own sessions.

use actix_web::{HttpRequest, delete, get, web};
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::{
        Authenticator,
        session::{self, Column, Entity, Model},
    },
    config::Config,
    http::{
        Answer, CurrentCaller, Database, Page, Paging, Routes, Shape, SortKey, Write, page::Listed,
        record_extractor,
    },
    problem::{Problem, problem_types},
    store::{SqlKind, security_event::Kind},
};

/// The routes of this module.
pub fn routes(config: &mut Routes<'_>) {
    config.service(list_sessions).service(delete_other_sessions).service(delete_session);
}

/// An active login.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Its id, which access tokens carry as `sid`.
    id: Uuid,
    /// Start of the session: the login.
    created_at: DateTime<Utc>,
    /// Time of the last login or refresh. Use of access tokens does not count.
    last_used_at: DateTime<Utc>,
    /// End of the session without a further refresh.
    expires_at: DateTime<Utc>,
    /// End of the session, even with refreshes.
    ends_at: DateTime<Utc>,
    /// The address from which it was last used.
    #[schema(required, max_length = 45, example = "192.0.2.17")]
    address: Option<String>,
    /// `User-Agent` of the last use, at most 200 characters; the sender can set it to anything.
    #[schema(
        required,
        max_length = 200,
        example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    )]
    user_agent: Option<String>,
    /// Whether it is the session of this request.
    #[schema(example = true)]
    is_current: bool,
}

impl Session {
    fn of(row: &Model, current: Option<Uuid>, session_days: i64) -> Self {
        let ends_at = row.ends_at(session_days);
        Self {
            id: row.id,
            created_at: row.created_at,
            last_used_at: row.last_used_at(),
            expires_at: row.expires_at.map_or(ends_at, |expires_at| expires_at.min(ends_at)),
            ends_at,
            address: row.address.clone(),
            user_agent: row.user_agent.clone(),
            is_current: current == Some(row.id),
        }
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey::new(
            "last_used_at",
            "COALESCE(session.last_used_at, session.created_at)",
            SqlKind::Timestamp,
            |row| row.last_used_at().into(),
        ),
        SortKey::new("created_at", "session.created_at", SqlKind::Timestamp, |row| row.created_at.into()),
        SortKey::new("id", "session.id", SqlKind::Uuid, |row| row.id.into()),
    ];
}

/// List my sessions
///
/// Active logins of the caller, also on other devices: address and program of the last use, and end. Oldest
/// first; `sort=-last_used_at` gives the last used first. Each token of an API client is a session of its
/// own, which ends with it.
#[utoipa::path(params(Paging<Model>), responses((status = 200, body = Page<Session>)), security(("oauth2" = [])))]
#[get("/auth/sessions")]
pub async fn list_sessions(
    paging: Paging<Model>,
    caller: CurrentCaller,
    shape: Shape,
    db: Database,
    config: web::Data<Config>,
) -> Result<Answer, Problem> {
    let live = session::is_live(caller.id, config.session_days);
    let page = paging.fetch(db.get_ref(), Entity::find().filter(live)).await?;
    let items =
        page.items.iter().map(|row| Session::of(row, caller.session_id, config.session_days)).collect();
    shape.page(&page.with(items))
}

/// End one of my sessions
///
/// Its refresh token is refused at once, its access tokens and event streams end within seconds. Repeating it
/// is no error. The current session may be ended as well; `POST /auth/revoke` does the same without a valid
/// access token.
#[utoipa::path(responses((status = 204, description = "The session is over")), security(("oauth2" = [])))]
#[delete("/auth/sessions/{id}")]
pub async fn delete_session(
    request: HttpRequest,
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let (id, owner) = (record_extractor::id_in(&request, "id")?, write.caller.id);
    let answer = write.run(async |transaction| {
        let own = Entity::find_by_id(id).filter(Column::AccountId.eq(owner)).one(&**transaction).await?;
        let session = own.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))?;
        if session.revoked_at.is_none() {
            session::revoke(&**transaction, id).await?;
            transaction.note(transaction.event(Kind::SessionEnded).because("one").about("session", id));
        }
        Ok(Answer::no_content())
    });
    let answer = answer.await?;
    authenticator.forget();
    Ok(answer)
}

/// End my other sessions
///
/// All except the current one, as for "log out everywhere else". `POST /auth/revoke` ends the current one.
#[utoipa::path(responses((status = 204, description = "The other sessions are over")), security(("oauth2" = [])))]
#[delete("/auth/sessions")]
pub async fn delete_other_sessions(
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let (owner, present) = (write.caller.id, write.caller.session_id);
    let answer = write.run(async |transaction| {
        if session::revoke_others(&**transaction, owner, present).await? > 0 {
            transaction.note(transaction.event(Kind::SessionEnded).because("others"));
        }
        Ok(Answer::no_content())
    });
    let answer = answer.await?;
    authenticator.forget();
    Ok(answer)
}
