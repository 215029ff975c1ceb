//! Sessions and their refresh tokens: opaque, kept as hashes, rotated at each use.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};
use sha2::{Digest, Sha256};

use crate::store::now;

/// A login. Its refresh tokens are one family: a reused one ends it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Its id, which access tokens carry as `sid`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it is.
    pub account_id: Uuid,
    /// The permissions that were granted, separated by spaces; a refresh never gives more (RFC 6749, section 6).
    pub scope: String,
    /// When it began.
    pub created_at: DateTimeUtc,
    /// When it was ended.
    pub revoked_at: Option<DateTimeUtc>,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The refresh tokens of sessions.
pub mod refresh_token {
    use sea_orm::entity::prelude::*;

    /// A refresh token.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refresh_token")]
    pub struct Model {
        /// SHA-256 of the token, which is random enough to need no more.
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: String,
        /// Its session.
        pub session_id: Uuid,
        /// Until when it can be used.
        pub expires_at: DateTimeUtc,
        /// When it was used.
        pub used_at: Option<DateTimeUtc>,
    }

    /// It stands alone.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Begins a session.
pub async fn begin(db: &impl ConnectionTrait, account_id: Uuid, scope: &str) -> Result<Uuid, DbErr> {
    let id = Uuid::now_v7();
    let session =
        ActiveModel { id: Set(id), account_id: Set(account_id), scope: Set(scope.to_owned()), created_at: Set(now()), revoked_at: Set(None) };
    Entity::insert(session).exec_without_returning(db).await?;
    Ok(id)
}

/// Gives out a refresh token.
pub async fn issue(db: &impl ConnectionTrait, session_id: Uuid, days: i64) -> Result<String, DbErr> {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let row = refresh_token::ActiveModel {
        token_hash: Set(hash(&token)),
        session_id: Set(session_id),
        expires_at: Set(now() + TimeDelta::days(days)),
        used_at: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(db).await?;
    Ok(token)
}

/// Uses up a refresh token and gives its session; none where it is unknown or expired, or its session ended.
/// One that was used before ends the session: somebody else holds a copy (RFC 9700, section 4.14.2).
pub async fn redeem(db: &impl ConnectionTrait, token: &str) -> Result<Option<Model>, DbErr> {
    let Some(row) = refresh_token::Entity::find_by_id(hash(token)).one(db).await? else { return Ok(None) };
    let used = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(now()))
        .filter(refresh_token::Column::TokenHash.eq(&row.token_hash))
        .filter(refresh_token::Column::UsedAt.is_null())
        .exec(db)
        .await?;
    if used.rows_affected == 0 {
        tracing::warn!(session = %row.session_id, "a refresh token was reused: its session is ended");
        revoke(db, row.session_id).await?;
        return Ok(None);
    }
    if row.expires_at < Utc::now() {
        return Ok(None);
    }
    Ok(Entity::find_by_id(row.session_id).one(db).await?.filter(|session| session.revoked_at.is_none()))
}

/// The session of a refresh token, whether it can still be used or not.
pub async fn of_refresh_token(db: &impl ConnectionTrait, token: &str) -> Result<Option<Uuid>, DbErr> {
    Ok(refresh_token::Entity::find_by_id(hash(token)).one(db).await?.map(|row| row.session_id))
}

/// Ends a session.
pub async fn revoke(db: &impl ConnectionTrait, session_id: Uuid) -> Result<(), DbErr> {
    end(db, Column::Id.eq(session_id)).await
}

/// Ends all sessions of an account.
pub async fn revoke_all(db: &impl ConnectionTrait, account_id: Uuid) -> Result<(), DbErr> {
    end(db, Column::AccountId.eq(account_id)).await
}

async fn end(db: &impl ConnectionTrait, which: sea_orm::sea_query::SimpleExpr) -> Result<(), DbErr> {
    let ended = Entity::update_many().col_expr(Column::RevokedAt, Expr::value(now())).filter(which).filter(Column::RevokedAt.is_null());
    ended.exec(db).await.map(|_| ())
}

/// Forgets refresh tokens that expired before a moment, and sessions that have none left.
pub async fn forget_old(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let tokens = refresh_token::Entity::delete_many().filter(refresh_token::Column::ExpiresAt.lt(before)).exec(db).await?;
    let alive = sea_orm::sea_query::Query::select().column(refresh_token::Column::SessionId).from(refresh_token::Entity).to_owned();
    let old = Entity::delete_many().filter(Column::CreatedAt.lt(before)).filter(Column::Id.not_in_subquery(alive)).exec(db).await?;
    Ok(tokens.rows_affected + old.rows_affected)
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}
