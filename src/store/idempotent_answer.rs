//! Answers kept for requests that are repeated with the same `Idempotency-Key`.

use chrono::{TimeDelta, Utc};
use sea_orm::entity::prelude::*;

/// The first answer to a request.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotent_answer")]
pub struct Model {
    /// Whose key it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Uuid,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// The hash of method, address and body.
    pub fingerprint: String,
    /// The answer.
    pub answer: Json,
    /// When it was given.
    pub created_at: DateTimeUtc,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

impl Model {
    /// Whether it is still given again.
    pub fn is_current(&self) -> bool {
        Utc::now() - self.created_at < KEPT
    }
}

/// Forgets the answers that are no longer given again.
pub async fn forget_old(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let old = Entity::delete_many().filter(Column::CreatedAt.lt(Utc::now() - KEPT)).exec(db).await?;
    Ok(old.rows_affected)
}
