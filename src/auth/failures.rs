//! The limit on failed logins, for each account and each address, kept in the database so that it holds
//! across instances.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::Condition};
use sha2::{Digest, Sha256};

use crate::{
    config::Config,
    http::{Problem, catalogue},
    store::now,
    values::hex,
};

/// A login that failed, or is still being checked.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_failure")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The hash of the account's name or of the address: people type passwords into the wrong field.
    pub subject: String,
    /// When.
    pub failed_at: DateTimeUtc,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Failures count for this long.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// An attempt that counts as failed until it is [`Attempt::succeeded`].
pub struct Attempt {
    ids: [Uuid; 2],
    account: String,
}

/// Counts an attempt before its password is looked at, so that many at once cannot slip through.
/// 429 with `Retry-After` when the account or the address has failed too often.
pub async fn attempt(db: &impl ConnectionTrait, config: &Config, username: &str, address: &str) -> Result<Attempt, Problem> {
    let account = subject("account", &username.to_lowercase());
    let limits = [(account.clone(), config.login_failures_per_account), (subject("address", address), config.login_failures_per_address)];
    let ids = [Uuid::now_v7(), Uuid::now_v7()];
    let rows = limits.iter().zip(ids).map(|((subject, _), id)| ActiveModel { id: Set(id), subject: Set(subject.clone()), failed_at: Set(now()) });
    Entity::insert_many(rows).exec_without_returning(db).await?;
    for (subject, limit) in &limits {
        if let Some(oldest) = over_limit(db, subject, *limit).await? {
            Entity::delete_many().filter(Column::Id.is_in(ids)).exec(db).await?;
            let seconds = (oldest + WINDOW - Utc::now()).num_seconds().max(1);
            return Err(Problem::new(&catalogue::TOO_MANY_FAILED_LOGINS).retry_after(seconds.unsigned_abs()));
        }
    }
    Ok(Attempt { ids, account })
}

impl Attempt {
    /// The password was right: the attempt did not fail, and the account starts afresh.
    pub async fn succeeded(self, db: &impl ConnectionTrait) -> Result<(), Problem> {
        let own = Condition::any().add(Column::Id.is_in(self.ids)).add(Column::Subject.eq(self.account));
        Entity::delete_many().filter(own).exec(db).await?;
        Ok(())
    }
}

/// The oldest failure of a subject that still counts, where there are more than allowed.
async fn over_limit(db: &impl ConnectionTrait, subject: &str, limit: u64) -> Result<Option<DateTime<Utc>>, DbErr> {
    let counted = Entity::find().filter(Column::Subject.eq(subject)).filter(Column::FailedAt.gte(Utc::now() - WINDOW));
    if counted.clone().count(db).await? <= limit {
        return Ok(None);
    }
    Ok(counted.order_by_asc(Column::FailedAt).one(db).await?.map(|oldest| oldest.failed_at))
}

fn subject(kind: &str, name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    format!("{kind}:{}", hex(&hash[..16]))
}

/// Forgets the failures that no longer count.
pub async fn forget_old(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::FailedAt.lt(Utc::now() - WINDOW)).exec(db).await?.rows_affected)
}
