//! Secrets that the service makes for itself. They are kept in the database: all instances share them, and a
//! backup brings them along.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{Database, Transaction, lock, now};
use crate::{auth::Caller, problem::Problem};

/// The name of the key that seals the cursors of followers.
pub const CURSORS: &str = "cursors of followers";

/// Name of the key of personal values that is used if none is configured.
pub const PERSONAL: &str = "personal values";

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service_secret")]
pub struct Model {
    /// Its purpose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// 32 random bytes.
    pub value: Vec<u8>,
    /// Creation time.
    pub created_at: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The secret of a name, created if missing. Of several instances that need it at once, one creates it. 503
/// if it is missing and the database takes no writes.
pub async fn get_or_make(db: &Database, name: &str) -> Result<Vec<u8>, Problem> {
    if let Some(secret) = find(db, name).await? {
        return Ok(secret);
    }
    let transaction = Transaction::begin(db, Caller::service(), String::new()).await?;
    lock::for_transaction(&*transaction, name).await?;
    if let Some(secret) = find(&*transaction, name).await? {
        return Ok(secret);
    }
    let mut value = vec![0; 32];
    SystemRandom::new().fill(&mut value).map_err(Problem::internal)?;
    let secret =
        ActiveModel { name: Set(name.to_owned()), value: Set(value.clone()), created_at: Set(now()) };
    Entity::insert(secret).exec_without_returning(&*transaction).await?;
    transaction.commit().await?;
    Ok(value)
}

/// The secret of a name, where there is one.
///
/// # Errors
/// The database does not answer.
pub async fn find(db: &impl ConnectionTrait, name: &str) -> Result<Option<Vec<u8>>, DbErr> {
    Ok(Entity::find_by_id(name.to_owned()).one(db).await?.map(|secret| secret.value))
}
