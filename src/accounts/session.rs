//! Sessions and their refresh tokens: opaque, kept as hashes, rotated at each use.

use actix_web::{HttpRequest, http::header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    IntoActiveModel,
    entity::prelude::*,
    sea_query::{Condition, ExprTrait, SimpleExpr},
};
use sha2::{Digest, Sha256};

use super::account;
use crate::{client, clock::new_id, store::now};

/// A login. Its refresh tokens are one family: a reused one ends it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Its id, which access tokens carry as `sid`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account.
    pub account_id: Uuid,
    /// Granted permissions, separated by spaces; a refresh never adds any (RFC 6749, section 6).
    pub scope: String,
    /// Start time.
    pub created_at: DateTimeUtc,
    /// Time of revocation.
    pub revoked_at: Option<DateTimeUtc>,
    /// Time of the last login or refresh; none for sessions from an earlier version of the program.
    pub last_used_at: Option<DateTimeUtc>,
    /// Expiry of the last of its tokens; none for sessions from an earlier version of the program.
    pub expires_at: Option<DateTimeUtc>,
    /// Address of the last use, until the session ends.
    pub address: Option<String>,
    /// Program of the last use, until the session ends.
    pub user_agent: Option<String>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Time of the last login or refresh.
    pub fn last_used_at(&self) -> DateTime<Utc> {
        self.last_used_at.unwrap_or(self.created_at)
    }

    /// Latest end, even with refreshes.
    pub fn ends_at(&self, session_days: i64) -> DateTime<Utc> {
        self.created_at + TimeDelta::days(session_days)
    }

    /// Whether it was ended, or has lasted as long as a session may.
    pub fn has_ended(&self, session_days: i64) -> bool {
        self.revoked_at.is_some() || self.ends_at(session_days) <= now()
    }
}

/// The most characters of a user agent that are kept.
const LONGEST_USER_AGENT: usize = 200;

/// Data by which the owner recognises a session.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The address.
    pub address: Option<String>,
    /// Printable characters of the `User-Agent`, at most 200.
    pub user_agent: Option<String>,
}

impl Device {
    /// The one that sends a request.
    pub fn of(request: &HttpRequest) -> Self {
        let header = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let printable = |text: &str| {
            text.chars()
                .filter(|c| *c == ' ' || c.is_ascii_graphic())
                .take(LONGEST_USER_AGENT)
                .collect::<String>()
        };
        let given = |text: &String| !text.is_empty();
        Self {
            address: Some(client::address(request)).filter(given),
            user_agent: header.map(|text| printable(text).trim().to_owned()).filter(given),
        }
    }
}

/// Condition that a session belongs to an account and is active.
pub fn is_live(account_id: Uuid, session_days: i64) -> Condition {
    let now = now();
    Condition::all()
        .add(Column::AccountId.eq(account_id))
        .add(Column::RevokedAt.is_null())
        .add(Column::CreatedAt.gt(now - TimeDelta::days(session_days)))
        .add(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now)))
}

/// The refresh tokens of sessions.
pub mod refresh_token {
    use sea_orm::entity::prelude::*;

    /// A refresh token.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refresh_token")]
    pub struct Model {
        /// SHA-256 of the token, which is random enough to need no salt.
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: String,
        /// Its session.
        pub session_id: Uuid,
        /// Until when it can be used.
        pub expires_at: DateTimeUtc,
        /// Time of use.
        pub used_at: Option<DateTimeUtc>,
    }

    /// No relations.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The session of an access token issued while the database took no writes: none, and the token expires by
/// itself.
pub const NONE: Uuid = Uuid::nil();

/// Begins a session with a lifetime of its tokens.
pub async fn begin(
    db: &impl ConnectionTrait,
    account_id: Uuid,
    scope: &str,
    device: Device,
    lifetime: TimeDelta,
) -> Result<Model, DbErr> {
    let now = now();
    let session = Model {
        id: new_id(),
        account_id,
        scope: scope.to_owned(),
        created_at: now,
        revoked_at: None,
        last_used_at: Some(now),
        expires_at: Some(now + lifetime),
        address: device.address,
        user_agent: device.user_agent,
    };
    Entity::insert(session.clone().into_active_model().reset_all()).exec_without_returning(db).await?;
    Ok(session)
}

/// Extends a session.
pub async fn go_on(
    db: &impl ConnectionTrait,
    session_id: Uuid,
    device: Device,
    expires_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let used = ActiveModel {
        last_used_at: Set(Some(now())),
        expires_at: Set(Some(expires_at)),
        address: Set(device.address),
        user_agent: Set(device.user_agent),
        ..Default::default()
    };
    Entity::update_many().set(used).filter(Column::Id.eq(session_id)).exec(db).await.map(|_| ())
}

/// Issues a refresh token.
pub async fn issue(
    db: &impl ConnectionTrait,
    session_id: Uuid,
    expires_at: DateTime<Utc>,
) -> Result<String, DbErr> {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let row = refresh_token::ActiveModel {
        token_hash: Set(hash(&token)),
        session_id: Set(session_id),
        expires_at: Set(expires_at),
        used_at: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(db).await?;
    Ok(token)
}

/// Time for which a used refresh token may be used once more: its answer may have been lost, or two windows
/// may have used it at once.
const GRACE: TimeDelta = TimeDelta::seconds(30);

/// Results of redeeming a refresh token.
pub enum Redeemed {
    /// The session continues.
    Live(Model),
    /// The token was used before, and somebody else may have a copy: the session is ended (RFC 9700, section
    /// 4.14.2).
    Reused(Option<Model>),
    /// Its session has lasted as long as a session may, and is ended.
    TooOld(Model),
    /// Expired, or the session had ended.
    Ended,
    /// Unknown.
    Unknown,
}

/// Redeems a refresh token; its session lasts at most this number of days.
pub async fn redeem(db: &impl ConnectionTrait, token: &str, session_days: i64) -> Result<Redeemed, DbErr> {
    let by_hash = || refresh_token::Entity::find_by_id(hash(token));
    let Some(row) = by_hash().one(db).await? else { return Ok(Redeemed::Unknown) };
    let used = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(now()))
        .filter(refresh_token::Column::TokenHash.eq(&row.token_hash))
        .filter(refresh_token::Column::UsedAt.is_null())
        .exec(db)
        .await?;
    let session = Entity::find_by_id(row.session_id).one(db).await?;
    if used.rows_affected == 0 {
        // It may have been used since it was read.
        let used_at = by_hash().one(db).await?.and_then(|row| row.used_at);
        if used_at.is_none_or(|used_at| used_at + GRACE < now()) {
            revoke(db, row.session_id).await?;
            return Ok(Redeemed::Reused(session));
        }
    }
    Ok(match session.filter(|session| session.revoked_at.is_none()) {
        Some(session) if session.has_ended(session_days) => {
            revoke(db, session.id).await?;
            Redeemed::TooOld(session)
        }
        Some(session) if row.expires_at >= now() => Redeemed::Live(session),
        _ => Redeemed::Ended,
    })
}

/// The session of a refresh token that could be used, without using it up.
pub async fn peek(db: &impl ConnectionTrait, token: &str, session_days: i64) -> Result<Option<Model>, DbErr> {
    let row = refresh_token::Entity::find_by_id(hash(token)).one(db).await?;
    let Some(row) = row.filter(|row| row.used_at.is_none() && row.expires_at >= now()) else {
        return Ok(None);
    };
    Ok(Entity::find_by_id(row.session_id).one(db).await?.filter(|session| !session.has_ended(session_days)))
}

/// The session of a refresh token, even of an unusable one.
pub async fn of_refresh_token(db: &impl ConnectionTrait, token: &str) -> Result<Option<Uuid>, DbErr> {
    Ok(refresh_token::Entity::find_by_id(hash(token)).one(db).await?.map(|row| row.session_id))
}

/// The account of a session, with its name.
pub async fn account_of(
    db: &impl ConnectionTrait,
    session_id: Uuid,
) -> Result<Option<(Uuid, String)>, DbErr> {
    let Some(session) = Entity::find_by_id(session_id).one(db).await? else { return Ok(None) };
    let account = account::Entity::find_by_id(session.account_id).one(db).await?;
    Ok(account.map(|account| (account.id, account.username)))
}

/// Ends a session.
pub async fn revoke(db: &impl ConnectionTrait, session_id: Uuid) -> Result<(), DbErr> {
    end(db, Column::Id.eq(session_id)).await.map(|_| ())
}

/// Ends all sessions of an account.
pub async fn revoke_all(db: &impl ConnectionTrait, account_id: Uuid) -> Result<(), DbErr> {
    end(db, Column::AccountId.eq(account_id)).await.map(|_| ())
}

/// Ends all sessions of an account except one; returns their number.
pub async fn revoke_others(
    db: &impl ConnectionTrait,
    account_id: Uuid,
    but_for: Option<Uuid>,
) -> Result<u64, DbErr> {
    end(db, Column::AccountId.eq(account_id).and(Column::Id.ne(but_for.unwrap_or(NONE)))).await
}

/// Ends all sessions of all accounts; returns their number.
pub async fn revoke_everybody(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    end(db, Column::Id.is_not_null()).await
}

/// Ends sessions and deletes their addresses and programs.
async fn end(db: &impl ConnectionTrait, which: SimpleExpr) -> Result<u64, DbErr> {
    let ended = ActiveModel {
        revoked_at: Set(Some(now())),
        address: Set(None),
        user_agent: Set(None),
        ..Default::default()
    };
    let sessions = Entity::update_many().set(ended).filter(which).filter(Column::RevokedAt.is_null());
    Ok(sessions.exec(db).await?.rows_affected)
}

/// Deletes refresh tokens that expired before a moment, and sessions without any left.
pub async fn forget_old(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let tokens = refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::ExpiresAt.lt(before))
        .exec(db)
        .await?;
    let alive = sea_orm::sea_query::Query::select()
        .column(refresh_token::Column::SessionId)
        .from(refresh_token::Entity)
        .to_owned();
    let old = Entity::delete_many()
        .filter(Column::CreatedAt.lt(before))
        .filter(Column::Id.not_in_subquery(alive))
        .exec(db)
        .await?;
    Ok(tokens.rows_affected + old.rows_affected)
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}
